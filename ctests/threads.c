/* Many threads that open, bind, connect, send and close at once: nothing hangs,
   nothing is lost, no descriptor stays open. With NN_LONG=1 a minute of it, by 100 threads. */

#include "ctest.h"

enum { MOST = 100 };
static int threads = 16;
static int64_t end;
static int rounds, failures;

static void fail(const char *what, int line)
{
    printf("line %d: %s: %s\n", line, what, ct_errname(nn_errno()));
    __atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);
}
#define EXPECT(cond) do { if (!(cond)) fail(#cond, __LINE__); } while (0)

/* A pair of its own for each thread, and sockets closed in the midst of things. */
static void *pairs(void *arg)
{
    int number = (int) (intptr_t) arg;
    char buf[100], addr[NN_SOCKADDR_MAX];
    int port = ct_port();
    for (int i = 0; ct_now() < end; i++) {
        switch (number % 4) {
        case INPROC: snprintf(addr, sizeof addr, "inproc://threads-%d", number); break;
        case IPC: snprintf(addr, sizeof addr, "ipc://%s/threads-%d", ct_dir(), number); break;
        case TCP: snprintf(addr, sizeof addr, "tcp://127.0.0.1:%d", port); break;
        case WS: snprintf(addr, sizeof addr, "ws://127.0.0.1:%d", port); break;
        }
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
        EXPECT(nn_bind(a, addr) > 0);
        EXPECT(nn_connect(b, addr) > 0);
        switch (i % 4) {
        case 0: /* closed while still connecting */
            break;
        case 1: /* one message */
            EXPECT(nn_send(b, "hello", 5, 0) == 5);
            EXPECT(nn_recv(a, buf, sizeof buf, 0) == 5);
            break;
        case 2: /* some, both ways */
            for (int k = 0; k < 20; k++) {
                EXPECT(nn_send(a, buf, (size_t) k, 0) == k);
                EXPECT(nn_recv(b, buf, sizeof buf, 0) == k);
                EXPECT(nn_send(b, buf, (size_t) k, 0) == k);
                EXPECT(nn_recv(a, buf, sizeof buf, 0) == k);
            }
            break;
        case 3: /* messages on their way when it ends */
            nn_send(a, "hello", 5, 0);
            nn_send(b, "hello", 5, NN_DONTWAIT);
            break;
        }
        EXPECT(nn_close(i % 2 ? a : b) == 0);
        EXPECT(nn_close(i % 2 ? b : a) == 0);
        __atomic_add_fetch(&rounds, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* Several connectors that come and go at one binder, which takes one at a time.
   Not too many on the original, whose binder gives up after some thousands (Q-R32). */
static char crowded[3][NN_SOCKADDR_MAX];

static void *crowd(void *arg)
{
    int number = (int) (intptr_t) arg;
    for (int i = 0; ct_now() < end && i < (ct_oracle ? 60 : INT_MAX); i++) {
        int s = ct_socket(NN_PAIR);
        MUST(ct_set(s, NN_SNDTIMEO, 5));
        EXPECT(nn_connect(s, crowded[number % 3]) > 0);
        nn_send(s, "crowd", 5, 0);
        EXPECT(nn_close(s) == 0);
        __atomic_add_fetch(&rounds, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* One socket used by all: every message arrives once. */
static int used_by_all[2], sent, received;
enum { EACH = 500 };

static void *all_send(void *unused)
{
    (void) unused;
    for (int i = 0; i < EACH; i++)
        if (nn_send(used_by_all[0], "x", 1, 0) == 1)
            __atomic_add_fetch(&sent, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void *all_receive(void *unused)
{
    char buf[8];
    (void) unused;
    for (int i = 0; i < EACH; i++)
        if (nn_recv(used_by_all[1], buf, sizeof buf, 0) == 1)
            __atomic_add_fetch(&received, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void run(void *(*body)(void *), int count)
{
    pthread_t running[MOST];
    end = ct_now() + (ct_long ? 60000 : 1500);
    rounds = 0;
    for (int i = 0; i < count; i++)
        MUST(pthread_create(&running[i], NULL, body, (void *) (intptr_t) i));
    for (int i = 0; i < count; i++)
        pthread_join(running[i], NULL);
    CHECK(rounds > count);
}

int main(void)
{
    int s[2];
    char buf[8];
    ct_dir();
    if (ct_long)
        threads = MOST;

    /* What is set up once for good is set up now. */
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        ct_pair(t, s);
        ct_close_pair(s);
    }
    int before = ct_open_fds();
    run(pairs, threads);
    printf("pairs: %d failures\n", failures);
    /* Each thread keeps one descriptor of its own, which reserves its port. */
    EVENTUALLY(ct_open_fds() <= before + threads);
    printf("descriptors left open: %d\n", ct_open_fds() - before - threads);

    ct_address(IPC, crowded[0]);
    ct_address(TCP, crowded[1]);
    ct_address(WS, crowded[2]);
    before = ct_open_fds();
    int binder[3] = {ct_socket(NN_PAIR), ct_socket(NN_PAIR), ct_socket(NN_PAIR)};
    for (int i = 0; i < 3; i++) {
        MUST(nn_bind(binder[i], crowded[i]));
        MUST(ct_set(binder[i], NN_RCVTIMEO, 10));
    }
    run(crowd, 8);
    printf("crowd: %d failures\n", failures);
    /* The binders have come through it and serve the next. */
    for (int i = 0; i < 3; i++) {
        while (nn_recv(binder[i], buf, sizeof buf, 0) >= 0)
            continue;
        ALONE(binder[i]);
        int c = ct_socket(NN_PAIR);
        MUST(nn_connect(c, crowded[i]));
        CONNECTED(binder[i]);
        CALL(nn_send(c, "calm", 4, 0));
        MUST(ct_set(binder[i], NN_RCVTIMEO, CT_PATIENCE));
        CALL(nn_recv(binder[i], buf, sizeof buf, 0));
        MUST(nn_close(c));
        MUST(nn_close(binder[i]));
    }
    EVENTUALLY(ct_open_fds() <= before);
    printf("descriptors left open: %d\n", ct_open_fds() - before);

    for (enum ct_transport t = INPROC; t <= WS; t++) {
        pthread_t users[8];
        ct_pair(t, used_by_all);
        sent = received = 0;
        for (int i = 0; i < 8; i++)
            MUST(pthread_create(&users[i], NULL, i % 2 ? all_send : all_receive, NULL));
        for (int i = 0; i < 8; i++)
            pthread_join(users[i], NULL);
        printf("%s, four senders and four receivers: %d sent, %d received\n", ct_scheme[t], sent, received);
        ct_close_pair(used_by_all);
    }
    EVENTUALLY(ct_open_fds() <= before + 2); /* the ports of the last pairs */
    return failures > 0;
}
