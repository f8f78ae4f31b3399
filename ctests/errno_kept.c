/* errno after calls that succeed: as it was, whatever the library had to ask the
   system for on the way. */

#include "ctest.h"

/* The result of a call that must succeed and leave errno alone. */
#define KEEPS(call) \
    __extension__({ \
        errno = EDOM; \
        __auto_type ct_result = (call); \
        int ct_errno = errno; \
        if ((intptr_t) ct_result == -1) \
            printf("line %d: " #call ": %s\n", __LINE__, ct_errname(ct_errno)); \
        else if (ct_errno != EDOM) \
            printf("line %d: " #call " leaves %s\n", __LINE__, ct_errname(ct_errno)); \
        ct_result; \
    })

static void *answer(void *arg)
{
    int s = *(int *) arg;
    char b[16];
    for (int i = 0; i < 5; i++) {
        CHECK(nn_recv(s, b, sizeof b, 0) == 4);
        ct_nap(20);
        CHECK(nn_send(s, "back", 4, 0) == 4);
    }
    return NULL;
}

static void patterns(enum ct_transport t)
{
    static char large[400000];
    char addr[NN_SOCKADDR_MAX], b[16], control[64];
    int value = 1000, patience = CT_PATIENCE;
    size_t size = sizeof value;
    void *m;
    pthread_t thread;
    int a = KEEPS(nn_socket(AF_SP, NN_PAIR)), z = KEEPS(nn_socket(AF_SP, NN_PAIR));
    KEEPS(nn_setsockopt(a, NN_SOL_SOCKET, NN_LINGER, &value, sizeof value));
    KEEPS(nn_setsockopt(a, NN_SOL_SOCKET, NN_RCVTIMEO, &patience, sizeof patience));
    KEEPS(nn_setsockopt(a, NN_SOL_SOCKET, NN_SNDTIMEO, &patience, sizeof patience));
    KEEPS(nn_setsockopt(z, NN_SOL_SOCKET, NN_RCVTIMEO, &patience, sizeof patience));
    KEEPS(nn_getsockopt(a, NN_SOL_SOCKET, NN_SNDBUF, &value, &size));
    KEEPS(nn_getsockopt(a, NN_SOL_SOCKET, NN_RCVFD, &value, &size));
    int bound = KEEPS(nn_bind(a, ct_address(t, addr)));
    int joined = KEEPS(nn_connect(z, addr));
    KEEPS(nn_get_statistic(a, NN_STAT_MESSAGES_SENT));
    CONNECTED(a);
    CONNECTED(z);
    CHECK(KEEPS(nn_send(a, "text", 4, 0)) == 4);
    CHECK(KEEPS(nn_recv(z, b, sizeof b, 0)) == 4);
    MUST(pthread_create(&thread, NULL, answer, &z));
    for (int i = 0; i < 5; i++) {
        struct nn_pollfd fds[1] = {{a, NN_POLLIN, 0}};
        CHECK(KEEPS(nn_send(a, "ping", 4, i & 1 ? NN_DONTWAIT : 0)) == 4);
        if (i == 3)
            CHECK(KEEPS(nn_poll(fds, 1, CT_PATIENCE)) == 1);
        CHECK(KEEPS(nn_recv(a, b, sizeof b, 0)) == 4);
        CHECK(KEEPS(nn_poll(fds, 1, 1)) == 0);
    }
    pthread_join(thread, NULL);
    /* More than the kernel takes at once. */
    struct nn_iovec part = {large, sizeof large}, chunk = {&m, NN_MSG};
    struct nn_msghdr hdr = {&part, 1, NULL, 0};
    CHECK(KEEPS(nn_sendmsg(a, &hdr, 0)) == (int) sizeof large);
    hdr = (struct nn_msghdr) {&chunk, 1, control, sizeof control};
    CHECK(KEEPS(nn_recvmsg(z, &hdr, 0)) == (int) sizeof large);
    CHECK(KEEPS(nn_send(z, &m, NN_MSG, 0)) == (int) sizeof large);
    CHECK(KEEPS(nn_recv(a, &m, NN_MSG, 0)) == (int) sizeof large);
    KEEPS(nn_freemsg(m));
    struct nn_pollfd two[2] = {{a, NN_POLLIN | NN_POLLOUT, 0}, {z, NN_POLLIN, 0}};
    KEEPS(nn_poll(two, 2, 0));
    KEEPS(nn_shutdown(z, joined));
    KEEPS(nn_shutdown(a, bound));
    KEEPS(nn_close(z));
    KEEPS(nn_close(a));
}

int main(void)
{
    struct nn_symbol_properties props;
    int value;
    ct_dir();
    QUIRK("Q-E16", "a call that succeeds leaves errno as it was") {
        void *m = KEEPS(nn_allocmsg(100, 0));
        m = KEEPS(nn_reallocmsg(m, 100000));
        KEEPS(nn_freemsg(m));
        KEEPS(nn_strerror(EINVAL));
        KEEPS(nn_strerror(-1));
        KEEPS(nn_symbol(0, &value));
        KEEPS(nn_symbol_info(0, &props, sizeof props));
        CHECK(KEEPS(nn_errno()) == EDOM);
        for (enum ct_transport t = INPROC; t <= WS; t++)
            patterns(t);
        errno = EDOM;
        nn_term();
        CHECK(errno == EDOM);
    }
    return 0;
}
