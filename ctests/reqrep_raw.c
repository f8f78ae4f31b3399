/* Raw REQ and raw REP: headers, keys, hops; no states, no ids, no resending. */

#include "backtrace.h"

static const struct bt_types types = {NN_REQ, NN_REP, "REQ", "REP"};

static void errors(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int req = pt_raw(NN_REQ), rep = pt_raw(NN_REP);
    CALL(nn_send(req, "x", 1, NN_DONTWAIT));
    MUST(ct_set(req, NN_SNDTIMEO, 20));
    CALL(nn_send(req, "x", 1, 0));
    MUST(ct_set(req, NN_SNDTIMEO, CT_PATIENCE));
    pt_try("REQ", req);
    pt_hear_for("REQ, 20 ms", req, 20);
    CALL(nn_send(rep, "x", 1, 0));
    pt_try("REP", rep);
    pt_hear_for("REP, 20 ms", rep, 20);
    MUST(nn_bind(rep, ct_address(t, addr)));
    pt_link(rep, req, addr);

    /* As many requests as one likes, and as many answers. */
    bt_ask(req, 1, "one");
    bt_ask(req, 1, "two");
    struct pt_msg m = pt_take(rep);
    CHECK(pt_is(&m, "one"));
    struct pt_msg n = pt_take(rep);
    CHECK(pt_is(&n, "two"));
    for (int i = 0; i < 2; i++) {
        MUST(pt_send_raw(rep, n.head, 8, "answer to two", 13, 0));
        pt_hear("REQ", req);
    }
    MUST(pt_send_raw(rep, m.head, 8, "answer to one", 13, 0));
    pt_hear("REQ", req);
    pt_try("REQ", req);
    MUST(nn_close(rep));
    ALONE(req);
    CALL(nn_send(req, "x", 1, NN_DONTWAIT));
    MUST(nn_close(req));
}

/* Requests go round, and to those who are left. */
static void turns(enum ct_transport t)
{
    int req = pt_raw(NN_REQ), rep[3];
    for (int i = 0; i < 3; i++) {
        rep[i] = pt_raw(NN_REP);
        pt_join(t, rep[i], req);
    }
    printf("requests go to");
    for (int i = 0; i < 9; i++) {
        bt_ask(req, 1, "turn");
        int who = pt_any(rep, 3);
        printf(" %d", who);
        CHECK(who >= 0);
        struct pt_msg m = pt_take(rep[who]);
        CHECK(pt_is(&m, "turn"));
    }
    printf("\n");
    MUST(nn_close(req));
    pt_close(rep, 3);
}

/* Cooked on one side, raw on the other: what the cooked one sends. */
static void cooked(enum ct_transport t)
{
    unsigned char body[64];
    int req = pt_raw(NN_REQ), rep = ct_socket(NN_REP);
    pt_join(t, rep, req);
    CHECK(nn_send(req, body, pt_stack(body, 3, "question"), 0) == 20);
    CHECK(pt_got(rep, "question"));
    pt_say(rep, "answer");
    struct pt_msg m = pt_take(req);
    ct_print_hex("the backtrace comes back: header", m.head, (size_t) m.heads);
    ct_print_hex("body", m.body, (size_t) m.size);
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        printf("-- %s\n", ct_scheme[t]);
        bt_all(t, &types);
        errors(t);
        turns(t);
        cooked(t);
    }
    return 0;
}
