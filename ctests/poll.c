/* nn_poll: the table of its results. */

#include "ctest.h"

#define SLACK 5000
#define IN NN_POLLIN
#define OUT NN_POLLOUT

static int polled(struct nn_pollfd *p, int n, int timeout)
{
    return nn_poll(p, n, timeout);
}

static void show(const char *what, struct nn_pollfd *p, int n, int timeout)
{
    int rc = CALL_AS(what, polled(p, n, timeout));
    if (rc > 0)
        for (int i = 0; i < n; i++)
            printf("  events %d: revents %d\n", p[i].events, p[i].revents);
}

struct waiter { struct nn_pollfd p; int timeout, rc, error, done; int64_t took; pthread_t thread; };

static void *wait_in_poll(void *arg)
{
    struct waiter *w = arg;
    int64_t start = ct_now();
    w->rc = nn_poll(&w->p, 1, w->timeout);
    w->error = nn_errno();
    w->took = ct_now() - start;
    __atomic_store_n(&w->done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void run(enum ct_transport t)
{
    char buf[8], addr[NN_SOCKADDR_MAX];
    int s[2];
    printf("-- %s\n", ct_scheme[t]);
    s[0] = ct_socket(NN_PAIR);
    s[1] = ct_socket(NN_PAIR);
    MUST(nn_bind(s[0], ct_address(t, addr)));
    struct nn_pollfd p[3] = {{s[0], IN | OUT, 0}, {s[1], IN | OUT, 0}, {s[0], IN, 0}};
    show("alone", p, 2, 0);
    MUST(nn_connect(s[1], addr));
    CONNECTED(s[0]);
    CONNECTED(s[1]);
    show("connected", p, 2, 5000);
    show("connected, three entries", p, 3, 0);
    MUST(nn_send(s[1], "x", 1, 0));
    p[0].events = IN;
    show("one message, for input", p, 1, 5000);
    p[0].events = IN | OUT;
    EVENTUALLY(polled(p, 2, 0) == 2 && p[1].revents == OUT);
    show("one message", p, 2, 5000);
    p[0].events = OUT;
    show("output asked for only", p, 1, 0);
    p[0].events = 0;
    p[0].revents = 0;
    show("nothing asked for", p, 1, 0);
    p[1].events = IN;
    p[0].events = IN;
    show("one of two", p, 2, 0);
    p[0].events = IN | OUT | 0x70;
    show("other bits", p, 1, 0);
    MUST(nn_recv(s[0], buf, sizeof buf, 0));
    p[0].events = IN | OUT;
    p[1].events = IN | OUT;
    show("the message is taken", p, 2, 0);
    p[0].events = IN;
    p[1].events = IN;
    show("nothing to read", p, 2, 0);
    show("nothing to read, 50 ms", p, 2, 50);
    MUST(nn_close(s[1]));
    ALONE(s[0]);
    p[0].events = IN | OUT;
    show("the peer is gone", p, 1, 0);
    MUST(nn_close(s[0]));
}

static void interrupt(int sig)
{
    (void) sig;
}

int main(void)
{
    int64_t start;
    struct nn_pollfd p[4];
    int s = ct_socket(NN_PAIR);

    run(INPROC);
    run(IPC);
    run(TCP);
    run(WS);

    printf("-- nothing to wait for\n");
    start = ct_now();
    CALL(nn_poll(NULL, 0, 0));
    CHECK(ct_took(start, 0, SLACK));
    start = ct_now();
    CALL(nn_poll(NULL, 0, 100));
    CHECK(ct_took(start, 99, 100 + SLACK));
    start = ct_now();
    p[0] = (struct nn_pollfd) {s, 0, 0};
    CALL_AS("no events asked for, 100 ms", nn_poll(p, 1, 100));
    CHECK(ct_took(start, 99, 100 + SLACK));
    p[0].events = IN | OUT;
    start = ct_now();
    CALL_AS("no peer, 200 ms", nn_poll(p, 1, 200));
    CHECK(ct_took(start, 199, 200 + SLACK));

    printf("-- bad handles\n");
    static const int bad[] = {-1, 77, 511, 512, INT_MAX, INT_MIN};
    for (int i = 0; i < 6; i++) {
        char what[64];
        p[0] = (struct nn_pollfd) {bad[i], IN, 0};
        snprintf(what, sizeof what, "handle %d, input", bad[i]);
        CALL_AS(what, nn_poll(p, 1, 0));
        p[0].events = OUT;
        snprintf(what, sizeof what, "handle %d, output", bad[i]);
        CALL_AS(what, nn_poll(p, 1, 0));
        p[0].events = 0;
        snprintf(what, sizeof what, "handle %d, nothing", bad[i]);
        CALL_AS(what, nn_poll(p, 1, 0));
        p[0].events = 4;
        snprintf(what, sizeof what, "handle %d, unknown bit", bad[i]);
        CALL_AS(what, nn_poll(p, 1, 0));
    }
    p[0] = (struct nn_pollfd) {s, IN, 0};
    p[1] = (struct nn_pollfd) {77, IN, 0};
    CALL_AS("good, bad", nn_poll(p, 2, 10000));

    QUIRK("Q-B19", "revents is 0 after a timeout") {
        p[0] = (struct nn_pollfd) {s, IN | OUT, 55};
        p[1] = (struct nn_pollfd) {s, IN, 55};
        CHECK(nn_poll(p, 2, 10) == 0);
        CHECK(p[0].revents == 0 && p[1].revents == 0);
        p[0].revents = 55;
        CHECK(nn_poll(p, 1, 0) == 0);
        CHECK(p[0].revents == 0);
    }

    printf("-- woken\n");
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        int pair[2];
        ct_pair(t, pair);
        struct waiter w = {.p = {pair[0], IN, 0}, .timeout = -1};
        MUST(pthread_create(&w.thread, NULL, wait_in_poll, &w));
        BLOCKED();
        MUST(nn_send(pair[1], "x", 1, 0));
        pthread_join(w.thread, NULL);
        printf("by a message over %s: %d, revents %d\n", ct_scheme[t], w.rc, w.p.revents);
        ct_close_pair(pair);
    }
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        char addr[NN_SOCKADDR_MAX];
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
        MUST(nn_bind(a, ct_address(t, addr)));
        struct waiter w = {.p = {a, IN | OUT, 0}, .timeout = -5};
        MUST(pthread_create(&w.thread, NULL, wait_in_poll, &w));
        BLOCKED();
        MUST(nn_connect(b, addr));
        pthread_join(w.thread, NULL);
        printf("by a peer over %s: %d, revents %d\n", ct_scheme[t], w.rc, w.p.revents);
        MUST(nn_close(b));
        MUST(nn_close(a));
    }

    struct sigaction sa = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &sa, NULL);
    struct waiter w = {.p = {s, IN, 0}, .timeout = 10000};
    MUST(pthread_create(&w.thread, NULL, wait_in_poll, &w));
    BLOCKED();
    do
        pthread_kill(w.thread, SIGUSR1);
    while (!WAIT_FOR(100, __atomic_load_n(&w.done, __ATOMIC_SEQ_CST)));
    pthread_join(w.thread, NULL);
    printf("by a signal: %d %s\n", w.rc, w.rc < 0 ? ct_errname(w.error) : "");

    /* What it returns when the socket is closed meanwhile is not promised. */
    w = (struct waiter) {.p = {s, IN, 0}, .timeout = 30000};
    MUST(pthread_create(&w.thread, NULL, wait_in_poll, &w));
    ct_nap(100);
    CALL(nn_close(s));
    pthread_join(w.thread, NULL);
    CHECK(w.took < 20000);
    return 0;
}
