/* REQ and REP, cooked: who may call what when, what is resent, what is dropped. A
   raw socket on the other side shows the ids and breaks the rules. */

#include "patterns.h"

static void resend_after(int req, int ms)
{
    MUST(nn_setsockopt(req, NN_REQ, NN_REQ_RESEND_IVL, &ms, sizeof ms));
}

/* A raw REP's answer: the header of the request, or what remains when cut. */
static void answer(int rep, const struct pt_msg *request, const char *text)
{
    int size = (int) strlen(text);
    CHECK(pt_send_raw(rep, request->head, (size_t) request->heads, text, (size_t) size, 0) == size);
}

static struct pt_msg take(int rep, const char *text)
{
    struct pt_msg m = pt_take(rep);
    CHECK(pt_is(&m, text));
    CHECK(m.heads == 8);
    CHECK((m.head[0] & 0x80) == 0);
    CHECK((m.head[4] & 0x80) != 0);
    return m;
}

static uint32_t id(const struct pt_msg *m)
{
    return pt_word(m->head + 4);
}

static uint32_t next_id(const struct pt_msg *m)
{
    return (id(m) + 1) | 0x80000000u;
}

/* Takes the text from any of two, and what was resent before it away. */
static int take_any(const int *rep, const char *text, struct pt_msg *m)
{
    int who;
    do
        who = pt_any(rep, 2);
    while (who >= 0 && pt_recv_raw(rep[who], m, 0) >= 0 && !pt_is(m, text));
    CHECK(who >= 0 && pt_is(m, text));
    return who < 0 ? 0 : who;
}

static void states(enum ct_transport t)
{
    int req = ct_socket(NN_REQ), rep = ct_socket(NN_REP);
    pt_try("REQ, fresh", req);
    pt_hear("REQ, fresh", req);
    pt_try("REP, fresh", rep);
    CALL(nn_send(rep, "x", 1, 0));
    CALL(nn_send(rep, "x", 1, NN_DONTWAIT));
    pt_join(t, rep, req);
    pt_hear("REQ, connected", req);
    CALL(nn_send(rep, "x", 1, 0));

    CALL(nn_send(req, "ask", 3, 0));
    pt_hear_for("REQ, no answer in 20 ms", req, 20);
    pt_try("REQ, no answer", req);
    pt_hear("REP", rep);
    CALL(nn_send(rep, "answer", 6, 0));
    CALL(nn_send(rep, "another", 7, 0));
    pt_hear("REQ", req);
    pt_hear("REQ once more", req);
    pt_try("REQ once more", req);

    /* Receiving forgets the request, even when nothing is received. */
    pt_say(req, "forgotten");
    pt_hear("REP", rep);
    pt_try("REP once more", rep);
    CALL(nn_send(rep, "x", 1, 0));
    pt_try("REQ", req);
    pt_say(req, "forgotten too");
    pt_hear("REP", rep);
    pt_hear_for("REP once more, 20 ms", rep, 20);
    CALL(nn_send(rep, "x", 1, 0));
    pt_say(req, "remembered");
    pt_hear("REP", rep);
    CALL(nn_recv(rep, NULL, 0, -1));
    CALL(nn_send(rep, "x", 1, 0));
    /* An error before the pattern is asked keeps it. */
    pt_say(req, "kept");
    pt_hear("REP", rep);
    CALL(nn_send(rep, NULL, 3, 0));
    CALL(nn_recvmsg(rep, NULL, 0));
    pt_say(rep, "answer");
    pt_hear("REQ", req);

    /* Empty bodies both ways. */
    pt_say(req, "");
    pt_hear("REP", rep);
    pt_say(rep, "");
    pt_hear("REQ", req);
    printf("REQ: sent %d, %d bytes, received %d, %d bytes\n", ct_stat(req, NN_STAT_MESSAGES_SENT),
           ct_stat(req, NN_STAT_BYTES_SENT), ct_stat(req, NN_STAT_MESSAGES_RECEIVED), ct_stat(req, NN_STAT_BYTES_RECEIVED));
    printf("REP: sent %d, %d bytes, received %d, %d bytes\n", ct_stat(rep, NN_STAT_MESSAGES_SENT),
           ct_stat(rep, NN_STAT_BYTES_SENT), ct_stat(rep, NN_STAT_MESSAGES_RECEIVED), ct_stat(rep, NN_STAT_BYTES_RECEIVED));

    /* An answer to one that is gone is lost, and nobody is told. */
    pt_say(req, "ask");
    pt_hear("REP", rep);
    MUST(nn_close(req));
    ALONE(rep);
    CALL(nn_send(rep, "answer", 6, 0));
    CALL(nn_send(rep, "answer", 6, 0));
    MUST(nn_close(rep));
}

