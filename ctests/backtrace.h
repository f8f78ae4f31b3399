/* The headers that raw REQ, REP, SURVEYOR and RESPONDENT give and take: the same
   rules for both patterns. What is random is shown by what it is equal to. */

#ifndef BACKTRACE_H
#define BACKTRACE_H

#include "patterns.h"

struct bt_types {
    int asks, answers;
    const char *asker, *answerer;
};

static inline uint32_t bt_next_key(uint32_t key)
{
    return (key + 1) & 0x7fffffffu;
}

/* Sends a stack of words and a text without SP_HDR. */
static inline void bt_ask(int s, int words, const char *text)
{
    unsigned char body[1200];
    size_t size = pt_stack(body, words, text);
    CHECK(nn_send(s, body, size, 0) == (int) size);
}

/* A question there, an answer back, by the header received. */
static inline void bt_round_trip(enum ct_transport t, const struct bt_types *p)
{
    static const unsigned char two[8] = {0, 0, 0, 5, 0x80, 0, 0, 1};
    int ask = pt_raw(p->asks), reply = pt_raw(p->answers);
    pt_join(t, reply, ask);
    CALL_AS("an id as header", pt_send_raw(ask, two + 4, 4, "question", 8, 0));
    struct pt_msg m = pt_take(reply);
    uint32_t key = pt_word(m.head);
    printf("%s: header %d bytes, top bit of the key %d,", p->answerer, m.heads, m.head[0] >> 7);
    ct_print_hex(" then", m.head + 4, (size_t) m.heads - 4);
    printf("  body %s\n", pt_text(m.body, (size_t) m.size));
    CALL_AS("back with it", pt_send_raw(reply, m.head, (size_t) m.heads, "answer", 6, 0));
    m = pt_take(ask);
    printf("%s: body %s,", p->asker, pt_text(m.body, (size_t) m.size));
    ct_print_hex(" header", m.head, (size_t) m.heads);

    CALL_AS("a key before the id", pt_send_raw(ask, two, 8, "question", 8, 0));
    m = pt_take(reply);
    CHECK(pt_word(m.head) == key);
    ct_print_hex("behind the key", m.head + 4, (size_t) m.heads - 4);
    CALL_AS("back with it", pt_send_raw(reply, m.head, (size_t) m.heads, "answer", 6, 0));
    m = pt_take(ask);
    ct_print_hex("the first word is the header", m.head, (size_t) m.heads);
    ct_print_hex("the others are in the body", m.body, (size_t) m.size);

    /* The words may be in the body, or in both. */
    bt_ask(ask, 3, "in the body");
    m = pt_take(reply);
    CHECK(pt_word(m.head) == key);
    ct_print_hex("behind the key", m.head + 4, (size_t) m.heads - 4);
    printf("body %s\n", pt_text(m.body, (size_t) m.size));
    unsigned char body[16];
    size_t size = pt_stack(body, 1, "both");
    CALL_AS("in both", pt_send_raw(ask, two, 4, body, size, 0));
    m = pt_take(reply);
    ct_print_hex("behind the key", m.head + 4, (size_t) m.heads - 4);
    printf("body %s\n", pt_text(m.body, (size_t) m.size));
    size = pt_stack(body, 1, "two");
    CALL_AS("another id behind the first", pt_send_raw(ask, two + 4, 4, body, size, 0));
    m = pt_take(reply);
    printf("header %d bytes, body %d bytes\n", m.heads, m.size);

    /* No body; and the statistics count bodies only. */
    CALL_AS("no body", pt_send_raw(ask, two, 8, "", 0, 0));
    m = pt_take(reply);
    printf("header %d bytes, body %d bytes\n", m.heads, m.size);
    CALL_AS("no body back", pt_send_raw(reply, m.head, 8, "", 0, 0));
    m = pt_take(ask);
    printf("header %d bytes, body %d bytes\n", m.heads, m.size);
    printf("%s sent %d bytes, received %d\n", p->asker, ct_stat(ask, NN_STAT_BYTES_SENT), ct_stat(ask, NN_STAT_BYTES_RECEIVED));
    printf("%s sent %d bytes, received %d\n", p->answerer, ct_stat(reply, NN_STAT_BYTES_SENT),
           ct_stat(reply, NN_STAT_BYTES_RECEIVED));
    MUST(nn_close(ask));
    MUST(nn_close(reply));
}

