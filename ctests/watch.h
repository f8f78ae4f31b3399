/* What a program hears of sockets (nanomsg-rs/monitor.h): their events, and their statistics. */

#ifndef WATCH_H
#define WATCH_H

enum {
    NN_ENDPOINT = -1001,
    NN_RECV_PEER = 1006,
    NN_MONITOR = 1007,
    NN_STATISTICS = 1008,
};

static inline int watch(int s, const char *addr)
{
    return nn_setsockopt(s, NN_SOL_SOCKET, NN_MONITOR, addr, strlen(addr));
}

static inline const char *text(int s, int level, int option)
{
    static char buffer[65536];
    size_t size = sizeof buffer;
    MUST(nn_getsockopt(s, level, option, buffer, &size));
    CHECK(size < sizeof buffer && strlen(buffer) == size);
    return buffer;
}

/* One that hears of all that happens to s, or of what has this name. */
static inline int watcher(int s, const char *addr, const char *name)
{
    int sub = ct_socket(NN_SUB);
    MUST(nn_setsockopt(sub, NN_SUB, NN_SUB_SUBSCRIBE, name, strlen(name)));
    MUST(nn_connect(sub, addr[0] ? addr : text(s, NN_SOL_SOCKET, NN_MONITOR)));
    return sub;
}

static char event[4096];

/* The next event has this name, and these words in it. */
static inline int next(int sub, const char *name, const char *first, const char *second)
{
    int length = nn_recv(sub, event, sizeof event - 1, 0);
    event[length > 0 ? length : 0] = 0;
    size_t size = strlen(name);
    int named = length > (int) size && !strncmp(event, name, size) && event[size] == ' ';
    int right = named && strstr(event, first) && strstr(event, second);
    if (!right)
        fprintf(stderr, "not %s with %s and %s: %s\n", name, first, second, event);
    return right;
}

/* Passes over what comes before one of that name. */
static inline void until(int sub, const char *name)
{
    size_t size = strlen(name);
    do
        CHECK(nn_recv(sub, event, sizeof event - 1, 0) > 0);
    while (strncmp(event, name, size) || event[size] != ' ');
}

#define NEXT(sub, name, first, second) CHECK(next(sub, name, first, second))

static inline long long number(const char *in, const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *found = strstr(in, quoted);
    return found ? atoll(found + strlen(quoted)) : -1;
}

/* The peer of the message in the control buffer, or NULL. */
static inline const char *peer_of(struct nn_msghdr *msg)
{
    static char peer[1024];
    for (struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR(msg); c; c = NN_CMSG_NXTHDR(msg, c))
        if (c->cmsg_level == NN_SOL_SOCKET && c->cmsg_type == NN_RECV_PEER) {
            size_t length = c->cmsg_len - NN_CMSG_LEN(0);
            memcpy(peer, NN_CMSG_DATA(c), length);
            peer[length] = 0;
            return peer;
        }
    return NULL;
}

#endif
