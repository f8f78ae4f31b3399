/* nn_get_statistic: every counter, over tcp and ipc and inproc. */

#include "ctest.h"

static const struct { const char *name; int stat; } all[] = {
    {"established", NN_STAT_ESTABLISHED_CONNECTIONS}, {"accepted", NN_STAT_ACCEPTED_CONNECTIONS},
    {"dropped", NN_STAT_DROPPED_CONNECTIONS}, {"broken", NN_STAT_BROKEN_CONNECTIONS},
    {"connect errors", NN_STAT_CONNECT_ERRORS}, {"bind errors", NN_STAT_BIND_ERRORS},
    {"accept errors", NN_STAT_ACCEPT_ERRORS}, {"current", NN_STAT_CURRENT_CONNECTIONS},
    {"in progress", NN_STAT_INPROGRESS_CONNECTIONS}, {"endpoint errors", NN_STAT_CURRENT_EP_ERRORS},
    {"messages sent", NN_STAT_MESSAGES_SENT}, {"messages received", NN_STAT_MESSAGES_RECEIVED},
    {"bytes sent", NN_STAT_BYTES_SENT}, {"bytes received", NN_STAT_BYTES_RECEIVED},
    {"priority", NN_STAT_CURRENT_SND_PRIORITY},
};
#define COUNT (sizeof all / sizeof *all)

/* Prints the counters that are not zero. */
static void show(const char *what, int s)
{
    printf("%s:", what);
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t v = nn_get_statistic(s, all[i].stat);
        if (v)
            printf(" %s %lld", all[i].name, (long long) v);
    }
    printf("\n");
}

static void messages(int a, int b)
{
    char buf[16];
    CHECK(nn_send(a, "hello", 5, 0) == 5);
    CHECK(nn_recv(b, buf, sizeof buf, 0) == 5);
    CHECK(nn_send(a, "", 0, 0) == 0);
    CHECK(nn_recv(b, buf, sizeof buf, 0) == 0);
    CHECK(nn_send(b, "0123456789", 10, 0) == 10);
    CHECK(nn_recv(a, buf, 3, 0) == 10);
    CHECK(nn_recv(a, buf, 3, NN_DONTWAIT) == -1);
    CHECK(nn_send(a, NULL, 3, NN_DONTWAIT) == -1);

    /* A header counts for the receiver, to whom it is body. */
    _Alignas(size_t) char control[NN_CMSG_SPACE(sizeof(size_t) + 4)];
    struct nn_cmsghdr *c = (struct nn_cmsghdr *) control;
    size_t four = 4;
    c->cmsg_len = sizeof control;
    c->cmsg_level = PROTO_SP;
    c->cmsg_type = SP_HDR;
    memcpy(NN_CMSG_DATA(c), &four, sizeof four);
    memcpy(NN_CMSG_DATA(c) + sizeof four, "head", 4);
    struct nn_iovec iov = {"body", 4};
    struct nn_msghdr hdr = {&iov, 1, control, sizeof control};
    CHECK(nn_sendmsg(a, &hdr, 0) == 4);
    CHECK(nn_recv(b, buf, sizeof buf, 0) == 8);
}

static void strangers(int s, const char *addr)
{
    for (int i = 1; i <= 3; i++) {
        int fd = ct_raw_connect(addr);
        EVENTUALLY(ct_stat(s, NN_STAT_ACCEPTED_CONNECTIONS) == i);
        close(fd);
        EVENTUALLY(ct_stat(s, NN_STAT_BROKEN_CONNECTIONS) == i);
    }
    CHECK(ct_stat(s, NN_STAT_ACCEPTED_CONNECTIONS) == 3);
}

static void greeted(int s, const char *addr)
{
    int fd = ct_raw_connect(addr);
    ct_raw_enter(addr, fd, s);
    close(fd);
    ALONE(s);
    EVENTUALLY(ct_stat(s, NN_STAT_BROKEN_CONNECTIONS) == 4);
}

