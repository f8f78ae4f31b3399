/* When nn_poll and the two event descriptors say that a socket is ready: every
   type in every state it can be in. */

#include "patterns.h"

/* What one descriptor says: ready, idle, or that there is none. */
static const char *fd_state(int s, int option)
{
    int fd = -1;
    size_t size = sizeof fd;
    if (nn_getsockopt(s, NN_SOL_SOCKET, option, &fd, &size) < 0)
        return nn_errno() == ENOPROTOOPT ? "none" : "error";
    return ct_readable(fd) ? "ready" : "idle";
}

static const char *polled_state(int s, int bit)
{
    int rc = pt_polled(s, bit);
    if (rc < 0)
        return nn_errno() == ENOPROTOOPT ? "none" : "error";
    return rc == bit ? "ready" : rc == 0 ? "idle" : "more";
}

/* The descriptors, nn_poll for each, and nn_poll for both must say the same. */
static void show(const char *what, int s)
{
    const char *in = fd_state(s, NN_RCVFD), *out = fd_state(s, NN_SNDFD);
    CHECK(strcmp(polled_state(s, NN_POLLIN), in) == 0);
    CHECK(strcmp(polled_state(s, NN_POLLOUT), out) == 0);
    int both = pt_polled(s, NN_POLLIN | NN_POLLOUT);
    if (strcmp(in, "none") == 0 || strcmp(out, "none") == 0)
        CHECK(both == -1 && nn_errno() == ENOPROTOOPT);
    else
        CHECK(both == (strcmp(in, "ready") ? 0 : NN_POLLIN) + (strcmp(out, "ready") ? 0 : NN_POLLOUT));
    printf("%s: in %s, out %s\n", what, in, out);
}

/* For changes that come from the other side. */
#define SHOW_WHEN(cond, what, s) do { EVENTUALLY(cond); show((what), (s)); } while (0)

#define IN(s) (pt_polled((s), NN_POLLIN) == NN_POLLIN)
#define OUT(s) (pt_polled((s), NN_POLLOUT) == NN_POLLOUT)

static void drop(int s)
{
    char buf[1024];
    MUST(nn_recv(s, buf, sizeof buf, 0));
}

static void one_way(enum ct_transport t, int domain, int from, int to)
{
    int a = pt_socket(domain, from), b = pt_socket(domain, to);
    show("sender, fresh", a);
    show("receiver, fresh", b);
    if (to == NN_SUB)
        MUST(nn_setsockopt(b, NN_SUB, NN_SUB_SUBSCRIBE, "y", 1));
    pt_join(t, b, a);
    SHOW_WHEN(OUT(a), "sender, connected", a);
    show("receiver, connected", b);
    pt_say(a, "yes");
    SHOW_WHEN(IN(b), "receiver, a message", b);
    SHOW_WHEN(OUT(a), "sender, it has arrived", a);
    drop(b);
    show("receiver, it is taken", b);
    if (to == NN_SUB) {
        pt_say(a, "no");
        SHOW_WHEN(IN(b), "receiver, a message of no topic", b);
        pt_try("receiver", b);
        show("receiver, after that", b);
    }
    MUST(nn_close(a));
    ALONE(b);
    show("receiver, alone again", b);
    MUST(nn_close(b));

    a = pt_socket(domain, from);
    b = pt_socket(domain, to);
    pt_join(t, a, b);
    EVENTUALLY(OUT(a));
    MUST(nn_close(b));
    ALONE(a);
    show("sender, alone again", a);
    MUST(nn_close(a));
}

/* A PUSH whose PULL takes nothing is not writable, until it takes something. */
static void full(enum ct_transport t, int domain, int type, int peer)
{
    static char big[200000];
    int a = pt_socket(domain, type), b = pt_socket(domain, peer), sent = 0;
    char *buf = malloc(sizeof big);
    big[0] = (char) 0x80; /* an id, where one is needed */
    pt_join(t, b, a);
    while (nn_send(a, big, sizeof big, NN_DONTWAIT) > 0 || WAIT_FOR(100, OUT(a)))
        CHECK(++sent < 10000);
    CHECK(sent > 0);
    show("sender, full", a);
    show("receiver", b);
    /* Over inproc what could not be queued waits at the sender: one message more. */
    for (int i = 0; i < 200 && !OUT(a); i++) {
        MUST(ct_set(b, NN_RCVTIMEO, 100));
        nn_recv(b, buf, sizeof big, 0);
    }
    SHOW_WHEN(OUT(a), "sender, when some are taken", a);
    free(buf);
    MUST(nn_close(a));
    MUST(nn_close(b));
}

static void bus(enum ct_transport t, int domain)
{
    int a = pt_socket(domain, NN_BUS), b = pt_socket(domain, NN_BUS);
    show("fresh", a);
    pt_join(t, a, b);
    show("connected", a);
    pt_say(b, "x");
    SHOW_WHEN(IN(a), "a message", a);
    drop(a);
    show("it is taken", a);
    MUST(nn_close(b));
    ALONE(a);
    show("alone again", a);
    MUST(nn_close(a));
}

