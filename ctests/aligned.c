/* Where messages lie that are received with NN_MSG: at addresses that fit any C
   type, as malloc's do. Programs cast them to structures of their own. */

#include "ctest.h"
#include <stddef.h>

static const int sizes[] = {1, 8, 96, 100, 101, 104, 105, 128, 1000, 4092, 4096, 4100, 10000, 100003, 300000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static char body[300000];

static int misplaced(const void *m)
{
    return (uintptr_t) m % _Alignof(max_align_t) != 0;
}

static void deliver(const char *what, int from, int to, int size)
{
    char *m = NULL;
    body[0] = (char) size;
    body[size - 1] = (char) (size >> 3);
    CHECK(nn_send(from, body, (size_t) size, 0) == size);
    int rc = nn_recv(to, &m, NN_MSG, 0);
    if (rc != size || memcmp(m, body, (size_t) size) != 0)
        printf("%s: %d instead of %d bytes, or others\n", what, rc, size);
    else if (misplaced(m))
        printf("%s: %d bytes at %d behind a multiple\n", what, size, (int) ((uintptr_t) m % _Alignof(max_align_t)));
    if (rc < 0)
        return;
    /* And back, if that is how they talk, as the memory that it came in. */
    m = nn_reallocmsg(m, (size_t) size);
    CHECK(!misplaced(m));
    nn_freemsg(m);
}

struct way { const char *name; int from, to, back; };

static const struct way ways[] = {
    {"pair", NN_PAIR, NN_PAIR, 1}, {"pipeline", NN_PUSH, NN_PULL, 0}, {"pubsub", NN_PUB, NN_SUB, 0},
    {"bus", NN_BUS, NN_BUS, 1}, {"reqrep", NN_REQ, NN_REP, 1}, {"survey", NN_SURVEYOR, NN_RESPONDENT, 1},
};

static void talk(const char *name, const struct way *way, int from, int to)
{
    int patience = CT_PATIENCE;
    if (way->from == NN_SURVEYOR)
        MUST(nn_setsockopt(from, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, &patience, sizeof patience));
    for (int i = 0; i < SIZES; i++) {
        deliver(name, from, to, sizes[i]);
        if (way->back)
            deliver(name, to, from, sizes[SIZES - 1 - i]);
    }
}

static void directly(enum ct_transport t)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char addr[NN_SOCKADDR_MAX], name[100];
        int from = ct_socket(ways[i].from), to = ct_socket(ways[i].to);
        if (ways[i].to == NN_SUB)
            MUST(nn_setsockopt(to, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
        MUST(nn_bind(to, ct_address(t, addr)));
        MUST(nn_connect(from, addr));
        CONNECTED(from);
        CONNECTED(to);
        if (ways[i].from == NN_PUB)
            ct_nap(50);
        snprintf(name, sizeof name, "%s over %s", ways[i].name, ct_scheme[t]);
        talk(name, &ways[i], from, to);
        MUST(nn_close(from));
        MUST(nn_close(to));
    }
}

static void *forward(void *arg)
{
    const int *s = arg;
    nn_device(s[0], s[1]);
    return NULL;
}

/* Behind devices: headers of several hops. */
static void through_devices(enum ct_transport t)
{
    enum { DEVICES = 5 };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char addr[NN_SOCKADDR_MAX], name[100];
        pthread_t threads[DEVICES];
        int s[DEVICES][2], from = ct_socket(ways[i].from), to = ct_socket(ways[i].to);
        if (ways[i].to == NN_SUB)
            MUST(nn_setsockopt(to, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
        MUST(nn_bind(to, ct_address(t, addr)));
        for (int k = 0; k < DEVICES; k++) {
            s[k][0] = MUST(nn_socket(AF_SP_RAW, ways[i].from));
            s[k][1] = MUST(nn_socket(AF_SP_RAW, ways[i].to));
            if (ways[i].to == NN_SUB)
                MUST(nn_setsockopt(s[k][1], NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
            MUST(nn_connect(s[k][0], addr));
            MUST(nn_bind(s[k][1], ct_address(k & 1 ? INPROC : t, addr)));
            CONNECTED(s[k][0]);
        }
        MUST(nn_connect(from, addr));
        CONNECTED(from);
        for (int k = 0; k < DEVICES; k++)
            CONNECTED(s[k][1]);
        for (int k = 0; k < DEVICES; k++)
            MUST(pthread_create(&threads[k], NULL, forward, s[k]));
        if (ways[i].from == NN_PUB)
            ct_nap(300);
        snprintf(name, sizeof name, "%s over devices and %s", ways[i].name, ct_scheme[t]);
        talk(name, &ways[i], from, to);
        MUST(nn_close(from));
        for (int k = 0; k < DEVICES; k++) {
            MUST(nn_close(s[k][0]));
            MUST(nn_close(s[k][1]));
            MUST(pthread_join(threads[k], NULL));
        }
        MUST(nn_close(to));
    }
}

/* A raw socket's body is what is left behind the first word, whatever that is. */
static void raw(enum ct_transport t)
{
    static const char header[] = "\0\0\0\1\0\0\0\2\x80\0\0\3";
    char addr[NN_SOCKADDR_MAX], *m;
    int from = MUST(nn_socket(AF_SP_RAW, NN_REQ)), to = ct_socket(NN_REP);
    MUST(nn_bind(to, ct_address(t, addr)));
    MUST(nn_connect(from, addr));
    CONNECTED(from);
    CONNECTED(to);
    for (int i = 0; i < SIZES; i++) {
        memcpy(body, header, 12);
        int size = sizes[i] + 12;
        char control[64] = {0}, back[64];
        struct nn_iovec part = {body + 4, (size_t) size - 4};
        struct nn_msghdr hdr = {&part, 1, control, NN_CMSG_SPACE(8 + 4)};
        struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR(&hdr);
        size_t four = 4;
        if (size > (int) sizeof body)
            continue;
        c->cmsg_len = NN_CMSG_LEN(8 + 4);
        c->cmsg_level = PROTO_SP;
        c->cmsg_type = SP_HDR;
        memcpy(NN_CMSG_DATA(c), &four, sizeof four);
        memcpy(NN_CMSG_DATA(c) + 8, body, 4);
        CHECK(nn_sendmsg(from, &hdr, 0) == size - 4);
        CHECK(nn_recv(to, &m, NN_MSG, 0) == size - 12);
        CHECK(!misplaced(m));
        CHECK(nn_send(to, &m, NN_MSG, 0) == size - 12);
        part = (struct nn_iovec) {&m, NN_MSG};
        hdr = (struct nn_msghdr) {&part, 1, back, sizeof back};
        CHECK(nn_recvmsg(from, &hdr, 0) == size - 4);
        CHECK(!misplaced(m) && memcmp(m, "\0\0\0\2\x80\0\0\3", 8) == 0);
        nn_freemsg(m);
    }
    MUST(nn_close(from));
    MUST(nn_close(to));
}

int main(void)
{
    ct_dir();
    QUIRK("Q-A1", "messages lie where malloc would put them") {
        for (size_t size = 0; size < 5000; size += 7) {
            void *m = nn_allocmsg(size, 0);
            CHECK(!misplaced(m));
            m = nn_reallocmsg(m, size * 3 + 1);
            CHECK(!misplaced(m));
            m = nn_reallocmsg(m, size / 2);
            CHECK(!misplaced(m));
            CHECK(nn_freemsg(m) == 0);
        }
        for (enum ct_transport t = INPROC; t <= WS; t++) {
            directly(t);
            through_devices(t);
            raw(t);
        }
    }
    return 0;
}
