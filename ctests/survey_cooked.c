/* SURVEYOR and RESPONDENT, cooked: deadlines, answers that come late, who may call
   what when. A raw RESPONDENT shows the ids and breaks the rules. */

#include "patterns.h"

#define LONG 3600000

static void deadline(int surveyor, int ms)
{
    MUST(nn_setsockopt(surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, &ms, sizeof ms));
}

static int surveyor_socket(int ms)
{
    int s = ct_socket(NN_SURVEYOR);
    deadline(s, ms);
    return s;
}

static void answer(int respondent, const struct pt_msg *survey, const char *text)
{
    int size = (int) strlen(text);
    CHECK(pt_send_raw(respondent, survey->head, (size_t) survey->heads, text, (size_t) size, 0) == size);
}

static struct pt_msg take(int respondent, const char *text)
{
    struct pt_msg m = pt_take(respondent);
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

/* Nobody answers: the deadline is reported once. */
static void deadlines(void)
{
    int64_t start;
    int s = surveyor_socket(100);
    pt_try("fresh", s);
    pt_hear("fresh", s);
    start = ct_now();
    CALL(nn_send(s, "nobody there", 12, 0));
    pt_try("running", s);
    pt_hear("waiting for the deadline", s);
    CHECK(ct_took(start, 99, 5000));
    pt_hear("over", s);
    pt_try("over", s);

    CALL(nn_send(s, "nobody there", 12, NN_DONTWAIT));
    READABLE(s);
    pt_try("over, waiting not", s);
    pt_try("over, waiting not", s);

    /* The socket's own timeout ends nothing. */
    deadline(s, LONG);
    CALL(nn_send(s, "long", 4, 0));
    pt_hear_for("20 ms of an hour", s, 20);
    pt_try("running", s);
    /* A new survey has its own deadline; the running one keeps what it began with. */
    deadline(s, 100);
    pt_hear_for("150 ms of an hour", s, 150);
    pt_try("still running", s);
    start = ct_now();
    CALL(nn_send(s, "short", 5, 0));
    pt_hear("the short one", s);
    CHECK(ct_took(start, 99, 5000));
    pt_hear("over", s);

    deadline(s, 0);
    CALL(nn_send(s, "no time", 7, 0));
    pt_hear("no time", s);
    pt_hear("over", s);

    /* An end that nobody asked about is not reported in the next survey. */
    deadline(s, 20);
    CALL(nn_send(s, "unread", 6, 0));
    READABLE(s);
    deadline(s, 100);
    CALL(nn_send(s, "next", 4, 0));
    pt_try("the unread end", s);
    pt_hear("the end of the next", s);
    pt_try("over", s);

    /* A cancelled survey does not end the one that follows. */
    deadline(s, 30);
    CALL(nn_send(s, "cancelled", 9, 0));
    deadline(s, LONG);
    CALL(nn_send(s, "next", 4, 0));
    struct nn_pollfd p = {s, NN_POLLIN, 0};
    CALL_AS("an end in 80 ms", nn_poll(&p, 1, 80));
    pt_try("running", s);
    MUST(nn_close(s));
}

static void states(enum ct_transport t)
{
    int surveyor = surveyor_socket(LONG), respondent = ct_socket(NN_RESPONDENT);
    pt_try("RESPONDENT, fresh", respondent);
    pt_hear_for("RESPONDENT, fresh, 20 ms", respondent, 20);
    CALL(nn_send(respondent, "x", 1, 0));
    CALL(nn_send(respondent, "x", 1, NN_DONTWAIT));
    pt_join(t, respondent, surveyor);
    pt_try("SURVEYOR, connected", surveyor);
    CALL(nn_send(respondent, "x", 1, 0));

    CALL(nn_send(surveyor, "survey", 6, 0));
    pt_hear("RESPONDENT", respondent);
    pt_try("SURVEYOR, no answer", surveyor);
    CALL(nn_send(respondent, "answer", 6, 0));
    CALL(nn_send(respondent, "another", 7, 0));
    pt_hear("SURVEYOR", surveyor);
    pt_try("SURVEYOR once more", surveyor);

    /* Receiving forgets the survey, even when nothing is received. */
    pt_say(surveyor, "forgotten");
    pt_hear("RESPONDENT", respondent);
    pt_try("RESPONDENT once more", respondent);
    CALL(nn_send(respondent, "x", 1, 0));
    pt_try("SURVEYOR", surveyor);
    pt_say(surveyor, "kept");
    pt_hear("RESPONDENT", respondent);
    CALL(nn_send(respondent, NULL, 3, 0));
    CALL(nn_recvmsg(respondent, NULL, 0));
    pt_say(respondent, "answer");
    pt_hear("SURVEYOR", surveyor);

    pt_say(surveyor, "");
    pt_hear("RESPONDENT", respondent);
    pt_say(respondent, "");
    pt_hear("SURVEYOR", surveyor);
    printf("SURVEYOR: sent %d, %d bytes, received %d, %d bytes\n", ct_stat(surveyor, NN_STAT_MESSAGES_SENT),
           ct_stat(surveyor, NN_STAT_BYTES_SENT), ct_stat(surveyor, NN_STAT_MESSAGES_RECEIVED),
           ct_stat(surveyor, NN_STAT_BYTES_RECEIVED));
    printf("RESPONDENT: sent %d, %d bytes, received %d, %d bytes\n", ct_stat(respondent, NN_STAT_MESSAGES_SENT),
           ct_stat(respondent, NN_STAT_BYTES_SENT), ct_stat(respondent, NN_STAT_MESSAGES_RECEIVED),
           ct_stat(respondent, NN_STAT_BYTES_RECEIVED));

    pt_say(surveyor, "survey");
    pt_hear("RESPONDENT", respondent);
    MUST(nn_close(surveyor));
    ALONE(respondent);
    CALL(nn_send(respondent, "answer", 6, 0));
    CALL(nn_send(respondent, "answer", 6, 0));
    MUST(nn_close(respondent));
}

/* Everybody is asked; answers come until the deadline. */
static void everybody(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], buf[16];
    int surveyor = surveyor_socket(LONG), respondent[4], count[4] = {0};
    MUST(nn_bind(surveyor, ct_address(t, addr)));
    for (int i = 0; i < 3; i++) {
        respondent[i] = ct_socket(NN_RESPONDENT);
        pt_link(surveyor, respondent[i], addr);
    }
    deadline(surveyor, 300);
    pt_say(surveyor, "all");
    /* One that comes later is not asked. */
    respondent[3] = ct_socket(NN_RESPONDENT);
    pt_link(surveyor, respondent[3], addr);
    for (int i = 0; i < 3; i++) {
        char text = (char) ('0' + i);
        CHECK(pt_got(respondent[i], "all"));
        CHECK(nn_send(respondent[i], &text, 1, 0) == 1);
    }
    int rc;
    while ((rc = nn_recv(surveyor, buf, sizeof buf, 0)) == 1)
        count[buf[0] & 3]++;
    printf("answers %d %d %d %d, then %s\n", count[0], count[1], count[2], count[3], ct_errname(nn_errno()));
    pt_hear("over", surveyor);
    deadline(surveyor, LONG);
    pt_say(surveyor, "four");
    for (int i = 0; i < 4; i++)
        CHECK(pt_got(respondent[i], "four"));
    CHECK(nn_send(respondent[3], "3", 1, 0) == 1);
    pt_hear("the fourth", surveyor);
    MUST(nn_close(respondent[0]));
    EVENTUALLY(PEERS(surveyor) == 3);
    pt_say(surveyor, "three");
    for (int i = 1; i < 4; i++)
        CHECK(pt_got(respondent[i], "three"));
    printf("without the one that left\n");
    MUST(nn_close(surveyor));
    pt_close(respondent + 1, 3);
}

