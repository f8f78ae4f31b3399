/* Options of nanomsg-rs/options.h, which the original does not know: an endpoint's address and port 0, keepalive, permissions of
   ipc files, requests that fail at once. */

#include "ctest.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

enum {
    NN_ENDPOINT = -1001,
    NN_CONNECT_TIMEOUT = 1002,
    NN_TCP_KEEPALIVE_IDLE = 1001,
    NN_TCP_KEEPALIVE_INTERVAL = 1002,
    NN_TCP_KEEPALIVE_COUNT = 1003,
    NN_TCP_USER_TIMEOUT = 1004,
    NN_IPC_MODE = 1001,
    NN_REQ_FAIL_FAST = 1001,
};

static int set(int s, int level, int option, int value) { return nn_setsockopt(s, level, option, &value, sizeof value); }

static const char *endpoint(int s, int id)
{
    static char text[256];
    size_t size = sizeof text;
    MUST(nn_getsockopt(s, NN_ENDPOINT, id, text, &size));
    CHECK(size == strlen(text)); /* the rest of the buffer is zero */
    return text;
}

static void talk(int from, int to)
{
    char body[8];
    MUST(nn_send(from, "hello", 5, 0));
    CHECK(nn_recv(to, body, sizeof body, 0) == 5 && !memcmp(body, "hello", 5));
}

/* The system chooses a port, the endpoint tells it, and it is another one for each. */
static void port_0(const char *scheme, const char *host)
{
    char addr[NN_SOCKADDR_MAX], chosen[NN_SOCKADDR_MAX], other[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), c = ct_socket(NN_PAIR);
    snprintf(addr, sizeof addr, "%s://%s:0", scheme, host);
    int first = MUST(nn_bind(a, addr));
    strcpy(chosen, endpoint(a, first));
    strcpy(other, endpoint(c, MUST(nn_bind(c, addr))));
    size_t prefix = strlen(addr) - 1;
    CHECK(!strncmp(chosen, addr, prefix) && atoi(chosen + prefix) > 0 && atoi(chosen + prefix) < 65536);
    CHECK(strcmp(chosen, other));
    snprintf(addr, sizeof addr, "%s://127.0.0.1:%d", scheme, ct_port_of(chosen));
    int second = MUST(nn_connect(b, addr));
    talk(b, a);
    CHECK(!strcmp(endpoint(b, second), addr));
    /* A dialler that meets a new socket at that port finds it. */
    MUST(nn_shutdown(a, first));
    ALONE(b);
    EVENTUALLY(nn_bind(a, chosen) >= 0); /* the endpoint ends in the background */
    CONNECTED(b);
    talk(b, a);
    MUST(nn_close(a));
    MUST(nn_close(b));
    MUST(nn_close(c));
}

static void addresses(void)
{
    static const char *const as_written[] = {"inproc://a/b", "ipc://own.ipc", "unix://own.unix", "tcp://a.invalid:05555",
                                             "ws://localhost/path"};
    char text[16];
    int s = ct_socket(NN_PAIR), id = 0;
    for (int i = 0; i < 5; i++) {
        id = MUST((i < 3 ? nn_bind : nn_connect)(s, as_written[i]));
        CHECK(!strcmp(endpoint(s, id), as_written[i]));
    }
    size_t size = 6;
    memset(text, 'x', sizeof text);
    MUST(nn_getsockopt(s, NN_ENDPOINT, id, text, &size));
    CHECK(size == strlen("ws://localhost/path") && !memcmp(text, "ws://lx", 7));
    MUST(nn_shutdown(s, id));
    for (int wrong = id; wrong < id + 3; wrong++)
        CHECK(nn_getsockopt(s, NN_ENDPOINT, wrong, text, &size) == -1 && nn_errno() == EINVAL);
    CHECK(nn_getsockopt(s, NN_ENDPOINT, -1, text, &size) == -1 && nn_errno() == EINVAL);
    CHECK(set(s, NN_ENDPOINT, 1, 1) == -1 && nn_errno() == ENOPROTOOPT);
    /* Nobody can dial port 0. */
    CHECK(nn_connect(s, "tcp://127.0.0.1:0") == -1 && nn_errno() == EINVAL);
    CHECK(nn_connect(s, "ws://127.0.0.1:0/") == -1 && nn_errno() == EINVAL);
    MUST(nn_close(s));
}

