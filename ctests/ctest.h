/* What every program in this folder shares: printing of results, free ports and
   temporary folders, waiting with a deadline, raw peers, and the marking of
   deliberate differences. Include it first.

   A program prints what the library does, and nothing that differs between two
   runs: no ports, no paths, no exact times. The runner compares the text of two
   runs of one binary: on the original library (NN_ORACLE=1) and on ours. */

#ifndef CTEST_H
#define CTEST_H

#define _GNU_SOURCE

#include <nanomsg/nn.h>
#include <nanomsg/bus.h>
#include <nanomsg/inproc.h>
#include <nanomsg/ipc.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>
#include <nanomsg/tcp.h>
#include <nanomsg/ws.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long a condition may take on a busy machine before a test gives up. */
#define CT_PATIENCE 15000

static int ct_oracle;
/* Our library reaches the system in the portable way (NN_SYS=portable). */
static int ct_portable;
static int ct_long;
static int ct_unix; /* ipc by its other name, which the original 1.1.5 does not know */

/* ---- printing --------------------------------------------------------- */

static inline const char *ct_errname(int e)
{
    static char unknown[32];
    switch (e) {
#define CT_NAME(x) case x: return #x;
    CT_NAME(EADDRINUSE) CT_NAME(EADDRNOTAVAIL) CT_NAME(EAFNOSUPPORT) CT_NAME(EAGAIN)
    CT_NAME(EBADF) CT_NAME(ECONNREFUSED) CT_NAME(EFAULT) CT_NAME(EFSM)
    CT_NAME(EINPROGRESS) CT_NAME(EINTR) CT_NAME(EINVAL) CT_NAME(EMFILE)
    CT_NAME(ENAMETOOLONG) CT_NAME(ENETDOWN) CT_NAME(ENOBUFS) CT_NAME(ENODEV)
    CT_NAME(ENOENT) CT_NAME(ENOMEM) CT_NAME(ENOPROTOOPT) CT_NAME(ENOTDIR)
    CT_NAME(ENOTSOCK) CT_NAME(ENOTSUP) CT_NAME(EPROTO) CT_NAME(EPROTONOSUPPORT)
    CT_NAME(ETERM) CT_NAME(ETIMEDOUT) CT_NAME(EACCES) CT_NAME(ECONNABORTED)
    CT_NAME(ECONNRESET) CT_NAME(EHOSTUNREACH) CT_NAME(EMSGSIZE) CT_NAME(ENETRESET)
    CT_NAME(ENETUNREACH) CT_NAME(ENOTCONN) CT_NAME(EISCONN) CT_NAME(EISDIR)
    CT_NAME(EPERM)
#undef CT_NAME
    }
    snprintf(unknown, sizeof unknown, "errno %d", e);
    return unknown;
}

/* Prints "what = value", with the errno's name behind a negative value. */
static inline int ct_call(const char *what, int value)
{
    int e = nn_errno();
    if (value < 0)
        printf("%s = %d %s\n", what, value, ct_errname(e));
    else
        printf("%s = %d\n", what, value);
    return value;
}

/* CALL(nn_close(s)) prints "nn_close(s) = 0"; CALL_AS puts its own words before "=". */
#define CALL(expr) ct_call(#expr, (expr))
#define CALL_AS(what, expr) ct_call((what), (expr))

static inline void ct_die(const char *what, int line)
{
    printf("line %d: %s failed: %s\n", line, what, ct_errname(nn_errno()));
    fflush(stdout);
    _exit(1);
}

