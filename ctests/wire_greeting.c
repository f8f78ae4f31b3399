/* The first 8 bytes on a tcp or ipc connection, seen from the other end: what we
   send, what we accept, and how long we wait. */

#include "ctest.h"

static const struct greeting { const char *name; const char *bytes; int size, accepted; } greetings[] = {
    {"right", "\0SP\0\0\x10\0\0", 8, 1},
    {"reserved bytes set", "\0SP\0\0\x10\xff\xff", 8, 1},
    {"first byte 1", "\x01SP\0\0\x10\0\0", 8, 0},
    {"lower case", "\0sp\0\0\x10\0\0", 8, 0},
    {"version 1", "\0SP\x01\0\x10\0\0", 8, 0},
    {"type 0", "\0SP\0\0\0\0\0", 8, 0},
    {"type 17", "\0SP\0\0\x11\0\0", 8, 0},
    {"type of PUB", "\0SP\0\0\x20\0\0", 8, 0},
    {"type of REQ", "\0SP\0\0\x30\0\0", 8, 0},
    {"type of BUS", "\0SP\0\0\x70\0\0", 8, 0},
    {"type in the wrong byte order", "\0SP\0\x10\0\0\0", 8, 0},
    {"type 0x1010", "\0SP\0\x10\x10\0\0", 8, 0},
    {"all zero", "\0\0\0\0\0\0\0\0", 8, 0},
    {"HTTP", "GET / HT", 8, 0},
    {"right again", "\0SP\0\0\x10\0\0", 8, 1},
};
#define COUNT (int) (sizeof greetings / sizeof *greetings)

/* Writes a greeting; is it accepted, or the connection closed? */
static void greet(const struct greeting *g, int fd, int s)
{
    char header[8];
    int broken = ct_stat(s, NN_STAT_BROKEN_CONNECTIONS);
    ct_raw_write(fd, g->bytes, (size_t) g->size);
    size_t n = ct_raw_read(fd, header, 8);
    CHECK(n == 8 && memcmp(header, PAIR_HEADER, 8) == 0);
    if (g->accepted) {
        CONNECTED(s);
        printf("%s: accepted\n", g->name);
    } else {
        CHECK(ct_raw_closed(fd, CT_PATIENCE));
        EVENTUALLY(ct_stat(s, NN_STAT_BROKEN_CONNECTIONS) == broken + 1);
        CHECK(PEERS(s) == 0);
        printf("%s: closed\n", g->name);
    }
    close(fd);
    ALONE(s);
}

/* Does not complete its greeting, and is closed a second after it connected. */
static void too_slow(const char *what, int fd, int64_t start, int pieces, int gap)
{
    char header[8];
    CHECK(ct_raw_read(fd, header, 8) == 8);
    for (int i = 0; i < pieces; i++) {
        ct_nap(gap);
        ct_raw_write(fd, PAIR_HEADER + i, 1);
    }
    CHECK(ct_raw_closed(fd, CT_PATIENCE));
    CHECK(ct_took(start, 900, 6000));
    printf("%s: closed after about a second\n", what);
    close(fd);
}

static void run(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], header[8];
    int64_t start;
    int fd, s = ct_socket(NN_PAIR);

    printf("-- %s, bound\n", ct_scheme[t]);
    MUST(nn_bind(s, ct_address(t, addr)));
    fd = ct_raw_connect(addr);
    CHECK(ct_raw_read(fd, header, 8) == 8);
    ct_print_hex("sent without waiting for ours", header, 8);
    close(fd);
    EVENTUALLY(ct_stat(s, NN_STAT_BROKEN_CONNECTIONS) == 1);

    start = ct_now();
    for (int i = 0; i < COUNT; i++)
        greet(&greetings[i], ct_raw_connect(addr), s);
    CHECK(ct_took(start, 0, 8000)); /* a second each, were they not closed at once */

    start = ct_now();
    too_slow("nothing", ct_raw_connect(addr), start, 0, 0);
    start = ct_now();
    too_slow("half of it", ct_raw_connect(addr), start, 4, 0);
    start = ct_now();
    too_slow("a byte every 180 ms", ct_raw_connect(addr), start, 7, 180);
    CHECK(PEERS(s) == 0);

    /* In pieces, but in time. */
    fd = ct_raw_connect(addr);
    for (int i = 0; i < 8; i++) {
        ct_raw_write(fd, PAIR_HEADER + i, 1);
        ct_nap(5);
    }
    CONNECTED(s);
    printf("a byte every 5 ms: accepted\n");

    /* The original greets one too many for a PAIR, and then closes it: what that one has sent by then is lost. */
    QUIRK("PAIR second", "a second peer of a PAIR is closed before it is greeted") {
        int second = ct_raw_connect(addr);
        ct_raw_write(second, PAIR_HEADER, 8);
        CHECK(ct_raw_read(second, header, 8) == 0);
        CHECK(ct_raw_closed(second, CT_PATIENCE));
        close(second);
        CHECK(PEERS(s) == 1);
    }
    close(fd);
    ALONE(s);

    /* Those who go away during the greeting leave nothing behind. */
    for (int i = 0; i < 8; i++) {
        fd = ct_raw_connect(addr);
        ct_raw_write(fd, PAIR_HEADER, (size_t) i);
        close(fd);
    }
    fd = ct_raw_connect(addr);
    ct_raw_greet(fd, s);
    printf("after eight that went away: accepted\n");
    close(fd);
    MUST(nn_close(s));

    printf("-- %s, connected\n", ct_scheme[t]);
    int listener = ct_raw_listen(ct_address(t, addr));
    s = ct_socket(NN_PAIR);
    MUST(ct_set(s, NN_RECONNECT_IVL, 10));
    CALL(nn_connect(s, addr));
    fd = ct_raw_accept(listener, CT_PATIENCE);
    CHECK(ct_raw_read(fd, header, 8) == 8);
    ct_print_hex("sent without waiting for ours", header, 8);
    close(fd);
    for (int i = 0; i < COUNT; i++) {
        fd = ct_raw_accept(listener, CT_PATIENCE);
        CHECK(fd >= 0);
        greet(&greetings[i], fd, s);
    }
    /* It may have connected a little before we accept: allow 200 ms. */
    fd = ct_raw_accept(listener, CT_PATIENCE);
    too_slow("nothing", fd, ct_now() - 200, 0, 0);
    fd = ct_raw_accept(listener, CT_PATIENCE);
    too_slow("half of it", fd, ct_now() - 200, 4, 0);
    fd = ct_raw_accept(listener, CT_PATIENCE);
    ct_raw_greet(fd, s);
    printf("and still tries\n");
    MUST(nn_close(s));
    CHECK(ct_raw_closed(fd, CT_PATIENCE));
    close(fd);
    close(listener);
}

int main(void)
{
    run(TCP);
    run(IPC);
    return 0;
}
