/* Who is refused over tls+tcp and wss, and how it is told: as an event, in statistics, once on stderr, by number and
   text on both sides where both are ours. A good connection at the same endpoint goes on meanwhile. */

#include "ctest.h"
#include "tls.h"
#include "watch.h"

/* ---- what the library prints --------------------------------------------- */

static int printed;

static void redirect_stderr(void)
{
    char path[200];
    snprintf(path, sizeof path, "%s/stderr", ct_dir());
    printed = MUST(open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    MUST(dup2(printed, STDERR_FILENO));
}

/* How often the socket of this name has printed this failure. */
static int times_printed(const char *socket, int failure)
{
    static char all[65536];
    char name[64];
    ssize_t size = pread(printed, all, sizeof all - 1, 0);
    all[size > 0 ? size : 0] = 0;
    snprintf(name, sizeof name, "socket.%s[", socket);
    int times = 0;
    for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n"))
        times += strstr(line, name) && strstr(line, nn_strerror(failure));
    return times;
}

static const char *where;

/* ---- one who watches ------------------------------------------------------ */

struct side {
    int s, watcher;
    const char *name;
};

static struct side side(int type, const char *name, const char *monitor)
{
    struct side side = {ct_socket(type), 0, name};
    MUST(nn_setsockopt(side.s, NN_SOL_SOCKET, NN_SOCKET_NAME, name, strlen(name)));
    MUST(ct_set(side.s, NN_RECONNECT_IVL, 10));
    MUST(watch(side.s, monitor));
    side.watcher = watcher(side.s, monitor, "handshake_failed");
    CONNECTED(side.watcher);
    return side;
}

/* It is told of the failure, each time, and has printed it once. */
static void hears(struct side *side, const char *addr, int failure)
{
    enum { TIMES = 3 };
    char error[200];
    snprintf(error, sizeof error, "\"error\":\"%s\"", nn_strerror(failure));
    for (int i = 0; i < TIMES; i++) {
        NEXT(side->watcher, "handshake_failed", addr, "\"reason\":\"tls\"");
        CHECK(number(event, "errno") == failure && strstr(event, error));
    }
    const char *endpoint = strstr(text(side->s, NN_SOL_SOCKET, NN_STATISTICS), "\"endpoints\":");
    CHECK(number(endpoint, "failed") >= TIMES && number(endpoint, "errno") == failure);
    EVENTUALLY(ct_stat(side->s, NN_STAT_BROKEN_CONNECTIONS) >= TIMES);
    CHECK(times_printed(side->name, failure) == 1);
    if (!ct_all_hold)
        ct_die(where, __LINE__);
}

static void ends(struct side *side)
{
    MUST(nn_close(side->s));
    MUST(nn_close(side->watcher));
    MUST(ftruncate(printed, 0));
}

/* ---- a server of ours, with one good client -------------------------------- */

struct server {
    struct side side;
    int good;
    char addr[NN_SOCKADDR_MAX];
};

static void talk(struct server *server)
{
    char body[8];
    CHECK(nn_send(server->good, "ask", 3, 0) == 3);
    CHECK(nn_recv(server->side.s, body, sizeof body, 0) == 3);
    CHECK(nn_send(server->side.s, "answer", 6, 0) == 6);
    CHECK(nn_recv(server->good, body, sizeof body, 0) == 6);
}

static struct server server(const char *scheme, const char *shows, int verify, int oldest)
{
    struct server server = {side(NN_REP, "server", "inproc://server"), ct_socket(NN_REQ), ""};
    tls_show(server.side.s, shows);
    tls_trust(server.side.s, "ca");
    MUST(tls_int(server.side.s, NN_TLS_VERIFY, verify));
    MUST(tls_int(server.side.s, NN_TLS_MIN_VERSION, oldest));
    MUST(tls_bind(server.side.s, scheme, server.addr));
    tls_show(server.good, "client");
    MUST(tls_int(server.good, NN_TLS_VERIFY, 0));
    MUST(nn_connect(server.good, server.addr));
    talk(&server);
    return server;
}

static void server_ends(struct server *server)
{
    talk(server);
    CHECK(PEERS(server->side.s) == 1 && ct_stat(server->good, NN_STAT_ESTABLISHED_CONNECTIONS) == 1);
    MUST(nn_close(server->good));
    ends(&server->side);
}

/* ---- both sides ours -------------------------------------------------------- */

static const struct {
    const char *why, *server_shows;
    int server_verifies;
    const char *client_shows, *client_trusts, *name;
    int client_hears, server_hears;
} refusals[] = {
    {"an unknown authority", "untrusted", -1, NULL, "ca", NULL, NN_ETLS_UNKNOWN_CA, NN_ETLS_DISTRUSTED},
    {"another authority", "server", -1, NULL, "other-ca", NULL, NN_ETLS_UNKNOWN_CA, NN_ETLS_DISTRUSTED},
    {"signed by itself", "self", -1, NULL, "ca", NULL, NN_ETLS_UNKNOWN_CA, NN_ETLS_DISTRUSTED},
    {"expired", "expired", -1, NULL, "ca", NULL, NN_ETLS_EXPIRED, NN_ETLS_DISTRUSTED},
    {"not yet valid", "future", -1, NULL, "ca", NULL, NN_ETLS_NOT_YET_VALID, NN_ETLS_DISTRUSTED},
    {"another name", "elsewhere", -1, NULL, "ca", NULL, NN_ETLS_NAME, NN_ETLS_DISTRUSTED},
    {"not the name asked for", "server", -1, NULL, "ca", "elsewhere.example", NN_ETLS_NAME, NN_ETLS_DISTRUSTED},
    {"not the IP address asked for", "server", -1, NULL, "ca", "127.0.0.2", NN_ETLS_NAME, NN_ETLS_DISTRUSTED},
    {"no certificate of the client", "server", 2, NULL, "ca", NULL, NN_ETLS_CERT_WANTED, NN_ETLS_NO_CERT},
    {"a client of an unknown authority", "server", 2, "untrusted", "ca", NULL, NN_ETLS_DISTRUSTED, NN_ETLS_UNKNOWN_CA},
    {"the same, where none is demanded", "server", 1, "untrusted", "ca", NULL, NN_ETLS_DISTRUSTED, NN_ETLS_UNKNOWN_CA},
    {"a client signed by itself", "server", 2, "self", "ca", NULL, NN_ETLS_DISTRUSTED, NN_ETLS_UNKNOWN_CA},
    {"an expired client", "server", 2, "expired", "ca", NULL, NN_ETLS_DISTRUSTED, NN_ETLS_EXPIRED},
    {"a client not yet valid", "server", 2, "future", "ca", NULL, NN_ETLS_DISTRUSTED, NN_ETLS_NOT_YET_VALID},
};

static void refused(const char *scheme)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        where = refusals[i].why;
        struct server there = server(scheme, refusals[i].server_shows, refusals[i].server_verifies, 12);
        struct side client = side(NN_REQ, "client", "inproc://client");
        tls_trust(client.s, refusals[i].client_trusts);
        if (refusals[i].client_shows)
            tls_show(client.s, refusals[i].client_shows);
        if (refusals[i].name)
            MUST(tls_text(client.s, NN_TLS_NAME, refusals[i].name));
        MUST(nn_connect(client.s, there.addr));
        hears(&client, there.addr, refusals[i].client_hears);
        hears(&there.side, there.addr, refusals[i].server_hears);
        CHECK(PEERS(client.s) == 0);
        ends(&client);
        server_ends(&there);
    }
}