static void in_range(int level, int option, int initial, int most)
{
    int s = ct_socket(NN_PAIR);
    CHECK(ct_get(s, level, option) == initial);
    CHECK(set(s, level, option, most) == 0 && ct_get(s, level, option) == most);
    CHECK(set(s, level, option, initial) == 0 && ct_get(s, level, option) == initial);
    CHECK(set(s, level, option, initial - 1) == -1 && nn_errno() == EINVAL);
    if (most < INT_MAX)
        CHECK(set(s, level, option, most + 1) == -1 && nn_errno() == EINVAL);
    CHECK(nn_setsockopt(s, level, option, "", 1) == -1 && nn_errno() == EINVAL);
    MUST(nn_close(s));
}

/* How many connections of this process the kernel keeps alive just so; all others have to be as they always are. */
static int kept_alive(int idle, int interval, int count, unsigned timeout)
{
    int found = 0;
    DIR *fds = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(fds));) {
        int fd = atoi(entry->d_name), on = 0, value[3] = {0};
        unsigned limit = 0;
        struct sockaddr_in peer;
        socklen_t size = sizeof peer, length = sizeof on;
        if (getpeername(fd, (struct sockaddr *) &peer, &size) || peer.sin_family != AF_INET)
            continue;
        CHECK(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &length) == 0);
        static const int names[] = {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT};
        for (int i = 0; i < 3; i++)
            CHECK(getsockopt(fd, IPPROTO_TCP, names[i], &value[i], &length) == 0);
        CHECK(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, &length) == 0);
        if (on)
            found += value[0] == idle && value[1] == interval && value[2] == count && limit == timeout;
        else
            CHECK(limit == 0);
    }
    closedir(fds);
    return found;
}

static void keepalive(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    ct_address(t, addr);
    int a = ct_socket(NN_PUSH), b = ct_socket(NN_PULL), c = ct_socket(NN_PULL);
    MUST(nn_bind(a, addr));
    MUST(nn_connect(b, addr));
    CONNECTED(b);
    CHECK(kept_alive(61, 6, 4, 30000) == 0);
    for (int i = 0; i < 2; i++) {
        int s = i ? a : c;
        MUST(set(s, NN_TCP, NN_TCP_KEEPALIVE_IDLE, 60001)); /* up to the next second */
        MUST(set(s, NN_TCP, NN_TCP_KEEPALIVE_INTERVAL, 5500));
        MUST(set(s, NN_TCP, NN_TCP_KEEPALIVE_COUNT, 4));
        MUST(set(s, NN_TCP, NN_TCP_USER_TIMEOUT, 30000));
    }
    MUST(nn_connect(c, addr));
    CONNECTED(c);
    EVENTUALLY(PEERS(a) == 2);
    /* Both ends of the new one; the other was made before. */
    CHECK(kept_alive(61, 6, 4, 30000) == 2);
    MUST(nn_close(c));
    MUST(nn_close(b));
    MUST(nn_close(a));
}

/* Nobody takes connections there, and the kernel answers no more: with a limit the attempt fails and is made again, until
   somebody does. */
