/* Endpoint ids, and nn_shutdown. */

#include "ctest.h"

int main(void)
{
    char inproc[NN_SOCKADDR_MAX], ipc[NN_SOCKADDR_MAX], tcp[NN_SOCKADDR_MAX], ghost[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR), other = ct_socket(NN_PAIR);
    ct_address(INPROC, inproc);
    ct_address(IPC, ipc);
    ct_address(TCP, tcp);
    ct_address(TCP, ghost);

    /* Ids count from 1 for each socket; a failed call uses none up. */
    CALL(nn_bind(s, inproc));
    CALL(nn_bind(s, ipc));
    CALL(nn_bind(s, inproc));
    CALL(nn_bind(s, "rubbish"));
    CALL(nn_connect(s, "tcp://127.0.0.1:0"));
    CALL(nn_bind(s, tcp));
    CALL(nn_bind(s, tcp));
    CALL(nn_connect(s, ghost));
    CALL(nn_connect(s, ghost));
    CALL(nn_connect(other, ghost));
    CALL(nn_bind(other, inproc));
    CALL(nn_bind(other, tcp));
    CALL(nn_bind(other, ipc));

    /* Ids are this socket's own, and not used twice. */
    CALL(nn_shutdown(s, 0));
    CALL(nn_shutdown(s, -1));
    CALL(nn_shutdown(s, 6));
    CALL(nn_shutdown(s, INT_MAX));
    CALL(nn_shutdown(s, INT_MIN));
    CALL(nn_shutdown(s, 5));
    CALL(nn_shutdown(s, 5));
    CALL(nn_connect(s, ghost));
    CALL(nn_shutdown(s, 4));
    CALL(nn_shutdown(s, 6));

    /* The names are free again, at the latest in a moment. */
    CALL(nn_shutdown(s, 1));
    CALL(nn_shutdown(s, 2));
    CALL(nn_shutdown(s, 3));
    EVENTUALLY(nn_bind(other, inproc) > 0);
    EVENTUALLY(nn_bind(other, ipc) > 0);
    EVENTUALLY(nn_bind(other, tcp) > 0);
    CALL(nn_close(other));
    CALL(nn_close(s));

    /* Shutting down either side ends the connection and nothing else. */
    for (enum ct_transport t = INPROC; t <= WS; t++)
        for (int side = 0; side < 2; side++) {
            char addr[NN_SOCKADDR_MAX], buf[8];
            int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
            printf("-- %s, shutting down the %s\n", ct_scheme[t], side ? "connector" : "binder");
            ct_address(t, addr);
            int id_a = MUST(nn_bind(a, addr)), id_b = MUST(nn_connect(b, addr));
            CONNECTED(a);
            CONNECTED(b);
            CALL(side ? nn_shutdown(b, id_b) : nn_shutdown(a, id_a));
            ALONE(a);
            ALONE(b);
            CALL(nn_send(a, "x", 1, NN_DONTWAIT));
            CALL(nn_send(b, "x", 1, NN_DONTWAIT));
            if (side)
                CALL(nn_connect(b, addr));
            else
                CALL(WAIT_FOR(CT_PATIENCE, nn_bind(a, addr) == 2));
            CONNECTED(a);
            CONNECTED(b);
            CALL(nn_send(a, "x", 1, 0));
            CALL(nn_recv(b, buf, sizeof buf, 0));
            CALL(nn_close(a));
            CALL(nn_close(b));
        }

    /* Shutting down right before closing. */
    for (int i = 0; i < 20; i++) {
        s = ct_socket(NN_PAIR);
        int id = MUST(nn_connect(s, ghost));
        MUST(nn_shutdown(s, id));
        MUST(nn_close(s));
    }
    return 0;
}
