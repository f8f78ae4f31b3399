/* PUSH and PULL: turns, fair queues, priorities, errors, headers. */

#include "patterns.h"

static int domain;

static int pipe_socket(int type)
{
    return pt_socket(domain, type);
}

/* PUSH takes turns, whichever side binds. */
static void turns(enum ct_transport t, int push_binds)
{
    char addr[NN_SOCKADDR_MAX], text[16];
    int push = pipe_socket(NN_PUSH), pull[3];
    if (push_binds)
        MUST(nn_bind(push, ct_address(t, addr)));
    for (int i = 0; i < 3; i++) {
        pull[i] = pipe_socket(NN_PULL);
        if (push_binds)
            pt_link(push, pull[i], addr);
        else
            pt_join(t, pull[i], push);
    }
    for (int i = 0; i < 9; i++) {
        snprintf(text, sizeof text, "m%d", i);
        pt_say(push, text);
        printf("m%d is at %d\n", i, pt_any(pull, 3));
        CHECK(pt_got(pull[i % 3], text));
    }
    /* Without anybody receiving in between it is the same. */
    for (int i = 0; i < 9; i++) {
        snprintf(text, sizeof text, "n%d", i);
        pt_say(push, text);
    }
    for (int i = 0; i < 9; i++) {
        snprintf(text, sizeof text, "n%d", i);
        CHECK(pt_got(pull[i % 3], text));
    }
    /* The turns go on over those who are left. */
    MUST(nn_close(pull[1]));
    EVENTUALLY(PEERS(push) == 2);
    int count[2] = {0, 0}, left[2] = {pull[0], pull[2]};
    for (int i = 0; i < 6; i++) {
        pt_say(push, "left");
        int who = pt_any(left, 2);
        CHECK(who >= 0 && pt_got(left[who], "left"));
        count[who == 1]++;
    }
    printf("of six messages the two left get %d and %d\n", count[0], count[1]);
    MUST(nn_close(push));
    pt_close(left, 2);
}

/* PULL takes from all that have something, and keeps the order of each. What is still
   on its way does not count: then the next try waits longer before it receives. */
static void fair(enum ct_transport t)
{
    enum { EACH = 40 };
    char addr[NN_SOCKADDR_MAX], buf[16];
    int pull = pipe_socket(NN_PULL), push[3], ordered = 1, even = 0;
    MUST(nn_bind(pull, ct_address(t, addr)));
    for (int i = 0; i < 3; i++) {
        push[i] = pipe_socket(NN_PUSH);
        pt_link(pull, push[i], addr);
    }
    for (int wait = 1; !even && wait < 4000; wait *= 2) {
        int next[3] = {0, 0, 0};
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < EACH; i++) {
                char body[2] = {(char) k, (char) i};
                CHECK(nn_send(push[k], body, 2, 0) == 2);
            }
        ct_nap(wait);
        for (int i = 0; i < 3 * EACH; i++) {
            CHECK(nn_recv(pull, buf, sizeof buf, 0) == 2);
            int k = buf[0] % 3;
            ordered &= buf[1] == next[k]++;
            /* Halfway nobody is far behind; one after the other would be 40, 20, 0. */
            if (i == 3 * EACH / 2)
                even = next[0] >= 15 && next[1] >= 15 && next[2] >= 15;
        }
    }
    printf("each push's order %s, %s turns\n", ordered ? "is kept" : "is lost", even ? "in" : "without");
    MUST(nn_close(pull));
    pt_close(push, 3);
}

/* How many of n messages go to the first of two. */
static int to_first(int push, const int *pull, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        pt_say(push, "which");
        int who = pt_any(pull, 2);
        CHECK(who >= 0 && pt_got(pull[who], "which"));
        count += who == 0;
        ct_nap(3); /* nothing tells when the pipe can be written to again */
    }
    return count;
}

static void send_priority(enum ct_transport t)
{
    static char big[100000];
    char addr[2][NN_SOCKADDR_MAX];
    int push = pipe_socket(NN_PUSH), pull[2] = {pipe_socket(NN_PULL), pipe_socket(NN_PULL)};
    MUST(ct_set(push, NN_RECONNECT_IVL, 10));
    MUST(nn_bind(pull[0], ct_address(t, addr[0])));
    MUST(nn_bind(pull[1], ct_address(t, addr[1])));
    MUST(ct_set(push, NN_SNDPRIO, 9));
    pt_link(pull[1], push, addr[1]);
    MUST(ct_set(push, NN_SNDPRIO, 2));
    pt_link(pull[0], push, addr[0]);
    CHECK(to_first(push, pull, 12) >= 9);
    printf("the better peer gets them, though it came later\n");

    MUST(nn_close(pull[0]));
    EVENTUALLY(PEERS(push) == 1);
    for (int i = 0; i < 5; i++) {
        pt_say(push, "worse");
        CHECK(pt_got(pull[1], "worse"));
    }
    printf("the worse one when the better is gone\n");

    pull[0] = pipe_socket(NN_PULL);
    MUST(nn_bind(pull[0], addr[0]));
    EVENTUALLY(PEERS(push) == 2);
    CONNECTED(pull[0]);
    CHECK(to_first(push, pull, 12) >= 9);
    printf("the better one when it is back\n");

    /* As soon as the better one takes no more, the worse one gets its share. */
    int sent = 0;
    while (sent < 2000 && pt_polled(pull[1], NN_POLLIN) == 0) {
        if (nn_send(push, big, sizeof big, NN_DONTWAIT) == sizeof big)
            sent++;
        else
            ct_nap(1);
    }
    READABLE(pull[1]);
    CHECK(pt_polled(pull[0], NN_POLLIN) == NN_POLLIN);
    CHECK(sent >= 2);
    printf("the worse one when the better is full\n");
    MUST(nn_close(push));
    pt_close(pull, 2);
}

