/* NN_DIRECT_FD: the loop that waits for NN_RCVFD reads the connections itself. Nobody else does, it may be readable for
   half a message, and whatever has to happen to the socket happens in nn_recv. The original does not know it. */

#include "ctest.h"

enum { NN_DIRECT_FD = 1001 }; /* of nanomsg-rs/direct.h, which the original has not */

/* A socket, and the descriptor that it hands out before it has an endpoint. */
static int direct_socket(int type, int *fd)
{
    int s = ct_socket(type);
    MUST(ct_set(s, NN_DIRECT_FD, 1));
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_DIRECT_FD) == 1);
    *fd = ct_get(s, NN_SOL_SOCKET, NN_RCVFD);
    CHECK(*fd >= 0 && ct_get(s, NN_SOL_SOCKET, NN_RCVFD) == *fd);
    return s;
}

static int readable(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, ms) == 1;
}

/* As a loop does: waits, and receives until there is nothing more. Each message has the number that
   is expected next. Returns how many came; 0: nothing within the time. */
static int loop(int s, int fd, int *expected, int ms)
{
    int64_t end = ct_now() + ms;
    int got = 0;
    while (!got && readable(fd, (int) (end > ct_now() ? end - ct_now() : 0)))
        for (int number; nn_recv(s, &number, sizeof number, NN_DONTWAIT) == sizeof number; got++)
            CHECK(number == (*expected)++);
    CHECK(nn_errno() == EAGAIN || got == 0);
    return got;
}

/* A process of its own, of which nobody here can be woken in place of the loop. */
static pid_t send_numbers(const char *addr, int count)
{
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int s = ct_socket(NN_PUSH);
        MUST(nn_connect(s, addr));
        for (int i = 0; i < count; i++)
            MUST(nn_send(s, &i, sizeof i, 0));
        MUST(nn_close(s));
        _exit(0);
    }
    return pid;
}

