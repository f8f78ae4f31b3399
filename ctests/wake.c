/* Blocked calls are woken by nn_close and nn_term from another thread: EBADF. */

#include "ctest.h"

enum call { SEND, RECV, SENDMSG, RECVMSG };
static const char *const names[] = {"nn_send", "nn_recv", "nn_sendmsg", "nn_recvmsg"};

struct waiter { enum call call; int s, rc, error; pthread_t thread; };

static void *block(void *arg)
{
    struct waiter *w = arg;
    char buf[8];
    void *chunk = NULL;
    struct nn_iovec iov = {"x", 1};
    struct nn_msghdr hdr = {&iov, 1, NULL, 0};
    switch (w->call) {
    case SEND: w->rc = nn_send(w->s, "x", 1, 0); break;
    case RECV: w->rc = nn_recv(w->s, buf, sizeof buf, 0); break;
    case SENDMSG: w->rc = nn_sendmsg(w->s, &hdr, 0); break;
    case RECVMSG:
        iov = (struct nn_iovec) {&chunk, NN_MSG};
        w->rc = nn_recvmsg(w->s, &hdr, 0);
        break;
    }
    w->error = nn_errno();
    return NULL;
}

static void start(struct waiter *w, enum call call, int s)
{
    *w = (struct waiter) {.call = call, .s = s};
    MUST(pthread_create(&w->thread, NULL, block, w));
}

static void finish(struct waiter *w)
{
    pthread_join(w->thread, NULL);
    printf("%s: %d %s\n", names[w->call], w->rc, w->rc < 0 ? ct_errname(w->error) : "");
}

static int waiting_socket(void)
{
    int s = MUST(nn_socket(AF_SP, NN_PAIR));
    return s;
}

/* Sends fill the connection first, so that the next one blocks. */
static void fill(int s)
{
    static char body[50000];
    while (WAIT_FOR(300, nn_send(s, body, sizeof body, NN_DONTWAIT) >= 0))
        continue;
}

static void by_close(void)
{
    struct waiter w[8];
    int s;

    for (enum call c = SEND; c <= RECVMSG; c++) {
        s = waiting_socket();
        start(&w[0], c, s);
        BLOCKED();
        CALL(nn_close(s));
        finish(&w[0]);
    }

    printf("-- several at once\n");
    s = waiting_socket();
    for (int i = 0; i < 8; i++)
        start(&w[i], i % 2 ? RECV : SEND, s);
    BLOCKED();
    CALL(nn_close(s));
    for (int i = 0; i < 8; i++)
        finish(&w[i]);

    for (enum ct_transport t = INPROC; t <= WS; t++) {
        int p[2];
        printf("-- connected over %s\n", ct_scheme[t]);
        ct_pair(t, p);
        MUST(ct_set(p[0], NN_RCVTIMEO, -1));
        MUST(ct_set(p[0], NN_SNDTIMEO, -1));
        fill(p[0]);
        start(&w[0], RECV, p[0]);
        start(&w[1], SEND, p[0]);
        start(&w[2], RECVMSG, p[0]);
        BLOCKED();
        /* Without lingering: this peer never reads. */
        MUST(ct_set(p[0], NN_LINGER, 0));
        CALL(nn_close(p[0]));
        for (int i = 0; i < 3; i++)
            finish(&w[i]);
        MUST(nn_close(p[1]));
    }
}

static void by_term(void)
{
    struct waiter w[4];
    int s = waiting_socket(), t = waiting_socket();
    char addr[NN_SOCKADDR_MAX];
    MUST(nn_bind(t, ct_address(TCP, addr)));
    start(&w[0], RECV, s);
    start(&w[1], SEND, s);
    start(&w[2], RECV, t);
    start(&w[3], SENDMSG, t);
    BLOCKED();
    nn_term();
    for (int i = 0; i < 4; i++)
        finish(&w[i]);
    CALL(nn_socket(AF_SP, NN_PAIR));
}

/* In the midst of traffic: every call of every thread ends with EBADF. */
static int busy[2];

static void *talk(void *arg)
{
    char buf[100] = {0};
    int number = (int) (intptr_t) arg, s = busy[number % 2];
    for (;;) {
        int rc = number & 2 ? nn_send(s, buf, sizeof buf, 0) : nn_recv(s, buf, sizeof buf, 0);
        if (rc < 0)
            return nn_errno() == EBADF ? busy : NULL;
    }
}

static void amid_traffic(void)
{
    for (enum ct_transport t = IPC; t <= WS; t++) {
        pthread_t threads[8];
        void *bad;
        int ended = 0;
        ct_pair(t, busy);
        for (int i = 0; i < 2; i++) {
            MUST(ct_set(busy[i], NN_SNDTIMEO, -1));
            MUST(ct_set(busy[i], NN_RCVTIMEO, -1));
        }
        for (int i = 0; i < 8; i++)
            MUST(pthread_create(&threads[i], NULL, talk, (void *) (intptr_t) i));
        EVENTUALLY(ct_stat(busy[0], NN_STAT_MESSAGES_RECEIVED) > 100);
        CALL(nn_close(busy[0]));
        CALL(nn_close(busy[1]));
        for (int i = 0; i < 8; i++) {
            pthread_join(threads[i], &bad);
            ended += bad != NULL;
        }
        printf("%s: %d of 8 ended with EBADF\n", ct_scheme[t], ended);
    }
}

static int shared, closed, refused;

static void *closer(void *unused)
{
    (void) unused;
    if (nn_close(shared) == 0)
        __atomic_add_fetch(&closed, 1, __ATOMIC_SEQ_CST);
    else if (nn_errno() == EBADF)
        __atomic_add_fetch(&refused, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Of many that close one socket, one does. */
static void by_many(void)
{
    pthread_t threads[8];
    int keep = waiting_socket(); /* so that the number is not given out again in between */
    for (int round = 0; round < 50; round++) {
        shared = waiting_socket();
        for (int i = 0; i < 8; i++)
            MUST(pthread_create(&threads[i], NULL, closer, NULL));
        for (int i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
    }
    printf("50 sockets, closed by 8 threads each: %d times 0, %d times EBADF\n", closed, refused);
    MUST(nn_close(keep));
}

int main(void)
{
    ct_dir();
    ct_in_child("nn_close", by_close);
    ct_in_child("nn_term", by_term);
    ct_in_child("amid traffic", amid_traffic);
    ct_in_child("many close", by_many);
    return 0;
}
