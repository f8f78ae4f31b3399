/* A process that closes all its descriptors, ours as well, as some do when they
   become daemons: calls fail, nothing spins, everything can still be closed, and
   those who are blocked in a call meanwhile return from it. */

#include "ctest.h"
#include "faults.h"

static void close_all(void)
{
    fflush(stdout);
    for (int fd = 3; fd < 200; fd++)
        close(fd);
}

static void open_all(int s[8])
{
    for (enum ct_transport t = INPROC; t <= WS; t++)
        ct_pair(t, s + 2 * t);
}

static void closing(void)
{
    char buf[8];
    int s[8];
    open_all(s);
    close_all();
    IDLES(200);
    for (int i = 2; i < 8; i++) {
        MUST(ct_set(s[i], NN_RCVTIMEO, 50));
        CHECK(nn_recv(s[i], buf, sizeof buf, 0) == -1);
        (void) nn_send(s[i], "x", 1, NN_DONTWAIT);
    }
    CHECK(nn_send(s[0], "x", 1, 0) == 1 && nn_recv(s[1], buf, sizeof buf, 0) == 1);
    for (int i = 0; i < 8; i++)
        CHECK(nn_close(s[i]) == 0);
}

static void terminating(void)
{
    int s[8];
    open_all(s);
    close_all();
    nn_term();
}

/* Their numbers are other files' by now. */
static void terminating_late(void)
{
    int s[8];
    open_all(s);
    close_all();
    while (MUST(open("/dev/null", O_RDONLY)) < 100)
        continue;
    nn_term();
}

static void exiting(void)
{
    int s[8];
    open_all(s);
    close_all();
    exit(0);
}

/* A thread in a call without a time limit. */
struct blocked {
    enum { RECV, SEND, POLL, POLL_BOTH, DEVICE } call;
    int s[2];
    pthread_t thread;
};

static void *block(void *arg)
{
    struct blocked *b = arg;
    struct nn_pollfd fds[2] = {{b->s[0], NN_POLLIN, 0}, {b->s[1], NN_POLLIN, 0}};
    char buf[8];
    switch (b->call) {
    case RECV: CHECK(nn_recv(b->s[0], buf, sizeof buf, 0) == -1); break;
    case SEND: CHECK(nn_send(b->s[0], "x", 1, 0) == -1); break;
    case POLL: CHECK(nn_poll(fds, 1, -1) <= 0); return NULL;
    case POLL_BOTH: CHECK(nn_poll(fds, 2, -1) <= 0); return NULL;
    case DEVICE: CHECK(nn_device(b->s[0], b->s[1]) == -1); break;
    }
    CHECK(nn_errno() == EBADF || nn_errno() == ETERM);
    return NULL;
}

static int raw_socket(int type)
{
    char addr[NN_SOCKADDR_MAX];
    int s = MUST(nn_socket(AF_SP_RAW, type));
    MUST(nn_bind(s, ct_address(TCP, addr)));
    return s;
}

/* All who are blocked return: because their sockets are closed, because the
   library is, or because there is nothing left to wait for. */
static void returning(int how)
{
    int s[8], push = ct_socket(NN_PUSH), front = raw_socket(NN_PULL), back = raw_socket(NN_PUSH);
    char addr[NN_SOCKADDR_MAX];
    open_all(s);
    MUST(nn_bind(push, ct_address(TCP, addr)));
    struct blocked all[] = {
        {.call = RECV, .s = {s[2 * TCP]}},
        {.call = RECV, .s = {s[2 * TCP]}},
        {.call = SEND, .s = {push}},
        {.call = POLL, .s = {s[2 * IPC]}},
        {.call = POLL_BOTH, .s = {s[2 * WS], s[2 * WS + 1]}},
        {.call = DEVICE, .s = {front, back}},
    };
    int many = sizeof all / sizeof all[0];
    for (int i = 0; i < many; i++)
        MUST(pthread_create(&all[i].thread, NULL, block, &all[i]));
    BLOCKED();
    close_all();
    int64_t start = ct_now();
    if (how == 1)
        for (int i = 0; i < many; i++)
            CHECK(nn_close(all[i].s[0]) == 0 || nn_errno() == EBADF);
    if (how == 2)
        nn_term();
    for (int i = 0; i < many; i++)
        pthread_join(all[i].thread, NULL);
    CHECK(ct_took(start, 0, 5000));
}