/* For the calls that only prepare a test: the value, or the end of the program. */
#define MUST(expr) \
    __extension__({ int ct_v = (expr); if (ct_v < 0) ct_die(#expr, __LINE__); ct_v; })

/* ---- checks, and deliberate differences -------------------------------- */

static int ct_all_hold = 1;
static const char *ct_quirk_id, *ct_quirk_text; /* set inside a QUIRK */

static inline int ct_broken(const char *what, int line)
{
    printf("line %d: does not hold: %s (errno %s)\n", line, what, ct_errname(nn_errno()));
    ct_all_hold = 0;
    return 0;
}

/* Silent while the condition is true. */
#define CHECK(cond) ((void) ((cond) || ct_broken(#cond, __LINE__)))

static inline int ct_quirk_end(void)
{
    if (ct_all_hold)
        printf("%s differs on purpose: %s\n", ct_quirk_id, ct_quirk_text);
    ct_quirk_id = NULL;
    return 0;
}

static inline int ct_quirk_begin(const char *id, const char *text)
{
    ct_quirk_id = id;
    ct_quirk_text = text;
    ct_all_hold = 1;
    return ct_oracle ? ct_quirk_end() : 1;
}

/* Binding to port 0 is an error of the original's, and a request of ours (own_options.c). */
static inline int ct_port_0(const char *address)
{
    const char *port = strrchr(address, ':');
    return port && port[1] && strspn(port + 1, "0") == strlen(port + 1);
}

/* QUIRK("Q-B8", "what we do instead") { ...CHECKs... }
   The body states our behaviour and runs on our library only; the line printed
   is the same on both as long as every CHECK in the body holds. */
#define QUIRK(id, text) \
    for (int ct_go = ct_quirk_begin((id), (text)); ct_go; ct_go = ct_quirk_end())

/* What the portable way to the system does not do: nothing is tried there, and nothing printed. tests/ctests.rs knows
   which lines are left out. */
#define UNLESS_PORTABLE if (!ct_portable)

/* Publishers of ours send everything to everybody, as the original's do. Before the first socket. */
static inline void ct_send_everything(void)
{
    setenv("NN_SUBSCRIPTIONS_FORWARD", "0", 1);
}

/* ---- time -------------------------------------------------------------- */

static inline int64_t ct_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void ct_nap(int ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        continue;
}

/* True when the time passed since start lies in [lo, hi) milliseconds. For a hi far
   beyond what a busy machine adds; TAKES is for a close one. */
static inline int ct_took(int64_t start, int lo, int hi)
{
    int64_t t = ct_now() - start;
    if (t >= lo && t < hi)
        return 1;
    printf("took %d ms instead of %d to %d\n", (int) t, lo, hi);
    return 0;
}

/* Does the action take at least lo milliseconds each time, and less than hi at
   one of three times? A busy machine makes a wait longer, and never shorter. */
#define TAKES(lo, hi, action) \
    __extension__({ \
        int ct_fits = 0; \
        int64_t ct_spent = 0; \
        for (int ct_try = 0; ct_try < 3 && !ct_fits; ct_try++) { \
            int64_t ct_began = ct_now(); \
            action; \
            ct_spent = ct_now() - ct_began; \
            if (ct_spent < (lo)) \
                break; \
            ct_fits = ct_spent < (hi); \
        } \
        if (!ct_fits) \
            printf("took %d ms instead of %d to %d\n", (int) ct_spent, (int) (lo), (int) (hi)); \
        ct_fits; \
    })

/* Repeats the condition until it is true or patience ends; the value says which. */
#define WAIT_FOR(ms, cond) \
    __extension__({ \
        int64_t ct_end = ct_now() + (ms); \
        int ct_ok; \
        while (!(ct_ok = !!(cond)) && ct_now() < ct_end) ct_nap(2); \
        ct_ok; \
    })
#define EVENTUALLY(cond) \
    ((void) (WAIT_FOR(CT_PATIENCE, (cond)) || ct_broken("eventually " #cond, __LINE__)))

/* How many threads of this process run, the caller apart. */
#ifdef _WIN32
/* The system does not tell it cheaply: they get the time that they usually take. */
static inline int ct_awake(void)
{
    ct_nap(20);
    return 0;
}
#else
static inline int ct_awake(void)
{
    char path[300], line[256];
    int awake = 0;
    struct dirent *task;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && (task = readdir(tasks))) {
        if (task->d_name[0] == '.' || atoi(task->d_name) == (int) syscall(SYS_gettid))
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue; /* it has ended */
        char *got = fgets(line, sizeof line, file), *name_ends = got ? strrchr(line, ')') : NULL;
        fclose(file);
        awake += name_ends && strncmp(name_ends, ") S", 3) != 0;
    }
    if (tasks)
        closedir(tasks);
    return tasks ? awake : 1;
}
#endif

/* Do all other threads sleep? One look may find a thread that waits for a lock on
   its way into the call; it does not find it there again and again. */
static inline int ct_blocked(void)
{
    for (int i = 0; i < 5; i++) {
        if (ct_awake())
            return 0;
        ct_nap(1);
    }
    return 1;
}

/* Waits until the threads started before are blocked in their calls. */
#define BLOCKED() EVENTUALLY(ct_blocked())

/* How often threads of this process have woken so far: all but the one that asks. */
static inline long ct_wakeups(void)
{
    char path[300], line[256];
    long sum = 0, count;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    while ((task = readdir(tasks))) {
        if (task->d_name[0] == '.' || atoi(task->d_name) == (int) syscall(SYS_gettid))
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        while (status && fgets(line, sizeof line, status))
            if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1)
                sum += count;
        if (status)
            fclose(status);
    }
    closedir(tasks);
    return sum;
}

/* ---- sockets ----------------------------------------------------------- */

static inline int ct_stat(int s, int stat)
{
    return (int) nn_get_statistic(s, stat);
}

#define PEERS(s) ct_stat((s), NN_STAT_CURRENT_CONNECTIONS)
#define CONNECTED(s) EVENTUALLY(PEERS(s) == 1)
#define ALONE(s) EVENTUALLY(PEERS(s) == 0)

/* A socket whose calls give up after CT_PATIENCE instead of hanging. */
static inline int ct_socket(int type)
{
    int patience = CT_PATIENCE;
    int s = MUST(nn_socket(AF_SP, type));
    MUST(nn_setsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, &patience, sizeof patience));
    MUST(nn_setsockopt(s, NN_SOL_SOCKET, NN_RCVTIMEO, &patience, sizeof patience));
    return s;
}

static inline int ct_set(int s, int option, int value)
{
    return nn_setsockopt(s, NN_SOL_SOCKET, option, &value, sizeof value);
}

static inline int ct_get(int s, int level, int option)
{
    int value = -12345;
    size_t size = sizeof value;
    MUST(nn_getsockopt(s, level, option, &value, &size));
    return value;
}

/* Is the OS descriptor readable right now? */
static inline int ct_readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

/* ---- addresses ---------------------------------------------------------- */

/* A port nobody listens on. It stays reserved until the program ends: the
   descriptor kept open never listens, so others with SO_REUSEADDR may bind it,
   and the OS gives it to nobody else. */
static inline int ct_port(void)
{
    struct sockaddr_in a = {0};
    socklen_t size = sizeof a;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(fd);
    MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    MUST(bind(fd, (struct sockaddr *) &a, sizeof a));
    MUST(getsockname(fd, (struct sockaddr *) &a, &size));
#ifdef _WIN32
    /* There a port that is bound cannot be listened on by others. */
    close(fd);
#endif
    return ntohs(a.sin_port);
}

static char ct_folder[64];
static pid_t ct_folder_owner;

static inline int ct_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void) st; (void) kind; (void) ftw;
    return remove(path);
}

static inline void ct_remove_folder(void)
{
    if (getpid() == ct_folder_owner)
        nftw(ct_folder, ct_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* This program's temporary folder, gone when the program ends. */
static inline const char *ct_dir(void)
{
    if (!ct_folder[0]) {
        strcpy(ct_folder, "/tmp/nnctest.XXXXXX");
        if (!mkdtemp(ct_folder))
            ct_die("mkdtemp", __LINE__);
        ct_folder_owner = getpid();
        atexit(ct_remove_folder);
    }
    return ct_folder;
}

enum ct_transport { INPROC, IPC, TCP, WS };
static const char *const ct_scheme[] = {"inproc", "ipc", "tcp", "ws"};

/* Writes a fresh address of the transport. */
static inline const char *ct_address(enum ct_transport t, char addr[NN_SOCKADDR_MAX])
{
    static int serial;
    switch (t) {
    case INPROC: snprintf(addr, NN_SOCKADDR_MAX, "inproc://ctest-%d", ++serial); break;
    case IPC: snprintf(addr, NN_SOCKADDR_MAX, "%s://%s/%d.sock", ct_unix ? "unix" : "ipc", ct_dir(), ++serial); break;
    case TCP: snprintf(addr, NN_SOCKADDR_MAX, "tcp://127.0.0.1:%d", ct_port()); break;
    case WS: snprintf(addr, NN_SOCKADDR_MAX, "ws://127.0.0.1:%d", ct_port()); break;
    }
    return addr;
}

static inline int ct_port_of(const char *addr)
{
    return atoi(strrchr(addr, ':') + 1);
}

static inline const char *ct_path_of(const char *addr)
{
    return addr + strlen(ct_unix ? "unix://" : "ipc://");
}

/* Two connected PAIR sockets. */
static inline void ct_pair(enum ct_transport t, int s[2])
{
    char addr[NN_SOCKADDR_MAX];
    ct_address(t, addr);
    s[0] = ct_socket(NN_PAIR);
    s[1] = ct_socket(NN_PAIR);
    MUST(nn_bind(s[0], addr));
    MUST(nn_connect(s[1], addr));
    CONNECTED(s[0]);
    CONNECTED(s[1]);
}

static inline void ct_close_pair(int s[2])
{
    MUST(nn_close(s[1]));
    MUST(nn_close(s[0]));
}

/* ---- raw peers: plain OS sockets that speak to the library ---------------- */

/* The greeting of a PAIR socket. */
#define PAIR_HEADER "\0SP\0\0\x10\0\0"

/* What a ws client says to a socket of that type; its answer ends with an empty line. */
#define UPGRADE(type) \
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Protocol: " type ".sp.nanomsg.org\r\n\r\n"
#define PAIR_UPGRADE UPGRADE("pair")

static inline int ct_is(const char *addr, enum ct_transport t)
{
    const char *scheme = t == IPC && ct_unix ? "unix" : ct_scheme[t];
    size_t n = strlen(scheme);
    return strncmp(addr, scheme, n) == 0 && addr[n] == ':';
}

static inline socklen_t ct_sockaddr(const char *addr, struct sockaddr_storage *sa)
{
    memset(sa, 0, sizeof *sa);
    if (ct_is(addr, TCP) || ct_is(addr, WS)) {
        struct sockaddr_in *in = (struct sockaddr_in *) sa;
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        in->sin_port = htons((uint16_t) ct_port_of(addr));
        return sizeof *in;
    }
    struct sockaddr_un *un = (struct sockaddr_un *) sa;
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "%s", ct_path_of(addr));
    return sizeof *un;
}

static inline int ct_raw_connect(const char *addr)
{
    struct sockaddr_storage sa;
    socklen_t size = ct_sockaddr(addr, &sa);
    int fd = MUST(socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    MUST(connect(fd, (struct sockaddr *) &sa, size));
    return fd;
}

static inline int ct_raw_listen(const char *addr)
{
    struct sockaddr_storage sa;
    socklen_t size = ct_sockaddr(addr, &sa);
    int on = 1;
    int fd = MUST(socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    MUST(bind(fd, (struct sockaddr *) &sa, size));
    MUST(listen(fd, 10));
    return fd;
}

/* The next connection, or -1 when none came in time. */
static inline int ct_raw_accept(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, ms) == 1 ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : -1;
}

static inline void ct_raw_write(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += n;
        size -= (size_t) n;
    }
}

/* Reads until size bytes, the end of the stream, or patience is reached. */
static inline size_t ct_raw_read(int fd, void *buf, size_t size)
{
    size_t have = 0;
    int64_t end = ct_now() + CT_PATIENCE;
    while (have < size && ct_now() < end) {
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, 100) != 1)
            continue;
        ssize_t n = recv(fd, (char *) buf + have, size - have, 0);
        if (n <= 0)
            break;
        have += (size_t) n;
    }
    return have;
}

