/* A PAIR's second peer: what nn_send has taken from it is not lost in a connection
   that is about to be refused. It waits for its turn. */

#include "ctest.h"

static void run(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], buf[16];
    for (int round = 0; round < 10; round++) {
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), c = ct_socket(NN_PAIR);
        MUST(ct_set(c, NN_RECONNECT_IVL, 5));
        MUST(nn_bind(a, ct_address(t, addr)));
        MUST(nn_connect(b, addr));
        CONNECTED(a);
        CONNECTED(b);
        MUST(nn_connect(c, addr));
        MUST(ct_set(c, NN_SNDTIMEO, 30));
        CHECK(nn_send(c, "too soon", 8, 0) == -1 && nn_errno() == ETIMEDOUT);
        MUST(ct_set(c, NN_SNDTIMEO, CT_PATIENCE));
        MUST(nn_close(b));
        CHECK(nn_send(c, "next", 4, 0) == 4);
        int rc = nn_recv(a, buf, sizeof buf, 0);
        CHECK(rc == 4 && memcmp(buf, "next", 4) == 0);
        MUST(nn_close(c));
        MUST(nn_close(a));
    }
    /* One that connects to two of them sends to the one that it has agreed with. */
    for (int round = 0; round < 10; round++) {
        char other[NN_SOCKADDR_MAX];
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), c = ct_socket(NN_PAIR);
        MUST(ct_set(a, NN_RECONNECT_IVL, 5));
        MUST(nn_bind(b, ct_address(t, addr)));
        MUST(nn_bind(c, ct_address(t, other)));
        MUST(nn_connect(a, addr));
        MUST(nn_connect(a, other));
        CONNECTED(a);
        EVENTUALLY(PEERS(b) + PEERS(c) == 1);
        int with = PEERS(b) ? b : c, without = with == b ? c : b;
        MUST(ct_set(without, NN_SNDTIMEO, 30));
        CHECK(nn_send(without, "too soon", 8, 0) == -1 && nn_errno() == ETIMEDOUT);
        CHECK(nn_send(with, "heard", 5, 0) == 5);
        CHECK(nn_recv(a, buf, sizeof buf, 0) == 5);
        MUST(nn_close(with));
        MUST(ct_set(without, NN_SNDTIMEO, CT_PATIENCE));
        CHECK(nn_send(without, "next", 4, 0) == 4);
        CHECK(nn_recv(a, buf, sizeof buf, 0) == 4);
        MUST(nn_close(without));
        MUST(nn_close(a));
    }
    /* Two that connect to each other agree in the end. */
    for (int round = 0; round < 10; round++) {
        char other[NN_SOCKADDR_MAX];
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
        MUST(ct_set(a, NN_RECONNECT_IVL, 5));
        MUST(ct_set(b, NN_RECONNECT_IVL, 5));
        MUST(nn_bind(a, ct_address(t, addr)));
        MUST(nn_bind(b, ct_address(t, other)));
        MUST(nn_connect(a, other));
        MUST(nn_connect(b, addr));
        CHECK(nn_send(a, "ping", 4, 0) == 4);
        CHECK(nn_recv(b, buf, sizeof buf, 0) == 4);
        CHECK(nn_send(b, "pong!", 5, 0) == 5);
        CHECK(nn_recv(a, buf, sizeof buf, 0) == 5);
        MUST(nn_close(a));
        MUST(nn_close(b));
    }
}

int main(void)
{
    for (enum ct_transport t = IPC; t <= WS; t++)
        QUIRK("PAIR second", "what a second peer sends waits until it is taken") {
            run(t);
        }
    return 0;
}