/* Only answers to the running survey count. */
static void late(enum ct_transport t)
{
    int surveyor = surveyor_socket(LONG), respondent = pt_raw(NN_RESPONDENT);
    pt_join(t, respondent, surveyor);
    pt_say(surveyor, "one");
    struct pt_msg one = take(respondent, "one");
    pt_say(surveyor, "two");
    struct pt_msg two = take(respondent, "two");
    CHECK(pt_word(one.head) == pt_word(two.head));
    CHECK(id(&two) == next_id(&one));
    answer(respondent, &one, "to one");
    READABLE(surveyor);
    pt_try("only an answer to the cancelled one", surveyor);
    for (int i = 0; i < 3; i++) {
        answer(respondent, &two, "to two");
        pt_hear("as many answers as one likes", surveyor);
    }

    /* After the deadline. */
    deadline(surveyor, 20);
    pt_say(surveyor, "three");
    struct pt_msg three = take(respondent, "three");
    CHECK(id(&three) == next_id(&two));
    pt_hear("the deadline", surveyor);
    answer(respondent, &three, "to three");
    pt_hear("an answer after it", surveyor);
    deadline(surveyor, LONG);
    pt_say(surveyor, "four");
    struct pt_msg four = take(respondent, "four");
    ct_nap(1);
    answer(respondent, &four, "to four");
    pt_hear("of the answers to three and four", surveyor);

    /* An answer that nobody reads is dropped when its survey is over. */
    pt_say(surveyor, "five");
    struct pt_msg five = take(respondent, "five");
    answer(respondent, &five, "to five");
    READABLE(surveyor);
    pt_say(surveyor, "six");
    struct pt_msg six = take(respondent, "six");
    CHECK(id(&six) == next_id(&five));
    answer(respondent, &six, "to six");
    pt_hear("of the answers to five and six", surveyor);
    MUST(nn_close(surveyor));
    MUST(nn_close(respondent));
}