static void connect_timeout(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    ct_address(t, addr);
    place.sin_port = htons(ct_port_of(addr));
    int on = 1, full = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), waiting[4];
    MUST(setsockopt(full, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    MUST(bind(full, (struct sockaddr *) &place, sizeof place));
    MUST(listen(full, 0));
    for (int i = 0; i < 4; i++) {
        waiting[i] = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        CHECK(connect(waiting[i], (struct sockaddr *) &place, sizeof place) == 0 || errno == EINPROGRESS);
    }
    int without = ct_socket(NN_PAIR), with = ct_socket(NN_PAIR), peer = ct_socket(NN_PAIR);
    MUST(ct_set(with, NN_CONNECT_TIMEOUT, 20));
    MUST(ct_set(with, NN_RECONNECT_IVL, 5));
    MUST(nn_connect(without, addr));
    MUST(nn_connect(with, addr));
    EVENTUALLY(nn_get_statistic(with, NN_STAT_CONNECT_ERRORS) >= 3);
    CHECK(nn_get_statistic(without, NN_STAT_CONNECT_ERRORS) == 0);
    CHECK(nn_get_statistic(without, NN_STAT_INPROGRESS_CONNECTIONS) == 1);
    CHECK(nn_get_statistic(with, NN_STAT_INPROGRESS_CONNECTIONS) <= 1);
    MUST(nn_close(without)); /* in the middle of it */
    for (int i = 0; i < 4; i++)
        close(waiting[i]);
    close(full);
    EVENTUALLY(nn_bind(peer, addr) >= 0);
    CONNECTED(with);
    uint64_t errors = nn_get_statistic(with, NN_STAT_CONNECT_ERRORS);
    talk(with, peer);
    talk(peer, with);
    CHECK(nn_get_statistic(with, NN_STAT_CONNECT_ERRORS) == errors); /* the limit is not the connection's */
    MUST(nn_close(with));
    MUST(nn_close(peer));
}

static void permissions(void)
{
    mode_t before = umask(022);
    struct stat is;
    for (int mode = 0; mode <= 0777; mode += 0111) {
        int s = ct_socket(NN_PAIR);
        MUST(set(s, NN_IPC, NN_IPC_MODE, mode));
        MUST(nn_bind(s, "ipc://mode.ipc"));
        CHECK(stat("mode.ipc", &is) == 0 && (is.st_mode & 07777) == (mode_t) mode);
        MUST(nn_close(s));
    }
    int s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, "unix://mode.ipc"));
    CHECK(stat("mode.ipc", &is) == 0 && (is.st_mode & 0777) == 0755);
    MUST(nn_close(s));
    umask(before);
}

/* nn_poll hears that the option was taken back. */
static void *poll_out(void *req)
{
    struct nn_pollfd p = {*(int *) req, NN_POLLOUT, 0};
    CHECK(nn_poll(&p, 1, CT_PATIENCE) == 1 && p.revents == NN_POLLOUT);
    return NULL;
}

