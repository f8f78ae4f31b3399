/* An event on a socket that no caller is in is served at once, whatever calls came
   before: a peer that connects, and one that sends. */

#include "ctest.h"

enum before { BIND, EAGAIN_, TIMEOUT, POLL, RECEIVED, ROUNDS, LAST };
static const char *const names[LAST] = {
    "after nn_bind", "after EAGAIN", "after a time-out", "after nn_poll", "after a message", "after many rounds",
};

static int order(const void *a, const void *b)
{
    return *(const int64_t *) a < *(const int64_t *) b ? -1 : 1;
}

static int64_t micros(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void prepare(enum before before, int s, int other, const char *addr)
{
    char buf[8];
    struct nn_pollfd fd = {.fd = s, .events = NN_POLLIN};
    int count = before == ROUNDS ? 200 : 1;
    if (before >= RECEIVED) {
        MUST(nn_connect(other, addr));
        for (int i = 0; i < count; i++) {
            MUST(nn_send(other, "x", 1, 0));
            MUST(nn_recv(s, buf, sizeof buf, 0));
        }
    }
    MUST(ct_set(s, NN_RCVTIMEO, 5));
    if (before == EAGAIN_)
        (void) nn_recv(s, buf, sizeof buf, NN_DONTWAIT);
    if (before == TIMEOUT)
        (void) nn_recv(s, buf, sizeof buf, 0);
    if (before == POLL)
        (void) nn_poll(&fd, 1, 5);
}

/* How long a PUSH takes to connect and to send its first message. */
static int64_t median(enum ct_transport t, enum before before)
{
    enum { COUNT = 15 };
    int64_t took[COUNT];
    for (int i = 0; i < COUNT; i++) {
        char addr[NN_SOCKADDR_MAX];
        int pull = ct_socket(NN_PULL), early = ct_socket(NN_PUSH), push = ct_socket(NN_PUSH);
        MUST(nn_bind(pull, ct_address(t, addr)));
        prepare(before, pull, early, addr);
        /* Nothing is to happen meanwhile: the time is what is tried. */
        ct_nap(20);
        int64_t start = micros();
        MUST(nn_connect(push, addr));
        CHECK(nn_send(push, "x", 1, 0) == 1);
        took[i] = micros() - start;
        MUST(nn_close(push));
        MUST(nn_close(early));
        MUST(nn_close(pull));
    }
    qsort(took, COUNT, sizeof took[0], order);
    return took[COUNT / 2];
}

int main(void)
{
    for (enum ct_transport t = IPC; t <= WS; t++)
        for (enum before before = 0; before < LAST; before++) {
            /* It takes a third of a millisecond here, and took more than three when events waited for a tick. A machine
               that is busy with something else has twenty tries. */
            int tries = 0;
            while (median(t, before) >= 1500 && ++tries < 20)
                ;
            CHECK(tries < 20);
            printf("%s: %s: at once\n", ct_scheme[t], names[before]);
        }
    return 0;
}