static void ended(pid_t pid)
{
    int status;
    MUST(waitpid(pid, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Nobody but the loop is inside: it accepts, greets and reads. Then another one connects. */
static void peers_come_and_go(enum ct_transport t)
{
    enum { COUNT = 20000 };
    char addr[NN_SOCKADDR_MAX];
    int fd, s = direct_socket(NN_PULL, &fd);
    MUST(nn_bind(s, ct_address(t, addr)));
    for (int peer = 0; peer < 3; peer++) {
        int expected = 0;
        pid_t pid = send_numbers(addr, COUNT);
        while (expected < COUNT && loop(s, fd, &expected, CT_PATIENCE) > 0)
            continue;
        CHECK(expected == COUNT);
        /* Its end is something to read, too. Where there is a second thread, that may have seen it first. */
        for (int64_t end = ct_now() + CT_PATIENCE; PEERS(s);) {
            CHECK(ct_now() < end);
            if (readable(fd, 10))
                CHECK(nn_recv(s, &expected, sizeof expected, NN_DONTWAIT) == -1);
        }
        ended(pid);
    }
    MUST(nn_close(s));
}

/* Within the process there is no connection to read: only what has come shows. */
static void from_neighbours(void)
{
    char addr[NN_SOCKADDR_MAX];
    int fd, expected = 0, s = direct_socket(NN_PULL, &fd), push = ct_socket(NN_PUSH);
    MUST(nn_bind(s, ct_address(INPROC, addr)));
    MUST(nn_connect(push, addr));
    CHECK(!readable(fd, 0));
    for (int i = 0; i < 1000; i++) {
        MUST(nn_send(push, &i, sizeof i, 0));
        CHECK(loop(s, fd, &expected, CT_PATIENCE) == 1);
        CHECK(!readable(fd, 0));
    }
    MUST(nn_close(push));
    MUST(nn_close(s));
}

/* What a turn has read and the loop has not taken keeps the descriptor readable. */
static void one_at_a_time(enum ct_transport t)
{
    int fd, s[2];
    char addr[NN_SOCKADDR_MAX];
    s[0] = direct_socket(NN_PAIR, &fd);
    s[1] = ct_socket(NN_PAIR);
    MUST(nn_bind(s[0], ct_address(t, addr)));
    MUST(nn_connect(s[1], addr));
    EVENTUALLY((readable(fd, 10) && nn_recv(s[0], addr, 1, NN_DONTWAIT), PEERS(s[0]) == 1 && PEERS(s[1]) == 1));
    for (int i = 0; i < 100; i++)
        MUST(nn_send(s[1], &i, sizeof i, 0));
    for (int i = 0, number; i < 100;) {
        CHECK(readable(fd, CT_PATIENCE));
        if (nn_recv(s[0], &number, sizeof number, NN_DONTWAIT) == sizeof number) {
            CHECK(number == i);
            i++;
        }
    }
    CHECK(nn_recv(s[0], addr, 1, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
    CHECK(!readable(fd, 0));
    /* And the other way, with a call that waits. */
    MUST(ct_set(s[0], NN_RCVTIMEO, CT_PATIENCE));
    CHECK(nn_send(s[0], "back", 4, 0) == 4);
    CHECK(nn_recv(s[1], addr, 4, 0) == 4);
    CHECK(nn_send(s[1], "forth", 5, 0) == 5 && nn_recv(s[0], addr, 5, 0) == 5);
    struct nn_pollfd p = {s[0], NN_POLLIN, 0};
    CHECK(nn_send(s[1], "poll", 4, 0) == 4 && nn_poll(&p, 1, CT_PATIENCE) == 1);
    CHECK(readable(fd, 0) && nn_recv(s[0], addr, 4, NN_DONTWAIT) == 4);
    MUST(nn_close(s[1]));
    MUST(nn_close(s[0]));
}

static void half_a_message(void)
{
    char addr[NN_SOCKADDR_MAX], frame[64];
    int fd, s = direct_socket(NN_PAIR, &fd);
    MUST(nn_bind(s, ct_address(TCP, addr)));
    int peer = ct_raw_connect(addr);
    ct_raw_write(peer, PAIR_HEADER, 8);
    EVENTUALLY((readable(fd, 10) && nn_recv(s, frame, 1, NN_DONTWAIT), PEERS(s) == 1));
    CHECK(ct_raw_read(peer, frame, 8) == 8);
    size_t size = ct_frame(addr, 12, "in two parts", 12, frame);
    long before = ct_wakeups();
    for (int i = 0; i < 200; i++) {
        char got[16];
        ct_raw_write(peer, frame, size - 5);
        CHECK(readable(fd, CT_PATIENCE));
        CHECK(nn_recv(s, got, sizeof got, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
        CHECK(!readable(fd, 0));
        ct_raw_write(peer, frame + size - 5, 5);
        CHECK(readable(fd, CT_PATIENCE));
        CHECK(nn_recv(s, got, sizeof got, NN_DONTWAIT) == 12 && !memcmp(got, "in two parts", 12));
    }
    CHECK(ct_wakeups() - before < 20); /* one for each message, if another thread read them */
    close(peer);
    EVENTUALLY((readable(fd, 10) && nn_recv(s, frame, 1, NN_DONTWAIT), PEERS(s) == 0));
    MUST(nn_close(s));
}

/* Who waits to send drives as well: the connection is made while nobody receives. The first descriptor decides for both. */
static void by_sending(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR), peer = ct_socket(NN_PAIR), fd;
    MUST(ct_set(s, NN_DIRECT_FD, 1));
    fd = ct_get(s, NN_SOL_SOCKET, NN_SNDFD);
    MUST(ct_set(s, NN_DIRECT_FD, 0));
    MUST(nn_bind(s, ct_address(t, addr)));
    MUST(nn_connect(peer, addr));
    EVENTUALLY((readable(fd, 10), nn_send(s, "first", 5, NN_DONTWAIT) == 5));
    CHECK(nn_recv(peer, addr, 5, 0) == 5);
    CHECK(readable(fd, 0));
    int in = ct_get(s, NN_SOL_SOCKET, NN_RCVFD);
    CHECK(nn_send(peer, "back", 4, 0) == 4 && readable(in, CT_PATIENCE));
    EVENTUALLY(nn_recv(s, addr, 4, NN_DONTWAIT) == 4);
    MUST(nn_close(peer));
    EVENTUALLY((readable(in, 10) && nn_recv(s, addr, 4, NN_DONTWAIT), PEERS(s) == 0));
    CHECK(!readable(fd, 0));
    MUST(nn_close(s));
}

/* What the kernel did not take goes out although the loop does something else meanwhile. */
static void large(enum ct_transport t)
{
    enum { SIZE = 32 << 20 }; /* more than kernels hold */
    static char body[SIZE], got[SIZE];
    char addr[NN_SOCKADDR_MAX];
    int fd, s = direct_socket(NN_PAIR, &fd), peer = ct_socket(NN_PAIR);
    MUST(ct_set(peer, NN_RCVTIMEO, CT_PATIENCE));
    MUST(ct_set(peer, NN_RCVMAXSIZE, -1));
    MUST(nn_connect(s, ct_address(t, addr)));
    MUST(nn_bind(peer, addr));
    EVENTUALLY((readable(fd, 10) && nn_recv(s, addr, 1, NN_DONTWAIT), PEERS(s) == 1 && PEERS(peer) == 1));
    /* What watched the connection being made has seen that it is. */
    for (int i = 0; i < 100; i++) {
        MUST(nn_send(peer, "x", 1, 0));
        EVENTUALLY((readable(fd, 10), nn_recv(s, addr, 1, NN_DONTWAIT) == 1));
    }
    memset(body, 'x', SIZE);
    MUST(nn_send(s, body, SIZE, 0));
    CHECK(nn_recv(peer, got, SIZE, 0) == SIZE && !memcmp(body, got, SIZE));
    MUST(nn_close(peer));
    MUST(nn_close(s));
}

int main(void)
{
    ct_dir();
    QUIRK("NN_DIRECT_FD", "a loop that waits for NN_RCVFD reads the connections itself") {
        int s = ct_socket(NN_PULL);
        CHECK(ct_get(s, NN_SOL_SOCKET, NN_DIRECT_FD) == 0);
        CHECK(ct_set(s, NN_DIRECT_FD, 2) == -1 && nn_errno() == EINVAL);
        CHECK(nn_setsockopt(s, NN_SOL_SOCKET, NN_DIRECT_FD, "", 1) == -1 && nn_errno() == EINVAL);
        MUST(nn_close(s));
        s = ct_socket(NN_PUSH); /* has no NN_RCVFD, and its NN_SNDFD is as ever */
        MUST(ct_set(s, NN_DIRECT_FD, 1));
        int fd;
        size_t size = sizeof fd;
        CHECK(nn_getsockopt(s, NN_SOL_SOCKET, NN_RCVFD, &fd, &size) == -1 && nn_errno() == ENOPROTOOPT);
        CHECK(!readable(ct_get(s, NN_SOL_SOCKET, NN_SNDFD), 0));
        MUST(nn_close(s));
        from_neighbours();
        for (enum ct_transport t = IPC; t <= WS; t++) {
            peers_come_and_go(t);
            one_at_a_time(t);
            by_sending(t);
            large(t);
        }
        UNLESS_PORTABLE
            half_a_message();
    }
    return 0;
}
