/* What a peer that has gone has left unread holds nothing: not the only place of a
   PAIR, not an inproc endpoint, not a statistic, not a descriptor, not the door. */

#include "ctest.h"

/* A message that nobody has received, from a peer that is no more. */
static void visit(int type, const char *addr, int binds, const char *text, int host)
{
    int visitor = ct_socket(type);
    MUST(binds ? nn_bind(visitor, addr) : nn_connect(visitor, addr));
    CONNECTED(host);
    CHECK(nn_send(visitor, text, strlen(text), 0) == (int) strlen(text));
    EVENTUALLY(ct_readable(ct_get(host, NN_SOL_SOCKET, NN_RCVFD)));
    MUST(nn_close(visitor));
    EVENTUALLY(PEERS(host) == 0);
}

static void received(int s, const char *text)
{
    char buf[64];
    int rc = nn_recv(s, buf, sizeof buf, 0);
    CHECK(rc == (int) strlen(text) && memcmp(buf, text, (size_t) rc) == 0);
}

static void pair(enum ct_transport t, int binds)
{
    char addr[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR);
    MUST(ct_set(a, NN_RECONNECT_IVL, 20));
    ct_address(t, addr);
    MUST(binds ? nn_bind(a, addr) : nn_connect(a, addr));
    visit(NN_PAIR, addr, !binds, "first", a);
    int next = ct_socket(NN_PAIR);
    MUST(binds ? nn_connect(next, addr) : nn_bind(next, addr));
    CHECK(nn_send(a, "to the next", 11, 0) == 11);
    received(next, "to the next");
    if (t <= IPC)
        printf("%s: a PAIR that %s serves the next peer\n", ct_scheme[t], binds ? "binds" : "connects");
    /* The original drops what the first has left. */
    if (!ct_oracle) {
        CHECK(nn_send(next, "second", 6, 0) == 6);
        received(a, "first");
        received(a, "second");
    }
    MUST(nn_close(next));
    MUST(nn_close(a));
}

/* Each type that connects over inproc finds the next binder of the name. */
static void rebind(int type, int peer, const char *name)
{
    char addr[NN_SOCKADDR_MAX], buf[64];
    int s = ct_socket(type);
    if (type == NN_SUB)
        MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    MUST(nn_connect(s, ct_address(INPROC, addr)));
    int first = ct_socket(peer), second;
    MUST(nn_bind(first, addr));
    CONNECTED(s);
    if (peer != NN_REQ && peer != NN_REP && peer != NN_PULL)
        CHECK(nn_send(first, "unread", 6, 0) == 6);
    MUST(nn_close(first));
    EVENTUALLY(PEERS(s) == 0);
    second = ct_socket(peer);
    MUST(nn_bind(second, addr));
    CONNECTED(s);
    CONNECTED(second);
    (void) nn_recv(s, buf, sizeof buf, NN_DONTWAIT);
    MUST(nn_close(second));
    MUST(nn_close(s));
    printf("%s finds the next binder\n", name);
}

/* Many come and leave a message: nobody is kept out, and nobody's descriptor is kept. */
static void crowd(int type, int visitor, enum ct_transport t, int count)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(type);
    MUST(ct_set(s, NN_RCVBUF, 1024));
    MUST(nn_bind(s, ct_address(t, addr)));
    int before = ct_open_fds();
    for (int i = 0; i < count; i++) {
        int fd = ct_raw_connect(addr);
        ct_raw_write(fd, (char[]) {0, 'S', 'P', 0, 0, (char) visitor, 0, 0}, 8);
        char header[8], frame[600], body[512] = {0};
        CHECK(ct_raw_read(fd, header, 8) == 8);
        size_t size = ct_frame(addr, sizeof body, body, sizeof body, frame);
        for (int k = 0; k < 8; k++)
            ct_raw_write(fd, frame, size);
        close(fd);
    }
    EVENTUALLY(ct_stat(s, NN_STAT_ACCEPTED_CONNECTIONS) == count);
    EVENTUALLY(PEERS(s) == 0);
    EVENTUALLY(ct_open_fds() <= before);
    MUST(nn_close(s));
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= WS; t++)
        for (int binds = 0; binds < 2; binds++) {
            if (t <= IPC)
                pair(t, binds);
            else
                /* The original counts the peer as long as its message is unread. */
                QUIRK("gone peers", "over tcp and ws, too, it is gone at once") {
                    pair(t, binds);
                }
        }
    rebind(NN_PAIR, NN_PAIR, "PAIR");
    rebind(NN_BUS, NN_BUS, "BUS");
    rebind(NN_PULL, NN_PUSH, "PULL");
    rebind(NN_SUB, NN_PUB, "SUB");
    rebind(NN_REQ, NN_REP, "REQ");
    rebind(NN_RESPONDENT, NN_SURVEYOR, "RESPONDENT");
    QUIRK("gone peers", "a crowd that leaves messages keeps nobody out, and no descriptors") {
        for (enum ct_transport t = IPC; t <= TCP; t++) {
            crowd(NN_PULL, NN_PUSH, t, 500);
            crowd(NN_BUS, NN_BUS, t, 500);
            crowd(NN_SUB, NN_PUB, t, 500);
        }
    }
    return 0;
}
