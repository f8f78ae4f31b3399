/* What a peer has sent before its connection ends is received, whatever ends it, and by nobody else's connection. */

#include "ctest.h"

static const char greeting[8] = {0, 'S', 'P', 0, 0, NN_PAIR, 0, 0};

/* A good frame and a violation in one write, together with the greeting. */
static void violation(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], out[512], buf[16], eight[8];
    size_t n = sizeof greeting;
    int s = ct_socket(NN_PAIR), honest = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(t, addr)));
    memcpy(out, greeting, n);
    if (t == WS)
        memcpy(out, PAIR_UPGRADE, n = sizeof PAIR_UPGRADE - 1);
    n += ct_frame(addr, 4, "good", 4, out + n);
    n += ct_frame(addr, 1 << 30, "", 0, out + n);
    int fd = ct_raw_connect(addr);
    ct_raw_write(fd, out, n);
    if (t == WS)
        ct_raw_upgraded(fd);
    else
        CHECK(ct_raw_read(fd, eight, sizeof eight) == sizeof eight);
    CALL(nn_recv(s, buf, sizeof buf, 0));
    printf("%s: %.4s\n", ct_scheme[t], buf);
    CHECK(ct_raw_parted(addr, fd, 1009, CT_PATIENCE));
    close(fd);
    EVENTUALLY(ct_stat(s, NN_STAT_CURRENT_CONNECTIONS) == 0);
    MUST(nn_connect(honest, addr));
    CONNECTED(honest);
    CONNECTED(s);
    MUST(nn_send(honest, "hi", 2, 0));
    CALL(nn_recv(s, buf, sizeof buf, 0));
    CALL(nn_recv(s, buf, sizeof buf, NN_DONTWAIT));
    MUST(nn_close(s));
    MUST(nn_close(honest));
}

/* The peer has gone, our sending fails, and its messages are still there. */
static void failed_send(void)
{
    enum { COUNT = 250 };
    char addr[NN_SOCKADDR_MAX], out[COUNT * 32], eight[8];
    int got = 0, s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(TCP, addr)));
    int fd = ct_raw_connect(addr);
    ct_raw_write(fd, greeting, sizeof greeting);
    CHECK(ct_raw_read(fd, eight, sizeof eight) == sizeof eight);
    CONNECTED(s);
    size_t n = 0;
    for (int i = 0; i < COUNT; i++)
        n += ct_frame(addr, 4, "word", 4, out + n);
    ct_raw_write(fd, out, n);
    close(fd);
    QUIRK("Q-E13", "tcp: a failed nn_send loses nothing of what the peer had sent") {
        for (int i = 0; i < 20; i++) {
            nn_send(s, "anybody there?", 14, NN_DONTWAIT);
            ct_nap(1);
        }
        MUST(ct_set(s, NN_RCVTIMEO, 200));
        while (nn_recv(s, eight, sizeof eight, 0) == 4)
            got++;
        CHECK(got == COUNT);
    }
    MUST(nn_close(s));
}

/* A peer that has finished, and waits for our end as this library does, gets it before anybody has received its words. */
static void unread(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], out[64], buf[8];
    int s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(t, addr)));
    int fd = ct_raw_connect(addr);
    ct_raw_greet(fd, s);
    ct_raw_write(fd, out, ct_frame(addr, 4, "word", 4, out));
    shutdown(fd, SHUT_WR);
    QUIRK("Q-E13", "the end of a connection does not wait for nn_recv") {
        CHECK(ct_raw_closed(fd, CT_PATIENCE));
        CHECK(nn_recv(s, buf, sizeof buf, 0) == 4);
    }
    MUST(nn_close(s));
    close(fd);
}

int main(void)
{
    violation(IPC);
    violation(TCP);
    violation(WS);
    failed_send();
    unread(IPC);
    unread(TCP);
    return 0;
}