/* A raw asker without a peer: REQ cannot send then, SURVEYOR always. */
static void raw_asking(enum ct_transport t, int asks, int answers)
{
    unsigned char body[64];
    int a = pt_raw(asks), b = pt_raw(answers);
    show("asker, fresh", a);
    show("answerer, fresh", b);
    pt_join(t, b, a);
    SHOW_WHEN(OUT(a), "asker, connected", a);
    show("answerer, connected", b);
    MUST(nn_send(a, body, pt_stack(body, 1, "question"), 0));
    SHOW_WHEN(IN(b), "answerer, a question", b);
    struct pt_msg m = pt_take(b);
    show("answerer, it is taken", b);
    MUST(pt_send_raw(b, m.head, (size_t) m.heads, "answer", 6, 0));
    SHOW_WHEN(IN(a), "asker, an answer", a);
    show("answerer, it has answered", b);
    m = pt_take(a);
    SHOW_WHEN(OUT(a), "asker, it is taken", a);
    /* What is no question makes it readable, though nothing is received. */
    MUST(nn_send(a, "no question", 11, 0));
    SHOW_WHEN(IN(b), "answerer, no question", b);
    pt_try("answerer", b);
    show("answerer, after that", b);
    MUST(nn_close(b));
    ALONE(a);
    show("asker, alone again", a);
    MUST(nn_close(a));
}

static void reqrep(enum ct_transport t)
{
    int req = ct_socket(NN_REQ), rep = ct_socket(NN_REP);
    show("REQ, fresh", req);
    show("REP, fresh", rep);
    pt_say(req, "nobody there");
    show("REQ, asked nobody", req);
    MUST(nn_close(req));
    req = ct_socket(NN_REQ);
    pt_join(t, rep, req);
    show("REQ, connected", req);
    show("REP, connected", rep);
    pt_say(req, "ask");
    show("REQ, asked", req);
    SHOW_WHEN(IN(rep), "REP, a request", rep);
    drop(rep);
    show("REP, it is taken", rep);
    pt_say(rep, "answer");
    show("REP, answered", rep);
    SHOW_WHEN(IN(req), "REQ, an answer", req);
    drop(req);
    show("REQ, it is taken", req);

    pt_say(req, "ask");
    drop(rep);
    pt_try("REP", rep);
    show("REP, has forgotten", rep);
    pt_say(req, "ask again");
    drop(rep);
    pt_say(rep, "answer");
    EVENTUALLY(IN(req));
    pt_say(req, "another");
    show("REQ, asked before it read", req);
    EVENTUALLY(IN(rep));
    drop(rep);

    /* A second request behind the one in work. */
    int second = ct_socket(NN_REQ);
    pt_join(t, rep, second);
    pt_say(second, "me too");
    SHOW_WHEN(IN(rep), "REP, one in work and one waits", rep);
    pt_say(rep, "answer");
    show("REP, one waits", rep);
    drop(rep);
    MUST(nn_close(second));
    MUST(nn_close(req));
    ALONE(rep);
    show("REP, took it, and all are gone", rep);
    pt_say(rep, "to nobody");
    show("REP, has answered", rep);
    MUST(nn_close(rep));
}

static void survey(enum ct_transport t)
{
    int ms = 3600000;
    int surveyor = ct_socket(NN_SURVEYOR), respondent = ct_socket(NN_RESPONDENT);
    show("SURVEYOR, fresh", surveyor);
    show("RESPONDENT, fresh", respondent);
    MUST(nn_setsockopt(surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, &ms, sizeof ms));
    pt_join(t, respondent, surveyor);
    show("SURVEYOR, connected", surveyor);
    show("RESPONDENT, connected", respondent);
    pt_say(surveyor, "survey");
    show("SURVEYOR, asked", surveyor);
    SHOW_WHEN(IN(respondent), "RESPONDENT, a survey", respondent);
    drop(respondent);
    show("RESPONDENT, it is taken", respondent);
    pt_say(respondent, "answer");
    show("RESPONDENT, answered", respondent);
    SHOW_WHEN(IN(surveyor), "SURVEYOR, an answer", surveyor);
    drop(surveyor);
    show("SURVEYOR, it is taken", surveyor);

    /* An answer to the survey before. */
    pt_say(surveyor, "one");
    drop(respondent);
    ms = 50;
    MUST(nn_setsockopt(surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, &ms, sizeof ms));
    pt_say(respondent, "answer to one");
    EVENTUALLY(IN(surveyor));
    drop(surveyor);
    pt_say(surveyor, "two");
    SHOW_WHEN(IN(surveyor), "SURVEYOR, the deadline", surveyor);
    pt_try("SURVEYOR", surveyor);
    show("SURVEYOR, told so", surveyor);
    pt_try("SURVEYOR", surveyor);
    show("SURVEYOR, over", surveyor);
    MUST(nn_close(surveyor));
    MUST(nn_close(respondent));
}

