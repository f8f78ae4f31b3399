/* What nn_device does for every pair of types it accepts: both orders, headers over
   one and two hops, hop limits, loop-backs, and how it ends. */

#include "patterns.h"

struct device { int s[2], rc, error, done; pthread_t thread; };

static void *run_device(void *arg)
{
    struct device *d = arg;
    d->rc = nn_device(d->s[0], d->s[1]);
    d->error = nn_errno();
    __atomic_store_n(&d->done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Two raw sockets, bound, in this order; type -1 is none. */
static void start(struct device *d, enum ct_transport t, int first, int second, char addr[2][NN_SOCKADDR_MAX])
{
    int types[2] = {first, second};
    memset(d, 0, sizeof *d);
    for (int i = 0; i < 2; i++) {
        d->s[i] = types[i] < 0 ? -1 : MUST(nn_socket(AF_SP_RAW, types[i]));
        if (types[i] == NN_SUB)
            MUST(nn_setsockopt(d->s[i], NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
        if (types[i] == NN_REP || types[i] == NN_RESPONDENT)
            MUST(ct_set(d->s[i], NN_MAXTTL, 255));
        if (types[i] >= 0 && addr)
            MUST(nn_bind(d->s[i], ct_address(t, addr[i])));
    }
}

static void go(struct device *d)
{
    MUST(pthread_create(&d->thread, NULL, run_device, d));
}

static void finish(const char *what, struct device *d)
{
    pthread_join(d->thread, NULL);
    printf("%s: %d %s\n", what, d->rc, ct_errname(d->error));
}

/* Waits until the device has left nn_send: what arrived has arrived before that, and
   over inproc the original does not bear that a peer is closed meanwhile. */
static void settle(const struct device *d)
{
    for (;;) {
        int received = 0, sent = 0;
        for (int i = 0; i < 2; i++)
            if (d->s[i] >= 0) {
                received += ct_stat(d->s[i], NN_STAT_MESSAGES_RECEIVED);
                sent += ct_stat(d->s[i], NN_STAT_MESSAGES_SENT);
            }
        if (received == sent)
            return;
        ct_nap(1);
    }
}

/* Closing both ends it, in whatever mode. */
static void stop(const char *what, struct device *d)
{
    settle(d);
    for (int i = 0; i < 2; i++)
        if (d->s[i] >= 0)
            MUST(nn_close(d->s[i]));
    finish(what, d);
}

static int end_socket(int type)
{
    int s = ct_socket(type);
    if (type == NN_SUB)
        MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    return s;
}

/* From one end through the device to the other; one way, a few times. */
static void one_way(const char *what, enum ct_transport t, int first, int second, int from, int to)
{
    char addr[2][NN_SOCKADDR_MAX], text[16];
    struct device d;
    /* The end that sends goes where the device receives. */
    int receives = first == NN_SUB || first == NN_PULL ? 0 : 1;
    start(&d, t, first, second, addr);
    int a = end_socket(from), b = end_socket(to);
    pt_link(d.s[receives], a, addr[receives]);
    pt_link(d.s[1 - receives], b, addr[1 - receives]);
    go(&d);
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "%s %d", what, i);
        pt_say(a, text);
        CHECK(pt_got(b, text));
    }
    pt_say(a, "");
    CHECK(pt_got(b, ""));
    stop(what, &d);
    MUST(nn_close(a));
    MUST(nn_close(b));
}

static void ask(int asker, int answerer, const char *text)
{
    pt_say(asker, text);
    CHECK(pt_got(answerer, text));
    pt_say(answerer, "answer");
    CHECK(pt_got(asker, "answer"));
}

/* Two askers and two answerers, each kind on its side of the device. */
static void asking(const char *what, enum ct_transport t, int first, int second, int asks)
{
    char addr[2][NN_SOCKADDR_MAX], text[16];
    int answers = asks == NN_REQ ? NN_REP : NN_RESPONDENT;
    struct device d;
    start(&d, t, first, second, addr);
    int front = first == answers ? 0 : 1;
    int asker[2] = {end_socket(asks), end_socket(asks)}, answerer = end_socket(answers);
    pt_link(d.s[front], asker[0], addr[front]);
    pt_link(d.s[front], asker[1], addr[front]);
    pt_link(d.s[1 - front], answerer, addr[1 - front]);
    go(&d);
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof text, "%s %d", what, i);
        ask(asker[i % 2], answerer, text);
    }
    /* Both at once, and each gets its own. */
    pt_say(asker[0], "from 0");
    pt_say(asker[1], "from 1");
    for (int i = 0; i < 2; i++) {
        char buf[16];
        int rc = MUST(nn_recv(answerer, buf, sizeof buf, 0));
        CHECK(nn_send(answerer, buf, (size_t) rc, 0) == rc);
    }
    CHECK(pt_got(asker[0], "from 0"));
    CHECK(pt_got(asker[1], "from 1"));
    /* The device's keys travel: the limit of the answerer counts them. */
    MUST(ct_set(answerer, NN_MAXTTL, 2));
    ask(asker[0], answerer, "two words");
    MUST(ct_set(answerer, NN_MAXTTL, 1));
    pt_say(asker[0], "too far");
    pt_hear_for("with a limit of 1", answerer, 100);
    MUST(ct_set(answerer, NN_MAXTTL, 8));
    pt_say(asker[0], "near enough");
    CHECK(pt_got(answerer, "near enough"));
    stop(what, &d);
    pt_close(asker, 2);
    MUST(nn_close(answerer));
}

