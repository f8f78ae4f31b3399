/* What the OS knows of the library's connections: buffer sizes, Nagle, close-on-exec. Where no size is set, the original
   asks for 128 KiB, and ours leaves the buffers to the kernel. */

#include "ctest.h"

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    getsockopt(fd, level, name, &value, &size);
    return value;
}

/* Whether nobody has set the buffers of a connection. Those of a Unix socket are then as in a new one. The kernel resizes those
   of tcp, so they only differ from what the original sets. */
static int left_to_the_kernel(int fd, int family)
{
    int fresh = MUST(socket(family, SOCK_STREAM, 0)), set = 2 * 128 * 1024;
    int same = option(fd, SOL_SOCKET, SO_SNDBUF) == option(fresh, SOL_SOCKET, SO_SNDBUF)
        && option(fd, SOL_SOCKET, SO_RCVBUF) == option(fresh, SOL_SOCKET, SO_RCVBUF);
    int changed = option(fd, SOL_SOCKET, SO_SNDBUF) != set && option(fd, SOL_SOCKET, SO_RCVBUF) != set;
    close(fresh);
    return family == AF_UNIX ? same : changed;
}

/* Prints what holds for the connections of this process that the transport has made. */
static void show(const char *what, enum ct_transport t, int sized)
{
    int family = t == IPC ? AF_UNIX : AF_INET;
    printf("%s:\n", what);
    for (int fd = 3; fd < 1000; fd++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *) &peer, &size) < 0 || peer.ss_family != family)
            continue;
        if (sized)
            printf("  SO_SNDBUF %d, SO_RCVBUF %d", option(fd, SOL_SOCKET, SO_SNDBUF), option(fd, SOL_SOCKET, SO_RCVBUF));
        else
            CHECK(ct_oracle || left_to_the_kernel(fd, family));
        printf("  %s, %s", fcntl(fd, F_GETFD) & FD_CLOEXEC ? "close-on-exec" : "inherited",
               fcntl(fd, F_GETFL) & O_NONBLOCK ? "non-blocking" : "blocking");
        if (t == TCP && option(fd, IPPROTO_TCP, TCP_NODELAY) > 0)
            printf(", no delay");
        printf("\n");
    }
}

static void run(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int on = 1;
    printf("-- %s\n", ct_scheme[t]);
    for (int round = 0; round < 2; round++) {
        int s[2] = {ct_socket(NN_PAIR), ct_socket(NN_PAIR)};
        for (int i = 0; i < 2; i++) {
            MUST(nn_setsockopt(s[i], NN_TCP, NN_TCP_NODELAY, &on, sizeof on));
            if (round) {
                MUST(ct_set(s[i], NN_SNDBUF, 20000));
                MUST(ct_set(s[i], NN_RCVBUF, 30000));
            }
        }
        MUST(nn_bind(s[0], ct_address(t, addr)));
        MUST(nn_connect(s[1], addr));
        CONNECTED(s[0]);
        CONNECTED(s[1]);
        show(round ? "NN_SNDBUF 20000, NN_RCVBUF 30000" : "by default", t, round);
        ct_close_pair(s);
    }
}

/* Descriptors that a program started by this one would get. */
static int surviving(void)
{
    int n = 0;
    for (int fd = 3; fd < 1000; fd++) {
        int flags = fcntl(fd, F_GETFD);
        n += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return n;
}

/* The port at this machine's end of a connection is free for a listener, while
   the connection lasts and in the minute after. */
static int bind_the_source(const char *local, int rc[2])
{
    char addr[NN_SOCKADDR_MAX], source[NN_SOCKADDR_MAX];
    struct sockaddr_in a;
    socklen_t size = sizeof a;
    int port = ct_port(), client = ct_socket(NN_PAIR), server = ct_socket(NN_PAIR), again = ct_socket(NN_PAIR);
    snprintf(addr, sizeof addr, "tcp://127.0.0.1:%d", port);
    int listener = ct_raw_listen(addr);
    snprintf(addr, sizeof addr, "tcp://%s127.0.0.1:%d", local, port);
    MUST(nn_connect(client, addr));
    int peer = ct_raw_accept(listener, CT_PATIENCE);
    MUST(getpeername(peer, (struct sockaddr *) &a, &size));
    snprintf(source, sizeof source, "tcp://127.0.0.1:%d", ntohs(a.sin_port));
    rc[0] = nn_bind(server, source);
    MUST(nn_close(server));
    MUST(nn_close(client));
    EVENTUALLY(ct_raw_closed(peer, 100));
    close(peer);
    close(listener);
    rc[1] = nn_bind(again, source);
    MUST(nn_close(again));
    return rc[0] == 1 && rc[1] == 1;
}

/* Another program's connection may have the same port at its end: then another one is tried. */
static void bind_the_sources(const char *local)
{
    int rc[2];
    for (int tries = 0; tries < 10 && !bind_the_source(local, rc); tries++)
        continue;
    printf("-- %s\n", *local ? "the source port, chosen with an address" : "the source port");
    CALL_AS("nn_bind to it while it is in use", rc[0]);
    CALL_AS("nn_bind to it afterwards", rc[1]);
}

int main(void)
{
    int tcp[2], ipc[2], before = surviving();
    run(TCP);
    run(WS);
    run(IPC);
    bind_the_sources("");
    bind_the_sources("127.0.0.1;");

    ct_pair(TCP, tcp);
    ct_pair(IPC, ipc);
    ct_get(tcp[0], NN_SOL_SOCKET, NN_RCVFD);
    ct_get(tcp[0], NN_SOL_SOCKET, NN_SNDFD);
    printf("descriptors of the library that survive exec: %d\n", surviving() - before);
    ct_close_pair(tcp);
    ct_close_pair(ipc);
    return 0;
}
