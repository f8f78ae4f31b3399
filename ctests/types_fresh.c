/* Every socket type, fresh: what it is, and what its calls say without a peer. */

#include "ctest.h"

static const struct { const char *name; int type; } types[] = {
    {"PAIR", NN_PAIR}, {"PUB", NN_PUB}, {"SUB", NN_SUB}, {"REQ", NN_REQ}, {"REP", NN_REP}, {"PUSH", NN_PUSH},
    {"PULL", NN_PULL}, {"SURVEYOR", NN_SURVEYOR}, {"RESPONDENT", NN_RESPONDENT}, {"BUS", NN_BUS},
};

static void show(const char *what, int rc)
{
    int e = nn_errno();
    printf("  %s = %d %s\n", what, rc, rc < 0 ? ct_errname(e) : "");
}

static void event_fd(const char *what, int s, int option)
{
    int fd = -1;
    size_t size = sizeof fd;
    if (nn_getsockopt(s, NN_SOL_SOCKET, option, &fd, &size) < 0)
        printf("  %s: %s\n", what, ct_errname(nn_errno()));
    else
        printf("  %s: %s\n", what, ct_readable(fd) ? "ready" : "not ready");
}

static void polled(const char *what, int s, short events)
{
    struct nn_pollfd p = {s, events, 0};
    int rc = nn_poll(&p, 1, 0);
    int e = nn_errno();
    printf("  %s = %d %s", what, rc, rc < 0 ? ct_errname(e) : "");
    if (rc > 0)
        printf("revents %d", p.revents);
    printf("\n");
}

int main(void)
{
    static const int options[] = {NN_SNDBUF, NN_RCVBUF, NN_SNDTIMEO, NN_RCVTIMEO, NN_RECONNECT_IVL, NN_RECONNECT_IVL_MAX,
                                  NN_SNDPRIO, NN_RCVPRIO, NN_IPV4ONLY, NN_RCVMAXSIZE, NN_MAXTTL, NN_DOMAIN, NN_PROTOCOL};
    char buf[16];
    for (int raw = 0; raw < 2; raw++)
        for (int i = 0; i < 10; i++) {
            printf("-- %s%s\n", raw ? "raw " : "", types[i].name);
            int s = MUST(nn_socket(raw ? AF_SP_RAW : AF_SP, types[i].type));
            printf("  options");
            for (size_t o = 0; o < sizeof options / sizeof *options; o++)
                printf(" %d", ct_get(s, NN_SOL_SOCKET, options[o]));
            printf("\n");
            event_fd("NN_RCVFD", s, NN_RCVFD);
            event_fd("NN_SNDFD", s, NN_SNDFD);
            polled("nn_poll for input", s, NN_POLLIN);
            polled("nn_poll for output", s, NN_POLLOUT);
            polled("nn_poll for both", s, NN_POLLIN | NN_POLLOUT);
            polled("nn_poll for nothing", s, 0);
            show("nn_recv, waiting not", nn_recv(s, buf, sizeof buf, NN_DONTWAIT));
            MUST(ct_set(s, NN_RCVTIMEO, 0));
            MUST(ct_set(s, NN_SNDTIMEO, 0));
            show("nn_recv, no time", nn_recv(s, buf, sizeof buf, 0));
            show("nn_send, NULL", nn_send(s, NULL, 4, NN_DONTWAIT));
            show("nn_send, waiting not", nn_send(s, "body", 4, NN_DONTWAIT));
            show("nn_send, no time", nn_send(s, "body", 4, 0));
            show("nn_sendmsg, NULL", nn_sendmsg(s, NULL, 0));
            show("nn_recvmsg, NULL", nn_recvmsg(s, NULL, 0));
            printf("  messages sent %d, bytes sent %d\n", ct_stat(s, NN_STAT_MESSAGES_SENT), ct_stat(s, NN_STAT_BYTES_SENT));
            MUST(nn_close(s));
        }
    return 0;
}