/* ---- clients of others ------------------------------------------------------ */

/* Three of them come: openssl, told this, or these bytes in the clear. */
static void come(const char *scheme, int oldest, const char *openssl, const char *bytes, size_t size, int failure)
{
    struct server there = server(scheme, "server", -1, oldest);
    for (int i = 0; i < 3; i++) {
        if (openssl) {
            char line[500];
            snprintf(line, sizeof line, "openssl s_client -connect 127.0.0.1:%d %s >/dev/null 2>&1 </dev/null",
                     ct_port_of(there.addr), openssl);
            CHECK(tls_run(line) != 0);
        } else {
            char plain[NN_SOCKADDR_MAX], alert[2];
            snprintf(plain, sizeof plain, "tcp://127.0.0.1:%d", ct_port_of(there.addr));
            int fd = ct_raw_connect(plain);
            ct_raw_write(fd, bytes, size);
            CHECK(ct_raw_read(fd, alert, 2) == 2 && !memcmp(alert, "\x15\x03", 2));
            close(fd);
        }
    }
    hears(&there.side, there.addr, failure);
    server_ends(&there);
}

#define IN_THE_CLEAR(scheme, bytes) come(scheme, 12, NULL, bytes, sizeof bytes - 1, NN_ETLS_NOT_TLS)
#define TLS_11 "-tls1_1 -cipher ALL:@SECLEVEL=0"

