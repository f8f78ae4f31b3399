/* Large messages over ipc between processes: whole, in order, each program's own to write to, whatever else happens to the
   processes. Ours pass them by reference (docs/shared-memory.md); what programs see of that is nothing but the options. */

#include "ctest.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { NN_STATISTICS = 1008, NN_SHARED_MEMORY = 1009, NN_SHARED_MEMORY_MIN = 1010, MEGABYTE = 1 << 20 };

static char addr[NN_SOCKADDR_MAX];

static int open_socket(int type)
{
    int s = ct_socket(type);
    MUST(ct_set(s, NN_RCVMAXSIZE, -1));
    return s;
}

static unsigned char *made(size_t size, int seed)
{
    unsigned char *m = nn_allocmsg(size, 0);
    CHECK(m != NULL);
    memset(m, seed, size);
    memcpy(m, &seed, sizeof seed);
    return m;
}

static int is_made(const unsigned char *m, size_t size, int seed)
{
    if (memcmp(m, &seed, sizeof seed))
        return 0;
    for (size_t i = sizeof seed; i < size; i++)
        if (m[i] != (unsigned char) seed)
            return 0;
    return 1;
}

static void send_made(int s, size_t size, int seed)
{
    void *m = made(size, seed);
    CHECK(nn_send(s, &m, NN_MSG, 0) == (int) size);
}

static void expect_made(int s, size_t size, int seed)
{
    unsigned char *m = NULL;
    CHECK(nn_recv(s, &m, NN_MSG, 0) == (int) size);
    CHECK(m && (ct_oracle || (uintptr_t) m % 16 == 0) && is_made(m, size, seed));
    if (m)
        memset(m, 0xEE, size); /* it is ours */
    nn_freemsg(m);
}

/* Runs a peer in a process of its own. */
static pid_t peer(void (*body)(void))
{
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        alarm(50);
        body();
        fflush(stdout);
        _exit(!ct_all_hold);
    }
    return pid;
}

