/* NN_SNDTIMEO, NN_RCVTIMEO and NN_DONTWAIT: which errno, and about when. */

#include "ctest.h"

/* What a wait may take longer than asked for, at one of three times. */
#define SLACK 400

static int s;

static void both(int timeout)
{
    char buf[8];
    int rc;
    printf("-- timeout %d\n", timeout);
    MUST(ct_set(s, NN_SNDTIMEO, timeout));
    MUST(ct_set(s, NN_RCVTIMEO, timeout));

    CHECK(TAKES(timeout - 1, timeout + SLACK, rc = nn_send(s, "x", 1, 0)));
    CALL_AS("nn_send", rc);
    CHECK(TAKES(timeout - 1, timeout + SLACK, rc = nn_recv(s, buf, sizeof buf, 0)));
    CALL_AS("nn_recv", rc);

    /* Three hundred of them would take longer than the limit if one waited. */
    CHECK(TAKES(0, timeout + SLACK, for (int i = 0; i < 300; i++) rc = nn_send(s, "x", 1, NN_DONTWAIT)));
    CALL_AS("nn_send, NN_DONTWAIT", rc);
    CHECK(TAKES(0, timeout + SLACK, for (int i = 0; i < 300; i++) rc = nn_recv(s, buf, sizeof buf, NN_DONTWAIT)));
    CALL_AS("nn_recv, NN_DONTWAIT", rc);
}

struct waiter { int s, timeout, send, rc, error; int64_t took; pthread_t thread; };

static void *wait_in_call(void *arg)
{
    struct waiter *w = arg;
    char buf[8];
    int64_t start = ct_now();
    w->rc = w->send ? nn_send(w->s, "x", 1, 0) : nn_recv(w->s, buf, sizeof buf, 0);
    w->error = nn_errno();
    w->took = ct_now() - start;
    return NULL;
}

static void start(struct waiter *w)
{
    MUST(ct_set(w->s, w->send ? NN_SNDTIMEO : NN_RCVTIMEO, w->timeout));
    MUST(pthread_create(&w->thread, NULL, wait_in_call, w));
}

/* Messages for somebody else do not prolong it: two wait for a second, and shortly
   before it has passed one message comes. */
static void two_wait(struct waiter *lucky, struct waiter *late)
{
    int p[2];
    ct_pair(INPROC, p);
    struct waiter a = {.s = p[0], .timeout = 1000, .send = 0}, b = a;
    start(&a);
    start(&b);
    ct_nap(600);
    MUST(nn_send(p[1], "x", 1, 0));
    pthread_join(a.thread, NULL);
    pthread_join(b.thread, NULL);
    CHECK((a.rc < 0) != (b.rc < 0));
    *late = a.rc < 0 ? a : b;
    *lucky = a.rc < 0 ? b : a;
    ct_close_pair(p);
}

int main(void)
{
    char addr[NN_SOCKADDR_MAX], buf[8];
    s = MUST(nn_socket(AF_SP, NN_PAIR));
    both(0);
    both(1);
    both(50);
    both(300);

    /* The same with an endpoint that has no peer. */
    MUST(nn_bind(s, ct_address(TCP, addr)));
    both(0);
    both(100);
    MUST(nn_connect(s, ct_address(IPC, addr)));
    both(100);
    MUST(nn_close(s));

    /* Connected, but nothing comes; and what came is taken at once, timeout 0 or not. */
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        int p[2];
        printf("-- %s\n", ct_scheme[t]);
        ct_pair(t, p);
        MUST(ct_set(p[0], NN_RCVTIMEO, 100));
        int rc;
        CHECK(TAKES(99, 100 + SLACK, rc = nn_recv(p[0], buf, sizeof buf, 0)));
        CALL_AS("nn_recv", rc);
        CALL(nn_recv(p[0], buf, sizeof buf, NN_DONTWAIT));
        MUST(nn_send(p[1], "x", 1, 0));
        EVENTUALLY(ct_readable(ct_get(p[0], NN_SOL_SOCKET, NN_RCVFD)));
        MUST(ct_set(p[0], NN_RCVTIMEO, 0));
        CALL(nn_recv(p[0], buf, sizeof buf, 0));
        CALL(nn_recv(p[0], buf, sizeof buf, 0));
        ct_close_pair(p);
    }

    /* Every negative value waits for ever; here until a peer and a message come. */
    static const int for_ever[] = {-1, -2, INT_MIN, INT_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct waiter in = {.s = MUST(nn_socket(AF_SP, NN_PAIR)), .timeout = for_ever[i], .send = 0};
        struct waiter out = {.s = MUST(nn_socket(AF_SP, NN_PAIR)), .timeout = for_ever[i], .send = 1};
        start(&in);
        start(&out);
        BLOCKED();
        ct_nap(150);
        ct_address(TCP, addr); /* over inproc the original may abort when a sender already waits */
        MUST(nn_bind(in.s, addr));
        MUST(nn_connect(out.s, addr));
        pthread_join(in.thread, NULL);
        pthread_join(out.thread, NULL);
        printf("timeout %d: nn_send %d, nn_recv %d\n", for_ever[i], out.rc, in.rc);
        CHECK(in.took >= 149 && out.took >= 149);
        MUST(nn_close(out.s));
        MUST(nn_close(in.s));
    }

    /* The timeout is the one in force when the call began. */
    struct waiter w = {.s = MUST(nn_socket(AF_SP, NN_PAIR)), .timeout = 1000, .send = 0};
    start(&w);
    BLOCKED();
    MUST(ct_set(w.s, NN_RCVTIMEO, 30000));
    pthread_join(w.thread, NULL);
    printf("prolonged meanwhile: %d %s\n", w.rc, ct_errname(w.error));
    CHECK(w.took >= 999 && w.took < 15000);
    MUST(nn_close(w.s));

    struct waiter lucky, late;
    CHECK(TAKES(999, 1000 + SLACK, two_wait(&lucky, &late)));
    printf("two wait for one message: %d, and %d %s\n", lucky.rc, late.rc, ct_errname(late.error));
    return 0;
}
