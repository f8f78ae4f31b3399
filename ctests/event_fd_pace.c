/* An event loop on NN_RCVFD, which reads until EAGAIN, answers without delay: no message waits for a timer. */

#include "ctest.h"

enum { ROUNDS = 300 };

static int peer;

static void *echo(void *unused)
{
    char buf[8];
    for (int i = 0; i < ROUNDS; i++)
        if (nn_recv(peer, buf, sizeof buf, 0) != 1 || nn_send(peer, "b", 1, 0) != 1)
            return "failed";
    return unused;
}

static int before(const void *a, const void *b)
{
    return *(const int *) a - *(const int *) b;
}

static int microseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int) (t.tv_sec % 1000) * 1000000 + (int) (t.tv_nsec / 1000);
}

int main(void)
{
    for (enum ct_transport t = IPC; t <= WS; t++) {
        int s[2], took[ROUNDS];
        char buf[8];
        void *failed;
        pthread_t thread;
        ct_pair(t, s);
        peer = s[1];
        struct pollfd fd = {.fd = ct_get(s[0], NN_SOL_SOCKET, NN_RCVFD), .events = POLLIN};
        MUST(pthread_create(&thread, NULL, echo, NULL));
        for (int i = 0; i < ROUNDS; i++) {
            int start = microseconds(), heard = 0;
            MUST(nn_send(s[0], "a", 1, 0));
            while (!heard) {
                CHECK(poll(&fd, 1, 10000) == 1);
                while (nn_recv(s[0], buf, sizeof buf, NN_DONTWAIT) == 1)
                    heard = 1;
            }
            took[i] = microseconds() - start;
        }
        pthread_join(thread, &failed);
        qsort(took, ROUNDS, sizeof took[0], before);
        printf("%s: echo %s, the median round trip takes %s\n", ct_scheme[t], failed ? "failed" : "done",
               took[ROUNDS / 2] < 800 ? "less than a tick" : "too long");
        ct_close_pair(s);
    }
    return 0;
}