/* A new request cancels the one before; only the answer to the last counts, once. */
static void cancel(enum ct_transport t)
{
    int req = ct_socket(NN_REQ), rep = pt_raw(NN_REP);
    pt_join(t, rep, req);
    pt_say(req, "one");
    struct pt_msg one = take(rep, "one");
    pt_say(req, "two");
    struct pt_msg two = take(rep, "two");
    CHECK(pt_word(one.head) == pt_word(two.head));
    CHECK(id(&two) == next_id(&one));
    answer(rep, &one, "answer to one");
    ct_nap(1);
    SEND_UNTIL_READABLE(req, answer(rep, &two, "answer to two"));
    pt_hear("cancelled one", req);
    answer(rep, &two, "answer to two, again");
    ct_nap(1);
    answer(rep, &one, "answer to one, again");
    pt_hear("nothing asked", req);
    pt_say(req, "three");
    struct pt_msg three = take(rep, "three");
    CHECK(id(&three) == next_id(&two));
    answer(rep, &two, "answer to two, later");
    ct_nap(1);
    SEND_UNTIL_READABLE(req, answer(rep, &three, "answer to three"));
    pt_hear("after duplicates", req);

    /* Also when the answer was already there. */
    pt_say(req, "four");
    struct pt_msg four = take(rep, "four");
    answer(rep, &four, "answer to four");
    READABLE(req);
    pt_say(req, "five");
    struct pt_msg five = take(rep, "five");
    CHECK(id(&five) == next_id(&four));
    pt_try("five is not answered", req);
    answer(rep, &five, "answer to five");
    pt_hear("the answer to four is discarded", req);
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

/* Answers that are none. Each has a moment to be on its way: a REP drops what it
   cannot send at once. */
static void wrong(int rep, const void *head, size_t heads, const void *body, size_t size)
{
    CHECK(pt_send_raw(rep, head, heads, body, size, 0) == (int) size);
    ct_nap(1);
}

static void wrong_answers(enum ct_transport t)
{
    unsigned char head[16], body[16];
    int req = ct_socket(NN_REQ), rep = pt_raw(NN_REP);
    pt_join(t, rep, req);
    pt_say(req, "ask");
    struct pt_msg m = take(rep, "ask");
    memcpy(head, m.head, 8);
    wrong(rep, head, 4, "", 0);
    wrong(rep, head, 4, "abc", 3);
    wrong(rep, head, 4, "abcdefgh", 8);
    memcpy(body, m.head + 4, 3);
    wrong(rep, head, 4, body, 3);
    head[4] &= 0x7f;
    wrong(rep, head, 8, "top bit clear", 13);
    memcpy(head, m.head, 8);
    head[7] ^= 1;
    wrong(rep, head, 8, "another id", 10);
    memcpy(head, m.head, 4);
    memset(head + 4, 0, 4);
    head[7] = 5;
    memcpy(head + 8, m.head + 4, 4);
    wrong(rep, head, 12, "a word before", 13);
    /* The id may as well be at the start of the body. */
    memcpy(body, m.head + 4, 4);
    memcpy(body + 4, "good", 4);
    SEND_UNTIL_READABLE(req, pt_send_raw(rep, head, 4, body, 8, 0));
    pt_hear("the first answer that is one", req);
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

/* Nothing answers: the request comes again, with the id it had, to the next in turn. */
static void resend(enum ct_transport t)
{
    int req = ct_socket(NN_REQ), rep[2] = {pt_raw(NN_REP), pt_raw(NN_REP)};
    pt_join(t, rep[0], req);
    resend_after(req, 50);
    pt_say(req, "ask");
    struct pt_msg m = take(rep[0], "ask");
    for (int i = 0; i < 3; i++) {
        struct pt_msg again = take(rep[0], "ask");
        CHECK(memcmp(again.head, m.head, 8) == 0);
    }
    resend_after(req, 3600000);
    answer(rep[0], &m, "answer");
    pt_hear("resent until answered", req);
    printf("messages sent %d\n", ct_stat(req, NN_STAT_MESSAGES_SENT));

    pt_join(t, rep[1], req);
    resend_after(req, 50);
    pt_say(req, "which");
    int first = take_any(rep, "which", &m);
    struct pt_msg other = take(rep[1 - first], "which");
    CHECK(id(&other) == id(&m));
    /* Whoever answers, it is the answer. The other's comes too late. */
    answer(rep[1 - first], &other, "answer of the other");
    pt_hear("from the one asked second", req);
    answer(rep[first], &m, "answer of the first");
    pt_hear("nothing asked", req);
    resend_after(req, 3600000);
    pt_say(req, "next");
    first = take_any(rep, "next", &m);
    CHECK(id(&m) == next_id(&other));
    answer(rep[first], &m, "answer to the next");
    pt_hear("next", req);

    /* The interval counts when a request is sent. */
    pt_say(req, "slow");
    first = take_any(rep, "slow", &m);
    resend_after(req, 1);
    struct nn_pollfd p[2] = {{rep[0], NN_POLLIN, 0}, {rep[1], NN_POLLIN, 0}};
    CALL_AS("a resend in 60 ms", nn_poll(p, 2, 60));
    answer(rep[first], &m, "answer");
    pt_hear("slow", req);
    MUST(nn_close(req));
    pt_close(rep, 2);
}

/* Nobody there: the request waits, and the last one is sent when somebody comes. */
static void delayed(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int req = ct_socket(NN_REQ), rep = pt_raw(NN_REP);
    CALL(nn_send(req, "one", 3, 0));
    CALL(nn_send(req, "two", 3, NN_DONTWAIT));
    pt_try("nobody there", req);
    pt_hear_for("nobody there, 20 ms", req, 20);
    CALL(nn_send(req, "three", 5, NN_DONTWAIT));
    MUST(nn_bind(rep, ct_address(t, addr)));
    pt_link(rep, req, addr);
    struct pt_msg m = take(rep, "three");
    answer(rep, &m, "answer to three");
    pt_hear("somebody came", req);
    pt_say(req, "four");
    struct pt_msg n = take(rep, "four");
    CHECK(id(&n) == next_id(&m));
    pt_try("one request, once", rep);
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

/* The one that was asked goes: the request is sent again, to another or when it is back. */
static void peer_goes(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int req = ct_socket(NN_REQ), rep = pt_raw(NN_REP);
    MUST(ct_set(req, NN_RECONNECT_IVL, 20));
    MUST(nn_bind(rep, ct_address(t, addr)));
    pt_link(rep, req, addr);
    pt_say(req, "ask");
    struct pt_msg m = take(rep, "ask");
    MUST(nn_close(rep));
    ALONE(req);
    pt_try("it is gone", req);
    rep = pt_raw(NN_REP);
    MUST(nn_bind(rep, addr));
    struct pt_msg again = take(rep, "ask");
    CHECK(id(&again) == id(&m));
    answer(rep, &again, "answer");
    pt_hear("it is back", req);

    int both[2] = {rep, pt_raw(NN_REP)};
    pt_join(t, both[1], req);
    pt_say(req, "either");
    int who = pt_any(both, 2);
    CHECK(who >= 0);
    m = take(both[who], "either");
    MUST(nn_close(both[who]));
    again = take(both[1 - who], "either");
    CHECK(id(&again) == id(&m));
    answer(both[1 - who], &again, "answer of the other");
    pt_hear("one of two goes", req);

    /* The one that answered goes: nothing is sent again, and the answer stays. */
    pt_say(req, "last");
    m = take(both[1 - who], "last");
    answer(both[1 - who], &m, "last answer");
    READABLE(req);
    MUST(nn_close(both[1 - who]));
    ALONE(req);
    pt_hear("it answered and went", req);
    pt_hear("nothing asked", req);
    MUST(nn_close(req));
}

/* What is no request is dropped, and the requests behind it are served. */
static void wrong_requests(enum ct_transport t)
{
    unsigned char body[64];
    int req = pt_raw(NN_REQ), rep = ct_socket(NN_REP);
    pt_join(t, rep, req);
    memset(body, 1, sizeof body);
    static const size_t sizes[] = {0, 1, 3, 4, 7, 8, 28, 32, 36, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        CHECK(nn_send(req, body, sizes[i], 0) == (int) sizes[i]);
    CHECK(nn_send(req, body, pt_stack(body, 9, "too far"), 0) == 43);
    /* The top bit in the last bytes is none while the word is not complete. */
    memset(body, 1, sizeof body);
    body[4] = 0x80;
    CHECK(nn_send(req, body, 7, 0) == 7);
    CHECK(nn_send(req, body, pt_stack(body, 1, "good"), 0) == 8);
    pt_hear("REP", rep);
    CALL(nn_send(rep, "answer", 6, 0));
    struct pt_msg m = pt_take(req);
    ct_print_hex("header", m.head, (size_t) m.heads);
    printf("body %s\n", pt_text(m.body, (size_t) m.size));
    CHECK(nn_send(req, body, pt_stack(body, 8, "from afar"), 0) == 41);
    pt_hear("REP", rep);
    CALL(nn_send(rep, "answer", 6, 0));
    m = pt_take(req);
    ct_print_hex("header", m.head, (size_t) m.heads);
    ct_print_hex("body", m.body, (size_t) m.size);
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

/* Requests go round; each requester gets its own answer. */
static void many(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], text[16], buf[16];
    int one = ct_socket(NN_REQ), rep[3];
    for (int i = 0; i < 3; i++) {
        rep[i] = ct_socket(NN_REP);
        pt_join(t, rep[i], one);
    }
    printf("requests go to");
    for (int i = 0; i < 9; i++) {
        snprintf(text, sizeof text, "request %d", i);
        pt_say(one, text);
        int who = pt_any(rep, 3);
        printf(" %d", who);
        CHECK(who >= 0 && pt_got(rep[who], text));
        pt_say(rep[who], "answer");
        CHECK(pt_got(one, "answer"));
    }
    printf("\n");
    MUST(nn_close(one));
    pt_close(rep, 3);

    int req[4], only = ct_socket(NN_REP);
    MUST(nn_bind(only, ct_address(t, addr)));
    for (int i = 0; i < 4; i++) {
        req[i] = ct_socket(NN_REQ);
        pt_link(only, req[i], addr);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            snprintf(text, sizeof text, "from %d", i);
            pt_say(req[i], text);
        }
        int asked[4] = {0};
        for (int i = 0; i < 4; i++) {
            int rc = MUST(nn_recv(only, buf, sizeof buf, 0));
            CHECK(rc == 6);
            asked[buf[5] & 3]++;
            CHECK(nn_send(only, buf, (size_t) rc, 0) == rc);
        }
        for (int i = 0; i < 4; i++) {
            snprintf(text, sizeof text, "from %d", i);
            CHECK(pt_got(req[i], text));
        }
        printf("asked %d %d %d %d, and each has its own answer\n", asked[0], asked[1], asked[2], asked[3]);
    }
    MUST(nn_close(only));
    pt_close(req, 4);
}

/* A cooked REP does not know which request was cancelled: it serves them in order. */
static void cancelled_at_rep(enum ct_transport t)
{
    int req = ct_socket(NN_REQ), rep = ct_socket(NN_REP);
    pt_join(t, rep, req);
    pt_say(req, "one");
    pt_hear("REP", rep);
    pt_say(req, "two");
    pt_say(rep, "answer to one");
    pt_hear("REP", rep);
    ct_nap(1);
    pt_say(rep, "answer to two");
    pt_hear("REQ", req);
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

/* The better peer is asked as long as it is there. */
static void priority(enum ct_transport t)
{
    int req = ct_socket(NN_REQ), rep[2] = {ct_socket(NN_REP), ct_socket(NN_REP)}, count[2] = {0, 0};
    printf("best priority %d", ct_stat(req, NN_STAT_CURRENT_SND_PRIORITY));
    MUST(ct_set(req, NN_SNDPRIO, 5));
    pt_join(t, rep[1], req);
    MUST(ct_set(req, NN_SNDPRIO, 4));
    pt_join(t, rep[0], req);
    printf(" %d", ct_stat(req, NN_STAT_CURRENT_SND_PRIORITY));
    for (int i = 0; i < 6; i++) {
        pt_say(req, "ask");
        int who = pt_any(rep, 2);
        CHECK(who >= 0 && pt_got(rep[who], "ask"));
        count[who == 1]++;
        pt_say(rep[who], "answer");
        CHECK(pt_got(req, "answer"));
        ct_nap(2); /* nothing tells when the pipe can be written to again */
    }
    CHECK(count[0] >= 4);
    MUST(nn_close(rep[0]));
    EVENTUALLY(PEERS(req) == 1);
    printf(" %d", ct_stat(req, NN_STAT_CURRENT_SND_PRIORITY));
    pt_say(req, "ask");
    CHECK(pt_got(rep[1], "ask"));
    pt_say(rep[1], "answer");
    CHECK(pt_got(req, "answer"));
    MUST(nn_close(rep[1]));
    ALONE(req);
    printf(" %d\n", ct_stat(req, NN_STAT_CURRENT_SND_PRIORITY));
    printf("the better is asked first, then the other\n");
    MUST(nn_close(req));
}

static void our_own(enum ct_transport t)
{
    QUIRK("Q-R4", "an answer that waits to be read is not touched by those behind it") {
        int req = ct_socket(NN_REQ), rep = pt_raw(NN_REP);
        pt_join(t, rep, req);
        for (int i = 0; i < 20; i++) {
            pt_say(req, "ask");
            struct pt_msg m = take(rep, "ask");
            answer(rep, &m, "answer");
            READABLE(req);
            answer(rep, &m, "second answer");
            MUST(pt_send_raw(rep, m.head, 4, "abc", 3, 0));
            MUST(pt_send_raw(rep, m.head, 4, "abcdefgh", 8, 0));
            CHECK(pt_got(req, "answer"));
            CHECK(nn_recv(req, NULL, 0, 0) == -1 && nn_errno() == EFSM);
        }
        MUST(nn_close(req));
        MUST(nn_close(rep));
    }
    QUIRK("Q-B7", "a header of one's own is EINVAL, and changes nothing") {
        int req = ct_socket(NN_REQ), rep = ct_socket(NN_REP);
        pt_join(t, rep, req);
        CHECK(pt_send_raw(req, "\x80\0\0\1", 4, "x", 1, 0) == -1 && nn_errno() == EINVAL);
        CHECK(nn_recv(req, NULL, 0, 0) == -1 && nn_errno() == EFSM);
        pt_say(req, "ask");
        CHECK(pt_got(rep, "ask"));
        CHECK(pt_send_raw(rep, "\x80\0\0\1", 4, "x", 1, 0) == -1 && nn_errno() == EINVAL);
        pt_say(rep, "answer");
        CHECK(pt_got(req, "answer"));
        MUST(nn_close(req));
        MUST(nn_close(rep));
    }
    QUIRK("Q-B6", "an interval of 0 resends, and floods nobody") {
        int req = ct_socket(NN_REQ), rep = pt_raw(NN_REP), count = 0;
        struct pt_msg m;
        pt_join(t, rep, req);
        resend_after(req, 0);
        pt_say(req, "ask");
        int64_t end = ct_now() + 100;
        while (ct_now() < end)
            if (pt_recv_raw(rep, &m, NN_DONTWAIT) >= 0)
                count++;
        CHECK(count >= 2 && count <= 400);
        MUST(nn_close(req));
        MUST(nn_close(rep));
    }
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        printf("-- %s\n", ct_scheme[t]);
        states(t);
        cancel(t);
        wrong_answers(t);
        resend(t);
        delayed(t);
        peer_goes(t);
        wrong_requests(t);
        many(t);
        cancelled_at_rep(t);
        priority(t);
        our_own(t);
    }
    return 0;
}