/* Two devices, and inproc between them. A raw end shows how the words pile up. */
static void chain(const char *what, enum ct_transport t, int asks)
{
    char first[2][NN_SOCKADDR_MAX], second[2][NN_SOCKADDR_MAX];
    int answers = asks == NN_REQ ? NN_REP : NN_RESPONDENT;
    struct device d, e;
    start(&d, t, answers, asks, NULL);
    start(&e, t, answers, asks, NULL);
    MUST(nn_bind(d.s[0], ct_address(t, first[0])));
    MUST(nn_bind(d.s[1], ct_address(INPROC, first[1])));
    MUST(nn_bind(e.s[1], ct_address(t, second[1])));
    pt_link(d.s[1], e.s[0], first[1]);
    int asker = end_socket(asks), raw = pt_raw(answers);
    pt_link(d.s[0], asker, first[0]);
    pt_link(e.s[1], raw, second[1]);
    go(&d);
    go(&e);
    pt_say(asker, "far away");
    struct pt_msg m = pt_take(raw);
    printf("%s: %d words and a key, top bits", what, m.heads / 4 - 1);
    for (int i = 0; i < m.heads; i += 4)
        printf(" %d", m.head[i] >> 7);
    printf(", body %s\n", pt_text(m.body, (size_t) m.size));
    MUST(pt_send_raw(raw, m.head, (size_t) m.heads, "answer", 6, 0));
    CHECK(pt_got(asker, "answer"));
    settle(&d);
    settle(&e);
    MUST(nn_close(raw));
    ALONE(e.s[1]);

    /* Three words: the limit of the end, then the limit of the second device. */
    int answerer = end_socket(answers);
    pt_link(e.s[1], answerer, second[1]);
    MUST(ct_set(answerer, NN_MAXTTL, 3));
    ask(asker, answerer, "three words");
    MUST(ct_set(answerer, NN_MAXTTL, 2));
    pt_say(asker, "too far");
    pt_hear_for("with a limit of 2 at the end", answerer, 100);
    MUST(ct_set(answerer, NN_MAXTTL, 8));
    MUST(ct_set(e.s[0], NN_MAXTTL, 2));
    ask(asker, answerer, "two words at the second device");
    MUST(ct_set(e.s[0], NN_MAXTTL, 1));
    pt_say(asker, "too far");
    pt_hear_for("with a limit of 1 at the second device", answerer, 100);
    MUST(ct_set(e.s[0], NN_MAXTTL, 2));
    ask(asker, answerer, "again");
    settle(&e);
    stop("first device", &d);
    stop("second device", &e);
    MUST(nn_close(asker));
    MUST(nn_close(answerer));
}

/* BUS and BUS: over to the other side only. */
static void buses(enum ct_transport t)
{
    char addr[2][NN_SOCKADDR_MAX];
    struct device d;
    start(&d, t, NN_BUS, NN_BUS, addr);
    int left[2] = {end_socket(NN_BUS), end_socket(NN_BUS)}, right[2] = {end_socket(NN_BUS), end_socket(NN_BUS)};
    for (int i = 0; i < 2; i++) {
        pt_link(d.s[0], left[i], addr[0]);
        pt_link(d.s[1], right[i], addr[1]);
    }
    go(&d);
    pt_say(left[0], "from the left");
    CHECK(pt_got(right[0], "from the left") && pt_got(right[1], "from the left"));
    pt_say(right[1], "from the right");
    CHECK(pt_got(left[0], "from the right") && pt_got(left[1], "from the right"));
    pt_try("the neighbour of the sender hears nothing", right[0]);
    pt_try("the sender hears nothing", right[1]);
    stop("BUS and BUS", &d);
    pt_close(left, 2);
    pt_close(right, 2);
}

