/* Two PAIRs over each transport, bound first and connected first, exchanging
   messages of many sizes both ways, contents checked. */

#include "ctest.h"

enum { LARGEST = 1048576 };
static unsigned char out[LARGEST], back[LARGEST];

static void exchange(int from, int to, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char) (seed + i * 13 + i / 251);
    memset(back, 0, size);
    CHECK(nn_send(from, out, size, 0) == (int) size);
    CHECK(nn_recv(to, back, sizeof back, 0) == (int) size);
    if (memcmp(out, back, size) != 0)
        printf("%zu bytes arrive changed\n", size);
}

static void run(enum ct_transport t, int connect_first)
{
    static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 255, 256, 1000, 2039, 2040, 2048, 2049,
                                   4096, 10000, 65535, 65536, 65537, 131072, 300000, 1048572, 1048576};
    char addr[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    ct_address(t, addr);
    if (connect_first) {
        MUST(nn_connect(b, addr));
        EVENTUALLY(t == INPROC || ct_stat(b, NN_STAT_CONNECT_ERRORS) > 0);
    }
    MUST(nn_bind(a, addr));
    if (!connect_first)
        MUST(nn_connect(b, addr));
    CONNECTED(a);
    CONNECTED(b);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        exchange(a, b, sizes[i], 1);
        exchange(b, a, sizes[i], 2);
    }

    /* Several on their way at once, in order, small and large mixed. */
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 5; i++) {
            size_t size = (size_t) (i * 700 + round);
            memset(out, round * 5 + i, size);
            CHECK(nn_send(a, out, size, 0) == (int) size);
            CHECK(nn_send(b, out, size, 0) == (int) size);
        }
        for (int i = 0; i < 5; i++) {
            int size = i * 700 + round;
            memset(out, round * 5 + i, (size_t) size);
            CHECK(nn_recv(b, back, sizeof back, 0) == size);
            CHECK(memcmp(out, back, (size_t) size) == 0);
            CHECK(nn_recv(a, back, sizeof back, 0) == size);
            CHECK(memcmp(out, back, (size_t) size) == 0);
        }
    }

    /* The same by chunks. */
    void *chunk = nn_allocmsg(100000, 0), *got = NULL;
    memset(chunk, 'c', 100000);
    CHECK(nn_send(a, &chunk, NN_MSG, 0) == 100000);
    CHECK(nn_recv(b, &got, NN_MSG, 0) == 100000);
    CHECK(((char *) got)[0] == 'c' && ((char *) got)[99999] == 'c');
    nn_freemsg(got);

    MUST(nn_close(b));
    MUST(nn_close(a));
    printf("%s, %s first: done\n", ct_scheme[t], connect_first ? "connected" : "bound");
}

/* A sender and a receiver thread, one message after the other. */
static int stream[2];
enum { COUNT = 20000 };

static void *sender(void *unused)
{
    (void) unused;
    char body[72];
    memset(body, 's', sizeof body);
    for (int i = 0; i < COUNT; i++) {
        memcpy(body, &i, sizeof i);
        CHECK(nn_send(stream[0], body, sizeof body, 0) == (int) sizeof body);
    }
    return NULL;
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++)
        for (int connect_first = 0; connect_first < 2; connect_first++)
            run(t, connect_first);

    for (enum ct_transport t = INPROC; t <= WS; t++) {
        pthread_t thread;
        char body[128];
        ct_pair(t, stream);
        MUST(pthread_create(&thread, NULL, sender, NULL));
        int ordered = 0;
        for (int i = 0; i < COUNT; i++) {
            int n = nn_recv(stream[1], body, sizeof body, 0), number = -1;
            if (n < 0)
                break;
            memcpy(&number, body, sizeof number);
            ordered += n == 72 && number == i && body[71] == 's';
        }
        pthread_join(thread, NULL);
        printf("%s: %d of %d messages in order\n", ct_scheme[t], ordered, COUNT);
        ct_close_pair(stream);
    }
    return 0;
}
