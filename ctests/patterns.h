/* What the programs about the patterns share: sockets that know each other,
   messages as text, and headers of raw sockets. Include it instead of ctest.h. */

#ifndef PATTERNS_H
#define PATTERNS_H

#include "ctest.h"

/* A socket of either domain whose calls give up after CT_PATIENCE. */
static inline int pt_socket(int domain, int type)
{
    int s = MUST(nn_socket(domain, type));
    MUST(ct_set(s, NN_SNDTIMEO, CT_PATIENCE));
    MUST(ct_set(s, NN_RCVTIMEO, CT_PATIENCE));
    return s;
}

static inline int pt_raw(int type)
{
    return pt_socket(AF_SP_RAW, type);
}

/* Connects the second to an address of the first, and waits until both know it. */
static inline void pt_link(int bound, int connected, const char *addr)
{
    int a = PEERS(bound), b = PEERS(connected);
    MUST(nn_connect(connected, addr));
    EVENTUALLY(PEERS(bound) == a + 1);
    EVENTUALLY(PEERS(connected) == b + 1);
}

/* The same at a fresh address. */
static inline void pt_join(enum ct_transport t, int bound, int connected)
{
    char addr[NN_SOCKADDR_MAX];
    MUST(nn_bind(bound, ct_address(t, addr)));
    pt_link(bound, connected, addr);
}

static inline void pt_close(const int *s, int n)
{
    for (int i = 0; i < n; i++)
        MUST(nn_close(s[i]));
}

/* ---- messages as text --------------------------------------------------- */

/* Bytes between quotation marks, those that cannot be printed as \xNN. One of
   four buffers in turn. */
static inline const char *pt_text(const void *data, size_t size)
{
    static char texts[4][1024];
    static int turn;
    const unsigned char *at = data;
    char *text = texts[turn++ % 4], *to = text;
    *to++ = '"';
    for (size_t i = 0; i < size && i < 200; i++)
        to += at[i] >= ' ' && at[i] < 127 ? sprintf(to, "%c", at[i]) : sprintf(to, "\\x%02x", at[i]);
    strcpy(to, "\"");
    return text;
}

/* Sends text; it must be accepted whole. */
static inline void pt_say(int s, const char *text)
{
    int size = (int) strlen(text);
    int rc = MUST(nn_send(s, text, (size_t) size, 0));
    CHECK(rc == size);
}

/* Prints what one nn_recv gave: the text, or the error. */
static inline int pt_recv(const char *what, int s, int flags)
{
    char buf[1024];
    int rc = nn_recv(s, buf, sizeof buf, flags);
    int e = nn_errno();
    if (rc < 0)
        printf("%s: %s\n", what, ct_errname(e));
    else
        printf("%s: %s\n", what, pt_text(buf, (size_t) rc));
    return rc;
}

static inline void pt_hear(const char *what, int s)
{
    pt_recv(what, s, 0);
}

static inline void pt_try(const char *what, int s)
{
    pt_recv(what, s, NN_DONTWAIT);
}

/* The same with NN_RCVTIMEO at ms, for what shall not come. */
static inline void pt_hear_for(const char *what, int s, int ms)
{
    MUST(ct_set(s, NN_RCVTIMEO, ms));
    pt_recv(what, s, 0);
    MUST(ct_set(s, NN_RCVTIMEO, CT_PATIENCE));
}

/* Is the next message this text? Says what it is when not. */
static inline int pt_got(int s, const char *text)
{
    char buf[1024];
    int rc = nn_recv(s, buf, sizeof buf, 0);
    if (rc == (int) strlen(text) && memcmp(buf, text, (size_t) rc) == 0)
        return 1;
    printf("%s instead of \"%s\"\n", rc < 0 ? ct_errname(nn_errno()) : pt_text(buf, (size_t) rc), text);
    return 0;
}

/* ---- readiness ---------------------------------------------------------- */

/* What nn_poll says about the socket now: bits, or -1. */
static inline int pt_polled(int s, int events)
{
    struct nn_pollfd p = {s, (short) events, 0};
    int rc = nn_poll(&p, 1, 0);
    return rc > 0 ? p.revents : rc;
}

#define READABLE(s) EVENTUALLY(pt_polled((s), NN_POLLIN) == NN_POLLIN)

/* A sender that drops what it cannot send at once: sends again until s has a message. */
#define SEND_UNTIL_READABLE(s, send) \
    do { \
        int pt_tries = 0; \
        do { \
            (void) (send); \
        } while (!WAIT_FOR(500, pt_polled((s), NN_POLLIN) == NN_POLLIN) && ++pt_tries < 30); \
        CHECK(pt_tries < 30); \
    } while (0)

/* The index of one of them that has a message, or -1. */
static inline int pt_any(const int *s, int n)
{
    struct nn_pollfd p[16];
    for (int i = 0; i < n; i++)
        p[i] = (struct nn_pollfd) {s[i], NN_POLLIN, 0};
    if (nn_poll(p, n, CT_PATIENCE) > 0)
        for (int i = 0; i < n; i++)
            if (p[i].revents)
                return i;
    return -1;
}

/* ---- headers of raw sockets ----------------------------------------------- */

struct pt_msg {
    unsigned char head[1200], body[1200];
    int heads, size; /* heads is -1 without SP_HDR, size -1 without a message */
};

