/* NN_RCVFD and NN_SNDFD: descriptors for the caller's own poll or select. */

#include "ctest.h"

static int in(int s) { return ct_get(s, NN_SOL_SOCKET, NN_RCVFD); }
static int out(int s) { return ct_get(s, NN_SOL_SOCKET, NN_SNDFD); }

static void show(const char *what, int s)
{
    printf("%s: in %d, out %d\n", what, ct_readable(in(s)), ct_readable(out(s)));
}

static int selected(int fd)
{
    fd_set set;
    struct timeval now = {0, 0};
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, &now);
}

/* Sends until nothing more fits and nothing drains. */
static int fill(int s)
{
    static char body[8000];
    int n = 0;
    while (WAIT_FOR(500, ct_readable(out(s)))) {
        while (nn_send(s, body, sizeof body, NN_DONTWAIT) >= 0)
            n++;
        CHECK(nn_errno() == EAGAIN);
    }
    return n;
}

static void *await(void *arg)
{
    struct pollfd *p = arg;
    return poll(p, 1, 30000) > 0 ? p : NULL;
}

static void run(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    static char buf[10000];
    int s[2];
    printf("-- %s\n", ct_scheme[t]);
    s[0] = ct_socket(NN_PAIR);
    s[1] = ct_socket(NN_PAIR);
    show("fresh", s[0]);
    int fds[4] = {in(s[0]), out(s[0]), in(s[1]), out(s[1])};
    for (int i = 0; i < 4; i++) {
        CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        for (int k = 0; k < i; k++)
            CHECK(fds[i] != fds[k]);
    }
    MUST(nn_bind(s[0], ct_address(t, addr)));
    show("bound", s[0]);
    MUST(nn_connect(s[1], addr));
    CONNECTED(s[0]);
    CONNECTED(s[1]);
    EVENTUALLY(ct_readable(fds[1]) && ct_readable(fds[3]));
    show("connected, binder", s[0]);
    show("connected, connector", s[1]);

    MUST(nn_send(s[0], "1", 1, 0));
    EVENTUALLY(ct_readable(fds[2]));
    MUST(nn_send(s[0], "2", 1, 0));
    EVENTUALLY(ct_readable(fds[1]));
    show("sent, sender", s[0]);
    show("sent, receiver", s[1]);
    CHECK(selected(fds[2]) == 1 && selected(fds[0]) == 0);
    CALL(nn_recv(s[1], buf, sizeof buf, 0));
    EVENTUALLY(ct_readable(fds[2]));
    show("one received", s[1]);
    CALL(nn_recv(s[1], buf, sizeof buf, 0));
    show("both received", s[1]);
    CHECK(selected(fds[2]) == 0);
    CALL(nn_recv(s[1], buf, sizeof buf, NN_DONTWAIT));
    show("asked in vain", s[1]);

    /* A peer that does not read. */
    int sent = fill(s[0]);
    CHECK(sent > 0);
    show("full, sender", s[0]);
    show("full, receiver", s[1]);
    for (int i = 0; i < sent; i++)
        if (nn_recv(s[1], buf, sizeof buf, 0) != 8000)
            CHECK(!"8000 bytes");
    EVENTUALLY(ct_readable(fds[1]));
    show("drained, sender", s[0]);
    show("drained, receiver", s[1]);

    CHECK(fds[0] == in(s[0]) && fds[1] == out(s[0]) && fds[2] == in(s[1]) && fds[3] == out(s[1]));
    MUST(nn_close(s[1]));
    ALONE(s[0]);
    show("the peer is gone", s[0]);
    s[1] = ct_socket(NN_PAIR);
    MUST(nn_connect(s[1], addr));
    CONNECTED(s[0]);
    EVENTUALLY(ct_readable(fds[1]));
    show("a new peer", s[0]);
    CHECK(fds[0] == in(s[0]) && fds[1] == out(s[0]));
    MUST(nn_close(s[1]));

    /* A thread waiting for the descriptor is woken by nn_close. */
    pthread_t thread;
    void *woken;
    struct pollfd p = {fds[0], POLLIN, 0};
    MUST(pthread_create(&thread, NULL, await, &p));
    BLOCKED();
    MUST(nn_close(s[0]));
    pthread_join(thread, &woken);
    printf("nn_close wakes who waits: %s\n", woken ? "yes" : "no");
}

int main(void)
{
    run(INPROC);
    run(IPC);
    run(TCP);
    run(WS);
    return 0;
}