/* The first word of a header says where it goes, and does not travel. */
static inline void bt_keys(enum ct_transport t, const struct bt_types *p)
{
    char addr[NN_SOCKADDR_MAX];
    unsigned char head[8];
    uint32_t key[4];
    int ask[4], reply = pt_raw(p->answers);
    struct pt_msg m;
    MUST(nn_bind(reply, ct_address(t, addr)));
    for (int i = 0; i < 3; i++) {
        ask[i] = pt_raw(p->asks);
        pt_link(reply, ask[i], addr);
        bt_ask(ask[i], 1, "who am I");
        m = pt_take(reply);
        key[i] = pt_word(m.head);
        CHECK(i == 0 || key[i] == bt_next_key(key[i - 1]));
    }
    printf("keys go up by one\n");
    for (int i = 2; i >= 0; i--) {
        uint32_t w = htonl(key[i]);
        memcpy(head, &w, 4);
        memcpy(head + 4, "head", 4);
        CHECK(pt_send_raw(reply, head, 8, i == 2 ? "two" : i ? "one" : "zero", i == 0 ? 4 : 3, 0) >= 3);
    }
    for (int i = 0; i < 3; i++) {
        m = pt_take(ask[i]);
        printf("%d: header %s, body %s\n", i, pt_text(m.head, (size_t) m.heads), pt_text(m.body, (size_t) m.size));
    }

    /* Headers that lead nowhere: success, and nothing sent. */
    uint32_t w = htonl((key[2] + 1000) & 0x7fffffffu);
    memcpy(head, &w, 4);
    CALL_AS("an unknown key", pt_send_raw(reply, head, 8, "lost", 4, 0));
    w = htonl(key[0] | 0x80000000u);
    memcpy(head, &w, 4);
    CALL_AS("a key with the top bit", pt_send_raw(reply, head, 8, "lost", 4, 0));
    w = htonl(key[0]);
    memcpy(head, &w, 4);
    CALL_AS("three bytes of a key", pt_send_raw(reply, head, 3, "lost", 4, 0));
    CALL_AS("an empty header", pt_send_raw(reply, head, 0, "lost", 4, 0));
    CALL_AS("no header", nn_send(reply, "lost", 4, 0));
    CALL_AS("no header, waiting not", nn_send(reply, "lost", 4, NN_DONTWAIT));

    /* Less than a word does not reach the other side's application. */
    CALL_AS("a key alone, no body", pt_send_raw(reply, head, 4, "", 0, 0));
    ct_nap(1);
    CALL_AS("a key alone, a short body", pt_send_raw(reply, head, 4, "abc", 3, 0));
    ct_nap(1);
    SEND_UNTIL_READABLE(ask[0], pt_send_raw(reply, head, 4, "abcd", 4, 0));
    m = pt_take(ask[0]);
    printf("the first that arrives: header %s, body %s\n", pt_text(m.head, (size_t) m.heads), pt_text(m.body, (size_t) m.size));
    CALL_AS("a key and a part of a word", pt_send_raw(reply, head, 6, "body", 4, 0));
    m = pt_take(ask[0]);
    CHECK(memcmp(m.head, head + 4, 2) == 0);
    printf("header %d bytes, ends with %s, body %s\n", m.heads, pt_text(m.head + 2, (size_t) m.heads - 2),
           pt_text(m.body, (size_t) m.size));

    /* The key of one that is gone leads nowhere, and is not used again. */
    MUST(nn_close(ask[0]));
    EVENTUALLY(PEERS(reply) == 2);
    CALL_AS("the key of one that is gone", pt_send_raw(reply, head, 8, "lost", 4, 0));
    ask[0] = pt_raw(p->asks);
    pt_link(reply, ask[0], addr);
    bt_ask(ask[0], 1, "who am I");
    m = pt_take(reply);
    CHECK(pt_word(m.head) == bt_next_key(key[2]));
    MUST(pt_send_raw(reply, m.head, 8, "new", 3, 0));
    m = pt_take(ask[0]);
    printf("a new one: body %s\n", pt_text(m.body, (size_t) m.size));
    MUST(nn_close(reply));
    pt_close(ask, 3);
}

/* What has too many words, or no last one, is dropped; the next is served. */
static inline void bt_hops(enum ct_transport t, const struct bt_types *p)
{
    static const int limits[] = {8, 1, 2, 9, 255, 3};
    static const int words[] = {1, 2, 3, 4, 7, 8, 9, 10, 254, 255, 256};
    unsigned char body[1200];
    for (int domain = AF_SP; domain <= AF_SP_RAW; domain++) {
        int ask = pt_raw(p->asks), reply = pt_socket(domain, p->answers);
        pt_join(t, reply, ask);
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
            if (l)
                MUST(ct_set(reply, NN_MAXTTL, limits[l]));
            printf("%s%s, NN_MAXTTL %d, words:", domain == AF_SP_RAW ? "raw " : "", p->answerer, limits[l]);
            for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
                bt_ask(ask, words[i], "far");
                for (;;) {
                    /* A surveyor that cannot send at once sends nothing: repeat. */
                    bt_ask(ask, 1, "END");
                    MUST(ct_set(reply, NN_RCVTIMEO, 200));
                    struct pt_msg m;
                    int rc = pt_recv_raw(reply, &m, 0);
                    if (rc < 0)
                        continue;
                    if (pt_is(&m, "far")) {
                        printf(" %d", words[i]);
                        CHECK(m.heads == (domain == AF_SP_RAW ? 4 * words[i] + 4 : 0));
                        m = pt_take(reply);
                    }
                    CHECK(pt_is(&m, "END"));
                    break;
                }
                struct pt_msg more;
                while (pt_recv_raw(reply, &more, NN_DONTWAIT) >= 0)
                    CHECK(pt_is(&more, "END"));
            }
            printf("\n");
        }
        MUST(ct_set(reply, NN_RCVTIMEO, CT_PATIENCE));
        MUST(ct_set(reply, NN_MAXTTL, 255));

        printf("%s%s, no last word, bytes:", domain == AF_SP_RAW ? "raw " : "", p->answerer);
        memset(body, 1, sizeof body);
        static const size_t sizes[] = {0, 1, 3, 4, 5, 8, 40, 1000};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            CHECK(nn_send(ask, body, sizes[i], 0) == (int) sizes[i]);
            ct_nap(1);
        }
        bt_ask(ask, 1, "END");
        struct pt_msg m = pt_take(reply);
        if (!pt_is(&m, "END"))
            printf(" %d", m.heads + m.size);
        else
            printf(" none\n");
        MUST(nn_close(ask));
        MUST(nn_close(reply));
    }
}

static inline void bt_all(enum ct_transport t, const struct bt_types *p)
{
    bt_round_trip(t, p);
    bt_keys(t, p);
    bt_hops(t, p);
}

#endif
