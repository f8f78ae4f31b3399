/* Threads that are cancelled in a call, or about to make one: their sockets can
   be used and closed all the same. */

#include "ctest.h"

static int stop;

struct call { int s, send; };

static void *repeat(void *arg)
{
    static const char body[60000];
    char buf[100];
    struct call *c = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
        if (c->send)
            nn_send(c->s, body, sizeof body, 0);
        else
            nn_recv(c->s, buf, sizeof buf, 0);
    return NULL;
}

/* Threads in the middle of sending and receiving are cancelled, one after the other. */
static void run(enum ct_transport t)
{
    char buf[100];
    int s[2];
    ct_pair(t, s);
    for (int i = 0; i < 2; i++) {
        MUST(ct_set(s[i], NN_RCVTIMEO, 20));
        MUST(ct_set(s[i], NN_SNDTIMEO, 20));
    }
    for (int i = 0; i < 40; i++) {
        pthread_t threads[2];
        struct call calls[2] = {{s[0], 1}, {s[1], 0}};
        stop = 0;
        for (int k = 0; k < 2; k++)
            MUST(pthread_create(&threads[k], NULL, repeat, &calls[k]));
        ct_nap(i % 4);
        pthread_cancel(threads[i & 1]);
        ct_nap(2);
        __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
        for (int k = 0; k < 2; k++)
            pthread_join(threads[k], NULL);
    }
    /* Both sockets still work. */
    while (nn_recv(s[1], buf, sizeof buf, 0) >= 0)
        continue;
    MUST(ct_set(s[1], NN_RCVTIMEO, CT_PATIENCE));
    MUST(ct_set(s[0], NN_SNDTIMEO, CT_PATIENCE));
    CHECK(nn_send(s[0], "after", 5, 0) == 5 && nn_recv(s[1], buf, sizeof buf, 0) == 5);
    int64_t start = ct_now();
    ct_close_pair(s);
    CHECK(ct_took(start, 0, 5000));
}

struct dialler { int s; char addr[NN_SOCKADDR_MAX]; };

static void *redial(void *arg)
{
    struct dialler *d = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        int endpoint = MUST(nn_connect(d->s, d->addr));
        MUST(nn_shutdown(d->s, endpoint));
    }
    return NULL;
}

/* And threads in the middle of connecting and closing. */
static void run_dialling(enum ct_transport t)
{
    struct dialler d = {ct_socket(NN_BUS), ""};
    int bound = ct_socket(NN_BUS);
    MUST(nn_bind(bound, ct_address(t, d.addr)));
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        stop = 0;
        MUST(pthread_create(&thread, NULL, redial, &d));
        ct_nap(i % 4);
        pthread_cancel(thread);
        ct_nap(2);
        __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
        pthread_join(thread, NULL);
    }
    MUST(nn_connect(d.s, d.addr));
    EVENTUALLY(ct_stat(d.s, NN_STAT_CURRENT_CONNECTIONS) > 0);
    int64_t start = ct_now();
    MUST(nn_close(d.s));
    MUST(nn_close(bound));
    CHECK(ct_took(start, 0, 5000));
}

/* A call made with a cancellation pending: it returns as it would without, and
   what ends the thread is the next cancellation point of its own. */
struct pending { const char *name; void (*call)(struct pending *); int s[4]; char addr[NN_SOCKADDR_MAX]; void *p; int ok; };

static void *cancelled(void *arg)
{
    struct pending *c = arg;
    pthread_cancel(pthread_self());
    c->call(c);
    pthread_testcancel();
    return NULL;
}

static void with_pending(const char *name, void (*call)(struct pending *), struct pending *c)
{
    pthread_t thread;
    void *result = NULL;
    c->ok = 0;
    c->call = call;
    MUST(pthread_create(&thread, NULL, cancelled, c));
    MUST(pthread_join(thread, &result));
    if (!c->ok || result != PTHREAD_CANCELED)
        printf("%s: %s, and the thread %s\n", name, c->ok ? "went well" : "failed",
               result == PTHREAD_CANCELED ? "was cancelled" : "was not cancelled");
}