/* BUS alone is a hub: to all but the source. */
static void hub(enum ct_transport t)
{
    char addr[2][NN_SOCKADDR_MAX], text[16];
    struct device d;
    start(&d, t, NN_BUS, -1, addr);
    int s[3];
    for (int i = 0; i < 3; i++) {
        s[i] = end_socket(NN_BUS);
        pt_link(d.s[0], s[i], addr[0]);
    }
    go(&d);
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "from %d", i);
        pt_say(s[i], text);
        for (int k = 0; k < 3; k++)
            if (k != i)
                CHECK(pt_got(s[k], text));
    }
    for (int i = 0; i < 3; i++)
        pt_try("nobody hears itself", s[i]);
    stop("hub", &d);
    pt_close(s, 3);
}

/* A raw answerer alone answers each question with itself. */
static void echo(const char *what, enum ct_transport t, int asks, int alone_first)
{
    char addr[2][NN_SOCKADDR_MAX];
    int answers = asks == NN_REQ ? NN_REP : NN_RESPONDENT;
    struct device d;
    start(&d, t, alone_first ? answers : -1, alone_first ? -1 : answers, addr);
    int self = alone_first ? 0 : 1, asker[2] = {end_socket(asks), end_socket(asks)};
    pt_link(d.s[self], asker[0], addr[self]);
    pt_link(d.s[self], asker[1], addr[self]);
    go(&d);
    pt_say(asker[0], "echo 0");
    pt_say(asker[1], "echo 1");
    CHECK(pt_got(asker[0], "echo 0"));
    CHECK(pt_got(asker[1], "echo 1"));
    stop(what, &d);
    pt_close(asker, 2);
}

/* A receiver alone has nothing to send with: the first message ends it. */
static void no_loop(const char *what, enum ct_transport t, int receives, int sends)
{
    char addr[2][NN_SOCKADDR_MAX];
    struct device d;
    start(&d, t, receives, -1, addr);
    int s = end_socket(sends);
    pt_link(d.s[0], s, addr[0]);
    go(&d);
    pt_say(s, "x");
    finish(what, &d);
    MUST(nn_close(d.s[0]));
    MUST(nn_close(s));
}

/* Starts a device with an end on each side, and passes a message through, so that it
   is known to run. */
static void start_between(struct device *d, int first, int second, int from, int to, int ends[2])
{
    char addr[2][NN_SOCKADDR_MAX];
    int receives = first == to ? 0 : 1;
    start(d, INPROC, first, second, addr);
    ends[0] = end_socket(from);
    ends[1] = end_socket(to);
    pt_link(d->s[receives], ends[0], addr[receives]);
    pt_link(d->s[1 - receives], ends[1], addr[1 - receives]);
    go(d);
    pt_say(ends[0], "runs");
    CHECK(pt_got(ends[1], "runs"));
    settle(d);
    CHECK(!d->done);
}

#define RUNS_FOR(ms, d) CHECK(!WAIT_FOR((ms), __atomic_load_n(&(d).done, __ATOMIC_SEQ_CST)))

/* Which of its sockets must be closed for it to end. */
static void endings(void)
{
    static const struct { const char *what; int first, second, from, to; } both[] = {
        {"PAIR and PAIR", NN_PAIR, NN_PAIR, NN_PAIR, NN_PAIR},
        {"REP and REQ", NN_REP, NN_REQ, NN_REQ, NN_REP},
        {"REQ and REP", NN_REQ, NN_REP, NN_REQ, NN_REP},
        {"RESPONDENT and SURVEYOR", NN_RESPONDENT, NN_SURVEYOR, NN_SURVEYOR, NN_RESPONDENT},
        {"BUS and BUS", NN_BUS, NN_BUS, NN_BUS, NN_BUS},
    };
    char what[64];
    struct device d;
    int ends[2];
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 2; k++) {
            start_between(&d, both[i].first, both[i].second, both[i].from, both[i].to, ends);
            MUST(nn_close(d.s[k]));
            RUNS_FOR(20, d);
            MUST(nn_close(d.s[1 - k]));
            snprintf(what, sizeof what, "%s, closed, the %s first", both[i].what, k ? "second" : "first");
            finish(what, &d);
            pt_close(ends, 2);
        }

    /* One way: the one it receives from; the other is missed with the next message. */
    static const struct { const char *what; int first, second, from, to, receives; } one[] = {
        {"SUB and PUB", NN_SUB, NN_PUB, NN_PUB, NN_SUB, 0}, {"PUB and SUB", NN_PUB, NN_SUB, NN_PUB, NN_SUB, 1},
        {"PULL and PUSH", NN_PULL, NN_PUSH, NN_PUSH, NN_PULL, 0}, {"PUSH and PULL", NN_PUSH, NN_PULL, NN_PUSH, NN_PULL, 1},
    };
    for (int i = 0; i < 4; i++) {
        start_between(&d, one[i].first, one[i].second, one[i].from, one[i].to, ends);
        MUST(nn_close(d.s[one[i].receives]));
        snprintf(what, sizeof what, "%s, the receiver is closed", one[i].what);
        finish(what, &d);
        MUST(nn_close(d.s[1 - one[i].receives]));
        pt_close(ends, 2);

        start_between(&d, one[i].first, one[i].second, one[i].from, one[i].to, ends);
        MUST(nn_close(d.s[1 - one[i].receives]));
        RUNS_FOR(20, d);
        pt_say(ends[0], "x");
        snprintf(what, sizeof what, "%s, the sender is closed", one[i].what);
        finish(what, &d);
        MUST(nn_close(d.s[one[i].receives]));
        pt_close(ends, 2);
    }
}

