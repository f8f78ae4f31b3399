/* inproc connections that come back, and a socket that could be its own peer. */

#include "ctest.h"

/* What the last binder has left to be read must not keep the connector from the next one. */
static void rebound(void)
{
    char addr[NN_SOCKADDR_MAX], buf[8];
    ct_address(INPROC, addr);
    int first = ct_socket(NN_PAIR), second = ct_socket(NN_PAIR), c = ct_socket(NN_PAIR);
    MUST(nn_bind(first, addr));
    MUST(nn_connect(c, addr));
    CONNECTED(c);
    MUST(nn_send(first, "one", 3, 0));
    EVENTUALLY(ct_readable(ct_get(c, NN_SOL_SOCKET, NN_RCVFD)));
    MUST(nn_close(first));
    MUST(nn_bind(second, addr));
    /* Upstream drops the message with its sender. */
    QUIRK("Q-E12", "inproc: a message outlives its sender's nn_close") {
        CHECK(nn_recv(c, buf, sizeof buf, NN_DONTWAIT) == 3 && memcmp(buf, "one", 3) == 0);
    }
    CONNECTED(second);
    CALL(nn_send(c, "two", 3, 0));
    CALL(nn_recv(second, buf, sizeof buf, 0));
    MUST(nn_close(second));
    MUST(nn_close(c));
}

/* A PAIR that binds and connects the same name. Upstream aborts. */
static void itself(void)
{
    QUIRK("Q-B2", "inproc: a PAIR is not its own peer, and can have another") {
        char addr[NN_SOCKADDR_MAX], buf[8];
        ct_address(INPROC, addr);
        int s = ct_socket(NN_PAIR), other = ct_socket(NN_PAIR);
        CHECK(nn_bind(s, addr) == 1);
        CHECK(nn_connect(s, addr) == 2);
        CHECK(nn_send(s, "x", 1, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
        CHECK(nn_connect(other, addr) == 1);
        CHECK(nn_send(other, "y", 1, 0) == 1);
        CHECK(nn_recv(s, buf, sizeof buf, 0) == 1);
        MUST(nn_close(other));
        MUST(nn_close(s));
    }
}

int main(void)
{
    rebound();
    itself();
    return 0;
}
