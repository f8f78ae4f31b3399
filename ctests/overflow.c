/* NN_OVERFLOW of nanomsg-rs/options.h, which the original does not know: what becomes of messages for peers that are too slow. */

#include "patterns.h"

enum {
    NN_OVERFLOW = 1005,
    DROP_NEW = 0,
    DROP_OLD = 1,
    WAIT = 2,
    NN_STAT_MESSAGES_OVERFLOWED = 1302,
    /* Bytes of NN_SNDBUF and NN_RCVBUF, and of a message: some tens of them fit between two sockets. */
    BUFFER = 8192,
    SIZE = 1000,
    MANY = 2000,
};

#define MISSED(s) ct_stat((s), NN_STAT_MESSAGES_OVERFLOWED)

struct kind {
    int sends, receives, domain;
};

static const struct kind kinds[] = {
    {NN_PUB, NN_SUB, AF_SP},          {NN_BUS, NN_BUS, AF_SP},     {NN_SURVEYOR, NN_RESPONDENT, AF_SP},
    {NN_PUB, NN_SUB, AF_SP_RAW},      {NN_BUS, NN_BUS, AF_SP_RAW}, {NN_SURVEYOR, NN_RESPONDENT, AF_SP_RAW},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* One that sends, and two of which the first is slow. */
struct group {
    const struct kind *kind;
    int sender, slow, quick;
};

static int small(int domain, int type)
{
    int s = pt_socket(domain, type);
    MUST(ct_set(s, NN_SNDBUF, BUFFER));
    MUST(ct_set(s, NN_RCVBUF, BUFFER));
    if (type == NN_SUB)
        MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    return s;
}

static struct group begin(enum ct_transport t, const struct kind *kind, int policy)
{
    char addr[NN_SOCKADDR_MAX];
    struct group g = {kind, small(kind->domain, kind->sends), small(AF_SP, kind->receives), small(AF_SP, kind->receives)};
    MUST(ct_set(g.sender, NN_OVERFLOW, policy));
    MUST(nn_bind(g.sender, ct_address(t, addr)));
    pt_link(g.sender, g.slow, addr);
    pt_link(g.sender, g.quick, addr);
    return g;
}

static void end(struct group g)
{
    MUST(nn_close(g.sender));
    MUST(nn_close(g.slow));
    MUST(nn_close(g.quick));
}

/* Sends a message with a number. */
static int put(struct group g, int number, int flags)
{
    char body[SIZE + 4] = {0};
    /* The id of a survey, where the program has to write it. */
    size_t id = g.kind->sends == NN_SURVEYOR && g.kind->domain == AF_SP_RAW ? 4 : 0;
    if (id)
        body[0] = (char) 0x80;
    snprintf(body + id, 20, "%d", number);
    int rc = nn_send(g.sender, body, SIZE + id, flags);
    CHECK(rc < 0 || rc == (int) (SIZE + id));
    return rc;
}

/* The number of the next message, or -1. */
static int take(int s, int flags)
{
    char body[SIZE];
    int rc = nn_recv(s, body, sizeof body, flags);
    CHECK(rc < 0 || rc == SIZE);
    return rc < 0 ? -1 : atoi(body);
}

static void is_empty(int s)
{
    CHECK(take(s, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
}

static void options(void)
{
    static const int without[] = {NN_PAIR, NN_SUB, NN_REQ, NN_REP, NN_PUSH, NN_PULL, NN_RESPONDENT};
    int value;
    size_t size = sizeof value;
    for (int domain = AF_SP; domain <= AF_SP_RAW; domain++)
        for (unsigned i = 0; i < sizeof without / sizeof *without; i++) {
            int s = MUST(nn_socket(domain, without[i]));
            CHECK(ct_set(s, NN_OVERFLOW, WAIT) == -1 && nn_errno() == ENOPROTOOPT);
            CHECK(nn_getsockopt(s, NN_SOL_SOCKET, NN_OVERFLOW, &value, &size) == -1 && nn_errno() == ENOPROTOOPT);
            CHECK(MISSED(s) == 0);
            MUST(nn_close(s));
        }
    for (int i = 0; i < KINDS; i++) {
        int s = MUST(nn_socket(kinds[i].domain, kinds[i].sends));
        CHECK(ct_get(s, NN_SOL_SOCKET, NN_OVERFLOW) == DROP_NEW);
        for (int policy = WAIT; policy >= DROP_NEW; policy--)
            CHECK(ct_set(s, NN_OVERFLOW, policy) == 0 && ct_get(s, NN_SOL_SOCKET, NN_OVERFLOW) == policy);
        CHECK(ct_set(s, NN_OVERFLOW, WAIT + 1) == -1 && nn_errno() == EINVAL);
        CHECK(ct_set(s, NN_OVERFLOW, -1) == -1 && nn_errno() == EINVAL);
        CHECK(nn_setsockopt(s, NN_SOL_SOCKET, NN_OVERFLOW, "", 1) == -1 && nn_errno() == EINVAL);
        /* With nobody there, none waits and none misses anything. */
        CHECK(ct_set(s, NN_OVERFLOW, WAIT) == 0 && nn_send(s, "nobody", 6, 0) == 6 && MISSED(s) == 0);
        MUST(nn_close(s));
    }
}

/* Sends many, of which the quick one gets all. */
static void flood(struct group g)
{
    for (int i = 0; i < MANY; i++) {
        CHECK(put(g, i, 0) > 0);
        CHECK(take(g.quick, 0) == i);
    }
}

/* The slow one has missed the last of what was sent at one time: what it has missed is counted, and what it has not is there. */
static void drop_new(enum ct_transport t, const struct kind *kind)
{
    struct group g = begin(t, kind, DROP_NEW);
    flood(g);
    int missed = MISSED(g.sender), before = -1;
    CHECK(missed > 0 && missed < MANY - 8);
    for (int i = 0; i < MANY - missed; i++) {
        int number = take(g.slow, 0);
        CHECK(number > before && (i > 7 || number == i));
        before = number;
    }
    is_empty(g.slow);
    CHECK(MISSED(g.sender) == missed);
    /* It has room again, of which the sender hears soon. */
    EVENTUALLY((missed = MISSED(g.sender), put(g, MANY, 0) > 0 && take(g.quick, 0) == MANY && MISSED(g.sender) == missed));
    CHECK(take(g.slow, 0) == MANY);
    end(g);
}

/* It has missed what was old, and has the newest. */
static void drop_old(enum ct_transport t, const struct kind *kind)
{
    struct group g = begin(t, kind, DROP_OLD);
    flood(g);
    int missed = MISSED(g.sender), newest = BUFFER / (SIZE + 10), before = -1;
    CHECK(missed > 0 && missed < MANY - newest);
    for (int i = 0; i < MANY - missed; i++) {
        int number = take(g.slow, 0), left = MANY - missed - i;
        CHECK(number > before && (i > 7 || number == i) && (left > newest || number == MANY - left));
        before = number;
    }
    is_empty(g.slow);
    CHECK(MISSED(g.sender) == missed);
    CHECK(put(g, MANY, 0) > 0 && take(g.slow, 0) == MANY && take(g.quick, 0) == MANY);
    end(g);
}


static void *close_it(void *socket)
{
    MUST(nn_close(*(int *) socket));
    return NULL;
}

/* What waits for a slow peer was accepted: closing takes as long as NN_LINGER says to write it. */
static void linger(enum ct_transport t, const struct kind *kind, int shut)
{
    char addr[NN_SOCKADDR_MAX];
    pthread_t thread;
    struct group g = {kind, small(kind->domain, kind->sends), small(AF_SP, kind->receives), -1};
    MUST(ct_set(g.sender, NN_LINGER, -1));
    MUST(ct_set(g.sender, NN_OVERFLOW, DROP_OLD));
    int id = MUST(nn_bind(g.sender, ct_address(t, addr)));
    pt_link(g.sender, g.slow, addr);
    int sent = 0, before = -1;
    while (sent < MANY || !MISSED(g.sender))
        CHECK(put(g, sent++, 0) > 0);
    int missed = MISSED(g.sender);
    if (shut)
        MUST(nn_shutdown(g.sender, id));
    else
        pthread_create(&thread, NULL, close_it, &g.sender);
    for (int i = 0; i < sent - missed; i++) {
        int number = take(g.slow, 0);
        CHECK(number > before);
        before = number;
    }
    CHECK(before == sent - 1);
    is_empty(g.slow);
    if (shut)
        MUST(nn_close(g.sender));
    else
        pthread_join(thread, NULL);
    MUST(nn_close(g.slow));
}

/* A call that was blocked returns at once, and not when its time is over. */
static void join(pthread_t thread, int64_t since)
{
    pthread_join(thread, NULL);
    CHECK(ct_now() - since < CT_PATIENCE / 2);
}

struct blocked {
    struct group g;
    int number, rc;
};

static void *send_it(void *arg)
{
    struct blocked *b = arg;
    b->rc = put(b->g, b->number, 0);
    return NULL;
}

static void *poll_it(void *arg)
{
    struct blocked *b = arg;
    struct nn_pollfd p = {b->g.sender, NN_POLLOUT, 0};
    CHECK(nn_poll(&p, 1, CT_PATIENCE) == 1 && p.revents == NN_POLLOUT);
    return send_it(arg);
}

/* Whether one can send, as the descriptor says, if there is one, and nn_poll. */
static int sendable(struct group g, int fd)
{
    int can = pt_polled(g.sender, NN_POLLOUT) == NN_POLLOUT;
    EVENTUALLY(fd < 0 || ct_readable(fd) == can);
    return can;
}

/* Sends until nobody can any more, and says how many it were. The quick one reads what came. On a busy machine a peer may take
   more a while later, so nothing here relies on that it does not. */
static int fill(struct group g, int from, int fd)
{
    int sent = from, heard = from;
    MUST(ct_set(g.sender, NN_SNDTIMEO, 100));
    while (put(g, sent, 0) > 0) {
        sent++;
        CHECK(take(g.quick, 0) == heard++);
        if (sent > from + MANY)
            break;
    }
    CHECK(nn_errno() == ETIMEDOUT && sent < from + MANY);
    EVENTUALLY(put(g, sent, NN_DONTWAIT) > 0 ? (sent++, 0) : nn_errno() == EAGAIN && !sendable(g, fd));
    MUST(ct_set(g.sender, NN_SNDTIMEO, CT_PATIENCE));
    while (heard < sent)
        CHECK(take(g.quick, 0) == heard++);
    is_empty(g.quick); /* nobody got the one that failed */
    return sent;
}

/* Nobody gets a message while one is full. */
static void waits(enum ct_transport t, const struct kind *kind)
{
    struct group g = begin(t, kind, WAIT);
    /* With a descriptor another thread does the work. */
    int fd = kind->domain == AF_SP ? ct_get(g.sender, NN_SOL_SOCKET, NN_SNDFD) : -1, read = 0;
    CHECK(sendable(g, fd));

    /* Until the slow one reads, for nn_send and for nn_poll. */
    pthread_t thread;
    struct blocked b = {g, 0, 0};
    for (int polls = 0; polls < 2; polls++) {
        b.number = fill(g, read, fd);
        pthread_create(&thread, NULL, polls ? poll_it : send_it, &b);
        BLOCKED();
        int64_t since = ct_now();
        for (; read <= b.number; read++)
            CHECK(take(g.slow, 0) == read);
        join(thread, since);
        CHECK(b.rc > 0 && take(g.quick, 0) == b.number);
        is_empty(g.slow);
        EVENTUALLY(sendable(g, fd));
    }
    CHECK(MISSED(g.sender) == 0);

    /* Or nobody waits for it any more: */
    b.number = fill(g, read, fd);
    pthread_create(&thread, NULL, send_it, &b);
    BLOCKED();
    int64_t since = ct_now();
    MUST(ct_set(g.sender, NN_OVERFLOW, DROP_NEW));
    join(thread, since);
    CHECK(b.rc > 0 && take(g.quick, 0) == b.number && MISSED(g.sender) <= 1);
    MUST(ct_set(g.sender, NN_OVERFLOW, WAIT));

    /* Or until it has gone. */
    b.number = fill(g, b.number + 1, fd);
    pthread_create(&thread, NULL, poll_it, &b);
    BLOCKED();
    since = ct_now();
    MUST(nn_close(g.slow));
    join(thread, since);
    CHECK(b.rc > 0 && take(g.quick, 0) == b.number && MISSED(g.sender) <= 1);
    CHECK(sendable(g, fd));
    MUST(nn_close(g.sender));
    MUST(nn_close(g.quick));
}

/* What a subscriber does not want it cannot miss, and it does not wait for it. */
static void subscriptions(enum ct_transport t, int policy)
{
    char addr[NN_SOCKADDR_MAX], body[SIZE] = "wanted";
    int pub = small(AF_SP, NN_PUB), sub = pt_socket(AF_SP, NN_SUB), count = 0, before = -1;
    MUST(ct_set(sub, NN_RCVBUF, BUFFER));
    MUST(ct_set(pub, NN_OVERFLOW, policy));
    MUST(nn_setsockopt(sub, NN_SUB, NN_SUB_SUBSCRIBE, "wanted", 6));
    MUST(nn_bind(pub, ct_address(t, addr)));
    pt_link(pub, sub, addr);
    for (; count < MANY; count++) {
        snprintf(body + 6, 20, "%d", count);
        CHECK(nn_send(pub, body, SIZE, 0) == SIZE);
    }
    int missed = MISSED(pub);
    CHECK(missed > 0);
    for (int i = 0; i < 100; i++)
        CHECK(nn_send(pub, "not wanted", 10, 0) == 10);
    CHECK(MISSED(pub) == missed);
    for (int i = 0; i < MANY - missed; i++) {
        CHECK(nn_recv(sub, body, SIZE, 0) == SIZE && atoi(body + 6) > before);
        before = atoi(body + 6);
    }
    CHECK(policy == DROP_NEW || before == MANY - 1);
    is_empty(sub);
    MUST(nn_close(pub));
    MUST(nn_close(sub));
}

struct passing {
    int s, rc;
    struct pt_msg m;
};

static void *pass_it_on(void *arg)
{
    struct passing *p = arg;
    p->rc = pt_send_raw(p->s, p->m.head, 8, "pass it on", 10, 0);
    return NULL;
}

/* A raw bus that passes a message on waits for all but the one that it came from. */
static void passed_on(enum ct_transport t)
{
    struct group g = begin(t, &kinds[4], WAIT);
    CHECK(nn_send(g.slow, "pass it on", 10, 0) == 10);
    struct pt_msg m = pt_take(g.sender);
    int sent = fill(g, 0, -1);
    CHECK(pt_send_raw(g.sender, m.head, 8, "pass it on", 10, 0) == 10);
    CHECK(pt_got(g.quick, "pass it on"));
    /* Both are full; then the other one reads. */
    struct passing p = {g.sender, 0, m};
    pthread_t thread;
    char text[SIZE];
    MUST(ct_set(g.sender, NN_OVERFLOW, DROP_NEW));
    while (MISSED(g.sender) < 20)
        CHECK(pt_send_raw(g.sender, m.head, 8, "something longer", 16, 0) == 16);
    MUST(ct_set(g.sender, NN_OVERFLOW, WAIT));
    pthread_create(&thread, NULL, pass_it_on, &p);
    BLOCKED();
    int64_t since = ct_now();
    while (nn_recv(g.quick, text, sizeof text, 0) == 16)
        continue;
    CHECK(!memcmp(text, "pass it on", 10));
    join(thread, since);
    CHECK(p.rc == 10);
    for (int i = 0; i < sent; i++)
        CHECK(take(g.slow, 0) == i);
    is_empty(g.slow);
    end(g);
}

/* A mebibyte is more than NN_SNDBUF, and waits alone. */
static void large(enum ct_transport t)
{
    enum { LARGE = 1 << 20, COUNT = 12 };
    struct group g = begin(t, &kinds[0], DROP_OLD);
    char *body = malloc(LARGE);
    for (int i = 0; i < COUNT; i++) {
        memset(body, 'a' + i, LARGE);
        CHECK(nn_send(g.sender, body, LARGE, 0) == LARGE);
        CHECK(nn_recv(g.quick, body, LARGE, 0) == LARGE && body[LARGE - 1] == 'a' + i);
    }
    int missed = MISSED(g.sender);
    CHECK(missed > 0);
    char before = 0;
    for (int i = 0; i < COUNT - missed; i++) {
        CHECK(nn_recv(g.slow, body, LARGE, 0) == LARGE && body[0] > before && body[LARGE - 1] == body[0]);
        before = body[0];
    }
    CHECK(before == 'a' + COUNT - 1);
    is_empty(g.slow);
    free(body);
    end(g);
}

struct sender { int s, sent; };
static char block[10000];

static void *sends_on(void *arg)
{
    struct sender *sender = arg;
    sender->sent = nn_send(sender->s, block, sizeof block, 0);
    return NULL;
}

/* A sender that waits for a slow peer goes on as soon as more may wait for it. */
static void grows(void)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PUSH), pull = ct_socket(NN_PULL);
    MUST(ct_set(s, NN_SNDBUF, 20000));
    MUST(ct_set(pull, NN_RCVBUF, 20000));
    MUST(nn_bind(pull, ct_address(IPC, addr)));
    MUST(nn_connect(s, addr));
    CONNECTED(s);
    CONNECTED(pull);
    for (int64_t full = ct_now(); ct_now() - full < 200;) /* until the kernel takes no more, either */
        if (nn_send(s, block, sizeof block, NN_DONTWAIT) > 0)
            full = ct_now();
        else
            ct_nap(1);
    pthread_t thread;
    struct sender sender = {s, 0};
    MUST(pthread_create(&thread, NULL, sends_on, &sender));
    BLOCKED();
    MUST(ct_set(s, NN_SNDBUF, 1000000));
    pthread_join(thread, NULL);
    CHECK(sender.sent == sizeof block);
    MUST(ct_set(s, NN_LINGER, 0));
    MUST(nn_close(s));
    MUST(nn_close(pull));
}

int main(void)
{
    QUIRK("NN_SNDBUF", "a sender that waits goes on when the buffer grows")
        grows();
    QUIRK("NN_OVERFLOW", "PUB, BUS and SURVEYOR have the option, and nobody else")
        options();
    static const char *const names[] = {"NN_OVERFLOW over inproc", "NN_OVERFLOW over ipc", "NN_OVERFLOW over tcp"};
    for (enum ct_transport t = INPROC; t <= TCP; t++) {
        QUIRK(names[t], "a slow peer misses what is new, or what is old, or everybody waits for it") {
            for (int i = 0; i < KINDS; i++) {
                drop_new(t, &kinds[i]);
                drop_old(t, &kinds[i]);
                waits(t, &kinds[i]);
                linger(t, &kinds[i], 0);
                linger(t, &kinds[i], 1);
            }
            subscriptions(t, DROP_NEW);
            subscriptions(t, DROP_OLD);
            passed_on(t);
            large(t);
        }
    }
    return 0;
}
