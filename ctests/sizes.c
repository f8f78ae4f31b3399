/* Messages of every size, sent and received as chunks and as buffers, over every
   transport, with and without a header that the library takes off. (Upstream 1.2
   aborted in nn_recv with NN_MSG for some sizes.) */

#include "ctest.h"

enum { LARGEST = 1 << 20, EVERY = 1100 };
static unsigned char out[LARGEST + 1], back[LARGEST + 1];

/* Sizes beyond those tried one by one: around what a reader, a buffer or a frame is likely to end at. */
static const size_t EDGES[] = {2039, 2048, 4064, 4087, 4088, 4096, 8192, 16384, 32768, 65520, 65535, 65536, 131072, 262144, 524288};
enum { AROUND = 10 };

static int changed;

enum way { BUFFER, CHUNK, VECTOR };
enum { WAYS = 3 };

static int deliver(int s, enum way way, const unsigned char *body, size_t size)
{
    struct nn_iovec part[2];
    struct nn_msghdr hdr = {part, 2, NULL, 0};
    void *chunk;
    switch (way) {
    case BUFFER:
        return nn_send(s, body, size, 0);
    case CHUNK:
        chunk = nn_allocmsg(size, 0);
        memcpy(chunk, body, size);
        return nn_send(s, &chunk, NN_MSG, 0);
    default:
        part[0].iov_base = (void *) body;
        part[0].iov_len = size / 3;
        part[1].iov_base = (void *) (body + size / 3);
        part[1].iov_len = size - size / 3;
        return nn_sendmsg(s, &hdr, 0);
    }
}

static int collect(int s, enum way way, size_t size)
{
    struct nn_iovec part[2];
    struct nn_msghdr hdr = {part, 2, NULL, 0};
    void *chunk = NULL, *larger;
    int n;
    memset(back, 0xEE, size + 1);
    switch (way) {
    case BUFFER:
        return nn_recv(s, back, sizeof back, 0);
    case CHUNK:
        n = nn_recv(s, &chunk, NN_MSG, 0);
        if (n < 0)
            return n;
        memcpy(back, chunk, (size_t) n);
        if (!ct_oracle) {
            /* It is a chunk like any other, which the original's is not where a header was taken off. */
            larger = nn_reallocmsg(chunk, (size_t) n + 10);
            changed += !larger || memcmp(larger, back, (size_t) n) != 0;
            chunk = larger;
        }
        return nn_freemsg(chunk) == 0 ? n : -2;
    default:
        /* Less room than there is message: the rest is cut off, the size is told. */
        part[0].iov_base = back;
        part[0].iov_len = size / 2;
        part[1].iov_base = back + size / 2;
        part[1].iov_len = size / 4;
        n = nn_recvmsg(s, &hdr, 0);
        if (n >= 0 && back[size / 2 + size / 4] != 0xEE)
            return -3;
        memcpy(back + size / 2 + size / 4, out + size / 2 + size / 4, size - size / 2 - size / 4);
        return n;
    }
}

static int wrong;

static void pass(int from, int to, size_t size, int turn)
{
    enum way sent = (enum way) (turn % WAYS), received = (enum way) (turn / WAYS % WAYS);
    out[size / 2] = (unsigned char) size;
    int n = deliver(from, sent, out, size), m = n < 0 ? n : collect(to, received, size);
    if (n != (int) size || m != (int) size || memcmp(out, back, size) != 0) {
        if (wrong++ < 5)
            printf("%zu bytes, sent in way %d, received in way %d: %d, %d %s\n", size, sent, received, n, m,
                   ct_errname(nn_errno()));
    }
}

/* Ways change from size to size, and each combination meets each size but for the large ones. */
static void all_sizes(int asks, int answers, int both_ways, int combinations)
{
    for (size_t size = 0; size <= EVERY; size++)
        for (int way = 0; way < combinations; way++) {
            pass(asks, answers, size, (int) size + way);
            if (both_ways)
                pass(answers, asks, size, (int) size + way + 4);
        }
    for (size_t edge = 0; edge < sizeof EDGES / sizeof *EDGES; edge++)
        for (size_t size = EDGES[edge] - AROUND; size <= EDGES[edge] + AROUND; size++) {
            pass(asks, answers, size, (int) (size + edge));
            if (both_ways)
                pass(answers, asks, size, (int) (size + edge) + 4);
        }
    for (size_t size = LARGEST - 2 * AROUND; size <= LARGEST - AROUND; size++)
        for (int way = 0; way < WAYS * WAYS; way += 4) {
            pass(asks, answers, size, way);
            if (both_ways)
                pass(answers, asks, size, way);
        }
}

static void run(enum ct_transport t, int asks, int answers, int both_ways, int combinations, const char *what)
{
    char addr[NN_SOCKADDR_MAX];
    int a = ct_socket(asks), b = ct_socket(answers);
    if (answers == NN_SUB)
        MUST(nn_setsockopt(b, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    MUST(nn_bind(b, ct_address(t, addr)));
    MUST(nn_connect(a, addr));
    CONNECTED(a);
    CONNECTED(b);
    wrong = 0;
    all_sizes(a, b, both_ways, combinations);
    MUST(nn_close(a));
    MUST(nn_close(b));
    printf("%s, %s: %d wrong\n", ct_scheme[t], what, wrong);
}

int main(void)
{
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (unsigned char) (i * 131 + i / 257);
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        run(t, NN_PAIR, NN_PAIR, 1, WAYS * WAYS, "PAIR");
        /* With headers to be taken off. */
        run(t, NN_REQ, NN_REP, 1, 2, "REQ and REP");
        run(t, NN_PUSH, NN_PULL, 0, 2, "PUSH and PULL");
    }
    QUIRK("realloc", "a message that came with a header keeps its bytes in nn_reallocmsg")
        CHECK(changed == 0);
    return 0;
}