/* The library ends while devices run. */
static void by_term(void)
{
    static const int types[][2] = {{NN_REP, NN_REQ}, {NN_SUB, NN_PUB}, {NN_PUSH, NN_PULL}, {NN_BUS, -1}, {NN_REP, -1},
                                   {NN_RESPONDENT, NN_SURVEYOR}, {NN_BUS, NN_BUS}};
    struct device d[7];
    for (int i = 0; i < 7; i++) {
        start(&d[i], INPROC, types[i][0], types[i][1], NULL);
        go(&d[i]);
    }
    BLOCKED();
    nn_term();
    for (int i = 0; i < 7; i++)
        finish("device", &d[i]);
}

static void interrupt(int sig)
{
    (void) sig;
}

/* A signal ends the modes that run in the caller's thread. */
static void by_signal(void)
{
    static const int types[][2] = {{NN_SUB, NN_PUB}, {NN_BUS, -1}};
    struct sigaction sa = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &sa, NULL);
    for (int i = 0; i < 2; i++) {
        struct device d;
        start(&d, INPROC, types[i][0], types[i][1], NULL);
        go(&d);
        BLOCKED();
        /* Between two waits a signal goes by. */
        do
            pthread_kill(d.thread, SIGUSR1);
        while (!WAIT_FOR(100, __atomic_load_n(&d.done, __ATOMIC_SEQ_CST)));
        finish(i ? "loop-back" : "one way", &d);
        for (int k = 0; k < 2; k++)
            if (d.s[k] >= 0)
                MUST(nn_close(d.s[k]));
    }
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        printf("-- %s\n", ct_scheme[t]);
        one_way("SUB and PUB", t, NN_SUB, NN_PUB, NN_PUB, NN_SUB);
        one_way("PUB and SUB", t, NN_PUB, NN_SUB, NN_PUB, NN_SUB);
        one_way("PULL and PUSH", t, NN_PULL, NN_PUSH, NN_PUSH, NN_PULL);
        one_way("PUSH and PULL", t, NN_PUSH, NN_PULL, NN_PUSH, NN_PULL);
        asking("REP and REQ", t, NN_REP, NN_REQ, NN_REQ);
        asking("REQ and REP", t, NN_REQ, NN_REP, NN_REQ);
        asking("RESPONDENT and SURVEYOR", t, NN_RESPONDENT, NN_SURVEYOR, NN_SURVEYOR);
        asking("SURVEYOR and RESPONDENT", t, NN_SURVEYOR, NN_RESPONDENT, NN_SURVEYOR);
        chain("two devices, REQ", t, NN_REQ);
        chain("two devices, SURVEYOR", t, NN_SURVEYOR);
        buses(t);
        hub(t);
        echo("REP alone", t, NN_REQ, 1);
        echo("REP alone, second", t, NN_REQ, 0);
        echo("RESPONDENT alone", t, NN_SURVEYOR, 1);
        no_loop("SUB alone", t, NN_SUB, NN_PUB);
        no_loop("PULL alone", t, NN_PULL, NN_PUSH);
    }
    printf("-- endings\n");
    endings();
    ct_in_child("nn_term", by_term);
    printf("-- signals\n");
    UNLESS_PORTABLE by_signal();
    return 0;
}
