/* Memory for a large message that is refused: ENOMEM to the caller, or the end
   of the connection it came on; everything else goes on. */

#include "ctest.h"
#include "faults.h"
#include <sys/mman.h>

/* MESSAGES_FILTERED is in nanomsg-rs/forward.h, which the original does not have. */
enum { LARGE = 400 << 20, MESSAGES_FILTERED = 1301 };

static struct rlimit unlimited;

/* Leaves the process so many bytes of address space beyond what it has. */
static void leave_memory(size_t bytes)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    struct rlimit limit = unlimited;
    limit.rlim_cur = pages * 4096 + bytes;
    MUST(setrlimit(RLIMIT_AS, &limit));
}

static void restore_memory(void)
{
    MUST(setrlimit(RLIMIT_AS, &unlimited));
}

static void messages(void)
{
    QUIRK("Q-E2", "a message that there is no memory for is ENOMEM, and the one at hand stays") {
        char *small = nn_allocmsg(100, 0);
        memset(small, 's', 100);
        leave_memory(64 << 20);
        CHECK(nn_allocmsg(LARGE, 0) == NULL && nn_errno() == ENOMEM);
        CHECK(nn_reallocmsg(small, LARGE) == NULL && nn_errno() == ENOMEM);
        restore_memory();
        CHECK(small[0] == 's' && small[99] == 's');
        CHECK(nn_freemsg(small) == 0);
    }
}

/* What is sent arrives, though a broken connection may have to be made anew before:
   who sends to many sends to nobody until then. */
static void passes(int from, int to)
{
    char buf[8];
    int fd = ct_get(to, NN_SOL_SOCKET, NN_RCVFD);
    EVENTUALLY(nn_send(from, "next", 4, NN_DONTWAIT) == 4 && WAIT_FOR(300, ct_readable(fd)));
    CHECK(nn_recv(to, buf, sizeof buf, 0) == 4 && memcmp(buf, "next", 4) == 0);
    while (nn_recv(to, buf, sizeof buf, NN_DONTWAIT) >= 0)
        continue;
}

/* The body is the caller's; the library needs memory for what does not go out at once.
   On a stream half of it may have gone out: such a connection is broken. */
