/* Threads, watches, sockets and connections that the system refuses: the
   documented errno, or another try; never an end, and no time of the processor
   while it lasts. */

#include "ctest.h"
#include "faults.h"

/* The first endpoint needs a thread. */
static void threads(void)
{
    char addr[NN_SOCKADDR_MAX];
    QUIRK("Q-E2", "nn_bind and nn_connect without a thread are EAGAIN, and work when there is one") {
        for (enum ct_transport t = IPC; t <= WS; t++) {
            int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
            ct_address(t, addr);
            fail_next(&fault_pthread_create, EAGAIN, -1);
            CHECK(nn_bind(a, addr) == -1 && nn_errno() == EAGAIN);
            CHECK(nn_connect(b, addr) == -1 && nn_errno() == EAGAIN);
            CHECK(fault_hits(&fault_pthread_create) == 2);
            /* Within the process no thread is needed. */
            int own = nn_bind(a, "inproc://no-thread");
            CHECK(own > 0 && nn_connect(b, "inproc://no-thread") > 0);
            fault_talk(a, b);
            CHECK(nn_shutdown(a, own) == 0);
            ALONE(b);
            fail_next(&fault_pthread_create, 0, 0);
            CHECK(nn_bind(a, addr) > 0);
            CHECK(nn_connect(b, addr) > 0);
            fault_talk(a, b);
            MUST(nn_close(a));
            MUST(nn_close(b));
        }
    }
}

/* Looking up a name needs another one. */
static void resolver(void)
{
    char addr[NN_SOCKADDR_MAX], named[NN_SOCKADDR_MAX];
    QUIRK("Q-E2", "a name is looked up when there is a thread for it") {
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
        MUST(nn_bind(a, ct_address(TCP, addr)));
        MUST(ct_set(b, NN_RECONNECT_IVL, 10));
        fail_next(&fault_pthread_create, EAGAIN, -1);
        snprintf(named, sizeof named, "tcp://localhost:%d", ct_port_of(addr));
        CHECK(nn_connect(b, named) > 0);
        EVENTUALLY(fault_hits(&fault_pthread_create) >= 3);
        IDLES(200);
        fail_next(&fault_pthread_create, 0, 0);
        fault_talk(a, b);
        MUST(nn_close(a));
        MUST(nn_close(b));
    }
}

/* The kernel has no memory for a watch, or the user has too many. */
static void watches(void)
{
    static const int errors[] = {ENOSPC, ENOMEM};
    char addr[NN_SOCKADDR_MAX];
    for (int i = 0; i < 2; i++) {
        QUIRK("Q-E2", "a listener, a dialer and a connection that cannot be watched are tried again") {
            for (enum ct_transport t = IPC; t <= WS; t++) {
                int p[2], a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
                ct_pair(t, p); /* The worker runs. */
                MUST(ct_set(b, NN_RECONNECT_IVL, 10));
                ct_address(t, addr);
                fail_next(&fault_epoll_ctl, errors[i], -1);
                CHECK(nn_bind(a, addr) > 0 || nn_errno() == errors[i]);
                CHECK(nn_connect(b, addr) > 0 || nn_errno() == errors[i]);
                IDLES(200);
                fail_next(&fault_epoll_ctl, 0, 0);
                if (ct_stat(b, NN_STAT_INPROGRESS_CONNECTIONS) == 0 && PEERS(b) == 0 && ct_stat(b, NN_STAT_CONNECT_ERRORS) == 0)
                    nn_connect(b, addr), nn_bind(a, addr);
                fault_talk(a, b);
                /* One connection after the other loses its watch at once. */
                for (int times = 1; times < 6; times++) {
                    int broken = ct_stat(b, NN_STAT_BROKEN_CONNECTIONS);
                    fail_next(&fault_epoll_ctl, errors[i], times);
                    MUST(nn_close(a));
                    a = ct_socket(NN_PAIR);
                    while (nn_bind(a, addr) < 0)
                        CHECK(nn_errno() == errors[i]);
                    EVENTUALLY(ct_stat(b, NN_STAT_BROKEN_CONNECTIONS) > broken);
                    EVENTUALLY(fault_hits(&fault_epoll_ctl) == times);
                    fault_talk(a, b);
                }
                fault_talk(p[0], p[1]);
                ct_close_pair(p);
                MUST(nn_close(a));
                MUST(nn_close(b));
            }
        }
    }
}

/* Not when its time for a handshake is over, which is five seconds. */
static void unwatched(void)
{
    char addr[NN_SOCKADDR_MAX], byte;
    struct timeval limit = {.tv_sec = 3};
    QUIRK("Q-E2", "a connection that cannot be watched is ended at once") {
        int s = ct_socket(NN_PAIR);
        MUST(nn_bind(s, ct_address(WS, addr)));
        fail_next(&fault_epoll_ctl, ENOMEM, -1);
        int fd = ct_raw_connect(addr);
        MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
        CHECK(read(fd, &byte, 1) == 0);
        CHECK(fault_hits(&fault_epoll_ctl) > 0);
        fail_next(&fault_epoll_ctl, 0, 0);
        close(fd);
        fd = ct_raw_connect(addr);
        ct_raw_enter(addr, fd, s);
        close(fd);
        MUST(nn_close(s));
    }
}