static void open_one(struct pending *c) { c->ok = (c->s[0] = nn_socket(AF_SP, NN_PAIR)) >= 0; }
static void bind_one(struct pending *c) { c->ok = (c->s[2] = nn_bind(c->s[0], c->addr)) > 0; }
static void connect_one(struct pending *c) { c->ok = (c->s[3] = nn_connect(c->s[1], c->addr)) > 0; }
static void refuse_one(struct pending *c) { c->ok = nn_bind(c->s[0], c->addr) == -1 && nn_errno() == EADDRINUSE; }
static void shut_one(struct pending *c) { c->ok = nn_shutdown(c->s[1], c->s[3]) == 0; }
static void close_one(struct pending *c) { c->ok = nn_close(c->s[0]) == 0; }
static void end_all(struct pending *c) { nn_term(); c->ok = 1; }
static void set_one(struct pending *c) { int on = 1; c->ok = nn_setsockopt(c->s[0], NN_SOL_SOCKET, NN_LINGER, &on, sizeof on) == 0; }
static void get_one(struct pending *c)
{
    int fd;
    size_t size = sizeof fd;
    c->ok = nn_getsockopt(c->s[0], NN_SOL_SOCKET, NN_RCVFD, &fd, &size) == 0;
}
static void send_one(struct pending *c) { c->ok = nn_send(c->s[1], "text", 4, 0) == 4; }
static void recv_one(struct pending *c) { char b[8]; c->ok = nn_recv(c->s[0], b, sizeof b, 0) == 4; }
static void send_chunk(struct pending *c)
{
    void *m = nn_allocmsg(100000, 0);
    struct nn_iovec part = {&m, NN_MSG};
    struct nn_msghdr hdr = {&part, 1, NULL, 0};
    c->ok = m && nn_sendmsg(c->s[1], &hdr, 0) == 100000;
}
static void recv_chunk(struct pending *c)
{
    void *m = NULL;
    struct nn_iovec part = {&m, NN_MSG};
    struct nn_msghdr hdr = {&part, 1, NULL, 0};
    c->ok = nn_recvmsg(c->s[0], &hdr, 0) == 100000 && (m = nn_reallocmsg(m, 200000)) && nn_freemsg(m) == 0;
}
static void poll_one(struct pending *c)
{
    struct nn_pollfd fds[2] = {{c->s[0], NN_POLLIN, 0}, {c->s[1], NN_POLLIN, 0}};
    c->ok = nn_poll(fds, 2, 5) == 0;
}
static void find_none(struct pending *c) { char b; c->ok = nn_recv(c->s[0], &b, 1, 0) == -1 && nn_errno() == ETIMEDOUT; }
static void forward(struct pending *c) { c->ok = nn_device(c->s[0], c->s[1]) == -1 && nn_errno() == EBADF; }

static void *close_later(void *arg)
{
    struct pending *c = arg;
    ct_nap(50);
    nn_close(c->s[0]);
    nn_close(c->s[1]);
    return NULL;
}

static void every_call(enum ct_transport t)
{
    struct pending c = {0};
    int linger = 20;
    with_pending("nn_socket", open_one, &c);
    MUST(nn_close(c.s[0]));
    c.s[0] = ct_socket(NN_PAIR);
    c.s[1] = ct_socket(NN_PAIR);
    ct_address(t, c.addr);
    with_pending("nn_bind", bind_one, &c);
    with_pending("nn_bind, refused", refuse_one, &c);
    with_pending("nn_connect", connect_one, &c);
    CONNECTED(c.s[0]);
    CONNECTED(c.s[1]);
    with_pending("nn_setsockopt", set_one, &c);
    with_pending("nn_getsockopt", get_one, &c);
    with_pending("nn_send", send_one, &c);
    with_pending("nn_recv", recv_one, &c);
    with_pending("nn_sendmsg", send_chunk, &c);
    with_pending("nn_recvmsg", recv_chunk, &c);
    with_pending("nn_poll", poll_one, &c);
    with_pending("nn_shutdown", shut_one, &c);
    /* A receiver that finds its peer gone closes the connection. */
    MUST(ct_set(c.s[0], NN_RCVTIMEO, 50));
    with_pending("nn_recv, without a peer", find_none, &c);
    with_pending("nn_connect, again", connect_one, &c);
    CONNECTED(c.s[0]);
    MUST(ct_set(c.s[0], NN_LINGER, linger));
    MUST(nn_close(c.s[1]));
    with_pending("nn_recv, after the peer's end", find_none, &c);
    with_pending("nn_close", close_one, &c);

    /* A call that is the last to leave a socket which another thread closes. */
    pthread_t closer;
    c.s[0] = MUST(nn_socket(AF_SP_RAW, NN_PAIR));
    c.s[1] = MUST(nn_socket(AF_SP_RAW, NN_PAIR));
    MUST(nn_bind(c.s[0], ct_address(t, c.addr)));
    MUST(pthread_create(&closer, NULL, close_later, &c));
    with_pending("nn_device", forward, &c);
    MUST(pthread_join(closer, NULL));
}

