/* BUS: everybody hears but the sender; the header of the raw one; hubs and rings. */

#include "patterns.h"

/* Every socket of a full mesh. */
static void mesh(enum ct_transport t, int domain, int *s, int n)
{
    char addr[8][NN_SOCKADDR_MAX];
    for (int i = 0; i < n; i++) {
        s[i] = pt_socket(domain, NN_BUS);
        MUST(nn_bind(s[i], ct_address(t, addr[i])));
        for (int k = 0; k < i; k++)
            pt_link(s[k], s[i], addr[k]);
    }
}

static void everybody(enum ct_transport t, int domain)
{
    char text[16];
    int s[4];
    CALL_AS("nobody there", nn_send(s[0] = pt_socket(domain, NN_BUS), "x", 1, 0));
    CALL_AS("nobody there, waiting not", nn_send(s[0], "x", 1, NN_DONTWAIT));
    pt_try("nobody there", s[0]);
    pt_hear_for("nobody there, 20 ms", s[0], 20);
    MUST(nn_close(s[0]));
    mesh(t, domain, s, 4);
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "from %d", i);
        pt_say(s[i], text);
        for (int k = 0; k < 4; k++)
            if (k != i)
                CHECK(pt_got(s[k], text));
    }
    for (int i = 0; i < 4; i++)
        CHECK(nn_recv(s[i], text, sizeof text, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
    printf("everybody hears everybody else once\n");
    MUST(nn_close(s[3]));
    for (int i = 0; i < 3; i++)
        EVENTUALLY(PEERS(s[i]) == 2);
    pt_say(s[0], "");
    pt_hear("an empty message", s[1]);
    pt_hear("an empty message", s[2]);
    printf("sent %d, %d bytes, received %d, %d bytes\n", ct_stat(s[0], NN_STAT_MESSAGES_SENT),
           ct_stat(s[0], NN_STAT_BYTES_SENT), ct_stat(s[0], NN_STAT_MESSAGES_RECEIVED), ct_stat(s[0], NN_STAT_BYTES_RECEIVED));
    pt_close(s, 3);
}

/* A message goes one step, to those directly connected. */
static void one_step(enum ct_transport t)
{
    int a = ct_socket(NN_BUS), b = ct_socket(NN_BUS), c = ct_socket(NN_BUS);
    pt_join(t, b, a);
    pt_join(t, b, c);
    pt_say(a, "one step");
    CHECK(pt_got(b, "one step"));
    pt_say(b, "from the middle");
    CHECK(pt_got(a, "from the middle"));
    pt_hear("at the other end", c);
    MUST(nn_close(a));
    MUST(nn_close(b));
    MUST(nn_close(c));
}

/* Connected to itself it hears itself. */
static void itself(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_BUS);
    MUST(nn_bind(s, ct_address(t, addr)));
    MUST(nn_connect(s, addr));
    EVENTUALLY(PEERS(s) == 2);
    pt_say(s, "hello, self");
    pt_hear("one end", s);
    pt_hear("the other end", s);
    pt_try("no more", s);
    MUST(nn_close(s));
}

