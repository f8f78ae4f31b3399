/* How much an inproc connection holds: the receiver's NN_RCVBUF in bytes, strictly
   less, or one message of any size; and one more message with the sender. */

#include "ctest.h"

static char body[300000];

/* Sends until it blocks; how many went? */
static int fill(int s, size_t size)
{
    int n = 0;
    MUST(ct_set(s, NN_SNDTIMEO, 100));
    while (n < 5000 && nn_send(s, body, size, 0) == (int) size)
        n++;
    if (n < 5000)
        CHECK(nn_errno() == ETIMEDOUT);
    return n;
}

static void connected(int s[2], int bind_buf, int connect_buf)
{
    char addr[NN_SOCKADDR_MAX];
    ct_address(INPROC, addr);
    s[0] = ct_socket(NN_PAIR);
    s[1] = ct_socket(NN_PAIR);
    MUST(ct_set(s[0], NN_RCVBUF, bind_buf));
    MUST(ct_set(s[1], NN_RCVBUF, connect_buf));
    MUST(nn_bind(s[0], addr));
    MUST(nn_connect(s[1], addr));
    CONNECTED(s[0]);
    CONNECTED(s[1]);
}

static void limit(int rcvbuf, size_t size)
{
    int s[2];
    connected(s, rcvbuf, 1);
    int n = fill(s[1], size);
    printf("NN_RCVBUF %d, messages of %zu bytes: %d fit", rcvbuf, size, n);
    /* Each one received makes room for exactly one more. */
    for (int i = 0; i < 2; i++) {
        CHECK(nn_recv(s[0], body, sizeof body, 0) == (int) size);
        printf(", then %d", fill(s[1], size));
    }
    printf("\n");
    for (int i = 0; i < n; i++)
        if (nn_recv(s[0], body, sizeof body, 0) != (int) size)
            printf("message %d is lost\n", i);
    CHECK(nn_recv(s[0], body, sizeof body, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
    ct_close_pair(s);
}

int main(void)
{
    int s[2];

    limit(200, 10);
    limit(200, 200);
    limit(200, 199);
    limit(200, 100);
    limit(200, 99);
    limit(200, 256);
    limit(201, 10);
    limit(191, 10);
    limit(190, 10);
    limit(1, 1);
    limit(2, 1);
    limit(3, 1);
    limit(1, 100000);
    limit(131072, 1000);
    limit(131072, 131071);
    limit(131072, 65536);
    limit(131072, 65535);

    /* Each direction has the limit of its own receiver. */
    connected(s, 100, 1000);
    printf("binder 100, connector 1000: %d to the binder", fill(s[1], 10));
    printf(", %d to the connector\n", fill(s[0], 10));
    ct_close_pair(s);

    /* The limit is the one in force when the connection was made. */
    connected(s, 100, 100);
    MUST(ct_set(s[0], NN_RCVBUF, 1000));
    MUST(ct_set(s[1], NN_SNDBUF, 1));
    printf("raised to 1000 later: %d\n", fill(s[1], 10));
    ct_close_pair(s);

    /* Messages of mixed size. */
    connected(s, 100, 100);
    MUST(ct_set(s[1], NN_SNDTIMEO, 100));
    CALL(nn_send(s[1], body, 98, 0));
    CALL(nn_send(s[1], body, 1, 0));
    CALL(nn_send(s[1], body, 1, 0));
    CALL(nn_send(s[1], body, 1, 0));
    CALL(nn_recv(s[0], body, sizeof body, 0));
    CALL(nn_send(s[1], body, 300, 0));
    CALL(nn_send(s[1], body, 0, 0));
    for (int i = 0; i < 4; i++)
        CALL(nn_recv(s[0], body, sizeof body, i < 3 ? 0 : NN_DONTWAIT));
    ct_close_pair(s);

    /* Empty messages take no room. */
    connected(s, 1, 1);
    int empty = 0;
    MUST(ct_set(s[1], NN_SNDTIMEO, 100));
    while (empty < 100 && nn_send(s[1], NULL, 0, 0) == 0)
        empty++;
    printf("empty messages sent: %d of 100\n", empty);
    for (int i = 0; i < empty; i++)
        CHECK(nn_recv(s[0], body, sizeof body, 0) == 0);
    ct_close_pair(s);

    /* NN_RCVMAXSIZE says nothing about inproc. */
    connected(s, 100, 100);
    MUST(ct_set(s[0], NN_RCVMAXSIZE, 10));
    CALL(nn_send(s[1], body, 300000, 0));
    CALL(nn_recv(s[0], body, sizeof body, 0));
    MUST(ct_set(s[0], NN_RCVMAXSIZE, 0));
    CALL(nn_send(s[1], body, 11, 0));
    CALL(nn_recv(s[0], body, sizeof body, 0));
    ct_close_pair(s);
    return 0;
}
