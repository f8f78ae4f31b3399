/* A PAIR has one peer; a second one is refused, keeps trying, and takes over when
   the first is gone. Meanwhile the two that talk notice nothing. */

#include "ctest.h"

static void talk(int a, int b)
{
    char buf[8];
    for (int i = 0; i < 50; i++) {
        CHECK(nn_send(a, "ping", 4, 0) == 4);
        CHECK(nn_recv(b, buf, sizeof buf, 0) == 4);
        CHECK(nn_send(b, "pong!", 5, 0) == 5);
        CHECK(nn_recv(a, buf, sizeof buf, 0) == 5);
    }
}

/* On the original c's messages may be lost in a connection about to be refused, so it repeats. */
static int hears(int a, int c)
{
    char buf[8];
    nn_send(c, "third", 5, NN_DONTWAIT);
    return nn_recv(a, buf, sizeof buf, NN_DONTWAIT) == 5 && memcmp(buf, "third", 5) == 0;
}

static void run(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), c = ct_socket(NN_PAIR);
    MUST(nn_bind(a, ct_address(t, addr)));
    MUST(nn_connect(b, addr));
    CONNECTED(a);
    CONNECTED(b);

    MUST(ct_set(c, NN_RECONNECT_IVL, 20));
    CHECK(nn_connect(c, addr) == 1);
    EVENTUALLY(ct_stat(c, NN_STAT_BROKEN_CONNECTIONS) >= 3);
    CHECK(ct_stat(c, NN_STAT_ESTABLISHED_CONNECTIONS) >= 3);
    CHECK(ct_stat(a, NN_STAT_ACCEPTED_CONNECTIONS) >= 4);
    EVENTUALLY(ct_stat(a, NN_STAT_BROKEN_CONNECTIONS) >= 3);
    CHECK(ct_stat(b, NN_STAT_BROKEN_CONNECTIONS) == 0);
    CHECK(PEERS(a) == 1 && PEERS(b) == 1);
    talk(a, b);
    printf("%s: the third is refused\n", ct_scheme[t]);

    MUST(nn_close(b));
    EVENTUALLY(hears(a, c));
    CONNECTED(a);
    CONNECTED(c);
    printf("%s: and takes over\n", ct_scheme[t]);
    MUST(nn_close(c));
    MUST(nn_close(a));

    /* The connector is the one that is taken: two addresses, one of them too many. */
    char other[NN_SOCKADDR_MAX];
    a = ct_socket(NN_PAIR);
    b = ct_socket(NN_PAIR);
    c = ct_socket(NN_PAIR);
    MUST(ct_set(a, NN_RECONNECT_IVL, 20));
    MUST(nn_bind(b, ct_address(t, addr)));
    MUST(nn_connect(a, addr));
    CONNECTED(a);
    CONNECTED(b);
    MUST(nn_bind(c, ct_address(t, other)));
    CHECK(nn_connect(a, other) == 2);
    EVENTUALLY(ct_stat(c, NN_STAT_BROKEN_CONNECTIONS) >= 3);
    talk(a, b);
    CHECK(PEERS(a) == 1 && PEERS(b) == 1);
    printf("%s: a connector takes no second peer\n", ct_scheme[t]);
    MUST(nn_close(b));
    EVENTUALLY(hears(a, c));
    printf("%s: before the first is gone\n", ct_scheme[t]);
    MUST(nn_close(a));
    MUST(nn_close(c));
}

int main(void)
{
    run(IPC);
    run(TCP);
    run(WS);

    /* Over inproc the original goes wrong in each of these. */
    QUIRK("Q-B1", "inproc: the second connector of a PAIR stays unconnected until the first is gone") {
        char buf[8];
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), c = ct_socket(NN_PAIR);
        CHECK(nn_bind(a, "inproc://second") == 1);
        CHECK(nn_connect(b, "inproc://second") == 1);
        CONNECTED(b);
        CHECK(nn_connect(c, "inproc://second") == 1);
        CHECK(nn_send(c, "x", 1, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
        CHECK(nn_recv(c, buf, sizeof buf, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
        CHECK(PEERS(a) == 1 && PEERS(c) == 0);
        talk(a, b);
        MUST(nn_close(b));
        EVENTUALLY(hears(a, c));
        MUST(nn_close(a));
        MUST(nn_close(c));
    }
    QUIRK("Q-B2", "inproc: a PAIR with two possible peers takes one, and the other later") {
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), c = ct_socket(NN_PAIR);
        MUST(nn_connect(b, "inproc://two"));
        MUST(nn_connect(c, "inproc://two"));
        CHECK(nn_bind(a, "inproc://two") == 1);
        CONNECTED(a);
        CHECK(PEERS(b) + PEERS(c) == 1);
        int first = PEERS(b) ? b : c, second = first == b ? c : b;
        talk(a, first);
        MUST(nn_close(first));
        EVENTUALLY(hears(a, second));
        MUST(nn_close(second));
        MUST(nn_close(a));

        a = ct_socket(NN_PAIR);
        b = ct_socket(NN_PAIR);
        c = ct_socket(NN_PAIR);
        MUST(nn_bind(b, "inproc://one of"));
        MUST(nn_bind(c, "inproc://two of"));
        CHECK(nn_connect(a, "inproc://one of") == 1);
        CONNECTED(b);
        CHECK(nn_connect(a, "inproc://two of") == 2);
        CHECK(PEERS(a) == 1 && PEERS(b) == 1 && PEERS(c) == 0);
        talk(a, b);
        MUST(nn_close(b));
        EVENTUALLY(hears(a, c));
        MUST(nn_close(a));
        MUST(nn_close(c));
    }
    return 0;
}