/* With NN_DIRECT_FD nobody lets a peer in but the calls: one that fails has looked. */
static void fail_fast_and_direct(void)
{
    enum { NN_DIRECT_FD = 1001 };
    char addr[NN_SOCKADDR_MAX], body[8];
    int req = ct_socket(NN_REQ), rep = ct_socket(NN_REP);
    MUST(ct_set(req, NN_DIRECT_FD, 1));
    MUST(set(req, NN_REQ, NN_REQ_FAIL_FAST, 1));
    struct pollfd can = {ct_get(req, NN_SOL_SOCKET, NN_SNDFD), POLLIN, 0};
    ct_address(IPC, addr);
    MUST(nn_bind(req, addr));
    MUST(nn_connect(rep, addr));
    EVENTUALLY((poll(&can, 1, 10), nn_send(req, "hello", 5, NN_DONTWAIT) == 5));
    CHECK(nn_recv(rep, body, sizeof body, 0) == 5);
    MUST(nn_close(rep));
    EVENTUALLY((poll(&can, 1, 10), nn_send(req, "hello", 5, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN));
    MUST(nn_close(req));
}

static void fail_fast(void)
{
    char body[8];
    int req = ct_socket(NN_REQ), rep = ct_socket(NN_REP), push = ct_socket(NN_PUSH);
    CHECK(set(push, NN_REQ, NN_REQ_FAIL_FAST, 1) == -1 && nn_errno() == ENOPROTOOPT);
    CHECK(set(req, NN_REQ, NN_REQ_FAIL_FAST, 2) == -1 && nn_errno() == EINVAL);
    int fd = ct_get(req, NN_SOL_SOCKET, NN_SNDFD);
    struct pollfd can = {fd, POLLIN, 0};
    CHECK(poll(&can, 1, 0) == 1);
    MUST(set(req, NN_REQ, NN_REQ_FAIL_FAST, 1));
    CHECK(ct_get(req, NN_REQ, NN_REQ_FAIL_FAST) == 1);
    CHECK(poll(&can, 1, 0) == 0);
    int64_t start = ct_now();
    CHECK(nn_send(req, "q", 1, 0) == -1 && nn_errno() == EAGAIN); /* without NN_DONTWAIT, and without a limit */
    CHECK(ct_now() - start < CT_PATIENCE / 2);
    CHECK(nn_recv(req, body, sizeof body, NN_DONTWAIT) == -1 && nn_errno() == EFSM);
    void *lent = nn_allocmsg(1, 0);
    CHECK(nn_send(req, &lent, NN_MSG, 0) == -1 && nn_errno() == EAGAIN);
    CHECK(nn_freemsg(lent) == 0); /* it is still ours */
    MUST(nn_bind(rep, "inproc://fail-fast"));
    MUST(nn_connect(req, "inproc://fail-fast"));
    CHECK(poll(&can, 1, CT_PATIENCE) == 1);
    talk(req, rep);
    MUST(nn_close(rep));
    CHECK(nn_send(req, "q", 1, 0) == -1 && nn_errno() == EAGAIN);
    pthread_t thread;
    pthread_create(&thread, NULL, poll_out, &req);
    BLOCKED();
    MUST(set(req, NN_REQ, NN_REQ_FAIL_FAST, 0));
    int64_t set_at = ct_now();
    pthread_join(thread, NULL);
    CHECK(ct_now() - set_at < CT_PATIENCE / 2);
    CHECK(nn_send(req, "q", 1, 0) == 1);
    MUST(nn_close(req));
    MUST(nn_close(push));
}

int main(void)
{
    CHECK(chdir(ct_dir()) == 0);
    QUIRK("NN_ENDPOINT", "an endpoint tells its address, and the port that the system has chosen for it") {
        port_0("tcp", "127.0.0.1");
        port_0("tcp", "*");
        port_0("ws", "127.0.0.1");
        addresses();
    }
    QUIRK("NN_TCP_KEEPALIVE", "connections made afterwards are kept alive as the options say") {
        in_range(NN_TCP, NN_TCP_KEEPALIVE_IDLE, 0, 32767000);
        in_range(NN_TCP, NN_TCP_KEEPALIVE_INTERVAL, 0, 32767000);
        in_range(NN_TCP, NN_TCP_KEEPALIVE_COUNT, 0, 127);
        in_range(NN_TCP, NN_TCP_USER_TIMEOUT, 0, INT_MAX);
        keepalive(TCP);
        keepalive(WS);
    }
    QUIRK("NN_CONNECT_TIMEOUT", "a connect that nobody answers fails in time, and is tried again") {
        in_range(NN_SOL_SOCKET, NN_CONNECT_TIMEOUT, 0, INT_MAX);
        connect_timeout(TCP);
        connect_timeout(WS);
    }
    QUIRK("NN_IPC_MODE", "the file of a bound socket has the permissions that the option says") {
        in_range(NN_IPC, NN_IPC_MODE, -1, 0777);
        permissions();
    }
    QUIRK("NN_REQ_FAIL_FAST", "a request that nobody can take is EAGAIN at once") {
        fail_fast();
        fail_fast_and_direct();
    }
    return 0;
}