static inline int pt_send_raw(int s, const void *head, size_t heads, const void *body, size_t size, int flags)
{
    _Alignas(size_t) unsigned char control[1300] = {0};
    struct nn_iovec iov = {(void *) (uintptr_t) body, size};
    struct nn_msghdr hdr = {&iov, 1, control, NN_CMSG_SPACE(sizeof(size_t) + heads)};
    struct nn_cmsghdr *c = (struct nn_cmsghdr *) control;
    c->cmsg_len = NN_CMSG_LEN(sizeof(size_t) + heads);
    c->cmsg_level = PROTO_SP;
    c->cmsg_type = SP_HDR;
    memcpy(NN_CMSG_DATA(c), &heads, sizeof heads);
    if (heads)
        memcpy(NN_CMSG_DATA(c) + sizeof heads, head, heads);
    return nn_sendmsg(s, &hdr, flags);
}

static inline int pt_recv_raw(int s, struct pt_msg *m, int flags)
{
    void *control = NULL;
    memset(m, 0, sizeof *m);
    m->heads = -1;
    struct nn_iovec iov = {m->body, sizeof m->body};
    struct nn_msghdr hdr = {&iov, 1, &control, NN_MSG};
    m->size = nn_recvmsg(s, &hdr, flags);
    if (m->size < 0)
        return m->size;
    for (struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR(&hdr); c; c = NN_CMSG_NXTHDR(&hdr, c))
        if (c->cmsg_level == PROTO_SP && c->cmsg_type == SP_HDR) {
            size_t n;
            memcpy(&n, NN_CMSG_DATA(c), sizeof n);
            CHECK(n <= sizeof m->head);
            CHECK(c->cmsg_len == NN_CMSG_SPACE(sizeof n + n));
            m->heads = (int) n;
            memcpy(m->head, NN_CMSG_DATA(c) + sizeof n, n < sizeof m->head ? n : sizeof m->head);
        }
    MUST(nn_freemsg(control));
    return m->size;
}

/* The same, for a message that must come. */
static inline struct pt_msg pt_take(int s)
{
    struct pt_msg m;
    MUST(pt_recv_raw(s, &m, 0));
    return m;
}

static inline int pt_is(const struct pt_msg *m, const char *text)
{
    return m->size == (int) strlen(text) && memcmp(m->body, text, (size_t) m->size) == 0;
}

static inline uint32_t pt_word(const void *data)
{
    uint32_t w;
    memcpy(&w, data, 4);
    return ntohl(w);
}

/* A message whose body is a stack of words and a text; the last word has the top bit. */
static inline size_t pt_stack(void *to, int words, const char *text)
{
    unsigned char *at = to;
    for (int i = 0; i < words; i++) {
        uint32_t w = htonl(i == words - 1 ? 0x80000000u | 7u : (uint32_t) i + 1);
        memcpy(at + 4 * i, &w, 4);
    }
    memcpy(at + 4 * words, text, strlen(text));
    return (size_t) (4 * words) + strlen(text);
}

/* ---- peers that are OS sockets --------------------------------------------- */

static inline const char *pt_upgrade(int type)
{
    switch (type) {
    case NN_PUB: return UPGRADE("pub");
    case NN_SUB: return UPGRADE("sub");
    case NN_REQ: return UPGRADE("req");
    case NN_REP: return UPGRADE("rep");
    case NN_PUSH: return UPGRADE("push");
    case NN_PULL: return UPGRADE("pull");
    case NN_SURVEYOR: return UPGRADE("surveyor");
    case NN_RESPONDENT: return UPGRADE("respondent");
    case NN_BUS: return UPGRADE("bus");
    default: return UPGRADE("pair");
    }
}

/* Greets as a socket of that type, and waits for the library's greeting. */
static inline int pt_os_peer(const char *addr, int type, int s)
{
    char header[8] = {0, 'S', 'P', 0, 0, (char) type, 0, 0};
    int peers = PEERS(s), fd = ct_raw_connect(addr);
    if (ct_is(addr, WS)) {
        /* A ws client names the type it wants. */
        const char *upgrade = pt_upgrade(ct_get(s, NN_SOL_SOCKET, NN_PROTOCOL));
        ct_raw_write(fd, upgrade, strlen(upgrade));
        ct_raw_upgraded(fd);
    } else {
        ct_raw_write(fd, header, 8);
        CHECK(ct_raw_read(fd, header, 8) == 8);
    }
    EVENTUALLY(PEERS(s) == peers + 1);
    return fd;
}

static inline void pt_os_send(int fd, const char *addr, const void *body, size_t size)
{
    char frame[1024];
    ct_raw_write(fd, frame, ct_frame(addr, size, body, size, frame));
}

/* Reads one frame's body; -1 when it is not there. */
static inline int pt_os_recv(int fd, const char *addr, void *body, size_t size)
{
    unsigned char head[9];
    size_t n = ct_is(addr, IPC) ? 9 : 8, length = 0;
    if (ct_is(addr, WS)) {
        /* Short ones only: a server's frame is not masked. */
        if (ct_raw_read(fd, head, 2) != 2 || head[0] != 0x82 || head[1] > 125)
            return -1;
        length = head[1];
    } else {
        if (ct_raw_read(fd, head, n) != n)
            return -1;
        for (size_t i = n - 8; i < n; i++)
            length = length << 8 | head[i];
    }
    if (length > size || ct_raw_read(fd, body, length) != length)
        return -1;
    return (int) length;
}

#endif
