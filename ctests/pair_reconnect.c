/* A peer that goes and comes back; late binders; restarted binders. */

#include "ctest.h"

static void talk(int a, int b)
{
    char buf[8];
    CONNECTED(a);
    CONNECTED(b);
    CALL(nn_send(a, "to b", 4, 0));
    CALL(nn_recv(b, buf, sizeof buf, 0));
    CALL(nn_send(b, "to a!", 5, 0));
    CALL(nn_recv(a, buf, sizeof buf, 0));
}

static void *wait_for_three(void *s)
{
    char buf[8];
    int n = nn_recv(*(int *) s, buf, sizeof buf, 0);
    return n == 3 && memcmp(buf, "new", 3) == 0 ? s : NULL;
}

static void run(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], buf[8];
    ct_address(t, addr);

    printf("-- %s: the binder comes late, and comes back\n", ct_scheme[t]);
    int b = ct_socket(NN_PAIR);
    MUST(ct_set(b, NN_RECONNECT_IVL, 20));
    MUST(nn_connect(b, addr));
    CALL(nn_send(b, "x", 1, NN_DONTWAIT));
    CALL(nn_recv(b, buf, sizeof buf, NN_DONTWAIT));
    for (int i = 0; i < 4; i++) {
        int a = ct_socket(NN_PAIR);
        CALL(nn_bind(a, addr));
        talk(a, b);
        CALL(nn_close(a));
        ALONE(b);
        CALL(nn_send(b, "x", 1, NN_DONTWAIT));
        CALL(nn_recv(b, buf, sizeof buf, NN_DONTWAIT));
    }
    CALL(nn_close(b));

    printf("-- %s: one connector after the other\n", ct_scheme[t]);
    int a = ct_socket(NN_PAIR);
    CALL(nn_bind(a, addr));
    for (int i = 0; i < 4; i++) {
        b = ct_socket(NN_PAIR);
        CALL(nn_connect(b, addr));
        talk(a, b);
        CALL(nn_close(b));
        ALONE(a);
        CALL(nn_send(a, "x", 1, NN_DONTWAIT));
    }
    CALL(nn_close(a));

    /* A blocked call outlives one peer and is served by the next. */
    printf("-- %s: waiting across peers\n", ct_scheme[t]);
    a = ct_socket(NN_PAIR);
    b = ct_socket(NN_PAIR);
    MUST(nn_bind(a, addr));
    MUST(nn_connect(b, addr));
    CONNECTED(a);
    CONNECTED(b);
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, wait_for_three, &a));
    BLOCKED();
    MUST(nn_close(b));
    ALONE(a);
    b = ct_socket(NN_PAIR);
    MUST(nn_connect(b, addr));
    CONNECTED(b);
    CALL(nn_send(b, "new", 3, 0));
    void *woken;
    pthread_join(thread, &woken);
    printf("woken by the new peer: %s\n", woken ? "yes" : "no");
    CALL(nn_close(a));
    CALL(nn_close(b));
}

int main(void)
{
    run(INPROC);
    run(IPC);
    run(TCP);
    run(WS);
    return 0;
}