/* An answer that comes too late is seen, and not received. */
static void late_answer(enum ct_transport t)
{
    int ms = 3600000;
    int surveyor = ct_socket(NN_SURVEYOR), respondent = pt_raw(NN_RESPONDENT);
    MUST(nn_setsockopt(surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, &ms, sizeof ms));
    pt_join(t, respondent, surveyor);
    pt_say(surveyor, "one");
    struct pt_msg m = pt_take(respondent);
    pt_say(surveyor, "two");
    struct pt_msg n = pt_take(respondent);
    CHECK(pt_is(&n, "two"));
    MUST(pt_send_raw(respondent, m.head, 8, "answer to one", 13, 0));
    SHOW_WHEN(IN(surveyor), "SURVEYOR, an answer to the survey before", surveyor);
    pt_try("SURVEYOR", surveyor);
    show("SURVEYOR, after that", surveyor);
    MUST(nn_close(surveyor));
    MUST(nn_close(respondent));
}

/* A request no longer asked for: its answer makes REQ ready for nothing. */
static void stale_answer(enum ct_transport t)
{
    int req = ct_socket(NN_REQ), rep = pt_raw(NN_REP);
    pt_join(t, rep, req);
    pt_say(req, "one");
    struct pt_msg m = pt_take(rep);
    pt_say(req, "two");
    struct pt_msg n = pt_take(rep);
    MUST(pt_send_raw(rep, m.head, 8, "answer to one", 13, 0));
    CHECK(!WAIT_FOR(30, IN(req)));
    show("REQ, an answer to the request before", req);
    SEND_UNTIL_READABLE(req, pt_send_raw(rep, n.head, 8, "answer to two", 13, 0));
    show("REQ, the answer", req);
    pt_hear("REQ", req);
    show("REQ, it is taken", req);
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

static int polled[2], done;

static void *poller(void *arg)
{
    struct nn_pollfd fds[] = {{polled[0], NN_POLLIN, 0}, {polled[1], NN_POLLIN, 0}};
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED))
        nn_poll(fds, 2, CT_PATIENCE);
    return arg;
}

/* Another thread waits for REQ and more in nn_poll: requests are sent again all the same, also when the answer to the one
   before was taken away from it. */
static void resending(void)
{
    int interval = 20, req = ct_socket(NN_REQ), rep = pt_raw(NN_REP), other = ct_socket(NN_PULL);
    char addr[NN_SOCKADDR_MAX];
    pthread_t thread;
    MUST(nn_setsockopt(req, NN_REQ, NN_REQ_RESEND_IVL, &interval, sizeof interval));
    pt_join(TCP, req, rep);
    MUST(nn_bind(other, ct_address(TCP, addr)));
    polled[0] = req;
    polled[1] = other;
    pthread_create(&thread, NULL, poller, NULL);
    for (int round = 0; round < 20; round++) {
        struct pt_msg m;
        for (const char *text = "ab"; *text; text++) {
            pt_say(req, *text == 'a' ? "a" : "b");
            for (int copies = 0; copies < (*text == 'a' ? 1 : 2);) {
                m = pt_take(rep);
                copies += m.body[0] == *text;
            }
            MUST(pt_send_raw(rep, m.head, (size_t) m.heads, "answer", 6, 0));
            CHECK(pt_got(req, "answer"));
            ct_nap(2);
        }
    }
    puts("sent again while another thread polls");
    __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
    MUST(nn_close(other));
    MUST(nn_close(req));
    MUST(nn_close(rep));
    pthread_join(thread, NULL);
}

int main(void)
{
    ct_send_everything();
    for (enum ct_transport t = INPROC; t <= WS; t++)
        for (int domain = AF_SP; domain <= AF_SP_RAW; domain++) {
            const char *raw = domain == AF_SP_RAW ? "raw " : "";
            printf("-- %s, %sPUB and SUB\n", ct_scheme[t], raw);
            one_way(t, domain, NN_PUB, NN_SUB);
            printf("-- %s, %sPUSH and PULL\n", ct_scheme[t], raw);
            one_way(t, domain, NN_PUSH, NN_PULL);
            full(t, domain, NN_PUSH, NN_PULL);
            printf("-- %s, %sBUS\n", ct_scheme[t], raw);
            bus(t, domain);
            if (domain == AF_SP_RAW) {
                printf("-- %s, raw REQ and REP\n", ct_scheme[t]);
                raw_asking(t, NN_REQ, NN_REP);
                full(t, domain, NN_REQ, NN_REP);
                printf("-- %s, raw SURVEYOR and RESPONDENT\n", ct_scheme[t]);
                raw_asking(t, NN_SURVEYOR, NN_RESPONDENT);
                continue;
            }
            printf("-- %s, REQ and REP\n", ct_scheme[t]);
            reqrep(t);
            stale_answer(t);
            printf("-- %s, SURVEYOR and RESPONDENT\n", ct_scheme[t]);
            survey(t);
            late_answer(t);
        }
    resending();
    return 0;
}