/* accept hands over what went wrong on the way, and lacks what the system lacks. */
static void accepting(void)
{
    static const int errors[] = {EAGAIN, EINTR, ECONNABORTED, EPROTO, EPERM, EHOSTUNREACH, ENETDOWN, ENOPROTOOPT,
                                 EOPNOTSUPP, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    char addr[NN_SOCKADDR_MAX];
    QUIRK("Q-R21", "after any error of accept the peer is let in") {
        for (enum ct_transport t = IPC; t <= WS; t++) {
            int s = ct_socket(NN_PAIR);
            MUST(nn_bind(s, ct_address(t, addr)));
            for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
                int before = ct_stat(s, NN_STAT_ACCEPT_ERRORS);
                fail_next(&fault_accept4, errors[i], 2);
                int fd = ct_raw_connect(addr);
                ct_raw_enter(addr, fd, s);
                CHECK(fault_hits(&fault_accept4) == 2);
                if (i > 2)
                    CHECK(ct_stat(s, NN_STAT_ACCEPT_ERRORS) == before + 2);
                CHECK(ct_stat(s, NN_STAT_CURRENT_EP_ERRORS) == 0);
                close(fd);
                ALONE(s);
            }
            MUST(nn_close(s));
        }
    }
    QUIRK("Q-R22", "while accept fails for lack of something nothing spins") {
        int s = ct_socket(NN_PAIR);
        MUST(nn_bind(s, ct_address(TCP, addr)));
        fail_next(&fault_accept4, ENFILE, -1);
        int fd = ct_raw_connect(addr);
        EVENTUALLY(fault_hits(&fault_accept4) >= 2);
        IDLES(400);
        fail_next(&fault_accept4, 0, 0);
        ct_raw_enter(addr, fd, s);
        close(fd);
        MUST(nn_close(s));
    }
}

/* No socket for a bind is an errno, for a dial another try. */
static void sockets(void)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    char addr[NN_SOCKADDR_MAX];
    QUIRK("Q-E1", "a bind tells what the system lacks, a dial tries again") {
        for (enum ct_transport t = IPC; t <= WS; t++)
            for (int i = 0; i < 4; i++) {
                int p[2], a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
                ct_pair(INPROC, p);
                MUST(ct_set(b, NN_RECONNECT_IVL, 10));
                ct_address(t, addr);
                fail_next(&fault_socket, errors[i], -1);
                CHECK(nn_bind(a, addr) == -1 && nn_errno() == errors[i]);
                CHECK(nn_connect(b, addr) > 0);
                EVENTUALLY(ct_stat(b, NN_STAT_CONNECT_ERRORS) >= 2);
                CHECK(ct_stat(b, NN_STAT_CURRENT_EP_ERRORS) == 1);
                IDLES(200);
                fail_next(&fault_socket, 0, 0);
                CHECK(nn_bind(a, addr) > 0);
                fault_talk(a, b);
                CHECK(ct_stat(b, NN_STAT_CURRENT_EP_ERRORS) == 0);
                ct_close_pair(p);
                MUST(nn_close(a));
                MUST(nn_close(b));
            }
    }
    QUIRK("listen(2)", "a bind that cannot listen tells why and leaves nothing behind") {
        for (enum ct_transport t = IPC; t <= WS; t++) {
            int before = ct_open_fds(), s = ct_socket(NN_PAIR);
            ct_address(t, addr);
            int with_port = ct_open_fds();
            fail_next(&fault_listen, EADDRINUSE, 1);
            CHECK(nn_bind(s, addr) == -1 && nn_errno() == EADDRINUSE);
            CHECK(t != IPC || access(ct_path_of(addr), F_OK) < 0);
            CHECK(nn_bind(s, addr) > 0);
            MUST(nn_close(s));
            CHECK(ct_open_fds() - before == with_port - before);
        }
    }
    QUIRK("connect(2)", "any error of connect is another try") {
        static const int refusals[] = {EACCES, EPERM, EADDRNOTAVAIL, EADDRINUSE, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT,
                                       EINVAL, EAGAIN, EINTR};
        for (enum ct_transport t = IPC; t <= WS; t++) {
            int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
            MUST(ct_set(b, NN_RECONNECT_IVL, 5));
            MUST(nn_bind(a, ct_address(t, addr)));
            MUST(nn_connect(b, addr));
            fault_talk(a, b);
            for (int i = 0; i < 10; i++) {
                MUST(nn_close(a));
                ALONE(b);
                fail_next(&fault_connect, refusals[i], 2);
                EVENTUALLY(fault_hits(&fault_connect) == 2);
                a = ct_socket(NN_PAIR);
                MUST(nn_bind(a, addr));
                fault_talk(a, b);
            }
            MUST(nn_close(a));
            MUST(nn_close(b));
        }
    }
}

int main(void)
{
    ct_dir();
    ct_in_child("threads", threads);
    ct_in_child("resolver", resolver);
    /* The crate polling makes its system calls itself: nobody can stand between. */
    UNLESS_PORTABLE {
        ct_in_child("watches", watches);
        ct_in_child("unwatched", unwatched);
    }
    ct_in_child("accept", accepting);
    ct_in_child("sockets", sockets);
    return 0;
}