/* An answer that is there when the deadline passes: the deadline is reported first,
   the answer never. */
static void unread(enum ct_transport t)
{
    int surveyor = surveyor_socket(150), respondent = pt_raw(NN_RESPONDENT);
    pt_join(t, respondent, surveyor);
    pt_say(surveyor, "one");
    struct pt_msg one = take(respondent, "one");
    int64_t end = ct_now() + 150;
    answer(respondent, &one, "to one");
    READABLE(surveyor);
    while (ct_now() < end + 50)
        ct_nap(10);
    pt_try("an answer and the deadline", surveyor);
    pt_try("then", surveyor);
    deadline(surveyor, LONG);
    pt_say(surveyor, "two");
    struct pt_msg two = take(respondent, "two");
    answer(respondent, &two, "to two");
    pt_hear("the next survey", surveyor);
    MUST(nn_close(surveyor));
    MUST(nn_close(respondent));
}

static void wrong(int respondent, const void *head, size_t heads, const void *body, size_t size)
{
    CHECK(pt_send_raw(respondent, head, heads, body, size, 0) == (int) size);
    ct_nap(1); /* a RESPONDENT drops what it cannot send at once */
}

static void wrong_answers(enum ct_transport t)
{
    unsigned char head[16], body[16];
    int surveyor = surveyor_socket(LONG), respondent = pt_raw(NN_RESPONDENT);
    pt_join(t, respondent, surveyor);
    pt_say(surveyor, "survey");
    struct pt_msg m = take(respondent, "survey");
    memcpy(head, m.head, 8);
    wrong(respondent, head, 4, "", 0);
    wrong(respondent, head, 4, "abc", 3);
    wrong(respondent, head, 4, m.head + 4, 3);
    head[4] &= 0x7f;
    wrong(respondent, head, 8, "top bit clear", 13);
    pt_try("after four that are none", surveyor);
    memcpy(head, m.head, 8);
    head[7] ^= 1;
    wrong(respondent, head, 8, "another id", 10);
    memset(head + 4, 0, 4);
    memcpy(head + 8, m.head + 4, 4);
    wrong(respondent, head, 12, "a word before", 13);
    memcpy(body, m.head + 4, 4);
    memcpy(body + 4, "good", 4);
    wrong(respondent, head, 4, body, 8);
    pt_hear("the first answer that is one", surveyor);
    MUST(nn_close(surveyor));
    MUST(nn_close(respondent));
}

