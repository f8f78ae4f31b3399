/* NN_RCVMAXSIZE: the largest message a tcp, ipc or ws peer may announce. */

#include "ctest.h"

static char body[3000000], buf[3000000], frame[3000100];

static void announce(const char *addr, int s, int fd, uint64_t length)
{
    size_t n = ct_frame(addr, length, "", 0, frame);
    int broken = ct_stat(s, NN_STAT_BROKEN_CONNECTIONS);
    ct_raw_write(fd, frame, n);
    CHECK(ct_raw_parted(addr, fd, 1009, CT_PATIENCE));
    /* The original does not count what it closes by a close frame. */
    EVENTUALLY((ct_oracle && ct_is(addr, WS)) || ct_stat(s, NN_STAT_BROKEN_CONNECTIONS) == broken + 1);
    ALONE(s);
    CHECK(nn_recv(s, buf, sizeof buf, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
}

static int greeted(const char *addr, int s)
{
    int fd = ct_raw_connect(addr);
    ct_raw_enter(addr, fd, s);
    return fd;
}

static void passes(const char *addr, int s, int fd, size_t size)
{
    size_t n = ct_frame(addr, size, body, size, frame);
    ct_raw_write(fd, frame, n);
    CHECK(nn_recv(s, buf, sizeof buf, 0) == (int) size);
    CHECK(memcmp(buf, body, size) == 0);
}

static void run(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int fd, s = ct_socket(NN_PAIR);
    printf("-- %s\n", ct_scheme[t]);
    memset(body, 'b', sizeof body);
    MUST(nn_bind(s, ct_address(t, addr)));

    /* The length alone decides, before any of the body has come. */
    fd = greeted(addr, s);
    passes(addr, s, fd, 1048576);
    announce(addr, s, fd, 1048577);
    close(fd);
    printf("by default 1048576 bytes pass, 1048577 close the connection\n");

    static const int limits[] = {0, 1, 100, 5000, 2000000};
    for (int i = 0; i < 5; i++) {
        MUST(ct_set(s, NN_RCVMAXSIZE, limits[i]));
        fd = greeted(addr, s);
        passes(addr, s, fd, 0);
        passes(addr, s, fd, (size_t) limits[i]);
        announce(addr, s, fd, (uint64_t) limits[i] + 1);
        close(fd);
        printf("%d: %d pass, %d close\n", limits[i], limits[i], limits[i] + 1);
    }
    static const uint64_t absurd[] = {1ull << 31, 1ull << 32, (1ull << 32) + 1, 1ull << 45, 1ull << 63, UINT64_MAX - 7, UINT64_MAX};
    MUST(ct_set(s, NN_RCVMAXSIZE, INT_MAX));
    for (int i = 0; i < 7; i++) {
        fd = greeted(addr, s);
        announce(addr, s, fd, absurd[i]);
        close(fd);
    }
    printf("absurd lengths close, with NN_RCVMAXSIZE INT_MAX\n");

    /* A change counts at once, for a connection that exists. */
    MUST(ct_set(s, NN_RCVMAXSIZE, 10));
    fd = greeted(addr, s);
    passes(addr, s, fd, 10);
    MUST(ct_set(s, NN_RCVMAXSIZE, 20));
    passes(addr, s, fd, 20);
    MUST(ct_set(s, NN_RCVMAXSIZE, 15));
    passes(addr, s, fd, 15);
    announce(addr, s, fd, 16);
    close(fd);
    printf("changed while connected: done\n");

    MUST(ct_set(s, NN_RCVMAXSIZE, -1));
    fd = greeted(addr, s);
    passes(addr, s, fd, sizeof body);
    close(fd);
    ALONE(s);
    printf("-1: no limit\n");
    QUIRK("Q-R17", "without a limit an absurd length closes the connection, at the latest when memory ends") {
        for (int i = 3; i < 7; i++) {
            fd = greeted(addr, s);
            size_t n = ct_frame(addr, absurd[i], "", 0, frame);
            ct_raw_write(fd, frame, n);
            ct_raw_write(fd, body, 100000);
            if (i > 3)
                CHECK(ct_raw_parted(addr, fd, 1009, CT_PATIENCE));
            close(fd);
            ALONE(s);
        }
        fd = greeted(addr, s);
        passes(addr, s, fd, 100);
        close(fd);
    }
    MUST(nn_close(s));
}

/* Between two of us: too large is never delivered, the connection comes back. */
static void between_two(enum ct_transport t)
{
    int p[2];
    ct_pair(t, p);
    MUST(ct_set(p[0], NN_RCVMAXSIZE, 100));
    CHECK(nn_send(p[1], body, 100, 0) == 100);
    CHECK(nn_recv(p[0], buf, sizeof buf, 0) == 100);
    CHECK(nn_send(p[1], body, 101, 0) == 101);
    EVENTUALLY(ct_stat(p[0], NN_STAT_BROKEN_CONNECTIONS) == 1);
    EVENTUALLY(ct_stat(p[1], NN_STAT_BROKEN_CONNECTIONS) == 1);
    EVENTUALLY(ct_stat(p[0], NN_STAT_ACCEPTED_CONNECTIONS) == 2);
    CONNECTED(p[0]);
    CONNECTED(p[1]);
    CHECK(nn_recv(p[0], buf, sizeof buf, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
    CHECK(nn_send(p[1], body, 99, 0) == 99);
    CHECK(nn_recv(p[0], buf, sizeof buf, 0) == 99);
    /* The sender's limit is for what it receives. */
    CHECK(nn_send(p[0], body, 5000, 0) == 5000);
    CHECK(nn_recv(p[1], buf, sizeof buf, 0) == 5000);
    ct_close_pair(p);
    if (!ct_quirk_id)
        printf("%s: a sender of too large a message comes back\n", ct_scheme[t]);
}

int main(void)
{
    run(TCP);
    run(IPC);
    run(WS);
    between_two(TCP);
    between_two(IPC);
    QUIRK("ws redial", "a connector comes back after a close frame too") {
        between_two(WS);
    }
    return 0;
}