/* A message of a better peer overtakes one that arrived before. */
static void receive_priority(enum ct_transport t)
{
    char addr[2][NN_SOCKADDR_MAX], buf[16];
    int pull = pipe_socket(NN_PULL), push[2] = {pipe_socket(NN_PUSH), pipe_socket(NN_PUSH)};
    MUST(nn_bind(push[0], ct_address(t, addr[0])));
    MUST(nn_bind(push[1], ct_address(t, addr[1])));
    MUST(ct_set(pull, NN_RCVPRIO, 2));
    pt_link(push[0], pull, addr[0]);
    MUST(ct_set(pull, NN_RCVPRIO, 1));
    pt_link(push[1], pull, addr[1]);
    int overtaken = 0;
    for (int wait = 1; !overtaken && wait < 4000; wait *= 2) {
        pt_say(push[0], "worse");
        READABLE(pull);
        pt_say(push[1], "better");
        ct_nap(wait); /* it may still be on its way: then the next try waits longer */
        overtaken = MUST(nn_recv(pull, buf, sizeof buf, 0)) == 6;
        CHECK(pt_got(pull, overtaken ? "worse" : "better"));
    }
    CHECK(overtaken);
    printf("the better peer's message comes first\n");
    MUST(nn_close(pull));
    pt_close(push, 2);
}

static void errors(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int push = pipe_socket(NN_PUSH), pull = pipe_socket(NN_PULL);
    CALL(nn_send(push, "x", 1, NN_DONTWAIT));
    MUST(ct_set(push, NN_SNDTIMEO, 20));
    CALL(nn_send(push, "x", 1, 0));
    MUST(ct_set(push, NN_SNDTIMEO, CT_PATIENCE));
    pt_try("nothing there", pull);
    pt_hear_for("nothing there in 20 ms", pull, 20);
    MUST(nn_bind(push, ct_address(t, addr)));
    pt_link(push, pull, addr);
    pt_try("still nothing", pull);
    CALL(nn_send(pull, "x", 1, 0));
    CALL(nn_send(pull, "x", 1, NN_DONTWAIT));
    pt_hear("PUSH receives", push);
    pt_try("PUSH receives, waiting not", push);
    pt_say(push, "after the errors");
    pt_hear("PULL", pull);
    CALL(nn_send(push, NULL, 0, 0));
    pt_hear("an empty message", pull);
    MUST(nn_close(pull));
    ALONE(push);
    CALL(nn_send(push, "x", 1, NN_DONTWAIT));
    pull = pipe_socket(NN_PULL);
    pt_link(push, pull, addr);
    pt_say(push, "again");
    pt_hear("a new PULL", pull);
    MUST(nn_close(push));
    MUST(nn_close(pull));
}

static void headers(enum ct_transport t)
{
    int push = pipe_socket(NN_PUSH), pull = pipe_socket(NN_PULL);
    pt_join(t, push, pull);
    CALL_AS("with a header", pt_send_raw(push, "HEAD", 4, "body", 4, 0));
    struct pt_msg m = pt_take(pull);
    printf("header %d bytes, body %s\n", m.heads, pt_text(m.body, (size_t) m.size));
    CALL_AS("with an empty header", pt_send_raw(push, "", 0, "body", 4, 0));
    m = pt_take(pull);
    printf("header %d bytes, body %s\n", m.heads, pt_text(m.body, (size_t) m.size));
    CALL_AS("header and no body", pt_send_raw(push, "head", 4, "", 0, 0));
    m = pt_take(pull);
    printf("header %d bytes, body %s\n", m.heads, pt_text(m.body, (size_t) m.size));
    printf("bytes sent %d, received %d\n", ct_stat(push, NN_STAT_BYTES_SENT), ct_stat(pull, NN_STAT_BYTES_RECEIVED));
    MUST(nn_close(push));
    MUST(nn_close(pull));
}

/* What a PULL peer sends is nobody's business, and harms nobody. */
static void talking_pull(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], body[16];
    int push = pipe_socket(NN_PUSH);
    MUST(nn_bind(push, ct_address(t, addr)));
    int fd = pt_os_peer(addr, NN_PULL, push);
    for (int i = 0; i < 5; i++)
        pt_os_send(fd, addr, "unasked", 7);
    pt_say(push, "work");
    CHECK(pt_os_recv(fd, addr, body, sizeof body) == 4 && memcmp(body, "work", 4) == 0);
    CHECK(PEERS(push) == 1);
    printf("a PULL that talks is served\n");
    close(fd);
    MUST(nn_close(push));
}

int main(void)
{
    for (domain = AF_SP; domain <= AF_SP_RAW; domain++)
        for (enum ct_transport t = INPROC; t <= WS; t++) {
            printf("-- %s%s\n", domain == AF_SP_RAW ? "raw, " : "", ct_scheme[t]);
            turns(t, 1);
            turns(t, 0);
            fair(t);
            send_priority(t);
            receive_priority(t);
            errors(t);
            headers(t);
            if (t != INPROC)
                talking_pull(t);
        }
    return 0;
}