static void returning_by_themselves(void) { returning(0); }
static void returning_from_closed_sockets(void) { returning(1); }
static void returning_from_the_library(void) { returning(2); }

/* Sockets within the process work, and a thread that has polled before can do so
   again: at most one call says that something was closed. */
static void polling_again(void)
{
    int s[4];
    ct_pair(INPROC, s);
    ct_pair(INPROC, s + 2);
    struct nn_pollfd fds[2] = {{s[0], NN_POLLIN, 0}, {s[2], NN_POLLIN, 0}};
    CHECK(nn_poll(fds, 2, 1) == 0);
    close_all();
    int before = fault_cpu(), result = nn_poll(fds, 2, 400);
    CHECK(result == 0 || nn_errno() == EBADF);
    CHECK(nn_poll(fds, 2, 400) == 0);
    CHECK(fault_cpu() - before < 100);
    CHECK(nn_send(s[3], "x", 1, 0) == 1 && nn_poll(fds, 2, 1000) == 1);
    for (int i = 0; i < 4; i++)
        CHECK(nn_close(s[i]) == 0);
}

/* What a daemon does first. The thread has polled before, in the parent. */
static void starting_anew(void)
{
    int s[4];
    close_all();
    ct_pair(INPROC, s);
    struct nn_pollfd fds[2] = {{s[0], NN_POLLIN, 0}, {s[1], NN_POLLIN, 0}};
    CHECK(nn_poll(fds, 2, 1) == 0);
    ct_pair(TCP, s + 2);
    fds[1].fd = s[2];
    CHECK(nn_send(s[3], "x", 1, 0) == 1 && nn_poll(fds, 2, 1000) == 1 && fds[1].revents == NN_POLLIN);
    nn_term();
}

int main(void)
{
    int s[4];
    struct nn_pollfd fds[2] = {{.events = NN_POLLIN}, {.events = NN_POLLIN}};
    static const struct {
        void (*run)(void);
        const char *text;
    } ways[] = {
        {closing, "nn_close ends although its descriptors were closed"},
        {terminating, "nn_term ends although its descriptors were closed"},
        {terminating_late, "nn_term ends although its descriptors are other files"},
        {exiting, "exit ends although its descriptors were closed"},
        {returning_by_themselves, "callers return although the descriptors they wait for were closed"},
        {returning_from_closed_sockets, "nn_close wakes callers although their descriptors were closed"},
        {returning_from_the_library, "nn_term wakes callers although their descriptors were closed"},
        {polling_again, "nn_poll can wait again after its descriptors were closed"},
        {starting_anew, "after fork a child may close everything and begin anew"},
    };
    ct_pair(INPROC, s);
    ct_pair(INPROC, s + 2);
    fds[0].fd = s[0];
    fds[1].fd = s[2];
    CHECK(nn_poll(fds, 2, 1) == 0);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        /* Who waits on a condition variable does not hear of it. */
        if (ct_portable && ways[i].run == returning_by_themselves)
            continue;
        QUIRK("Q-E5", ways[i].text) {
            int status;
            int64_t start = ct_now();
            fflush(stdout);
            pid_t pid = MUST(fork());
            if (pid == 0) {
                alarm(30);
                ways[i].run();
                fflush(stdout);
                _exit(!ct_all_hold);
            }
            MUST(waitpid(pid, &status, 0));
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            CHECK(ct_took(start, 0, 10000));
        }
    }
    ct_close_pair(s);
    ct_close_pair(s + 2);
    return 0;
}
