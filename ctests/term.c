/* nn_term: what ends, what still works, and nn_init, which undoes it. Each part
   runs in a process of its own. */

#include "ctest.h"

/* Exported, though no header declares it. */
void nn_init(void);

static void everything_is_bad(int s)
{
    char buf[8];
    int value = 0;
    size_t size = sizeof value;
    struct nn_iovec iov = {buf, sizeof buf};
    struct nn_msghdr hdr = {&iov, 1, NULL, 0};
    struct nn_pollfd p = {s, NN_POLLIN, 0};
    CALL(nn_send(s, "x", 1, 0));
    CALL(nn_recv(s, buf, sizeof buf, 0));
    CALL(nn_sendmsg(s, &hdr, 0));
    CALL(nn_recvmsg(s, &hdr, 0));
    CALL(nn_bind(s, "inproc://term"));
    CALL(nn_connect(s, "inproc://term"));
    CALL(nn_shutdown(s, 1));
    CALL(nn_getsockopt(s, NN_SOL_SOCKET, NN_DOMAIN, &value, &size));
    CALL(nn_setsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, &value, sizeof value));
    CALL(nn_poll(&p, 1, 0));
    CALL(nn_close(s));
    errno = 0;
    int v = ct_stat(s, NN_STAT_MESSAGES_SENT);
    printf("nn_get_statistic = %d %s\n", v, ct_errname(nn_errno()));
}

static void never_used(void)
{
    nn_term();
    nn_term();
    int s = CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_close(s));
}

static void with_sockets(void)
{
    int s[2];
    ct_pair(INPROC, s);
    nn_term();
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP, 4711));
    CALL(nn_socket(4711, NN_PAIR));
    everything_is_bad(s[0]);
    everything_is_bad(s[1]);
    everything_is_bad(-1);
    nn_term();
    CALL(nn_socket(AF_SP, NN_PAIR));

    /* Memory, symbols and words need no sockets. */
    void *p = nn_allocmsg(100, 0);
    CHECK(p != NULL);
    CALL(nn_freemsg(p));
    CHECK(nn_symbol(0, NULL) != NULL);
    printf("%s\n", nn_strerror(ETERM));
}

static void after_all_are_closed(void)
{
    MUST(nn_close(MUST(nn_socket(AF_SP, NN_PAIR))));
    nn_term();
    CALL(nn_socket(AF_SP, NN_PAIR));
}

static void again(void)
{
    int s[2];
    for (int i = 0; i < 3; i++) {
        ct_pair(TCP, s);
        printf("handles %d and %d\n", s[0], s[1]);
        nn_term();
        CALL(nn_socket(AF_SP, NN_PAIR));
        nn_init();
    }
    CALL(nn_socket(AF_SP, NN_PAIR));
    nn_init();
    CALL(nn_socket(AF_SP, NN_PAIR));
}

/* nn_term releases addresses, files and descriptors, as nn_close does. */
static void releases(void)
{
    char tcp[NN_SOCKADDR_MAX], ipc[NN_SOCKADDR_MAX];
    ct_address(TCP, tcp);
    ct_address(IPC, ipc);
    /* Once through, so that what is set up only once is not counted. */
    MUST(nn_close(MUST(nn_socket(AF_SP, NN_PAIR))));
    int before = ct_open_fds();
    for (int i = 0; i < 10; i++) {
        int s = MUST(nn_socket(AF_SP, NN_PAIR));
        if (i == 0)
            CHECK(nn_bind(s, tcp) > 0 && nn_bind(s, ipc) > 0 && nn_bind(s, "inproc://x") > 0);
        CHECK(nn_connect(s, "ipc:///no/such/folder/x") > 0);
        ct_get(s, NN_SOL_SOCKET, NN_RCVFD);
    }
    nn_term();
    EVENTUALLY(ct_open_fds() <= before);
    CHECK(access(ct_path_of(ipc), F_OK) < 0);
    nn_init();
    int s = MUST(nn_socket(AF_SP, NN_PAIR));
    CALL_AS("bind tcp again", nn_bind(s, tcp));
    CALL_AS("bind ipc again", nn_bind(s, ipc));
    CALL_AS("bind inproc again", nn_bind(s, "inproc://x"));
    nn_term();
}

int main(void)
{
    ct_dir();
    ct_in_child("never used", never_used);
    ct_in_child("with sockets", with_sockets);
    ct_in_child("after all are closed", after_all_are_closed);
    ct_in_child("again and again", again);
    ct_in_child("releases", releases);
    return 0;
}