static void sending(void)
{
    static const struct { const char *what; int from, to; } types[] = {
        {"PAIR", NN_PAIR, NN_PAIR}, {"PUSH", NN_PUSH, NN_PULL}, {"PUB", NN_PUB, NN_SUB},
        {"BUS", NN_BUS, NN_BUS}, {"REQ", NN_REQ, NN_REP}, {"SURVEYOR", NN_SURVEYOR, NN_RESPONDENT},
    };
    char *large = mmap(NULL, LARGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        printf("%s\n", types[i].what);
        QUIRK("Q-E2", "sending it is ENOMEM, and the socket works on") {
            for (enum ct_transport t = INPROC; t <= WS; t++) {
                char addr[NN_SOCKADDR_MAX];
                int from = ct_socket(types[i].from), to = ct_socket(types[i].to);
                if (types[i].to == NN_SUB)
                    MUST(nn_setsockopt(to, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
                MUST(nn_bind(from, ct_address(t, addr)));
                MUST(nn_connect(to, addr));
                CONNECTED(from);
                CONNECTED(to);
                passes(from, to);
                leave_memory(64 << 20);
                int64_t start = ct_now();
                int rc = nn_send(from, large, LARGE, NN_DONTWAIT);
                CHECK(rc == -1 && nn_errno() == ENOMEM);
                CHECK(ct_took(start, 0, 5000));
                restore_memory();
                passes(from, to);
                MUST(nn_close(to));
                MUST(nn_close(from));
            }
        }
    }
    munmap(large, LARGE);
}

/* One from nn_allocmsg needs no more memory: it is taken as it is, and over inproc
   arrives as it is. */
static void handing_over(void)
{
    QUIRK("Q-E2", "a message of the library's own is sent without more memory") {
        for (enum ct_transport t = INPROC; t <= WS; t++) {
            int p[2];
            void *message = nn_allocmsg(LARGE, 0), *got;
            ct_pair(t, p);
            passes(p[0], p[1]);
            leave_memory(64 << 20);
            CHECK(nn_send(p[0], &message, NN_MSG, NN_DONTWAIT) == LARGE);
            if (t == INPROC) {
                CHECK(nn_recv(p[1], &got, NN_MSG, 0) == LARGE);
                CHECK(nn_freemsg(got) == 0);
            } else {
                /* Where it is copied, there is no memory to receive it. */
                /* The next connection may come before the other end has seen the end of this one, and be refused. */
                EVENTUALLY(ct_stat(p[1], NN_STAT_BROKEN_CONNECTIONS) >= 1);
            }
            restore_memory();
            passes(p[0], p[1]);
            ct_close_pair(p);
        }
    }
}

/* A request has to be kept, with a header in front of its copy. One that could not be sent stays its caller's, and nobody
   hears of it later; the request before it goes on. */
static void asking(void)
{
    QUIRK("Q-E2", "a request that there is no memory for stays its caller's, and has not been asked") {
        char addr[NN_SOCKADDR_MAX], b[16];
        int resend = 50;
        int rep = ct_socket(NN_REP), req = ct_socket(NN_REQ);
        MUST(ct_set(rep, NN_RCVMAXSIZE, -1));
        MUST(nn_setsockopt(req, NN_REQ, NN_REQ_RESEND_IVL, &resend, sizeof resend));
        MUST(nn_bind(rep, ct_address(INPROC, addr)));
        MUST(nn_connect(req, addr));
        char *large = nn_allocmsg(LARGE, 0), *before = large;
        CHECK(large != NULL);
        leave_memory(64 << 20);
        CHECK(nn_send(req, &large, NN_MSG, 0) == -1 && nn_errno() == ENOMEM);
        restore_memory();
        CHECK(large == before);
        CHECK(nn_recv(req, b, sizeof b, 0) == -1 && nn_errno() == EFSM);
        MUST(ct_set(rep, NN_RCVTIMEO, 200));
        CHECK(nn_recv(rep, b, sizeof b, 0) == -1 && nn_errno() == ETIMEDOUT);
        CHECK(nn_freemsg(large) == 0);
        MUST(ct_set(rep, NN_RCVTIMEO, CT_PATIENCE));
        CHECK(nn_send(req, "next", 4, 0) == 4 && nn_recv(rep, b, sizeof b, 0) == 4);
        CHECK(nn_send(rep, "here", 4, 0) == 4 && nn_recv(req, b, sizeof b, 0) == 4);
        MUST(nn_close(req));
        MUST(nn_close(rep));
    }
}

static void receiving(void)
{
    static char body[1 << 20], frame[100];
    char addr[NN_SOCKADDR_MAX];
    QUIRK("Q-R17", "a peer's message that there is no memory for ends its connection") {
        for (enum ct_transport t = IPC; t <= WS; t++) {
            int s = ct_socket(NN_PAIR), p[2];
            ct_pair(t, p);
            MUST(ct_set(s, NN_RCVMAXSIZE, -1));
            MUST(nn_bind(s, ct_address(t, addr)));
            int fd = ct_raw_connect(addr);
            ct_raw_enter(addr, fd, s);
            leave_memory(64 << 20);
            size_t n = ct_frame(addr, LARGE, "", 0, frame);
            ct_raw_write(fd, frame, n);
            for (int i = 0; i < LARGE / (1 << 20); i++)
                ct_raw_write(fd, body, sizeof body);
            ALONE(s);
            CHECK(ct_stat(s, NN_STAT_BROKEN_CONNECTIONS) == 1);
            fault_talk(p[0], p[1]);
            close(fd);
            /* And still without memory: */
            fd = ct_raw_connect(addr);
            ct_raw_enter(addr, fd, s);
            n = ct_frame(addr, 5, "small", 5, frame);
            ct_raw_write(fd, frame, n);
            CHECK(nn_recv(s, body, sizeof body, 0) == 5);
            restore_memory();
            close(fd);
            ct_close_pair(p);
            MUST(nn_close(s));
        }
    }
}

/* A topic is as long as the caller likes. */
static void subscribing(void)
{
    char *large = mmap(NULL, LARGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    QUIRK("Q-E2", "a topic that there is no memory for is ENOMEM, and what was subscribed to stays") {
        char addr[NN_SOCKADDR_MAX], buf[8];
        int s = ct_socket(NN_SUB), p = ct_socket(NN_PUB);
        MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "a", 1));
        MUST(nn_bind(p, ct_address(IPC, addr)));
        MUST(nn_connect(s, addr));
        leave_memory(64 << 20);
        for (size_t size = LARGE - 1; size <= LARGE; size++) {
            CHECK(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, large, size) == -1 && nn_errno() == ENOMEM);
            CHECK(nn_setsockopt(s, NN_SUB, NN_SUB_UNSUBSCRIBE, large, size) == -1 && nn_errno() == EINVAL);
        }
        restore_memory();
        MUST(ct_set(s, NN_RCVTIMEO, 20));
        EVENTUALLY(nn_send(p, "a message", 9, 0) == 9 && nn_recv(s, buf, sizeof buf, 0) == 9);
        MUST(nn_setsockopt(s, NN_SUB, NN_SUB_UNSUBSCRIBE, "a", 1));
        MUST(nn_close(s));
        MUST(nn_close(p));
    }
    munmap(large, LARGE);
}

/* Where subscriptions have travelled, a raw PUB looks for header and body together, which takes no memory for them. */
static void publishing(void)
{
    char *large = mmap(NULL, LARGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    QUIRK("Q-E2", "a large message that nobody wants is looked at where it is") {
        char addr[NN_SOCKADDR_MAX], control[NN_CMSG_SPACE(sizeof(size_t) + 2)] = "";
        struct nn_iovec iov = {large, LARGE};
        struct nn_msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        struct nn_cmsghdr *c = (struct nn_cmsghdr *) control;
        c->cmsg_len = sizeof control;
        c->cmsg_level = PROTO_SP;
        c->cmsg_type = SP_HDR;
        size_t size = 2;
        memcpy(NN_CMSG_DATA(c), &size, sizeof size);
        memcpy(NN_CMSG_DATA(c) + sizeof size, "hh", 2);
        int s = ct_socket(NN_SUB), p = MUST(nn_socket(AF_SP_RAW, NN_PUB));
        MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "ha", 2));
        MUST(nn_bind(p, ct_address(IPC, addr)));
        MUST(nn_connect(s, addr));
        EVENTUALLY(nn_send(p, "x", 1, 0) == 1 && ct_stat(p, MESSAGES_FILTERED) > 0);
        leave_memory(64 << 20);
        CHECK(nn_sendmsg(p, &hdr, 0) == LARGE);
        restore_memory();
        MUST(nn_close(s));
        MUST(nn_close(p));
    }
    munmap(large, LARGE);
}

int main(void)
{
    getrlimit(RLIMIT_AS, &unlimited);
    ct_dir();
    ct_in_child("messages", messages);
    ct_in_child("sending", sending);
    ct_in_child("handing over", handing_over);
    ct_in_child("asking", asking);
    ct_in_child("receiving", receiving);
    ct_in_child("subscribing", subscribing);
    ct_in_child("publishing", publishing);
    return 0;
}
