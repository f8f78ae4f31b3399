/* What a socket tells of itself (nanomsg-rs/monitor.h): its events, in order, to any number of watchers, who harm nobody; its
   statistics; and whom a message came from. */

#include "ctest.h"
#include "watch.h"

enum {
    NN_WS_PING = 1001,
    NN_STAT_MESSAGES_OVERFLOWED = 1302,
};

static void options(void)
{
    int s = ct_socket(NN_PULL), other = ct_socket(NN_PUSH), listens = ct_socket(NN_REP);
    CHECK(!strcmp(text(s, NN_SOL_SOCKET, NN_MONITOR), ""));
    CHECK(watch(s, "nonsense") == -1 && nn_errno() == EINVAL);
    CHECK(watch(s, "what://ever") == -1 && nn_errno() == EPROTONOSUPPORT);
    MUST(nn_bind(listens, "inproc://taken"));
    CHECK(watch(s, "inproc://taken") == -1 && nn_errno() == EADDRINUSE);
    CHECK(!strcmp(text(s, NN_SOL_SOCKET, NN_MONITOR), ""));
    MUST(watch(s, "inproc://mine"));
    CHECK(!strcmp(text(s, NN_SOL_SOCKET, NN_MONITOR), "inproc://mine"));
    CHECK(watch(other, "inproc://mine") == -1 && nn_errno() == EADDRINUSE);
    CHECK(watch(s, "inproc://mine") == -1 && nn_errno() == EADDRINUSE); /* it goes on */
    MUST(watch(s, "tcp://127.0.0.1:0"));
    CHECK(ct_port_of(text(s, NN_SOL_SOCKET, NN_MONITOR)) > 0);
    MUST(watch(other, "inproc://mine")); /* it is free */
    MUST(watch(other, ""));
    MUST(watch(s, ""));
    CHECK(!strcmp(text(s, NN_SOL_SOCKET, NN_MONITOR), ""));
    CHECK(nn_setsockopt(s, NN_SOL_SOCKET, NN_STATISTICS, "", 0) == -1);
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_RECV_PEER) == 0 && ct_set(s, NN_RECV_PEER, 1) == 0);
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_RECV_PEER) == 1);
    CHECK(ct_set(s, NN_RECV_PEER, 2) == -1 && nn_errno() == EINVAL);
    MUST(nn_close(s));
    MUST(nn_close(other));
    MUST(nn_close(listens));
}

/* A life from the first bind to nn_close, told over any transport. */
static void life(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], at[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_REP), greeting = t != INPROC;
    MUST(ct_set(s, NN_LINGER, 100));
    MUST(nn_setsockopt(s, NN_SOL_SOCKET, NN_SOCKET_NAME, "\"name\"\n", 7));
    MUST(watch(s, ct_address(t, at)));
    int sub = watcher(s, at, "");
    CONNECTED(sub);
    int id = MUST(nn_bind(s, ct_address(t, addr)));
    NEXT(sub, "listening", addr, "\"kind\":\"bind\"");
    CHECK(number(event, "seq") == 1 && number(event, "id") == id);
    CHECK(strstr(event, "\"socket\":\"\\\"name\\\"\\n\"") && strstr(event, "\"type\":\"rep\""));
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long age = now.tv_sec * 1000000000ll + now.tv_nsec - number(event, "monotonic_ns");
    CHECK(age >= 0 && age / 1000000 < CT_PATIENCE);
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(llabs(now.tv_sec * 1000000000ll + now.tv_nsec - number(event, "time_ns")) < 60000000000ll);
    int other = ct_socket(NN_REP);
    MUST(nn_bind(other, "inproc://taken"));
    CHECK(nn_bind(s, "inproc://taken") == -1);
    NEXT(sub, "bind_failed", "inproc://taken", "\"error\":\"");
    MUST(nn_close(other));
    CHECK(number(event, "errno") == EADDRINUSE && !strstr(event, "\"id\":"));

    int peer = ct_socket(NN_REQ);
    MUST(nn_connect(peer, addr));
    if (greeting)
        NEXT(sub, "accepted", addr, "\"peer\":");
    long long pipe = number(event, "pipe");
    NEXT(sub, "connected", addr, "\"type\":\"req\"");
    CHECK(!greeting || number(event, "pipe") == pipe);
    if (t == IPC && !ct_portable)
        CHECK(number(event, "pid") == getpid() && number(event, "uid") == getuid());
    pipe = number(event, "pipe");
    CONNECTED(peer);
    MUST(nn_close(peer));
    NEXT(sub, "disconnected", addr, "\"reason\":\"closed\"");
    CHECK(number(event, "pipe") == pipe);

    peer = ct_socket(NN_REQ);
    MUST(nn_connect(peer, addr));
    if (greeting)
        NEXT(sub, "accepted", addr, "");
    NEXT(sub, "connected", addr, "");
    CHECK(number(event, "pipe") > pipe);
    MUST(nn_shutdown(s, id));
    NEXT(sub, "disconnected", addr, "\"reason\":\"shutdown\"");
    NEXT(sub, "closed", addr, "\"kind\":\"bind\"");
    long long seq = number(event, "seq");
    MUST(nn_close(peer));
    MUST(nn_close(s));
    NEXT(sub, "monitor_stopped", "\"type\":\"rep\"", "");
    CHECK(number(event, "seq") == seq + 1);
    MUST(nn_close(sub));
}