/* Does the other side close within the time, sending nothing more? */
static inline int ct_raw_closed(int fd, int ms)
{
    char byte;
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

/* Does the other side part with us: on ws with a close frame of this code, elsewhere without a word? */
static inline int ct_raw_parted(const char *addr, int fd, int code, int ms)
{
    unsigned char head[4], rest[124];
    if (!ct_is(addr, WS))
        return ct_raw_closed(fd, ms);
    if (ct_raw_read(fd, head, 4) != 4 || head[0] != 0x88 || head[1] < 2 || head[1] > 125)
        return 0;
    if (head[2] << 8 != (code & 0xFF00) || head[3] != (code & 0xFF))
        return 0;
    size_t reason = head[1] - 2u;
    return ct_raw_read(fd, rest, reason) == reason && ct_raw_closed(fd, ms);
}

static inline void ct_print_hex(const char *what, const void *data, size_t size)
{
    const unsigned char *at = data;
    printf("%s:", what);
    for (size_t i = 0; i < size; i++)
        printf(" %02x", at[i]);
    printf("\n");
}

/* Exchanges PAIR greetings and waits until the library counts the connection. */
static inline void ct_raw_greet(int fd, int s)
{
    char header[8];
    ct_raw_write(fd, PAIR_HEADER, 8);
    CHECK(ct_raw_read(fd, header, 8) == 8);
    CONNECTED(s);
}

/* Reads the answer to PAIR_UPGRADE. */
static inline void ct_raw_upgraded(int fd)
{
    char reply[512];
    size_t n = 0;
    do
        CHECK(n < sizeof reply - 1 && ct_raw_read(fd, reply + n, 1) == 1);
    while (reply[n++] != '\n' || n < 4 || memcmp(reply + n - 4, "\r\n\r\n", 4) != 0);
    CHECK(memcmp(reply, "HTTP/1.1 101 ", 13) == 0);
}

/* Greets a bound PAIR socket as the transport of its address does. */
static inline void ct_raw_enter(const char *addr, int fd, int s)
{
    if (ct_is(addr, WS)) {
        ct_raw_write(fd, PAIR_UPGRADE, sizeof PAIR_UPGRADE - 1);
        ct_raw_upgraded(fd);
        CONNECTED(s);
    } else
        ct_raw_greet(fd, s);
}

/* Frames a body as a client on the transport of the address does; returns the frame's size. */
static inline size_t ct_frame(const char *addr, uint64_t length, const void *body, size_t size, char *out)
{
    size_t n = 0;
    int bytes = 8;
    if (ct_is(addr, IPC))
        out[n++] = 1;
    if (ct_is(addr, WS)) {
        bytes = length < 126 ? 1 : length <= UINT16_MAX ? 2 : 8;
        out[n++] = (char) 0x82;
        if (bytes > 1)
            out[n++] = (char) (bytes == 2 ? 0xFE : 0xFF);
    }
    for (int i = 8 * (bytes - 1); i >= 0; i -= 8)
        out[n++] = (char) (length >> i);
    if (ct_is(addr, WS)) {
        if (bytes == 1)
            out[n - 1] |= (char) 0x80;
        /* A mask that changes nothing. */
        memset(out + n, 0, 4);
        n += 4;
    }
    memcpy(out + n, body, size);
    return n + size;
}

/* ---- processes, threads, descriptors -------------------------------------- */

static inline int ct_open_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 3; /* ".", ".." and the folder itself */
}

