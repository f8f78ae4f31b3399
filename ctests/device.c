/* nn_device between two raw PAIRs: its arguments, what it forwards, how it ends. */

#include "ctest.h"

struct device { int s1, s2, rc, error; pthread_t thread; };

static void *run_device(void *arg)
{
    struct device *d = arg;
    d->rc = nn_device(d->s1, d->s2);
    d->error = nn_errno();
    return NULL;
}

static void start(struct device *d)
{
    MUST(pthread_create(&d->thread, NULL, run_device, d));
}

static void finish(const char *what, struct device *d)
{
    pthread_join(d->thread, NULL);
    printf("%s: %d %s\n", what, d->rc, ct_errname(d->error));
}

static void arguments(void)
{
    int raw = MUST(nn_socket(AF_SP_RAW, NN_PAIR)), cooked = MUST(nn_socket(AF_SP, NN_PAIR));
    MUST(ct_set(raw, NN_RCVTIMEO, 50));
    CALL(nn_device(-1, -1));
    CALL(nn_device(-1, INT_MIN));
    CALL(nn_device(77, raw));
    CALL(nn_device(raw, 77));
    CALL(nn_device(77, 78));
    CALL(nn_device(77, cooked));
    CALL(nn_device(77, -1));
    CALL(nn_device(-1, 77));
    CALL(nn_device(cooked, raw));
    CALL(nn_device(raw, cooked));
    CALL(nn_device(cooked, cooked));
    CALL(nn_device(cooked, -1));
    CALL(nn_device(-1, cooked));
    CALL(nn_device(raw, -1));
    CALL(nn_device(-1, raw));
    CALL(nn_device(raw, raw));
    CALL(nn_close(raw));
    CALL(nn_close(cooked));
}

/* Two ends, and a device between them. */
static void between(enum ct_transport t)
{
    static char body[100000], buf[100000];
    char addr[2][NN_SOCKADDR_MAX];
    int end[2] = {ct_socket(NN_PAIR), ct_socket(NN_PAIR)};
    struct device d = {.s1 = MUST(nn_socket(AF_SP_RAW, NN_PAIR)), .s2 = MUST(nn_socket(AF_SP_RAW, NN_PAIR))};
    MUST(nn_bind(d.s1, ct_address(t, addr[0])));
    MUST(nn_bind(d.s2, ct_address(t, addr[1])));
    MUST(nn_connect(end[0], addr[0]));
    MUST(nn_connect(end[1], addr[1]));
    CONNECTED(end[0]);
    CONNECTED(end[1]);
    start(&d);
    for (int i = 0; i < 100; i++) {
        size_t size = (size_t) (i * i * 10);
        memset(body, i, size);
        CHECK(nn_send(end[i % 2], body, size, 0) == (int) size);
        CHECK(nn_recv(end[1 - i % 2], buf, sizeof buf, 0) == (int) size);
        CHECK(memcmp(body, buf, size) == 0);
    }
    printf("%s: forwards both ways\n", ct_scheme[t]);

    /* It ends when both directions have failed. */
    CHECK(nn_close(d.s1) == 0);
    CHECK(nn_close(d.s2) == 0);
    finish("both closed", &d);
    MUST(nn_close(end[0]));
    MUST(nn_close(end[1]));
}

static void loopback(void)
{
    char buf[16];
    int end = ct_socket(NN_PAIR);
    struct device d = {.s1 = MUST(nn_socket(AF_SP_RAW, NN_PAIR)), .s2 = -1};
    MUST(nn_bind(d.s1, "inproc://loop"));
    MUST(nn_connect(end, "inproc://loop"));
    CONNECTED(end);
    start(&d);
    for (int i = 0; i < 3; i++) {
        CALL(nn_send(end, "hello", 5, 0));
        CALL(nn_recv(end, buf, sizeof buf, 0));
    }
    CALL(nn_close(d.s1));
    finish("closed", &d);
    CALL(nn_close(end));
}

