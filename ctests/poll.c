/* nn_poll: the table of its results. */

#include "ctest.h"

/* What a wait may take longer than asked for, at one of three times. */
#define SLACK 400
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

struct waiter { struct nn_pollfd p; int timeout, rc, error, done; pthread_t thread; };

static void *wait_in_poll(void *arg)
{
    struct waiter *w = arg;
    w->rc = nn_poll(&w->p, 1, w->timeout);
    w->error = nn_errno();
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
    struct nn_pollfd p[4];
    int rc, s = ct_socket(NN_PAIR);

    run(INPROC);
    run(IPC);
    run(TCP);
    run(WS);

    printf("-- nothing to wait for\n");
    CHECK(TAKES(0, SLACK, rc = nn_poll(NULL, 0, 0)));
    CALL_AS("nn_poll(NULL, 0, 0)", rc);
    CHECK(TAKES(99, 100 + SLACK, rc = nn_poll(NULL, 0, 100)));
    CALL_AS("nn_poll(NULL, 0, 100)", rc);
    p[0] = (struct nn_pollfd) {s, 0, 0};
    CHECK(TAKES(99, 100 + SLACK, rc = nn_poll(p, 1, 100)));
    CALL_AS("no events asked for, 100 ms", rc);
    p[0].events = IN | OUT;
    CHECK(TAKES(0, SLACK, rc = nn_poll(p, 1, 0)));
    CALL_AS("no peer, 0 ms", rc);
    CHECK(TAKES(199, 200 + SLACK, rc = nn_poll(p, 1, 200)));
    CALL_AS("no peer, 200 ms", rc);
    p[1] = (struct nn_pollfd) {ct_socket(NN_PAIR), IN | OUT, 0};
    CHECK(TAKES(199, 200 + SLACK, rc = nn_poll(p, 2, 200)));
    CALL_AS("two without peers, 200 ms", rc);
    MUST(nn_close(p[1].fd));

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
    struct waiter w;
    UNLESS_PORTABLE {
        w = (struct waiter) {.p = {s, IN, 0}, .timeout = 10000};
        MUST(pthread_create(&w.thread, NULL, wait_in_poll, &w));
        BLOCKED();
        do
            pthread_kill(w.thread, SIGUSR1);
        while (!WAIT_FOR(100, __atomic_load_n(&w.done, __ATOMIC_SEQ_CST)));
        pthread_join(w.thread, NULL);
        printf("by a signal: %d %s\n", w.rc, w.rc < 0 ? ct_errname(w.error) : "");
    }

    /* Closed meanwhile: it ends, with 0 or 1 on the original. */
    for (int events = IN; events <= (IN | OUT); events++) {
        w = (struct waiter) {.p = {s, (short) events, 0}, .timeout = -1};
        MUST(pthread_create(&w.thread, NULL, wait_in_poll, &w));
        BLOCKED();
        MUST(nn_close(s));
        pthread_join(w.thread, NULL);
        printf("by nn_close: %s\n", w.rc == 0 || w.rc == 1 ? "it ends" : ct_errname(w.error));
        QUIRK("nn_poll, nn_close", "a socket that is closed meanwhile is not ready")
            CHECK(w.rc == 0 && w.p.revents == 0);
        s = ct_socket(NN_PAIR);
    }
    MUST(nn_close(s));
    return 0;
}