/* Runs the body in a child of its own: what it does to the library stays there. */
static inline void ct_in_child(const char *name, void (*body)(void))
{
    int status = 0;
    printf("-- %s\n", name);
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        alarm(45);
        body();
        fflush(stdout);
        _exit(0);
    }
    MUST(waitpid(pid, &status, 0));
    if (WIFSIGNALED(status))
        printf("%s: ended by signal %d\n", name, WTERMSIG(status));
    else if (WEXITSTATUS(status))
        printf("%s: exit status %d\n", name, WEXITSTATUS(status));
}

/* Ends the program as skipped, with a reason the runner shows. */
static inline void ct_skip(const char *reason)
{
    printf("skipped: %s\n", reason);
    fflush(stdout);
    exit(77);
}

/* The same, where somebody promises (CI=true) that nothing is missing. */
static inline void ct_skip_unless_ci(const char *reason)
{
    const char *ci = getenv("CI");
    if (!ci || strcmp(ci, "true") != 0)
        ct_skip(reason);
    printf("CI=true, but %s\n", reason);
    fflush(stdout);
    exit(1);
}

static inline void ct_watchdog(int sig)
{
    static const char text[] = "watchdog: the program did not end in time\n";
    (void) sig;
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0)
        _exit(98);
    _exit(99);
}

__attribute__((constructor)) static void ct_start(void)
{
    const char *oracle = getenv("NN_ORACLE");
    const char *long_run = getenv("NN_LONG");
    const char *by_unix = getenv("NN_UNIX");
    const char *sys = getenv("NN_SYS");
    ct_oracle = oracle && *oracle == '1';
    ct_portable = sys && strcmp(sys, "portable") == 0;
    ct_long = long_run && *long_run == '1';
    ct_unix = by_unix && *by_unix == '1';
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, ct_watchdog);
    alarm(ct_long ? 240 : 60);
}

#endif