/* Peers that do not greet as they should. */
static void strangers(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], bytes[256];
    int s = ct_socket(NN_PAIR);
    MUST(watch(s, "inproc://strangers"));
    int sub = watcher(s, "inproc://strangers", "handshake_failed");
    MUST(nn_bind(s, ct_address(t, addr)));

    int wrong = ct_socket(NN_PUSH);
    MUST(ct_set(wrong, NN_RECONNECT_IVL, 60000)); /* the first time it tries again at once */
    MUST(nn_connect(wrong, addr));
    for (int i = 0; i < 2; i++)
        NEXT(sub, "handshake_failed", addr, "\"reason\":\"type\"");
    MUST(nn_close(wrong));

    int fd = ct_raw_connect(addr);
    ct_raw_write(fd, "nonsense nonsense\r\n\r\n", 21);
    NEXT(sub, "handshake_failed", addr, "\"reason\":\"protocol\"");
    CHECK(strstr(event, "\"violation\":\""));
    close(fd);

    if (t != WS) {
        fd = ct_raw_connect(addr);
        ct_raw_write(fd, "\0SP\1\0\x10\0\0", 8);
        NEXT(sub, "handshake_failed", addr, "\"reason\":\"version\"");
        close(fd);
        fd = ct_raw_connect(addr);
        NEXT(sub, "handshake_failed", addr, "\"reason\":\"timeout\""); /* after a second */
        close(fd);
    }
    fd = ct_raw_connect(addr);
    close(fd);
    NEXT(sub, "handshake_failed", addr, "\"reason\":\"");
    CHECK(strstr(event, "\"reason\":\"closed\"") || strstr(event, "\"reason\":\"reset\""));

    /* One that is taken, and breaks the protocol afterwards; another for which there is no room. */
    int ends = watcher(s, "inproc://strangers", "disconnected");
    fd = ct_raw_connect(addr);
    ct_raw_enter(addr, fd, s);
    int second = ct_socket(NN_PAIR);
    MUST(ct_set(second, NN_RECONNECT_IVL, 60000));
    MUST(nn_connect(second, addr));
    for (int i = 0; i < 2; i++)
        NEXT(sub, "handshake_failed", addr, "\"reason\":\"refused\"");
    MUST(nn_close(second));
    MUST(ct_set(s, NN_RCVMAXSIZE, 100));
    size_t size = ct_frame(addr, 101, bytes, 101, bytes + 101);
    ct_raw_write(fd, bytes + 101, size);
    NEXT(ends, "disconnected", addr, "\"reason\":\"violation\"");
    CHECK(strstr(event, "\"violation\":\""));
    close(fd);
    MUST(nn_close(ends));
    MUST(nn_close(sub));
    MUST(nn_close(s));
}

