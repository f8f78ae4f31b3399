/* One thread sends large messages on a PAIR while another waits in nn_recv on it:
   neither slows the other down, nor spins for it. */

#include "ctest.h"

#include <sys/resource.h>

/* Milliseconds. */
enum { REST = 300 };

static int s;

static void *reader(void *unused)
{
    char *message;
    while (nn_recv(s, &message, NN_MSG, 0) >= 0)
        nn_freemsg(message);
    return unused;
}

static int64_t cpu(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

/* Sends from a child, so that the CPU time is the sender's. */
static void send_all(enum ct_transport t, size_t size, int count, int with)
{
    char addr[NN_SOCKADDR_MAX];
    ct_address(t, addr);
    fflush(stdout);
    pid_t child = MUST(fork());
    if (child == 0) {
        int peer = ct_socket(NN_PAIR);
        char *message;
        MUST(ct_set(peer, NN_RCVMAXSIZE, -1));
        MUST(nn_bind(peer, addr));
        for (int i = 0; i < count; i++) {
            CHECK(nn_recv(peer, &message, NN_MSG, 0) == (int) size);
            nn_freemsg(message);
        }
        CHECK(nn_recv(peer, &message, NN_MSG, 0) == 4);
        nn_freemsg(message);
        CHECK(nn_send(peer, "done", 4, 0) == 4);
        MUST(nn_close(peer));
        fflush(stdout);
        _exit(0);
    }
    char *body = calloc(1, size);
    pthread_t thread;
    s = ct_socket(NN_PAIR);
    MUST(ct_set(s, NN_RECONNECT_IVL, 5));
    MUST(nn_connect(s, addr));
    CONNECTED(s);
    int64_t start = ct_now(), used = cpu();
    if (with)
        MUST(pthread_create(&thread, NULL, reader, NULL));
    for (int i = 0; i < count; i++)
        CHECK(nn_send(s, body, size, 0) == (int) size);
    int64_t took = ct_now() - start;
    used = cpu() - used;
    /* There is room again, and nothing to write: nobody looks for it. */
    int64_t resting = cpu();
    ct_nap(REST);
    resting = cpu() - resting;
    CHECK(nn_send(s, "last", 4, 0) == 4);
    int status;
    MUST(waitpid(child, &status, 0));
    CHECK(status == 0);
    MUST(nn_close(s));
    if (with)
        pthread_join(thread, NULL);
    free(body);
    /* A gigabyte: a third of a second here, ten and more when the writer was not woken, with a core that spun. */
    CHECK(took < 5000);
    CHECK(used < 2500);
    CHECK(resting < REST / 20);
}

int main(void)
{
    for (enum ct_transport t = IPC; t <= WS; t++) {
        for (int with = 0; with < 2; with++) {
            int part = t == WS ? 4 : 1; /* masks take time */
            send_all(t, 64 * 1024, 4000 / part, with);
            send_all(t, 1000 * 1000, 1000 / part, with);
        }
        printf("%s: sending beside a reader\n", ct_scheme[t]);
    }
    return 0;
}