static void headers(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], text[16];
    unsigned char head[16];
    struct pt_msg m, from[3];
    int hub = pt_raw(NN_BUS), s[3];
    MUST(nn_bind(hub, ct_address(t, addr)));
    for (int i = 0; i < 3; i++) {
        s[i] = ct_socket(NN_BUS);
        pt_link(hub, s[i], addr);
        pt_say(s[i], "hello");
        from[i] = pt_take(hub);
        CHECK(pt_is(&from[i], "hello"));
        CHECK(from[i].heads == 8);
        pt_say(s[i], "hello again");
        m = pt_take(hub);
        CHECK(m.heads == 8 && memcmp(m.head, from[i].head, 8) == 0);
        for (int k = 0; k < i; k++)
            CHECK(memcmp(from[k].head, from[i].head, 8) != 0);
    }
    printf("a header of 8 bytes, the same for the same peer\n");

    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "not to %d", i);
        CALL_AS(text, pt_send_raw(hub, from[i].head, 8, text, 8, 0));
        for (int k = 0; k < 3; k++)
            if (k != i)
                CHECK(pt_got(s[k], text));
        CALL_AS("no header", nn_send(hub, "to all", 6, 0));
        for (int k = 0; k < 3; k++)
            CHECK(pt_got(s[k], "to all"));
        CALL_AS("an empty header", pt_send_raw(hub, "", 0, "to all again", 12, 0));
        for (int k = 0; k < 3; k++)
            CHECK(pt_got(s[k], "to all again"));
    }
    memset(head, 0xAB, sizeof head);
    CALL_AS("a header that nobody has", pt_send_raw(hub, head, 8, "to all", 6, 0));
    for (int k = 0; k < 3; k++)
        CHECK(pt_got(s[k], "to all"));
    for (size_t n = 1; n <= 16; n++)
        if (n != 8) {
            snprintf(text, sizeof text, "%zu bytes", n);
            CALL_AS(text, pt_send_raw(hub, from[0].head, n, "x", 1, n % 2 ? NN_DONTWAIT : 0));
        }

    /* Wrong for a cooked one in any case. */
    CALL_AS("cooked, 8 bytes", pt_send_raw(s[0], head, 8, "x", 1, 0));
    CALL_AS("cooked, 4 bytes", pt_send_raw(s[0], head, 4, "x", 1, 0));
    CALL_AS("cooked, an empty header", pt_send_raw(s[0], head, 0, "fine", 4, 0));
    m = pt_take(hub);
    CHECK(pt_is(&m, "fine"));
    pt_say(hub, "after all");
    for (int k = 0; k < 3; k++)
        CHECK(pt_got(s[k], "after all"));
    printf("the hub sent %d, %d bytes\n", ct_stat(hub, NN_STAT_MESSAGES_SENT), ct_stat(hub, NN_STAT_BYTES_SENT));

    /* A cooked one gets no header to see. */
    pt_say(hub, "body");
    m = pt_take(s[0]);
    printf("cooked: header %d bytes, body %s\n", m.heads, pt_text(m.body, (size_t) m.size));

    /* The header of one that is gone excludes nobody. */
    MUST(nn_close(s[0]));
    EVENTUALLY(PEERS(hub) == 2);
    CHECK(pt_got(s[1], "body") && pt_got(s[2], "body"));
    CALL_AS("the header of one that is gone", pt_send_raw(hub, from[0].head, 8, "to both", 7, 0));
    CHECK(pt_got(s[1], "to both") && pt_got(s[2], "to both"));
    MUST(nn_close(hub));
    pt_close(s + 1, 2);
}

/* Nothing of the header travels: a peer that is no library sees bodies. */
static void on_the_wire(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], body[16];
    int raw = pt_raw(NN_BUS);
    MUST(nn_bind(raw, ct_address(t, addr)));
    int fd[2] = {pt_os_peer(addr, NN_BUS, raw), -1};
    fd[1] = pt_os_peer(addr, NN_BUS, raw);
    pt_os_send(fd[0], addr, "question", 8);
    struct pt_msg m = pt_take(raw);
    printf("header %d bytes, body %s\n", m.heads, pt_text(m.body, (size_t) m.size));
    CHECK(pt_send_raw(raw, m.head, 8, "forwarded", 9, 0) == 9);
    CHECK(pt_os_recv(fd[1], addr, body, sizeof body) == 9 && memcmp(body, "forwarded", 9) == 0);
    pt_say(raw, "to all");
    for (int i = 0; i < 2; i++)
        CHECK(pt_os_recv(fd[i], addr, body, sizeof body) == 6 && memcmp(body, "to all", 6) == 0);
    close(fd[0]);
    close(fd[1]);
    MUST(nn_close(raw));
}

/* Receives from all in turns, the better endpoint first. */
static void receive_order(enum ct_transport t)
{
    char addr[2][NN_SOCKADDR_MAX], buf[16];
    int s = ct_socket(NN_BUS), from[2] = {ct_socket(NN_BUS), ct_socket(NN_BUS)}, overtaken = 0;
    MUST(nn_bind(from[0], ct_address(t, addr[0])));
    MUST(nn_bind(from[1], ct_address(t, addr[1])));
    MUST(ct_set(s, NN_RCVPRIO, 12));
    pt_link(from[0], s, addr[0]);
    MUST(ct_set(s, NN_RCVPRIO, 11));
    pt_link(from[1], s, addr[1]);
    for (int wait = 1; !overtaken && wait < 4000; wait *= 2) {
        pt_say(from[0], "worse");
        READABLE(s);
        pt_say(from[1], "better");
        ct_nap(wait); /* it may still be on its way: then the next try waits longer */
        overtaken = MUST(nn_recv(s, buf, sizeof buf, 0)) == 6;
        CHECK(pt_got(s, overtaken ? "worse" : "better"));
    }
    CHECK(overtaken);
    printf("the better peer's message comes first\n");
    MUST(nn_close(s));
    pt_close(from, 2);
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        printf("-- %s\n", ct_scheme[t]);
        everybody(t, AF_SP);
        everybody(t, AF_SP_RAW);
        one_step(t);
        itself(t);
        headers(t);
        if (t != INPROC)
            on_the_wire(t);
        receive_order(t);
    }
    return 0;
}