/* The side that dials. */
static void dialling(void)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PUSH);
    MUST(ct_set(s, NN_RECONNECT_IVL, 10));
    MUST(watch(s, "inproc://dialling"));
    int sub = watcher(s, "inproc://dialling", "");
    int id = MUST(nn_connect(s, ct_address(TCP, addr)));
    NEXT(sub, "connecting", addr, "\"kind\":\"connect\"");
    CHECK(number(event, "id") == id);
    NEXT(sub, "connect_failed", addr, "\"retry_ms\":0");
    CHECK(number(event, "errno") == ECONNREFUSED && strstr(event, "\"error\":\""));
    NEXT(sub, "connecting", addr, "");
    NEXT(sub, "connect_failed", addr, "\"error\":\"");
    CHECK(number(event, "errno") == ECONNREFUSED && number(event, "retry_ms") >= 5 && number(event, "retry_ms") <= 10);
    NEXT(sub, "connecting", addr, "");
    int pull = ct_socket(NN_PULL);
    MUST(nn_bind(pull, addr));
    until(sub, "connected");
    MUST(nn_close(pull));
    NEXT(sub, "disconnected", addr, "\"reason\":\"closed\"");
    NEXT(sub, "retrying", addr, "\"retry_ms\":");
    NEXT(sub, "connecting", addr, "");
    MUST(nn_close(sub));
    MUST(nn_close(s));
}

/* Watchers that do not read, that have gone, and that sit on the socket itself. */
static void harmless(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], at[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PULL), push = ct_socket(NN_PUSH);
    MUST(ct_set(push, NN_RECONNECT_IVL, 1));
    MUST(watch(s, ct_address(t, at)));
    int deaf = watcher(s, at, ""), gone = watcher(s, at, "");
    CONNECTED(deaf);
    CONNECTED(gone);
    MUST(nn_bind(s, ct_address(TCP, addr)));
    MUST(nn_close(gone));
    int64_t start = ct_now();
    for (int round = 0; round < 1000; round++) {
        int id = MUST(nn_connect(push, addr));
        MUST(nn_send(push, "x", 1, 0));
        MUST(nn_shutdown(push, id));
        char body[1];
        CHECK(nn_recv(s, body, 1, 0) == 1);
    }
    CHECK(ct_now() - start < CT_PATIENCE);
    start = ct_now();
    MUST(nn_close(s));
    CHECK(ct_now() - start < 5000);
    /* What it reads late is in order, and tells what it has missed. */
    long long seq = 0;
    MUST(ct_set(deaf, NN_RCVTIMEO, 100));
    for (int length; (length = nn_recv(deaf, event, sizeof event - 1, 0)) > 0;) {
        event[length] = 0;
        CHECK(number(event, "seq") > seq);
        seq = number(event, "seq");
    }
    CHECK(seq > 0 && (t != INPROC || strstr(event, "monitor_stopped"))); /* it is the oldest that goes */
    MUST(nn_close(deaf));
    MUST(nn_close(push));
}

