/* A peer that takes nothing: who sends to many drops its messages and is not held up,
   who sends to one goes to another. What is dropped is counted by nobody, so only
   what must hold is said. */

#include "patterns.h"

#define SIZE 20000
#define SENT 1500

static unsigned char body[SIZE];

/* Numbers messages; the first bytes are an id, where one is needed. */
static void number(int n)
{
    uint32_t id = htonl(0x80000000u | 1), at = htonl((uint32_t) n);
    memcpy(body, &id, 4);
    memcpy(body + 4, &at, 4);
}

/* How many milliseconds calls of nn_send took that might have waited. */
static int taken[SENT], calls;

#define TIMED(send) \
    __extension__({ \
        int64_t start = ct_now(); \
        int sent = (send); \
        taken[calls++] = (int) (ct_now() - start); \
        sent; \
    })

static int in_order(const void *a, const void *b)
{
    return *(const int *) a - *(const int *) b;
}

/* The first few may wait for room, a busy machine may stop any. That a peer takes
   nothing, the most of them do not notice: the second half has a median near 0. */
static int not_held_up(void)
{
    int from = calls / 2, many = calls - from;
    qsort(taken + from, (size_t) many, sizeof *taken, in_order);
    int median = taken[from + many / 2];
    calls = 0;
    if (many == 0 || median >= 5)
        printf("half of %d calls took %d ms and more\n", many, median);
    return many > 0 && median < 5;
}

/* The number in the next message, 0 when none comes in time. Raw ones that answer
   have the id in the header. */
static int next(int s, int ms, int in_header)
{
    static unsigned char buf[SIZE];
    MUST(ct_set(s, NN_RCVTIMEO, ms));
    int rc = nn_recv(s, buf, sizeof buf, 0);
    if (rc < 0) {
        CHECK(nn_errno() == ETIMEDOUT);
        return 0;
    }
    CHECK(rc == (in_header ? SIZE - 4 : SIZE));
    return (int) pt_word(buf + (in_header ? 0 : 4));
}

/* Takes what is left at a socket: how many, and were they in order? */
static int drain(int s, int in_header, int *ordered)
{
    int count = 0, last = 0, n;
    *ordered = 1;
    while ((n = next(s, 100, in_header)) != 0) {
        *ordered &= n > last;
        last = n;
        count++;
    }
    return count;
}