static void timeouts(void)
{
    struct device d = {.s1 = MUST(nn_socket(AF_SP_RAW, NN_PAIR)), .s2 = MUST(nn_socket(AF_SP_RAW, NN_PAIR))};
    MUST(ct_set(d.s1, NN_RCVTIMEO, 50));
    MUST(ct_set(d.s2, NN_RCVTIMEO, 100));
    start(&d);
    finish("two NN_RCVTIMEO", &d);
    MUST(nn_close(d.s1));
    MUST(nn_close(d.s2));

    /* A message that cannot be sent on ends it as well. */
    int end = ct_socket(NN_PAIR);
    d = (struct device) {.s1 = MUST(nn_socket(AF_SP_RAW, NN_PAIR)), .s2 = MUST(nn_socket(AF_SP_RAW, NN_PAIR))};
    MUST(ct_set(d.s2, NN_SNDTIMEO, 50));
    MUST(ct_set(d.s2, NN_RCVTIMEO, 50));
    MUST(nn_bind(d.s1, "inproc://timeout"));
    MUST(nn_connect(end, "inproc://timeout"));
    CONNECTED(end);
    start(&d);
    CALL(nn_send(end, "x", 1, 0));
    finish("NN_SNDTIMEO", &d);
    MUST(nn_close(end));
    MUST(nn_close(d.s1));
    MUST(nn_close(d.s2));
}

static long resident(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%*d %ld", &pages) == 1);
    fclose(f);
    return pages * 4096;
}

/* A message that a device has in hand when it ends. */
static void what_is_left(void)
{
    QUIRK("Q-B21", "what a device could not forward is freed with it") {
        enum { SIZE = 1 << 20, TIMES = 64 };
        char *body = calloc(1, SIZE);
        long before = 0;
        for (int i = 0; i < TIMES; i++) {
            int end = ct_socket(NN_PAIR);
            struct device d = {.s1 = MUST(nn_socket(AF_SP_RAW, NN_PAIR)), .s2 = MUST(nn_socket(AF_SP_RAW, NN_PAIR))};
            MUST(ct_set(d.s2, NN_SNDTIMEO, 1));
            MUST(ct_set(d.s2, NN_RCVTIMEO, 1));
            MUST(nn_bind(d.s1, "inproc://left"));
            MUST(nn_connect(end, "inproc://left"));
            CONNECTED(end);
            MUST(nn_send(end, body, SIZE, 0));
            start(&d);
            pthread_join(d.thread, NULL);
            CHECK(d.rc == -1 && d.error == ETIMEDOUT);
            CHECK(nn_recv(d.s1, body, SIZE, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
            MUST(nn_close(end));
            MUST(nn_close(d.s1));
            MUST(nn_close(d.s2));
            if (i == 3)
                before = resident();
        }
        CHECK(resident() - before < TIMES * SIZE / 4);
        free(body);
    }
}

/* NN_RCVTIMEO counts anew after each message, and for the last one too. */
static void after_a_message(enum ct_transport t)
{
    struct device d = {.s1 = MUST(nn_socket(AF_SP_RAW, NN_PULL)), .s2 = MUST(nn_socket(AF_SP_RAW, NN_PUSH))};
    int from = ct_socket(NN_PUSH), to = ct_socket(NN_PULL);
    char addr[NN_SOCKADDR_MAX], buf[8];
    MUST(ct_set(d.s1, NN_RCVTIMEO, 300));
    MUST(nn_bind(d.s1, ct_address(t, addr)));
    MUST(nn_connect(from, addr));
    MUST(nn_bind(d.s2, ct_address(t, addr)));
    MUST(nn_connect(to, addr));
    CONNECTED(from);
    CONNECTED(to);
    start(&d);
    MUST(nn_send(from, "one", 3, 0));
    CHECK(nn_recv(to, buf, sizeof buf, 0) == 3);
    char what[40];
    snprintf(what, sizeof what, "NN_RCVTIMEO after a message, %s", ct_scheme[t]);
    finish(what, &d);
    MUST(nn_close(d.s1));
    MUST(nn_close(d.s2));
    MUST(nn_close(from));
    MUST(nn_close(to));
}

static void by_term(void)
{
    struct device d = {.s1 = MUST(nn_socket(AF_SP_RAW, NN_PAIR)), .s2 = MUST(nn_socket(AF_SP_RAW, NN_PAIR))};
    struct device loop = {.s1 = MUST(nn_socket(AF_SP_RAW, NN_PAIR)), .s2 = -1};
    start(&d);
    start(&loop);
    BLOCKED();
    nn_term();
    finish("two sockets", &d);
    finish("loop-back", &loop);
}

int main(void)
{
    printf("-- arguments\n");
    arguments();
    for (enum ct_transport t = INPROC; t <= WS; t++)
        between(t);
    printf("-- loop-back\n");
    loopback();
    printf("-- timeouts\n");
    timeouts();
    what_is_left();
    for (enum ct_transport t = INPROC; t <= WS; t++)
        after_a_message(t);
    ct_in_child("nn_term", by_term);
    return 0;
}