static void itself(void)
{
    int sub = ct_socket(NN_SUB), bus = ct_socket(NN_BUS);
    MUST(nn_setsockopt(sub, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    MUST(watch(sub, "inproc://itself"));
    MUST(nn_connect(sub, "inproc://itself"));
    int id = MUST(nn_connect(sub, "inproc://nobody"));
    do
        CHECK(nn_recv(sub, event, sizeof event, 0) > 0);
    while (!strstr(event, "inproc://nobody"));
    MUST(nn_shutdown(sub, id));
    NEXT(sub, "closed", "inproc://nobody", "");
    MUST(watch(sub, "tcp://127.0.0.1:0"));
    MUST(nn_connect(sub, text(sub, NN_SOL_SOCKET, NN_MONITOR)));
    id = MUST(nn_bind(sub, "inproc://somebody"));
    CHECK(nn_recv(sub, event, sizeof event, 0) > 0);
    MUST(nn_close(sub));
    /* One that its monitor refuses. */
    MUST(ct_set(bus, NN_RECONNECT_IVL, 1));
    MUST(watch(bus, "tcp://127.0.0.1:0"));
    int other = watcher(bus, "", "retrying");
    CONNECTED(other);
    MUST(nn_connect(bus, text(bus, NN_SOL_SOCKET, NN_MONITOR)));
    for (int round = 0; round < 5; round++)
        NEXT(other, "retrying", "\"retry_ms\":", "");
    MUST(nn_close(bus));
    MUST(nn_close(other));
}

/* Messages for which a peer has no room: told at once, once a second, and the rest at the end. */
static void overflow(void)
{
    int s = ct_socket(NN_PUB), deaf = ct_socket(NN_SUB);
    MUST(ct_set(deaf, NN_RCVBUF, 1));
    MUST(nn_setsockopt(deaf, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    MUST(nn_bind(s, "inproc://overflow"));
    MUST(nn_connect(deaf, "inproc://overflow"));
    CONNECTED(s);
    EVENTUALLY(MUST(nn_send(s, "x", 1, 0)) == 1 && ct_stat(s, NN_STAT_MESSAGES_OVERFLOWED) > 0);
    int before = ct_stat(s, NN_STAT_MESSAGES_OVERFLOWED);
    MUST(watch(s, "inproc://watch"));
    int sub = watcher(s, "inproc://watch", "");
    for (int i = 0; i < 100; i++)
        MUST(nn_send(s, "x", 1, 0));
    NEXT(sub, "overflow", "\"dropped\":1}", "\"type\":\"pub\"");
    CHECK(ct_stat(s, NN_STAT_MESSAGES_OVERFLOWED) == before + 100);
    MUST(watch(s, ""));
    NEXT(sub, "overflow", "\"dropped\":99}", "");
    NEXT(sub, "monitor_stopped", "", "");
    CHECK(number(text(s, NN_SOL_SOCKET, NN_STATISTICS), "messages_overflowed") == before + 100);
    MUST(nn_close(deaf));
    MUST(nn_close(sub));
    MUST(nn_close(s));
}

/* Sockets that go while they are watched, in several threads at once. */
static void *come_and_go(void *addr)
{
    for (int round = 0; round < 200; round++) {
        int s = ct_socket(NN_PUSH);
        MUST(nn_connect(s, addr));
        if (round % 2)
            MUST(nn_send(s, "x", 1, 0));
        MUST(nn_close(s));
    }
    return NULL;
}

static void *switch_on_and_off(void *socket)
{
    char at[64];
    for (int round = 0; round < 200; round++) {
        snprintf(at, sizeof at, "inproc://switch%d", round);
        MUST(watch(*(int *) socket, round % 3 ? at : ""));
    }
    return NULL;
}

static void races(void)
{
    char addr[NN_SOCKADDR_MAX], body[1];
    int s = ct_socket(NN_PULL);
    MUST(nn_bind(s, ct_address(TCP, addr)));
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, come_and_go, addr);
    pthread_create(&threads[1], NULL, come_and_go, addr);
    pthread_create(&threads[2], NULL, switch_on_and_off, &s);
    for (int round = 0; round < 200; round++)
        CHECK(nn_recv(s, body, 1, 0) == 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    MUST(nn_close(s));
}

static void *ask(void *s)
{
    char address[64];
    for (int round = 0; round < 100000; round++) {
        size_t size = sizeof address;
        MUST(nn_getsockopt(*(int *) s, NN_SOL_SOCKET, NN_MONITOR, address, &size));
    }
    return NULL;
}

/* Who asks for the address while an event is written down does not keep it from being published. */
static void asked(void)
{
    int s = ct_socket(NN_PULL), sub = watcher(s, "inproc://asked", "");
    MUST(watch(s, "inproc://asked"));
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, ask, &s);
    int heard = 1;
    for (int round = 0; round < 20000 && heard; round++) {
        int id = MUST(nn_bind(s, "inproc://there"));
        heard = nn_recv(sub, event, sizeof event, 0) > 0;
        MUST(nn_shutdown(s, id));
        heard = heard && nn_recv(sub, event, sizeof event, 0) > 0;
    }
    CHECK(heard);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    MUST(nn_close(sub));
    MUST(nn_close(s));
}

/* Watchers who do not read delay nn_term for as long as one of them does. */
static void at_the_end(void)
{
    enum { MANY = 15 };
    TAKES(50, 1000, {
        pid_t child = MUST(fork());
        if (child == 0) {
            char addr[NN_SOCKADDR_MAX];
            for (int i = 0; i < MANY; i++) {
                int s = ct_socket(NN_PULL);
                MUST(watch(s, ct_address(IPC, addr)));
                int fd = ct_raw_connect(addr);
                char greeting[8];
                ct_raw_write(fd, "\0SP\0\0\x21\0\0", 8);
                CHECK(ct_raw_read(fd, greeting, 8) == 8);
            }
            nn_term();
            _exit(!ct_all_hold);
        }
        int status;
        MUST(waitpid(child, &status, 0));
        CHECK(status == 0);
    });
}

static void statistics(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], body[8];
    int s = ct_socket(NN_PULL), push = ct_socket(NN_PUSH);
    int id = MUST(nn_bind(s, ct_address(t, addr)));
    MUST(nn_connect(push, addr));
    CONNECTED(s);
    for (int i = 0; i < 3; i++)
        MUST(nn_send(push, "hello", 5, 0));
    CHECK(nn_recv(s, body, sizeof body, 0) == 5);
    EVENTUALLY(number(text(s, NN_SOL_SOCKET, NN_STATISTICS), "recv_queue_bytes") >= 10);
    const char *told = text(s, NN_SOL_SOCKET, NN_STATISTICS);
    CHECK(told[0] == '{' && told[strlen(told) - 1] == '}');
    CHECK(strstr(told, addr) && strstr(told, "\"type\":\"pull\"") && strstr(told, "\"raw\":false"));
    CHECK(number(strstr(told, "\"endpoints\":"), "id") == id);
    CHECK(number(told, "connected") == 1 && number(told, "current_connections") == 1);
    CHECK(number(strstr(told, "\"counters\":"), "messages_received") == 1);
    CHECK(number(strstr(told, "\"connections\":["), "messages_received") == 1);
    CHECK(number(strstr(told, "\"connections\":["), "bytes_received") == 5);
    if (t == TCP && !ct_portable)
        CHECK(number(told, "rtt_us") > 0);
    told = text(push, NN_SOL_SOCKET, NN_STATISTICS);
    CHECK(number(strstr(told, "\"connections\":["), "messages_sent") == 3);
    CHECK(number(strstr(told, "\"connections\":["), "bytes_sent") == 15);
    CHECK(strstr(told, "\"kind\":\"connect\""));
    size_t size = 1;
    char little[1];
    MUST(nn_getsockopt(push, NN_SOL_SOCKET, NN_STATISTICS, little, &size));
    CHECK(size > 100 && little[0] == '{');
    MUST(nn_close(push));
    ALONE(s);
    told = text(s, NN_SOL_SOCKET, NN_STATISTICS);
    CHECK(strstr(told, "\"connections\":[]"));
    MUST(nn_close(s));
}

static void peers(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX], body[8], control[512];
    struct nn_iovec iov = {body, sizeof body};
    struct nn_msghdr msg = {&iov, 1, control, sizeof control};
    int s = ct_socket(NN_PULL), push[2];
    MUST(nn_bind(s, ct_address(t, addr)));
    long long pipes[2];
    for (int i = 0; i < 2; i++) {
        push[i] = ct_socket(NN_PUSH);
        MUST(nn_connect(push[i], addr));
        MUST(nn_send(push[i], "without", 7, 0));
        memset(control, 0, sizeof control);
        CHECK(nn_recvmsg(s, &msg, 0) == 7 && !peer_of(&msg));
    }
    MUST(ct_set(s, NN_RECV_PEER, 1));
    for (int i = 0; i < 4; i++) {
        MUST(nn_send(push[i % 2], i < 2 ? "first" : "again", 5, 0));
        if (i >= 2) /* what comes from one that has gone, too */
            MUST(nn_close(push[i % 2]));
        memset(control, 0, sizeof control);
        CHECK(nn_recvmsg(s, &msg, 0) == 5);
        const char *peer = peer_of(&msg);
        CHECK(peer && strstr(peer, "\"type\":\"push\""));
        if (peer && i < 2)
            pipes[i] = number(peer, "pipe");
        CHECK(peer && number(peer, "pipe") == pipes[i % 2]);
        if (t == TCP || t == WS)
            CHECK(peer && strstr(peer, "\"address\":\"127.0.0.1:"));
        if (t == IPC && !ct_portable)
            CHECK(peer && number(peer, "pid") == getpid());
    }
    CHECK(pipes[0] != pipes[1]);
    MUST(nn_close(s));

    /* With chunks, and where there is no room for it. */
    int pair[2];
    void *block = NULL;
    ct_pair(t, pair);
    MUST(ct_set(pair[1], NN_RECV_PEER, 1));
    MUST(nn_send(pair[0], "hello", 5, 0));
    msg.msg_control = &block;
    msg.msg_controllen = NN_MSG;
    CHECK(nn_recvmsg(pair[1], &msg, 0) == 5 && peer_of(&msg));
    MUST(nn_freemsg(block));
    MUST(nn_send(pair[0], "hello", 5, 0));
    msg.msg_control = control;
    msg.msg_controllen = NN_CMSG_SPACE(sizeof(size_t)) + NN_CMSG_SPACE(0) + 4;
    memset(control, 0, sizeof control);
    CHECK(nn_recvmsg(pair[1], &msg, 0) == 5 && !peer_of(&msg));
    ct_close_pair(pair);
}

/* A WebSocket whose peer shows no sign of life. */
static void pings(void)
{
    char addr[NN_SOCKADDR_MAX], frame[16];
    int s = ct_socket(NN_PAIR);
    CHECK(ct_get(s, NN_WS, NN_WS_PING) == 0);
    int every = -1;
    CHECK(nn_setsockopt(s, NN_WS, NN_WS_PING, &every, sizeof every) == -1 && nn_errno() == EINVAL);
    every = 100;
    MUST(nn_setsockopt(s, NN_WS, NN_WS_PING, &every, sizeof every));
    MUST(watch(s, "inproc://pings"));
    int sub = watcher(s, "inproc://pings", "disconnected");
    MUST(nn_bind(s, ct_address(WS, addr)));

    /* It answers for a while, and is asked again each time; then it does not. */
    int fd = ct_raw_connect(addr);
    ct_raw_enter(addr, fd, s);
    int64_t start = ct_now();
    for (int round = 0; round < 5; round++) {
        CHECK(ct_raw_read(fd, frame, 2) == 2 && !memcmp(frame, "\x89\0", 2));
        if (round < 4)
            ct_raw_write(fd, "\x8a\x80\0\0\0\0", 6);
    }
    CHECK(ct_now() - start >= 850); /* each second look finds the answer of the first */
    NEXT(sub, "disconnected", addr, "\"reason\":\"timeout\"");
    CHECK(ct_raw_closed(fd, CT_PATIENCE));
    close(fd);

    /* Messages are signs of life, and ours answers by itself. */
    fd = ct_raw_connect(addr);
    ct_raw_enter(addr, fd, s);
    start = ct_now();
    while (ct_now() - start < 500) {
        ct_raw_write(fd, "\x82\x80\0\0\0\0", 6);
        CHECK(nn_recv(s, frame, sizeof frame, 0) == 0);
        ct_nap(20);
    }
    struct pollfd idle = {fd, POLLIN, 0};
    CHECK(poll(&idle, 1, 0) == 0); /* nobody had to ask */
    close(fd);
    NEXT(sub, "disconnected", addr, "\"reason\":\"");
    int peer = ct_socket(NN_PAIR);
    MUST(nn_connect(peer, addr));
    CONNECTED(peer);
    TAKES(500, 60000, CHECK((ct_set(sub, NN_RCVTIMEO, 500), nn_recv(sub, event, sizeof event, 0)) == -1));
    MUST(nn_send(peer, "hello", 5, 0));
    CHECK(nn_recv(s, frame, sizeof frame, 0) == 5);
    MUST(nn_close(peer));
    MUST(nn_close(sub));
    MUST(nn_close(s));
}

int main(void)
{
    QUIRK("NN_MONITOR", "a socket publishes what happens to it, and watchers harm nobody") {
        options();
        for (enum ct_transport t = INPROC; t <= WS; t++)
            life(t);
        for (enum ct_transport t = IPC; t <= WS; t++)
            strangers(t);
        dialling();
        for (enum ct_transport t = INPROC; t <= WS; t++)
            harmless(t);
        itself();
        overflow();
        races();
        asked();
        at_the_end();
    }
    QUIRK("NN_STATISTICS", "what a socket has counted, and its connections, as one document") {
        for (enum ct_transport t = INPROC; t <= WS; t++)
            statistics(t);
    }
    QUIRK("NN_RECV_PEER", "a message tells whom it came from") {
        for (enum ct_transport t = INPROC; t <= WS; t++)
            peers(t);
    }
    QUIRK("NN_WS_PING", "a WebSocket whose peer shows no sign of life ends") {
        pings();
    }
    return 0;
}