static void network(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    MUST(ct_set(b, NN_RECONNECT_IVL, 50));
    printf("-- %s\n", ct_scheme[t]);

    int ea = MUST(nn_bind(a, ct_address(t, addr))), eb = MUST(nn_connect(b, addr));
    CONNECTED(a);
    CONNECTED(b);
    show("connected, binder", a);
    show("connected, connector", b);
    messages(a, b);
    show("after messages, binder", a);
    show("after messages, connector", b);

    MUST(nn_shutdown(b, eb));
    ALONE(a);
    ALONE(b);
    EVENTUALLY(ct_stat(a, NN_STAT_BROKEN_CONNECTIONS) == 1);
    EVENTUALLY(ct_stat(b, NN_STAT_DROPPED_CONNECTIONS) == 1);
    show("connector shut down, binder", a);
    show("connector shut down, connector", b);
    MUST(nn_connect(b, addr));
    CONNECTED(a);
    CONNECTED(b);
    MUST(nn_shutdown(a, ea));
    ALONE(a);
    ALONE(b);
    EVENTUALLY(ct_stat(a, NN_STAT_DROPPED_CONNECTIONS) == 1);
    EVENTUALLY(ct_stat(b, NN_STAT_BROKEN_CONNECTIONS) == 1);
    show("binder shut down, binder", a);

    /* Now refused, again and again; in progress only while an attempt lasts. */
    EVENTUALLY(ct_stat(b, NN_STAT_CONNECT_ERRORS) >= 3);
    EVENTUALLY(ct_stat(b, NN_STAT_CURRENT_EP_ERRORS) == 1);
    EVENTUALLY(ct_stat(b, NN_STAT_INPROGRESS_CONNECTIONS) == 0);
    CHECK(ct_stat(b, NN_STAT_ESTABLISHED_CONNECTIONS) == 2);
    MUST(nn_bind(a, addr));
    CONNECTED(b);
    CHECK(ct_stat(b, NN_STAT_CURRENT_EP_ERRORS) == 0);
    CHECK(ct_stat(b, NN_STAT_ESTABLISHED_CONNECTIONS) == 3);
    printf("refused, and then connected: done\n");

    int c = ct_socket(NN_PAIR);
    QUIRK("failed binds", "each counts as a bind error") {
        CHECK(nn_bind(c, addr) == -1);
        CHECK(ct_stat(c, NN_STAT_BIND_ERRORS) == 1);
        CHECK(nn_bind(c, "tcp://127.0.0.1") == -1);
        CHECK(nn_bind(c, "what is this") == -1);
        CHECK(nn_bind(c, "carrier-pigeon://nest") == -1);
        CHECK(nn_bind(c, "ipc:///no/such/folder/x") == -1);
        CHECK(nn_bind(c, NULL) == -1);
        CHECK(ct_stat(c, NN_STAT_BIND_ERRORS) == 6);
        CHECK(ct_stat(c, NN_STAT_CURRENT_EP_ERRORS) == 0);
    }

    /* Several endpoints in trouble. */
    char ghost[NN_SOCKADDR_MAX];
    for (int i = 1; i <= 3; i++) {
        MUST(nn_connect(c, ct_address(t, ghost)));
        EVENTUALLY(ct_stat(c, NN_STAT_CURRENT_EP_ERRORS) == i);
    }
    MUST(nn_close(c));
    MUST(nn_close(a));
    MUST(nn_close(b));

    /* Peers that connect and do not greet count as accepted, and as broken. */
    a = ct_socket(NN_PAIR);
    MUST(nn_bind(a, ct_address(t, addr)));
    if (t == WS) {
        QUIRK("ws handshake", "one that fails counts as broken, as on tcp") {
            strangers(a, addr);
            greeted(a, addr);
        }
    } else {
        strangers(a, addr);
        show("three without a greeting", a);
        greeted(a, addr);
        show("and one with", a);
    }
    MUST(nn_close(a));
}

static void inproc(int connect_first)
{
    char addr[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), ea, eb = 0;
    printf("-- inproc, %s first\n", connect_first ? "connected" : "bound");
    ct_address(INPROC, addr);
    if (connect_first) {
        eb = MUST(nn_connect(b, addr));
        show("waiting, connector", b);
    }
    ea = MUST(nn_bind(a, addr));
    if (!connect_first)
        eb = MUST(nn_connect(b, addr));
    CONNECTED(a);
    CONNECTED(b);
    show("connected, binder", a);
    show("connected, connector", b);
    messages(a, b);
    show("after messages, binder", a);
    show("after messages, connector", b);
    MUST(nn_shutdown(a, ea));
    ALONE(a);
    ALONE(b);
    EVENTUALLY(ct_stat(b, NN_STAT_INPROGRESS_CONNECTIONS) == 1);
    show("binder shut down, binder", a);
    show("binder shut down, connector", b);
    ea = MUST(nn_bind(a, addr));
    CONNECTED(a);
    CONNECTED(b);
    show("bound again, binder", a);
    show("bound again, connector", b);
    QUIRK("failed binds", "each counts as a bind error") {
        int c = ct_socket(NN_PAIR);
        CHECK(nn_bind(c, addr) == -1);
        CHECK(ct_stat(c, NN_STAT_BIND_ERRORS) == 1);
        MUST(nn_close(c));
    }
    MUST(nn_shutdown(b, eb));
    ALONE(a);
    ALONE(b);
    show("connector shut down, binder", a);
    show("connector shut down, connector", b);
    MUST(nn_close(a));
    MUST(nn_close(b));
}

int main(void)
{
    static const int unknown[] = {INT_MIN, -1, 0, 1, 100, 108, 200, 204, 300, 305, 400, 402, INT_MAX};
    int s = ct_socket(NN_PAIR);
    show("fresh", s);
    for (size_t i = 0; i < COUNT; i++)
        printf("%s = %lld\n", all[i].name, (long long) nn_get_statistic(s, all[i].stat));
    for (int i = 0; i < 13; i++) {
        errno = 0;
        uint64_t v = nn_get_statistic(s, unknown[i]);
        printf("statistic %d = %lld %s\n", unknown[i], (long long) v, ct_errname(nn_errno()));
    }
    MUST(nn_close(s));

    network(TCP);
    network(WS);
    network(IPC);
    inproc(0);
    inproc(1);
    return 0;
}
