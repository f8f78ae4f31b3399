/* Connections that go without a word, because the cable was cut: found out as each option says, told with the reason, dialled
   again, and there again once it is mended. */

#include "ctest.h"
#include "cable.h"

enum {
    NN_CONNECT_TIMEOUT = 1002,
    NN_MONITOR = 1007,
    NN_TCP_KEEPALIVE_IDLE = 1001,
    NN_TCP_KEEPALIVE_INTERVAL = 1002,
    NN_TCP_KEEPALIVE_COUNT = 1003,
    NN_TCP_USER_TIMEOUT = 1004,
    NN_WS_PING = 1001,
};

#define IDLE "tcp://10.77.0.2:5555"
#define WEBSOCKET "ws://10.77.0.2:5556"
#define BUSY "tcp://10.77.0.2:5557"
#define SILENT "tcp://10.77.0.2:5558"

static int set(int s, int level, int option, int value) { return nn_setsockopt(s, level, option, &value, sizeof value); }

/* Asks an idle peer after a second whether it is there, once more a second later, and gives up after another one. */
static void keep_alive(int s)
{
    MUST(set(s, NN_TCP, NN_TCP_KEEPALIVE_IDLE, 1000));
    MUST(set(s, NN_TCP, NN_TCP_KEEPALIVE_INTERVAL, 1000));
    MUST(set(s, NN_TCP, NN_TCP_KEEPALIVE_COUNT, 2));
}

/* What the far host's idle socket tells, line by line. */
static int told[2];

static void far_host(void)
{
    char event[2048];
    int idle = ct_socket(NN_PAIR), ws = ct_socket(NN_PAIR), pull = ct_socket(NN_PULL), sub = ct_socket(NN_SUB);
    keep_alive(idle);
    MUST(nn_setsockopt(idle, NN_SOL_SOCKET, NN_MONITOR, "inproc://far", 12));
    MUST(nn_setsockopt(sub, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    MUST(ct_set(sub, NN_RCVTIMEO, -1));
    MUST(nn_connect(sub, "inproc://far"));
    MUST(nn_bind(idle, IDLE));
    MUST(nn_bind(ws, WEBSOCKET));
    MUST(nn_bind(pull, BUSY));
    for (;;) {
        int length = MUST(nn_recv(sub, event, sizeof event, 0));
        event[length++] = '\n';
        CHECK(write(told[1], event, length) == length);
    }
}

struct watched {
    int s, sub;
    const char *addr;
};

static struct watched watched(int type, const char *addr, const char *at)
{
    struct watched w = {ct_socket(type), ct_socket(NN_SUB), addr};
    MUST(ct_set(w.s, NN_RECONNECT_IVL, 50));
    MUST(nn_setsockopt(w.s, NN_SOL_SOCKET, NN_MONITOR, at, strlen(at)));
    MUST(nn_setsockopt(w.sub, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    MUST(nn_connect(w.sub, at));
    return w;
}

/* Waits for an event of that name, and for these words in it. */
static int happens(struct watched w, const char *name, const char *words)
{
    char event[2048];
    size_t size = strlen(name);
    for (;;) {
        int length = nn_recv(w.sub, event, sizeof event - 1, 0);
        if (length < 0)
            return 0;
        event[length] = 0;
        if (strncmp(event, name, size) || event[size] != ' ')
            continue;
        if (!strstr(event, words) || !strstr(event, w.addr))
            fprintf(stderr, "%s, and not with %s\n", event, words);
        return strstr(event, words) && strstr(event, w.addr);
    }
}

static int far_tells(const char *name, const char *words)
{
    char line[2048];
    size_t size = strlen(name), n = 0;
    while (n < sizeof line - 1 && read(told[0], line + n, 1) == 1) {
        if (line[n++] != '\n')
            continue;
        line[n] = 0;
        n = 0;
        if (!strncmp(line, name, size) && line[size] == ' ')
            return strstr(line, words) != NULL;
    }
    return 0;
}

int main(void)
{
    int status;
    char body[1000] = {0};
    MUST(pipe(told));
    QUIRK("events of a cut cable", "found out as each option says, told with the reason, and dialled again") {
        pid_t far = cable(far_host);
        struct watched idle = watched(NN_PAIR, IDLE, "inproc://idle"), ws = watched(NN_PAIR, WEBSOCKET, "inproc://ws");
        struct watched busy = watched(NN_PUSH, BUSY, "inproc://busy"), silent = watched(NN_PAIR, SILENT, "inproc://silent");
        keep_alive(idle.s);
        MUST(set(busy.s, NN_TCP, NN_TCP_USER_TIMEOUT, 1500));
        MUST(set(ws.s, NN_WS, NN_WS_PING, 500));
        for (int i = 0; i < 3; i++) {
            struct watched w = i == 0 ? idle : i == 1 ? ws : busy;
            MUST(nn_connect(w.s, w.addr));
            CHECK(happens(w, "connected", w.addr));
        }
        CHECK(far_tells("connected", "\"address\":\"10.77.0.1:"));
        /* Quiet, and all there: nobody is taken for dead. */
        ct_nap(2500);
        CHECK(PEERS(idle.s) == 1 && PEERS(ws.s) == 1 && PEERS(busy.s) == 1);

        CHECK(cut() == 0);
        int64_t start = ct_now();
        MUST(nn_send(busy.s, body, sizeof body, 0));
        CHECK(happens(ws, "disconnected", "\"reason\":\"timeout\""));
        CHECK(ct_took(start, 400, 5000));
        CHECK(happens(busy, "disconnected", "\"reason\":\"timeout\""));
        CHECK(ct_took(start, 1400, 8000));
        CHECK(happens(idle, "disconnected", "\"reason\":\"timeout\""));
        CHECK(far_tells("disconnected", "\"reason\":\"timeout\""));
        CHECK(ct_took(start, 400, 10000));
        CHECK(happens(idle, "retrying", "\"retry_ms\":"));
        CHECK(happens(idle, "connecting", ""));
        /* Nobody answers a dial, either. */
        MUST(ct_set(silent.s, NN_CONNECT_TIMEOUT, 300));
        MUST(nn_connect(silent.s, SILENT));
        for (int round = 0; round < 3; round++)
            CHECK(happens(silent, "connect_failed", "\"errno\":110,"));

        CHECK(mend() == 0);
        CHECK(happens(idle, "connected", ""));
        CHECK(far_tells("connected", "\"address\":\"10.77.0.1:"));
        CHECK(happens(ws, "connected", "") && happens(busy, "connected", ""));
        MUST(nn_send(idle.s, body, sizeof body, 0));
        MUST(nn_close(idle.s));
        CHECK(far_tells("disconnected", "\"reason\":\"closed\""));
        kill(far, SIGKILL);
        MUST(waitpid(far, &status, 0));
    }
    return 0;
}