static void done(pid_t pid)
{
    int status = -1;
    MUST(waitpid(pid, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Returns each message, changed, until one is empty. */
static void changes_and_returns(void)
{
    int s = open_socket(NN_PAIR);
    MUST(nn_connect(s, addr));
    for (;;) {
        unsigned char *m;
        int size = MUST(nn_recv(s, &m, NN_MSG, 0));
        if (size == 0) {
            nn_freemsg(m);
            break;
        }
        m[size - 1] ^= 0xFF;
        CHECK(nn_send(s, &m, NN_MSG, 0) == size);
    }
    MUST(nn_close(s));
}

/* Returns each message as it came, from its own memory. */
static void copies_and_returns(void)
{
    int s = open_socket(NN_PAIR), size;
    char *buffer = malloc(8 * MEGABYTE);
    MUST(nn_connect(s, addr));
    while ((size = MUST(nn_recv(s, buffer, 8 * MEGABYTE, 0))) > 0)
        CHECK(nn_send(s, buffer, size, 0) == size);
    free(buffer);
    MUST(nn_close(s));
}

static const size_t sizes[] = {5, 5000, 16383, 16384, 16385, 70000, MEGABYTE, MEGABYTE + 13, 5 * MEGABYTE};

static void all_sizes(void)
{
    pid_t pid = peer(changes_and_returns);
    int s = open_socket(NN_PAIR);
    MUST(nn_bind(s, addr));
    for (int round = 0; round < 4; round++)
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned char *m;
            send_made(s, sizes[i], round + 1);
            CHECK(nn_recv(s, &m, NN_MSG, 0) == (int) sizes[i]);
            m[sizes[i] - 1] ^= 0xFF;
            CHECK(is_made(m, sizes[i], round + 1));
            nn_freemsg(m);
        }
    MUST(nn_send(s, "", 0, 0));
    done(pid);
    MUST(nn_close(s));
    pid = peer(copies_and_returns);
    s = open_socket(NN_PAIR);
    MUST(nn_bind(s, addr));
    for (int round = 0; round < 4; round++)
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            send_made(s, sizes[i], round + 1);
            expect_made(s, sizes[i], round + 1);
        }
    MUST(nn_send(s, "", 0, 0));
    done(pid);
    MUST(nn_close(s));
    puts("messages of all sizes go there and back");
}

enum { MANY = 200 };

/* Keeps some, so that they come back late and in another order. */
static void keeps_some(void)
{
    int s = open_socket(NN_PULL);
    unsigned char *kept[MANY] = {0};
    MUST(nn_connect(s, addr));
    for (int i = 0; i < MANY; i++) {
        CHECK(nn_recv(s, &kept[i], NN_MSG, 0) == 100000);
        CHECK(is_made(kept[i], 100000, i));
        if (i % 3 && kept[i / 2]) {
            CHECK(is_made(kept[i / 2], 100000, i / 2));
            MUST(nn_freemsg(kept[i / 2]));
            kept[i / 2] = NULL;
        }
    }
    MUST(nn_close(s));
    for (int i = 0; i < MANY; i++)
        if (kept[i]) {
            CHECK(is_made(kept[i], 100000, i));
            MUST(nn_freemsg(kept[i]));
        }
}

static void a_stream(void)
{
    pid_t pid = peer(keeps_some);
    int s = open_socket(NN_PUSH);
    MUST(nn_bind(s, addr));
    for (int i = 0; i < MANY; i++)
        send_made(s, 100000, i);
    done(pid);
    MUST(nn_close(s));
    puts("a stream is whole and in order, whatever its reader keeps");
}

enum { SUBS = 3, PUBLISHED = 100 };

static void overwrites(void)
{
    int s = open_socket(NN_SUB);
    MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    MUST(ct_set(s, NN_RCVBUF, 64 * MEGABYTE));
    MUST(nn_connect(s, addr));
    int ready = ct_socket(NN_PUSH);
    char other[NN_SOCKADDR_MAX];
    snprintf(other, sizeof other, "%.100s.ready", addr);
    MUST(nn_connect(ready, other));
    /* Every byte is its own, though others read the same message. */
    for (int last = -1; last < PUBLISHED - 1;) {
        unsigned char *m;
        int seed, size = MUST(nn_recv(s, &m, NN_MSG, 0));
        memcpy(&seed, m, sizeof seed);
        CHECK(size == 200000 && seed > last && is_made(m, size, seed));
        memset(m + sizeof seed, 0x55, size - sizeof seed);
        nn_freemsg(m);
        last = seed;
        MUST(nn_send(ready, "x", 1, 0));
    }
    MUST(nn_close(ready));
    MUST(nn_close(s));
}

static void to_several(void)
{
    char other[NN_SOCKADDR_MAX], byte;
    snprintf(other, sizeof other, "%.100s.ready", addr);
    pid_t pids[SUBS];
    for (int i = 0; i < SUBS; i++)
        pids[i] = peer(overwrites);
    int s = open_socket(NN_PUB), ready = ct_socket(NN_PULL);
    MUST(nn_bind(s, addr));
    MUST(nn_bind(ready, other));
    EVENTUALLY(PEERS(s) == SUBS);
    for (int i = 0; i < PUBLISHED; i++) {
        send_made(s, 200000, i);
        for (int k = 0; k < SUBS; k++)
            MUST(nn_recv(ready, &byte, 1, 0));
    }
    for (int i = 0; i < SUBS; i++)
        done(pids[i]);
    MUST(nn_close(s));
    MUST(nn_close(ready));
}

static void sends_forty(void)
{
    int s = open_socket(NN_PUSH);
    MUST(nn_connect(s, addr));
    for (int i = 0; i < 40; i++)
        send_made(s, 300000, i);
    if (ct_oracle)
        ct_nap(1000); /* it drops what was not read when it closes (NN_LINGER) */
    MUST(nn_close(s));
}

/* What was received is there in both processes after a fork, whichever of them frees it first. */
static void fork_with_messages(void)
{
    pid_t pid = peer(sends_forty);
    int s = open_socket(NN_PULL), to_child[2];
    unsigned char *held[4];
    MUST(nn_bind(s, addr));
    for (int i = 0; i < 20; i++)
        expect_made(s, 300000, i);
    for (int i = 0; i < 4; i++)
        CHECK(nn_recv(s, &held[i], NN_MSG, 0) == 300000);
    unsigned char *own = made(300000, 77);
    MUST(pipe(to_child));
    fflush(stdout);
    pid_t child = MUST(fork());
    if (child == 0) {
        char go;
        memset(own, 78, 300000); /* the parent's stays */
        MUST(read(to_child[0], &go, 1));
        for (int i = 0; i < 4; i++) {
            CHECK(is_made(held[i], 300000, 20 + i));
            MUST(nn_freemsg(held[i]));
        }
        CHECK(own[0] == 78 && own[299999] == 78);
        MUST(nn_freemsg(own));
        unsigned char *fresh = made(300000, 5);
        CHECK(is_made(fresh, 300000, 5));
        nn_freemsg(fresh);
        _exit(!ct_all_hold);
    }
    CHECK(is_made(own, 300000, 77));
    memset(own, 79, 300000);
    nn_freemsg(own);
    for (int i = 0; i < 4; i++) {
        CHECK(is_made(held[i], 300000, 20 + i));
        memset(held[i], 99, 300000);
        nn_freemsg(held[i]);
    }
    for (int i = 24; i < 40; i++)
        expect_made(s, 300000, i);
    MUST(write(to_child[1], "x", 1));
    done(child);
    done(pid);
    close(to_child[0]);
    close(to_child[1]);
    MUST(nn_close(s));
    puts("after a fork parent and child have each what there was");
}

static void reads_slowly_and_dies(void)
{
    int s = open_socket(NN_PULL);
    MUST(nn_connect(s, addr));
    for (int i = 0; i < 5; i++) {
        void *m;
        MUST(nn_recv(s, &m, NN_MSG, 0));
    }
    raise(SIGKILL);
}

static void reads_ten(void)
{
    int s = open_socket(NN_PULL);
    MUST(nn_connect(s, addr));
    for (int i = 0; i < 10; i++)
        expect_made(s, 400000, 1000 + i);
    MUST(nn_close(s));
}

static void a_reader_dies(void)
{
    int s = open_socket(NN_PUSH);
    MUST(nn_bind(s, addr));
    for (int round = 0; round < 3; round++) {
        pid_t pid = peer(reads_slowly_and_dies);
        CONNECTED(s);
        while (PEERS(s) == 1) {
            void *m = made(400000, 3);
            if (nn_send(s, &m, NN_MSG, NN_DONTWAIT) < 0)
                nn_freemsg(m);
        }
        int status;
        MUST(waitpid(pid, &status, 0));
        CHECK(WIFSIGNALED(status));
    }
    pid_t pid = peer(reads_ten);
    CONNECTED(s);
    for (int i = 0; i < 10; i++)
        send_made(s, 400000, 1000 + i);
    done(pid);
    MUST(nn_close(s));
}

/* A sender that is gone has left what it has sent. */
static void a_sender_dies(void)
{
    pid_t pid = peer(sends_forty);
    int s = open_socket(NN_PULL);
    unsigned char *held[40];
    MUST(nn_bind(s, addr));
    for (int i = 0; i < 40; i++)
        CHECK(nn_recv(s, &held[i], NN_MSG, 0) == 300000);
    done(pid);
    ALONE(s);
    for (int i = 0; i < 40; i++) {
        CHECK(is_made(held[i], 300000, i));
        nn_freemsg(held[i]);
    }
    MUST(nn_close(s));
    puts("a sender that is gone has left what it has sent");
}

static void resized(void)
{
    pid_t pid = peer(sends_forty);
    int s = open_socket(NN_PULL);
    unsigned char *m;
    MUST(nn_bind(s, addr));
    for (int i = 0; i < 40; i++) {
        CHECK(nn_recv(s, &m, NN_MSG, 0) == 300000);
        CHECK(nn_reallocmsg(m, 200000) == m);
        m = nn_reallocmsg(m, 500000);
        CHECK(is_made(m, 200000, i));
        memset(m + 200000, 1, 300000);
        nn_freemsg(m);
    }
    done(pid);
    MUST(nn_close(s));
    puts("what was received can be made shorter and longer");
}

static int limited(int what, rlim_t value)
{
    struct rlimit limit = {value, value};
    return setrlimit(what, &limit);
}

static void without_files(void)
{
    MUST(limited(RLIMIT_FSIZE, 4096));
    changes_and_returns();
}

static void without_memory(void)
{
    MUST(limited(RLIMIT_AS, 200 * MEGABYTE));
    changes_and_returns();
}

/* What the system does not give goes over the stream. */
static void refused(void)
{
    void (*const bodies[])(void) = {without_files, without_memory};
    for (unsigned b = 0; b < sizeof bodies / sizeof *bodies; b++) {
        pid_t pid = peer(bodies[b]);
        int s = open_socket(NN_PAIR);
        MUST(nn_bind(s, addr));
        for (int i = 0; i < 20; i++) {
            unsigned char *m;
            send_made(s, 300000, i);
            CHECK(nn_recv(s, &m, NN_MSG, 0) == 300000);
            m[299999] ^= 0xFF;
            CHECK(is_made(m, 300000, i));
            nn_freemsg(m);
        }
        MUST(nn_send(s, "", 0, 0));
        done(pid);
        MUST(nn_close(s));
    }
    puts("where files or memory are refused they arrive all the same");
}

static void replies(void)
{
    int s = open_socket(NN_REP);
    MUST(nn_connect(s, addr));
    for (int i = 0; i < 30; i++) {
        void *m;
        int size = MUST(nn_recv(s, &m, NN_MSG, 0));
        CHECK(nn_send(s, &m, NN_MSG, 0) == size);
    }
    char end;
    CHECK(nn_recv(s, &end, 1, 0) == 1);
    MUST(nn_send(s, "x", 1, 0));
    MUST(nn_close(s));
}

static void requests(void)
{
    pid_t pid = peer(replies);
    int s = open_socket(NN_REQ);
    char end;
    MUST(nn_bind(s, addr));
    for (int i = 0; i < 30; i++) {
        send_made(s, MEGABYTE, i);
        expect_made(s, MEGABYTE, i);
    }
    MUST(nn_send(s, "x", 1, 0));
    MUST(nn_recv(s, &end, 1, 0));
    MUST(nn_close(s));
    done(pid);
    puts("requests and replies find each other");
}

static long by_reference(int s)
{
    char text[8192] = "";
    size_t size = sizeof text - 1;
    MUST(nn_getsockopt(s, NN_SOL_SOCKET, NN_STATISTICS, text, &size));
    const char *at = strstr(text, "\"messages_sent_by_reference\":");
    return at ? atol(strchr(at, ':') + 1) : -1;
}

static int child_shares;

static void reads_as_told(void)
{
    int s = open_socket(NN_PULL), end = 0;
    MUST(ct_set(s, NN_SHARED_MEMORY, child_shares));
    MUST(nn_connect(s, addr));
    while (!end) {
        unsigned char *m;
        end = MUST(nn_recv(s, &m, NN_MSG, 0)) == 1;
        nn_freemsg(m);
    }
    MUST(nn_close(s));
}

/* How many of 50 go by reference; -1: nothing of the kind was agreed on. */
static long sent(int ours, int theirs, int min, size_t size)
{
    child_shares = theirs;
    pid_t pid = peer(reads_as_told);
    int s = open_socket(NN_PUSH);
    MUST(ct_set(s, NN_SHARED_MEMORY, ours));
    MUST(ct_set(s, NN_SHARED_MEMORY_MIN, min));
    MUST(nn_bind(s, addr));
    CONNECTED(s);
    for (int i = 0; i < 50; i++) {
        send_made(s, size, i);
        ct_nap(1);
    }
    long count = by_reference(s);
    MUST(nn_send(s, "x", 1, 0));
    done(pid);
    MUST(nn_close(s));
    return count;
}

int main(void)
{
    ct_address(IPC, addr);
    all_sizes();
    a_stream();
    /* The original misses some that its readers were quick to take. */
    QUIRK("NN_SHARED_MEMORY", "several readers have one message each, and may write to it") {
        to_several();
    }
    fork_with_messages();
    /* The original goes on counting it. */
    QUIRK("NN_SHARED_MEMORY", "a reader that dies takes nothing from the others") {
        a_reader_dies();
    }
    a_sender_dies();
    resized();
    refused();
    requests();
    QUIRK("NN_SHARED_MEMORY", "the options have their bounds") {
        int s = ct_socket(NN_BUS);
        CHECK(ct_get(s, NN_SOL_SOCKET, NN_SHARED_MEMORY) == 1);
        CHECK(ct_get(s, NN_SOL_SOCKET, NN_SHARED_MEMORY_MIN) == 16384);
        for (int value = 2; value >= 0; value--)
            CHECK(ct_set(s, NN_SHARED_MEMORY, value) == 0 && ct_get(s, NN_SOL_SOCKET, NN_SHARED_MEMORY) == value);
        CHECK(ct_set(s, NN_SHARED_MEMORY, 3) == -1 && nn_errno() == EINVAL);
        CHECK(ct_set(s, NN_SHARED_MEMORY, -1) == -1 && nn_errno() == EINVAL);
        CHECK(ct_set(s, NN_SHARED_MEMORY_MIN, 4095) == -1 && nn_errno() == EINVAL);
        CHECK(ct_set(s, NN_SHARED_MEMORY_MIN, 4096) == 0);
        MUST(nn_close(s));
        setenv("NN_SHARED_MEMORY", "0", 1);
        s = ct_socket(NN_BUS);
        CHECK(ct_get(s, NN_SOL_SOCKET, NN_SHARED_MEMORY) == 0);
        MUST(nn_close(s));
        unsetenv("NN_SHARED_MEMORY");
    }
    UNLESS_PORTABLE
    QUIRK("NN_SHARED_MEMORY", "large messages go by reference where both sides like that, and small ones never") {
        CHECK(sent(1, 1, 16384, 16384) > 40);
        CHECK(sent(2, 1, 16384, 100000) > 40);
        CHECK(sent(1, 1, 16384, 16383) == 0);
        CHECK(sent(1, 1, 4096, 4096) > 40);
        CHECK(sent(0, 1, 16384, 100000) == -1);
        CHECK(sent(1, 0, 16384, 100000) == -1);
    }
    UNLESS_PORTABLE
    QUIRK("NN_SHARED_MEMORY", "nothing stays open") {
        int before = ct_open_fds();
        CHECK(sent(1, 1, 16384, 1 << 20) > 40);
        CHECK(ct_open_fds() == before);
    }
    return 0;
}
