/* Several threads receive from one socket at once: each message is received once, by
   one of them, and each of them returns when there is nothing more or when the socket
   is closed. (Upstream 1.2 aborted in one of two such threads.) */

#include "ctest.h"

enum { READERS = 8, COUNT = 4000 };

static int from[2];
static unsigned char seen[2 * COUNT];
static int received, twice, strange, polled;

static void note(const void *body, int size)
{
    int number;
    if (size != 40) {
        __atomic_add_fetch(&strange, 1, __ATOMIC_SEQ_CST);
        return;
    }
    memcpy(&number, (const char *) body + 36, sizeof number);
    if (__atomic_exchange_n(&seen[number], 1, __ATOMIC_SEQ_CST))
        __atomic_add_fetch(&twice, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&received, 1, __ATOMIC_SEQ_CST);
}

/* Each in its own way, until it is told that there is no such socket. */
static void *reader(void *arg)
{
    int way = (int) (intptr_t) arg % 4;
    char buf[64];
    for (;;) {
        void *chunk = NULL;
        int n;
        if (way == 0) {
            n = nn_recv(from[0], buf, sizeof buf, 0);
        } else if (way == 1) {
            n = nn_recv(from[0], &chunk, NN_MSG, 0);
        } else if (way == 2) {
            struct nn_iovec part = {&chunk, NN_MSG};
            struct nn_msghdr hdr = {&part, 1, NULL, 0};
            n = nn_recvmsg(from[0], &hdr, 0);
        } else {
            /* Whoever polls is often late. */
            struct nn_pollfd p = {from[0], NN_POLLIN, 0};
            nn_poll(&p, 1, 20);
            n = nn_recv(from[0], buf, sizeof buf, NN_DONTWAIT);
            if (n < 0 && nn_errno() == EAGAIN) {
                __atomic_add_fetch(&polled, 1, __ATOMIC_SEQ_CST);
                continue;
            }
        }
        if (n < 0)
            return (void *) (intptr_t) nn_errno();
        note(chunk ? chunk : buf, n);
        if (chunk)
            CHECK(nn_freemsg(chunk) == 0);
    }
}

static void *sender(void *arg)
{
    int which = (int) (intptr_t) arg;
    char body[40];
    memset(body, 's', sizeof body);
    for (int i = 0; i < COUNT; i++) {
        int number = which * COUNT + i;
        memcpy(body + 36, &number, sizeof number);
        CHECK(nn_send(from[1], body, sizeof body, 0) == (int) sizeof body);
    }
    return NULL;
}

static void race(enum ct_transport t, int sends, int receives, const char *what)
{
    char addr[NN_SOCKADDR_MAX];
    pthread_t reading[READERS], sending[2];
    int others = 0, forever = -1;
    void *end;
    memset(seen, 0, sizeof seen);
    received = twice = strange = 0;
    from[0] = ct_socket(receives);
    from[1] = ct_socket(sends);
    MUST(nn_setsockopt(from[0], NN_SOL_SOCKET, NN_RCVTIMEO, &forever, sizeof forever));
    MUST(nn_bind(from[0], ct_address(t, addr)));
    MUST(nn_connect(from[1], addr));
    CONNECTED(from[0]);
    CONNECTED(from[1]);
    for (int i = 0; i < READERS; i++)
        MUST(pthread_create(&reading[i], NULL, reader, (void *) (intptr_t) i));
    for (int i = 0; i < 2; i++)
        MUST(pthread_create(&sending[i], NULL, sender, (void *) (intptr_t) i));
    for (int i = 0; i < 2; i++)
        pthread_join(sending[i], NULL);
    EVENTUALLY(__atomic_load_n(&received, __ATOMIC_SEQ_CST) == 2 * COUNT);
    /* Now all of them wait. */
    MUST(nn_close(from[0]));
    for (int i = 0; i < READERS; i++) {
        pthread_join(reading[i], &end);
        others += (int) (intptr_t) end != EBADF && (int) (intptr_t) end != ETERM;
    }
    MUST(nn_close(from[1]));
    printf("%s, %s: %d received, %d twice, %d strange, %d readers ended otherwise\n", ct_scheme[t], what, received, twice,
           strange, others);
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        race(t, NN_PUSH, NN_PULL, "PUSH to PULL");
        race(t, NN_PAIR, NN_PAIR, "PAIR to PAIR");
    }
    return 0;
}
