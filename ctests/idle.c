/* Who waits for nothing does nothing: a call that is blocked, and sockets that are
   connected and at rest, wake no thread. */

#include "ctest.h"


enum { PAIRS = 25 };

static volatile pid_t blocked;

struct call { int s[2]; int count; };

static void *block(void *arg)
{
    struct call *call = arg;
    struct nn_pollfd fds[2] = {{call->s[0], NN_POLLIN, 0}, {call->s[1], NN_POLLIN, 0}};
    char buf[8];
    blocked = (pid_t) syscall(SYS_gettid);
    if (call->count == 1)
        (void) nn_recv(call->s[0], buf, sizeof buf, 0);
    else
        (void) nn_poll(fds, call->count, -1);
    return NULL;
}

static void quiet(const char *what, int after_ms)
{
    /* What follows a call ends by then: ticks that find a caller gone, the time that a greeting had. */
    ct_nap(after_ms);
    long before = ct_wakeups();
    ct_nap(1500);
    long after = ct_wakeups();
    CHECK(after == before);
    printf("%s: no wakeup\n", what);
}

/* The thread that serves all sockets hears of the first part while a caller waits for the rest: it looks after the socket
   from now on, until it finds that the caller has gone for good. */
static void in_parts(void)
{
    enum { ALL = 12 };
    int s[ALL], fd[ALL];
    for (int i = 0; i < ALL; i++) {
        enum ct_transport t = IPC + i % 3;
        char addr[NN_SOCKADDR_MAX], frame[64];
        s[i] = ct_socket(NN_PAIR);
        MUST(nn_bind(s[i], ct_address(t, addr)));
        fd[i] = ct_raw_connect(addr);
        ct_raw_enter(addr, fd[i], s[i]);
        size_t size = ct_frame(addr, 16, "in several pieces", 16, frame);
        struct call call = {{s[i], s[i]}, 1};
        pthread_t thread;
        MUST(pthread_create(&thread, NULL, block, &call));
        EVENTUALLY(blocked != 0);
        for (size_t at = 0; at < size; at += 8) {
            ct_nap(20);
            ct_raw_write(fd[i], frame + at, size - at < 8 ? size - at : 8);
        }
        pthread_join(thread, NULL);
        blocked = 0;
    }
    quiet("after messages in parts", 2500);
    for (int i = 0; i < ALL; i++) {
        close(fd[i]);
        MUST(nn_close(s[i]));
    }
}

int main(void)
{
    in_parts();
    static int pairs[PAIRS * 4][2];
    int n = 0;
    for (enum ct_transport t = INPROC; t <= WS; t++)
        for (int i = 0; i < PAIRS; i++, n++) {
            char buf[8];
            ct_pair(t, pairs[n]);
            MUST(nn_send(pairs[n][0], "x", 1, 0));
            MUST(nn_recv(pairs[n][1], buf, sizeof buf, 0));
        }
    quiet("connected sockets", 6000);
    for (enum ct_transport t = INPROC; t <= WS; t++)
        for (int count = 1; count <= 2; count++) {
            struct call call = {{pairs[t * PAIRS][0], pairs[t * PAIRS + 1][0]}, count};
            pthread_t thread;
            char what[64];
            MUST(pthread_create(&thread, NULL, block, &call));
            EVENTUALLY(blocked != 0);
            snprintf(what, sizeof what, "%s: %s", ct_scheme[t], count == 1 ? "nn_recv" : "nn_poll");
            quiet(what, 500);
            MUST(nn_send(pairs[t * PAIRS][1], "x", 1, 0));
            pthread_join(thread, NULL);
            blocked = 0;
        }
    return 0;
}
