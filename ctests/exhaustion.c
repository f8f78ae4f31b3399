/* No descriptors left: an errno for the caller, and everything works again when
   there are some. Each part runs in a process of its own. */

#include "ctest.h"

static struct rlimit old;

/* Takes the limit down to what is open now, plus a few. */
static void leave(int count)
{
    struct rlimit none = old;
    int fd = MUST(dup(0));
    close(fd);
    none.rlim_cur = (rlim_t) (fd + count);
    MUST(setrlimit(RLIMIT_NOFILE, &none));
}

static void restore(void)
{
    MUST(setrlimit(RLIMIT_NOFILE, &old));
}

static void talk(int a, int b)
{
    char buf[8];
    CONNECTED(a);
    CONNECTED(b);
    CHECK(nn_send(a, "hi", 2, 0) == 2 && nn_recv(b, buf, sizeof buf, 0) == 2);
    CHECK(nn_send(b, "hi", 2, 0) == 2 && nn_recv(a, buf, sizeof buf, 0) == 2);
}

/* What has its descriptors keeps working. */
static void connected(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        int s[2];
        ct_pair(t, s);
        talk(s[0], s[1]);
        leave(0);
        talk(s[0], s[1]);
        ct_close_pair(s);
        restore();
        printf("%s: connected sockets keep working\n", ct_scheme[t]);
    }
}

static void binding(void)
{
    char addr[2][NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    ct_address(IPC, addr[0]);
    ct_address(TCP, addr[1]);
    leave(0);
    CALL_AS("nn_bind tcp", nn_bind(a, addr[1]));
    restore();
    CALL_AS("nn_bind tcp again", nn_bind(a, addr[1]));
    MUST(nn_connect(b, addr[1]));
    talk(a, b);
    MUST(nn_close(a));
    MUST(nn_close(b));
}

/* A connection that is lost while there is none is made again later. A socket's first network endpoint needs one at once:
   upstream has taken it in nn_socket. */
static void connecting(void)
{
    char addr[NN_SOCKADDR_MAX];
    for (enum ct_transport t = IPC; t <= WS; t++) {
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
        MUST(nn_bind(a, ct_address(t, addr)));
        leave(0);
        QUIRK("nn_connect(3)", "the first endpoint of a socket is EMFILE without a descriptor") {
            CHECK(nn_connect(b, addr) == -1 && nn_errno() == EMFILE);
        }
        restore();
        MUST(nn_connect(b, addr));
        talk(a, b);
        int own = MUST(nn_bind(b, "inproc://exhaustion-other"));
        MUST(nn_shutdown(b, own));
        leave(0);
        MUST(nn_close(a));
        EVENTUALLY(PEERS(b) == 0);
        ct_nap(100);
        restore();
        a = ct_socket(NN_PAIR);
        MUST(nn_bind(a, addr));
        talk(a, b);
        printf("%s: connected once there are descriptors\n", ct_scheme[t]);
        MUST(nn_close(a));
        MUST(nn_close(b));
    }
}

/* A peer waits in the backlog until it can be accepted. */
static void accepting(void)
{
    char addr[NN_SOCKADDR_MAX];
    for (enum ct_transport t = IPC; t <= WS; t++) {
        int s = ct_socket(NN_PAIR);
        MUST(nn_bind(s, ct_address(t, addr)));
        ct_nap(20);
        leave(1);
        int fd = ct_raw_connect(addr); /* takes the last one */
        EVENTUALLY(ct_stat(s, NN_STAT_CURRENT_EP_ERRORS) == 1);
        clock_t before = clock();
        ct_nap(400);
        clock_t used = clock() - before;
        restore();
        ct_raw_enter(addr, fd, s);
        CHECK(ct_stat(s, NN_STAT_CURRENT_EP_ERRORS) == 0);
        printf("%s: accepted once there are descriptors\n", ct_scheme[t]);
        QUIRK("Q-R22", "waiting for descriptors takes no processor time") {
            CHECK(used < CLOCKS_PER_SEC / 10);
        }
        QUIRK("Q-B18", "NN_STAT_ACCEPT_ERRORS counts what could not be accepted") {
            CHECK(ct_stat(s, NN_STAT_ACCEPT_ERRORS) >= 1);
        }
        MUST(nn_close(s));
        close(fd);
    }
}

static void opening(void)
{
    QUIRK("Q-E1", "without descriptors nn_socket and nn_bind fail with EMFILE or do without") {
        char addr[NN_SOCKADDR_MAX];
        ct_address(TCP, addr);
        leave(0);
        int s = nn_socket(AF_SP, NN_PAIR);
        CHECK(s >= 0 || nn_errno() == EMFILE);
        if (s >= 0) {
            int fd;
            size_t size = sizeof fd;
            CHECK(nn_bind(s, addr) == -1 && nn_errno() == EMFILE);
            CHECK(nn_getsockopt(s, NN_SOL_SOCKET, NN_RCVFD, &fd, &size) == 0 || nn_errno() == EMFILE);
            CHECK(nn_bind(s, "inproc://opening") > 0);
            MUST(nn_close(s));
        }
        restore();
        int p[2];
        ct_pair(TCP, p);
        talk(p[0], p[1]);
        ct_close_pair(p);
    }
    QUIRK("Q-E1", "the same for ipc") {
        char addr[NN_SOCKADDR_MAX];
        ct_address(IPC, addr);
        int s = MUST(nn_socket(AF_SP, NN_PAIR));
        leave(0);
        CHECK(nn_bind(s, addr) == -1 && nn_errno() == EMFILE);
        restore();
        CHECK(nn_bind(s, addr) > 0);
        MUST(nn_close(s));
    }
}

/* The clock of an inproc socket needs descriptors, and gets them when there are some. */
static void resending(void)
{
    char buf[8];
    int interval = 20, req = ct_socket(NN_REQ), rep = MUST(nn_socket(AF_SP_RAW, NN_REP));
    MUST(ct_set(rep, NN_RCVTIMEO, CT_PATIENCE));
    MUST(nn_setsockopt(req, NN_REQ, NN_REQ_RESEND_IVL, &interval, sizeof interval));
    MUST(nn_bind(rep, "inproc://exhaustion-again"));
    MUST(nn_connect(req, "inproc://exhaustion-again"));
    CONNECTED(req);
    leave(0);
    MUST(nn_send(req, "1", 1, 0));
    CHECK(nn_recv(rep, buf, sizeof buf, 0) == 1);
    restore();
    MUST(nn_send(req, "2", 1, 0));
    for (int copies = 0; copies < 3;) {
        if (nn_recv(rep, buf, sizeof buf, 0) != 1)
            break;
        copies += buf[0] == '2';
        if (copies == 3)
            puts("inproc: a request is sent again once there are descriptors");
    }
    MUST(nn_close(req));
    MUST(nn_close(rep));
}

int main(void)
{
    getrlimit(RLIMIT_NOFILE, &old);
    ct_dir();
    ct_in_child("connected", connected);
    ct_in_child("bind", binding);
    ct_in_child("connect", connecting);
    ct_in_child("accept", accepting);
    ct_in_child("open", opening);
    ct_in_child("send again", resending);
    return 0;
}