static void wrong_surveys(enum ct_transport t)
{
    unsigned char body[64];
    int surveyor = pt_raw(NN_SURVEYOR), respondent = ct_socket(NN_RESPONDENT);
    pt_join(t, respondent, surveyor);
    memset(body, 1, sizeof body);
    static const size_t sizes[] = {0, 1, 3, 4, 7, 8, 28, 32, 36, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        wrong(surveyor, NULL, 0, body, sizes[i]);
    wrong(surveyor, NULL, 0, body, pt_stack(body, 9, "too far"));
    wrong(surveyor, NULL, 0, body, pt_stack(body, 1, "good"));
    pt_hear("RESPONDENT", respondent);
    CALL(nn_send(respondent, "answer", 6, 0));
    struct pt_msg m = pt_take(surveyor);
    ct_print_hex("header", m.head, (size_t) m.heads);
    printf("body %s\n", pt_text(m.body, (size_t) m.size));
    MUST(nn_close(surveyor));
    MUST(nn_close(respondent));
}

/* A RESPONDENT has any number of SURVEYORs, and each gets its own answer. */
static void surveyors(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], text[16], buf[16];
    int surveyor[3], respondent = ct_socket(NN_RESPONDENT), asked[4] = {0};
    MUST(nn_bind(respondent, ct_address(t, addr)));
    for (int i = 0; i < 3; i++) {
        surveyor[i] = surveyor_socket(LONG);
        pt_link(respondent, surveyor[i], addr);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "from %d", i);
        pt_say(surveyor[i], text);
    }
    for (int i = 0; i < 3; i++) {
        int rc = MUST(nn_recv(respondent, buf, sizeof buf, 0));
        CHECK(rc == 6);
        asked[buf[5] & 3]++;
        CHECK(nn_send(respondent, buf, (size_t) rc, 0) == rc);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "from %d", i);
        CHECK(pt_got(surveyor[i], text));
    }
    printf("asked %d %d %d, and each has its own answer\n", asked[0], asked[1], asked[2]);
    MUST(nn_close(respondent));
    pt_close(surveyor, 3);
}

static void our_own(enum ct_transport t)
{
    QUIRK("Q-B7", "a header of one's own is EINVAL, and changes nothing") {
        int surveyor = surveyor_socket(LONG), respondent = ct_socket(NN_RESPONDENT);
        pt_join(t, respondent, surveyor);
        CHECK(pt_send_raw(surveyor, "\x80\0\0\1", 4, "x", 1, 0) == -1 && nn_errno() == EINVAL);
        CHECK(nn_recv(surveyor, NULL, 0, 0) == -1 && nn_errno() == EFSM);
        pt_say(surveyor, "survey");
        CHECK(pt_got(respondent, "survey"));
        CHECK(pt_send_raw(respondent, "\x80\0\0\1", 4, "x", 1, 0) == -1 && nn_errno() == EINVAL);
        pt_say(respondent, "answer");
        CHECK(pt_got(surveyor, "answer"));
        MUST(nn_close(surveyor));
        MUST(nn_close(respondent));
    }
}

int main(void)
{
    printf("-- deadlines\n");
    deadlines();
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        printf("-- %s\n", ct_scheme[t]);
        states(t);
        everybody(t);
        late(t);
        unread(t);
        wrong_answers(t);
        wrong_surveys(t);
        surveyors(t);
        our_own(t);
    }
    return 0;
}
