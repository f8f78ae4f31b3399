/* Memory for a large message that is refused: ENOMEM to the caller, or the end
   of the connection it came on; everything else goes on. */

#include "ctest.h"
#include "faults.h"
#include <sys/mman.h>

enum { LARGE = 400 << 20 };

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

/* The body is the caller's; the library needs memory for what does not go out at once. */
static void sending(void)
{
    char *large = mmap(NULL, LARGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    QUIRK("Q-E2", "sending it is ENOMEM, and the socket works on") {
        for (enum ct_transport t = INPROC; t <= WS; t++) {
            int p[2];
            ct_pair(t, p);
            fault_talk(p[0], p[1]);
            leave_memory(64 << 20);
            int64_t start = ct_now();
            int rc = nn_send(p[0], large, LARGE, NN_DONTWAIT);
            CHECK(rc == -1 && nn_errno() == ENOMEM);
            CHECK(ct_took(start, 0, 5000));
            restore_memory();
            /* On a stream half of it may have gone out: such a connection is broken, and made anew. */
            EVENTUALLY(nn_send(p[0], "next", 4, NN_DONTWAIT) == 4);
            char buf[8];
            CHECK(nn_recv(p[1], buf, sizeof buf, 0) == 4 && memcmp(buf, "next", 4) == 0);
            fault_talk(p[0], p[1]);
            ct_close_pair(p);
        }
    }
    munmap(large, LARGE);
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

int main(void)
{
    getrlimit(RLIMIT_AS, &unlimited);
    ct_dir();
    ct_in_child("messages", messages);
    ct_in_child("sending", sending);
    ct_in_child("asking", asking);
    ct_in_child("receiving", receiving);
    return 0;
}