/* Peers that make a call close, dial and draw: each call is a thread's first. */
static void recv_slowly(struct pending *c)
{
    char b;
    c->ok = nn_recv(c->s[0], &b, 1, 0) == -1 && nn_errno() == ETIMEDOUT;
}

static void declined(void)
{
    struct pending c = {0};
    int listener, fd;
    char greeting[8];
    c.s[0] = ct_socket(NN_SUB);
    MUST(ct_set(c.s[0], NN_RCVTIMEO, 300));
    listener = ct_raw_listen(ct_address(TCP, c.addr));
    MUST(nn_connect(c.s[0], c.addr));
    fd = MUST(ct_raw_accept(listener, CT_PATIENCE));
    /* The peer tells that it is an ordinary PUB: it has to be dialled again. */
    CHECK(ct_raw_read(fd, greeting, 8) == 8);
    ct_raw_write(fd, "\0SP\0\0\x20\0\0", 8);
    with_pending("nn_recv of a SUB whose offer is declined", recv_slowly, &c);
    close(fd);
    close(listener);
    MUST(nn_close(c.s[0]));
}

/* A thread's first random bytes are a WebSocket's mask. */
static void masked(void)
{
    struct pending c = {0};
    int s[2];
    ct_pair(WS, s);
    c.s[1] = s[1];
    c.s[0] = s[0];
    with_pending("nn_send of a ws client", send_one, &c);
    with_pending("nn_recv from it", recv_one, &c);
    ct_close_pair(s);
}

static void told(void)
{
    struct pending c = {0};
    int null = MUST(open("/dev/null", O_WRONLY | O_CLOEXEC));
    setenv("NN_PRINT_ERRORS", "1", 1);
    MUST(dup2(null, STDERR_FILENO));
    c.s[0] = ct_socket(NN_PAIR);
    MUST(ct_set(c.s[0], NN_RCVTIMEO, 100));
    MUST(nn_connect(c.s[0], ct_address(TCP, c.addr)));
    with_pending("nn_recv that tells of an error", find_none, &c);
    with_pending("nn_close", close_one, &c);
    unsetenv("NN_PRINT_ERRORS");
}

static void first_call(void)
{
    struct pending c = {0};
    with_pending("the first nn_socket", open_one, &c);
    MUST(nn_bind(c.s[0], ct_address(TCP, c.addr)));
    with_pending("nn_term", end_all, &c);
}

int main(void)
{
    ct_dir();
    QUIRK("Q-E4", "a call with a cancellation pending returns, and the thread ends at its own next point") {
        fflush(stdout);
        pid_t pid = MUST(fork());
        int status;
        if (pid == 0) {
            first_call();
            _exit(0);
        }
        MUST(waitpid(pid, &status, 0));
        CHECK(status == 0);
        for (enum ct_transport t = INPROC; t <= WS; t++)
            every_call(t);
        declined();
        masked();
        told();
    }
    QUIRK("Q-E4", "a thread that is cancelled takes no socket along") {
        for (enum ct_transport t = INPROC; t <= WS; t++)
            run(t);
        for (enum ct_transport t = IPC; t <= WS; t++)
            run_dialling(t);
    }
    return 0;
}