static void strangers(const char *scheme)
{
    where = "clients of others";
    come(scheme, 12, TLS_11, NULL, 0, NN_ETLS_VERSION);
    come(scheme, 13, "-tls1_2", NULL, 0, NN_ETLS_VERSION);
    come(scheme, 12, "-cipher AES128-SHA -tls1_2", NULL, 0, NN_ETLS_NO_COMMON);
    IN_THE_CLEAR(scheme, "nonsense nonsense\r\n\r\n");
    IN_THE_CLEAR(scheme, "\xff\xff\xff\xff\xff\xff\xff\xff");
    IN_THE_CLEAR(scheme, PAIR_HEADER);
    IN_THE_CLEAR(scheme, PAIR_UPGRADE);
}

/* ---- servers of others ------------------------------------------------------ */

static void dials(const char *scheme, int port, int oldest, int failure)
{
    where = "servers of others";
    char addr[NN_SOCKADDR_MAX];
    struct side client = side(NN_REQ, "client", "inproc://client");
    tls_trust(client.s, "ca");
    MUST(tls_int(client.s, NN_TLS_MIN_VERSION, oldest));
    snprintf(addr, sizeof addr, "%s://127.0.0.1:%d", scheme, port);
    MUST(nn_connect(client.s, addr));
    hears(&client, addr, failure);
    ends(&client);
}

static void openssl_serves(const char *scheme, const char *how, int oldest)
{
    int port = ct_port();
    tls_path("");
    pid_t server = MUST(fork());
    if (server == 0) {
        char line[500];
        snprintf(line, sizeof line, "exec openssl s_server -accept 127.0.0.1:%d -cert server.pem -key server.key %s"
                 " >/dev/null 2>&1", port, how);
        int quiet[2]; /* at the end of its input it would end */
        if (pipe(quiet) == 0 && dup2(quiet[0], STDIN_FILENO) == STDIN_FILENO && chdir(ct_dir()) == 0)
            execl("/bin/sh", "sh", "-c", line, NULL);
        _exit(1);
    }
    dials(scheme, port, oldest, NN_ETLS_VERSION);
    MUST(kill(server, SIGKILL));
    MUST(waitpid(server, NULL, 0));
}

/* One of ours that speaks no TLS: it hears no SP, and what it says is no TLS. */
static void plain_serves(const char *scheme, const char *plain)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_REP);
    MUST(watch(s, "inproc://plain"));
    int told = watcher(s, "inproc://plain", "handshake_failed");
    CONNECTED(told);
    snprintf(addr, sizeof addr, "%s://127.0.0.1:%d", plain, ct_port());
    MUST(nn_bind(s, addr));
    dials(scheme, ct_port_of(addr), 12, NN_ETLS_NOT_TLS);
    NEXT(told, "handshake_failed", addr, "\"reason\":\"protocol\"");
    CHECK(strstr(event, "\"violation\":\""));
    MUST(nn_close(told));
    MUST(nn_close(s));
}

/* And the other way round: one of ours dials a port of TLS in the clear. */
static void plain_dials(const char *scheme, const char *plain, const char *reason)
{
    char addr[NN_SOCKADDR_MAX];
    struct server there = server(scheme, "server", -1, 12);
    int s = ct_socket(NN_REQ);
    MUST(ct_set(s, NN_RECONNECT_IVL, 10));
    MUST(watch(s, "inproc://plain"));
    int told = watcher(s, "inproc://plain", "handshake_failed");
    CONNECTED(told);
    snprintf(addr, sizeof addr, "%s://127.0.0.1:%d", plain, ct_port_of(there.addr));
    MUST(nn_connect(s, addr));
    hears(&there.side, there.addr, NN_ETLS_NOT_TLS);
    NEXT(told, "handshake_failed", addr, reason);
    MUST(nn_close(told));
    MUST(nn_close(s));
    server_ends(&there);
}

int main(void)
{
    tls_need_openssl();
    setenv("NN_PRINT_ERRORS", "1", 1);
    QUIRK("TLS", "who is not trusted is refused and told why, and harms nobody") {
        redirect_stderr();
        for (int i = 0; i < 2; i++) {
            const char *scheme = tls_schemes[i];
            refused(scheme);
            strangers(scheme);
            openssl_serves(scheme, "-tls1_2", 13);
            openssl_serves(scheme, TLS_11, 12);
            plain_serves(scheme, "tcp");
            plain_dials(scheme, "tcp", "\"reason\":\"closed\""); /* an alert is shorter than a greeting */
            plain_dials(scheme, "ws", "\"reason\":\"protocol\"");
        }
    }
    return 0;
}
