/* Socket handles: their numbers, their reuse, and what a wrong one gives. */

#include "ctest.h"

static void every_call(const char *what, int s)
{
    char buf[8];
    int value = 1;
    size_t size = sizeof value;
    struct nn_iovec iov = {buf, sizeof buf};
    struct nn_msghdr hdr = {&iov, 1, NULL, 0};
    struct nn_pollfd p = {s, NN_POLLIN, 0};

    printf("-- %s\n", what);
    CALL(nn_close(s));
    CALL(nn_setsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, &value, sizeof value));
    CALL(nn_setsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, NULL, 4));
    CALL(nn_getsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, &value, &size));
    CALL(nn_getsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, NULL, &size));
    CALL(nn_bind(s, "inproc://handles"));
    CALL(nn_bind(s, NULL));
    CALL(nn_connect(s, "inproc://handles"));
    CALL(nn_connect(s, "rubbish"));
    CALL(nn_shutdown(s, 1));
    CALL(nn_send(s, "abc", 3, 0));
    CALL(nn_send(s, NULL, 3, NN_DONTWAIT));
    CALL(nn_recv(s, buf, sizeof buf, 0));
    CALL(nn_sendmsg(s, &hdr, 0));
    CALL(nn_sendmsg(s, NULL, 0));
    CALL(nn_recvmsg(s, &hdr, 0));
    CALL(nn_recvmsg(s, NULL, 0));
    CALL(nn_poll(&p, 1, 0));
    CALL(nn_device(s, s));
    errno = 0;
    uint64_t stat = nn_get_statistic(s, NN_STAT_MESSAGES_SENT);
    printf("nn_get_statistic = %s %s\n", stat == (uint64_t) -1 ? "-1" : "a number", ct_errname(nn_errno()));
    errno = 0;
    stat = nn_get_statistic(s, 4711);
    printf("nn_get_statistic, unknown = %s %s\n", stat == (uint64_t) -1 ? "-1" : "a number", ct_errname(nn_errno()));
}

int main(void)
{
    /* Before any socket exists. */
    every_call("no socket yet", 0);

    /* A fresh library counts from 0; the number closed last is used first. */
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP_RAW, NN_PAIR));
    CALL(nn_close(0));
    CALL(nn_close(1));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_close(1));
    CALL(nn_close(2));
    CALL(nn_close(0));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP, NN_PAIR));

    every_call("never opened", 77);
    every_call("negative", -1);
    every_call("very negative", INT_MIN);
    every_call("very large", INT_MAX);
    CALL(nn_close(3));
    every_call("closed", 3);

    /* With the last socket gone, counting starts again. */
    CALL(nn_close(4));
    CALL(nn_close(2));
    CALL(nn_close(0));
    CALL(nn_close(1));
    CALL(nn_close(1));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_socket(AF_SP, NN_PAIR));
    CALL(nn_close(0));
    CALL(nn_close(1));

    /* The arguments of nn_socket. */
    static const int domains[] = {0, AF_SP, AF_SP_RAW, 3, -1, INT_MAX};
    static const int types[] = {NN_PAIR, 0, 1, 15, 17, 31, 34, 96, 97, 113, -1, -16, INT_MAX, INT_MIN};
    for (int d = 0; d < 6; d++)
        for (int t = 0; t < 14; t++) {
            char what[64];
            snprintf(what, sizeof what, "nn_socket(%d, %d)", domains[d], types[t]);
            int s = CALL_AS(what, nn_socket(domains[d], types[t]));
            if (s >= 0)
                MUST(nn_close(s));
        }

    /* Many sockets at once; each may take descriptors of the OS. */
    enum { MANY = 500 };
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    int s[MANY], ordered = 1;
    for (int i = 0; i < MANY; i++) {
        s[i] = MUST(nn_socket(AF_SP, NN_PAIR));
        ordered &= s[i] == i;
    }
    printf("500 sockets are numbered in order: %s\n", ordered ? "yes" : "no");
    for (int i = 0; i < MANY; i++)
        MUST(nn_close(s[i]));

    QUIRK("Q-E15", "a process may have more than 512 sockets") {
        static int more[700];
        for (int i = 0; i < 700; i++) {
            more[i] = nn_socket(AF_SP, NN_PAIR);
            CHECK(more[i] == i);
        }
        for (int i = 0; i < 700; i++)
            CHECK(nn_close(more[i]) == 0);
    }
    return 0;
}