/* One sender, a receiver that takes all, and one that takes nothing. */
static void fan_out(const char *what, enum ct_transport t, int domain, int from, int to, int in_header)
{
    char addr[NN_SOCKADDR_MAX];
    int sender = pt_socket(domain, from), quick = pt_socket(domain, to), stuck = pt_socket(domain, to);
    int heard = 0, ordered = 1, last = 0;
    if (to == NN_SUB) {
        MUST(nn_setsockopt(quick, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
        MUST(nn_setsockopt(stuck, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    }
    MUST(nn_bind(sender, ct_address(t, addr)));
    pt_link(sender, stuck, addr);
    pt_link(sender, quick, addr);
    for (int i = 1; i <= SENT; i++) {
        number(i);
        if (i % 2)
            CHECK(nn_send(sender, body, SIZE, NN_DONTWAIT) == SIZE);
        else
            CHECK(TIMED(nn_send(sender, body, SIZE, 0)) == SIZE);
        int n = next(quick, 200, in_header);
        if (n) {
            ordered &= n > last;
            last = n;
            heard++;
        }
    }
    CHECK(not_held_up());
    CHECK(ordered);
    CHECK(heard > SENT * 9 / 10);
    CHECK(ct_stat(sender, NN_STAT_MESSAGES_SENT) == SENT);
    printf("%s: is not held up, and the quick one hears all\n", what);
    int got = drain(stuck, in_header, &ordered);
    CHECK(got >= 1 && got < SENT / 2);
    CHECK(ordered);
    printf("%s: the stuck one has the first ones, in order\n", what);

    /* It hears again what is sent from now on. */
    number(SENT + 1);
    SEND_UNTIL_READABLE(stuck, nn_send(sender, body, SIZE, 0));
    CHECK(next(stuck, CT_PATIENCE, in_header) == SENT + 1);
    CHECK(PEERS(sender) == 2);
    printf("%s: and hears again when it listens\n", what);
    MUST(nn_close(sender));
    MUST(nn_close(quick));
    MUST(nn_close(stuck));
}

/* Answers to one that takes none are dropped, and others get theirs. */
static void answers(const char *what, enum ct_transport t, int asks, int replies)
{
    char addr[NN_SOCKADDR_MAX];
    int reply = pt_raw(replies), quick = pt_raw(asks), stuck = pt_raw(asks), heard = 0, ordered;
    MUST(nn_bind(reply, ct_address(t, addr)));
    pt_link(reply, stuck, addr);
    pt_link(reply, quick, addr);
    number(1);
    MUST(nn_send(stuck, body, 8, 0));
    struct pt_msg m = pt_take(reply);
    MUST(nn_send(quick, body, 8, 0));
    struct pt_msg n = pt_take(reply);
    for (int i = 1; i <= SENT; i++) {
        number(i);
        if (i % 2)
            CHECK(pt_send_raw(reply, m.head, 8, body + 4, SIZE - 4, NN_DONTWAIT) == SIZE - 4);
        else
            CHECK(TIMED(pt_send_raw(reply, m.head, 8, body + 4, SIZE - 4, 0)) == SIZE - 4);
        if (i % 10 == 0) {
            CHECK(pt_send_raw(reply, n.head, 8, body + 4, SIZE - 4, 0) == SIZE - 4);
            heard += next(quick, 200, 1) == i;
        }
    }
    CHECK(not_held_up());
    CHECK(heard > SENT / 10 * 9 / 10);
    int got = drain(stuck, 1, &ordered);
    CHECK(got >= 1 && got < SENT / 2);
    CHECK(ordered);
    printf("%s: is not held up by one that takes no answers, and others get theirs\n", what);
    number(SENT + 1);
    SEND_UNTIL_READABLE(stuck, pt_send_raw(reply, m.head, 8, body + 4, SIZE - 4, 0));
    CHECK(next(stuck, CT_PATIENCE, 1) == SENT + 1);
    printf("%s: and it gets its own again when it listens\n", what);
    MUST(nn_close(reply));
    MUST(nn_close(quick));
    MUST(nn_close(stuck));
}

/* The same cooked: one request, one answer; the stuck one is a peer that never reads. */
static void stuck_requester(enum ct_transport t)
{
    static char big[1000000];
    char addr[NN_SOCKADDR_MAX], request[8];
    int rep = ct_socket(NN_REP), req = ct_socket(NN_REQ);
    MUST(nn_bind(rep, ct_address(t, addr)));
    int fd = pt_os_peer(addr, NN_REQ, rep);
    pt_link(rep, req, addr);
    memcpy(request, "\x80\0\0\x09" "big", 7);
    for (int i = 0; i < 20; i++) {
        pt_os_send(fd, addr, request, 7);
        CHECK(pt_got(rep, "big"));
        CHECK(TIMED(nn_send(rep, big, sizeof big, 0)) == sizeof big);
    }
    CHECK(not_held_up());
    pt_say(req, "small");
    CHECK(pt_got(rep, "small"));
    pt_say(rep, "answer");
    CHECK(pt_got(req, "answer"));
    printf("REP: answers others while one reads nothing\n");
    close(fd);
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

/* PUSH loses nothing: what the stuck one has no room for goes to the other. */
static void push(enum ct_transport t)
{
    int sender = ct_socket(NN_PUSH), pull[2] = {ct_socket(NN_PULL), ct_socket(NN_PULL)}, heard = 0, ordered;
    pt_join(t, pull[0], sender);
    pt_join(t, pull[1], sender);
    for (int i = 1; i <= SENT; i++) {
        number(i);
        int64_t end = ct_now() + CT_PATIENCE;
        do {
            while (pt_polled(pull[1], NN_POLLIN) == NN_POLLIN)
                heard += next(pull[1], 100, 0) != 0;
            CHECK(ct_now() < end);
        } while (nn_send(sender, body, SIZE, NN_DONTWAIT) < 0 && nn_errno() == EAGAIN && ct_now() < end);
    }
    int rest = drain(pull[1], 0, &ordered), stuck = drain(pull[0], 0, &ordered);
    CHECK(heard + rest + stuck == SENT);
    CHECK(stuck >= 1 && stuck < SENT / 2);
    CHECK(ordered);
    printf("PUSH: loses nothing, and does not wait for the stuck one\n");
    MUST(nn_close(sender));
    pt_close(pull, 2);
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        printf("-- %s\n", ct_scheme[t]);
        fan_out("PUB", t, AF_SP, NN_PUB, NN_SUB, 0);
        fan_out("raw PUB", t, AF_SP_RAW, NN_PUB, NN_SUB, 0);
        fan_out("BUS", t, AF_SP, NN_BUS, NN_BUS, 0);
        fan_out("raw BUS", t, AF_SP_RAW, NN_BUS, NN_BUS, 0);
        fan_out("raw SURVEYOR", t, AF_SP_RAW, NN_SURVEYOR, NN_RESPONDENT, 1);
        answers("raw REP", t, NN_REQ, NN_REP);
        answers("raw RESPONDENT", t, NN_SURVEYOR, NN_RESPONDENT);
        if (t != INPROC)
            stuck_requester(t);
        push(t);
    }
    return 0;
}
