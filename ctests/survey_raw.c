/* Raw SURVEYOR and raw RESPONDENT: headers, keys, hops; no states, no deadline. */

#include "backtrace.h"

static const struct bt_types types = {NN_SURVEYOR, NN_RESPONDENT, "SURVEYOR", "RESPONDENT"};

static void errors(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int surveyor = pt_raw(NN_SURVEYOR), respondent = pt_raw(NN_RESPONDENT);
    CALL(nn_send(surveyor, "nobody there", 12, 0));
    CALL(nn_send(surveyor, "nobody there", 12, NN_DONTWAIT));
    pt_try("SURVEYOR", surveyor);
    pt_hear_for("SURVEYOR, 20 ms", surveyor, 20);
    CALL(nn_send(respondent, "x", 1, 0));
    pt_try("RESPONDENT", respondent);
    pt_hear_for("RESPONDENT, 20 ms", respondent, 20);
    MUST(nn_bind(respondent, ct_address(t, addr)));
    pt_link(respondent, surveyor, addr);

    /* No deadline of a second, no cancelling, as many answers as one likes. */
    bt_ask(surveyor, 1, "one");
    struct pt_msg m = pt_take(respondent);
    CHECK(pt_is(&m, "one"));
    bt_ask(surveyor, 1, "two");
    struct pt_msg n = pt_take(respondent);
    CHECK(pt_is(&n, "two"));
    for (int i = 0; i < 2; i++) {
        MUST(pt_send_raw(respondent, n.head, 8, "answer to two", 13, 0));
        pt_hear("SURVEYOR", surveyor);
    }
    MUST(pt_send_raw(respondent, m.head, 8, "answer to one", 13, 0));
    pt_hear("SURVEYOR", surveyor);
    pt_try("SURVEYOR", surveyor);
    MUST(nn_close(surveyor));
    MUST(nn_close(respondent));
}

/* Everybody is asked, and everybody's answer arrives. */
static void everybody(enum ct_transport t)
{
    int surveyor = pt_raw(NN_SURVEYOR), respondent[3], count[3] = {0, 0, 0};
    for (int i = 0; i < 3; i++) {
        respondent[i] = pt_raw(NN_RESPONDENT);
        pt_join(t, respondent[i], surveyor);
    }
    bt_ask(surveyor, 1, "all");
    for (int i = 0; i < 3; i++) {
        struct pt_msg m = pt_take(respondent[i]);
        CHECK(pt_is(&m, "all"));
        char text = (char) ('0' + i);
        CHECK(pt_send_raw(respondent[i], m.head, (size_t) m.heads, &text, 1, 0) == 1);
    }
    for (int i = 0; i < 3; i++) {
        struct pt_msg m = pt_take(surveyor);
        CHECK(m.heads == 4 && pt_word(m.head) == 0x80000007u && m.size == 1);
        count[(m.body[0] - '0') % 3]++;
    }
    printf("answers: %d %d %d\n", count[0], count[1], count[2]);
    MUST(nn_close(surveyor));
    pt_close(respondent, 3);
}

/* Cooked on one side, raw on the other: what the cooked one sends. */
static void cooked(enum ct_transport t)
{
    unsigned char body[64];
    int surveyor = pt_raw(NN_SURVEYOR), respondent = ct_socket(NN_RESPONDENT);
    pt_join(t, respondent, surveyor);
    CHECK(nn_send(surveyor, body, pt_stack(body, 3, "question"), 0) == 20);
    CHECK(pt_got(respondent, "question"));
    pt_say(respondent, "answer");
    struct pt_msg m = pt_take(surveyor);
    ct_print_hex("the backtrace comes back: header", m.head, (size_t) m.heads);
    ct_print_hex("body", m.body, (size_t) m.size);
    MUST(nn_close(surveyor));
    MUST(nn_close(respondent));
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        printf("-- %s\n", ct_scheme[t]);
        bt_all(t, &types);
        errors(t);
        everybody(t);
        cooked(t);
    }
    return 0;
}
