/* Threads that are cancelled in a call, or about to make one: their sockets can
   be used and closed all the same. */

#include "ctest.h"

static int stop;

struct call { int s, send; };

static void *repeat(void *arg)
{
    static const char body[60000];
    char buf[100];
    struct call *c = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
        if (c->send)
            nn_send(c->s, body, sizeof body, 0);
        else
            nn_recv(c->s, buf, sizeof buf, 0);
    return NULL;
}

/* Threads in the middle of sending and receiving are cancelled, one after the other. */
static void run(enum ct_transport t)
{
    char buf[100];
    int s[2];
    ct_pair(t, s);
    for (int i = 0; i < 2; i++) {
        MUST(ct_set(s[i], NN_RCVTIMEO, 20));
        MUST(ct_set(s[i], NN_SNDTIMEO, 20));
    }
    for (int i = 0; i < 40; i++) {
        pthread_t threads[2];
        struct call calls[2] = {{s[0], 1}, {s[1], 0}};
        stop = 0;
        for (int k = 0; k < 2; k++)
            MUST(pthread_create(&threads[k], NULL, repeat, &calls[k]));
        ct_nap(i % 4);
        pthread_cancel(threads[i & 1]);
        ct_nap(2);
        __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
        for (int k = 0; k < 2; k++)
            pthread_join(threads[k], NULL);
    }
    /* Both sockets still work. */
    while (nn_recv(s[1], buf, sizeof buf, 0) >= 0)
        continue;
    MUST(ct_set(s[1], NN_RCVTIMEO, CT_PATIENCE));
    MUST(ct_set(s[0], NN_SNDTIMEO, CT_PATIENCE));
    CHECK(nn_send(s[0], "after", 5, 0) == 5 && nn_recv(s[1], buf, sizeof buf, 0) == 5);
    int64_t start = ct_now();
    ct_close_pair(s);
    CHECK(ct_took(start, 0, 5000));
}

struct dialler { int s; char addr[NN_SOCKADDR_MAX]; };

static void *redial(void *arg)
{
    struct dialler *d = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        int endpoint = MUST(nn_connect(d->s, d->addr));
        MUST(nn_shutdown(d->s, endpoint));
    }
    return NULL;
}

/* And threads in the middle of connecting and closing. */
static void run_dialling(enum ct_transport t)
{
    struct dialler d = {ct_socket(NN_BUS), ""};
    int bound = ct_socket(NN_BUS);
    MUST(nn_bind(bound, ct_address(t, d.addr)));
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        stop = 0;
        MUST(pthread_create(&thread, NULL, redial, &d));
        ct_nap(i % 4);
        pthread_cancel(thread);
        ct_nap(2);
        __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
        pthread_join(thread, NULL);
    }
    MUST(nn_connect(d.s, d.addr));
    EVENTUALLY(ct_stat(d.s, NN_STAT_CURRENT_CONNECTIONS) > 0);
    int64_t start = ct_now();
    MUST(nn_close(d.s));
    MUST(nn_close(bound));
    CHECK(ct_took(start, 0, 5000));
}

int main(void)
{
    ct_dir();
    QUIRK("Q-E4", "a thread that is cancelled takes no socket along") {
        for (enum ct_transport t = INPROC; t <= WS; t++)
            run(t);
        for (enum ct_transport t = IPC; t <= WS; t++)
            run_dialling(t);
    }
    return 0;
}
