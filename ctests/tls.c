/* The options of tls+tcp and wss: what each takes and returns, which errno the rest gets, and what endpoints make of
   them. */

#include "ctest.h"
#include "tls.h"
#include "watch.h"

#define FAILS(call, error) CHECK((call) == -1 && nn_errno() == (error))

static int fresh(void)
{
    return ct_socket(NN_PAIR);
}

static const char *contents(const char *name)
{
    static char text[20000];
    FILE *file = fopen(tls_path(name), "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    CHECK(size > 0);
    text[size] = 0;
    fclose(file);
    return text;
}

/* ---- values ---------------------------------------------------------------- */

static int reads(int s, int option, const char *value)
{
    return !strcmp(text(s, NN_TLS, option), value);
}

static void values(void)
{
    static const int with_text[] = {NN_TLS_CA, NN_TLS_CERT, NN_TLS_NAME};
    int s = fresh();
    size_t size = 4;
    char little[5] = "????";
    for (int i = 0; i < 3; i++)
        CHECK(reads(s, with_text[i], ""));
    CHECK(ct_get(s, NN_TLS, NN_TLS_VERIFY) == -1 && ct_get(s, NN_TLS, NN_TLS_MIN_VERSION) == 12);

    char path[200];
    snprintf(path, sizeof path, "%s", tls_path("server.pem"));
    for (int option = NN_TLS_CA; option <= NN_TLS_CERT; option++) {
        MUST(tls_text(s, option, path));
        CHECK(reads(s, option, path));
        MUST(nn_setsockopt(s, NN_TLS, option, path, strlen(path) + 1)); /* with its NUL */
        CHECK(reads(s, option, path));
        MUST(tls_text(s, option, contents("ca.pem")));
        CHECK(reads(s, option, contents("ca.pem")));
        MUST(nn_setsockopt(s, NN_TLS, option, contents("ca.pem"), strlen(contents("ca.pem")) + 1));
        CHECK(reads(s, option, contents("ca.pem")));
        MUST(nn_getsockopt(s, NN_TLS, option, little, &size));
        CHECK(size == strlen(contents("ca.pem")) && !strcmp(little, "----"));
        size = 4;
        MUST(tls_text(s, option, ""));
        CHECK(reads(s, option, ""));
        MUST(tls_text(s, option, path));
        MUST(nn_setsockopt(s, NN_TLS, option, "", 1));
        CHECK(reads(s, option, ""));
    }
    MUST(tls_text(s, NN_TLS_NAME, "localhost"));
    CHECK(reads(s, NN_TLS_NAME, "localhost"));
    MUST(nn_setsockopt(s, NN_TLS, NN_TLS_NAME, "::1", 4));
    CHECK(reads(s, NN_TLS_NAME, "::1"));
    MUST(tls_text(s, NN_TLS_NAME, ""));
    CHECK(reads(s, NN_TLS_NAME, ""));
    for (int value = -1; value <= 2; value++) {
        MUST(tls_int(s, NN_TLS_VERIFY, value));
        CHECK(ct_get(s, NN_TLS, NN_TLS_VERIFY) == value);
    }
    for (int value = 12; value <= 13; value++) {
        MUST(tls_int(s, NN_TLS_MIN_VERSION, value));
        CHECK(ct_get(s, NN_TLS, NN_TLS_MIN_VERSION) == value);
    }

    /* A key is not told, and neither is what it stands in. */
    MUST(tls_file(s, NN_TLS_KEY, "server.key"));
    FAILS(nn_getsockopt(s, NN_TLS, NN_TLS_KEY, path, &(size_t){sizeof path}), EACCES);
    MUST(tls_text(s, NN_TLS_KEY, ""));
    FAILS(nn_getsockopt(s, NN_TLS, NN_TLS_KEY, path, &(size_t){sizeof path}), EACCES);
    MUST(tls_text(s, NN_TLS_CERT, contents("both.pem")));
    FAILS(nn_getsockopt(s, NN_TLS, NN_TLS_CERT, path, &(size_t){sizeof path}), EACCES);
    MUST(tls_file(s, NN_TLS_CERT, "both.pem"));
    CHECK(reads(s, NN_TLS_CERT, tls_path("both.pem")));
    MUST(nn_close(s));
}

static void errors(void)
{
    int s = fresh(), value = 2;
    tls_path("");
    CHECK(tls_run("mkdir folder; : >empty; echo text >text; tail -n +2 ca.pem >headless; head -n 3 ca.pem >cut;"
                  "openssl pkcs8 -topk8 -passout pass:secret -in server.key -out encrypted.key;"
                  "sed 's/^-----BEGIN CERT/-----BEGIN X/' ca.pem >other; tr A-Z a-z <server.pem >broken") == 0);
    static const struct {
        const char *file;
        int error;
    } files[] = {
        {"missing.pem", ENOENT}, {"ca.pem/below", ENOTDIR}, {"folder", EISDIR}, {"empty", EINVAL},
        {"text", EINVAL},        {"headless", EINVAL},      {"cut", EINVAL},    {"other", EINVAL},
        {"broken", EINVAL},      {"encrypted.key", EINVAL},
    };
    MUST(tls_file(s, NN_TLS_CA, "ca.pem"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (int option = NN_TLS_CA; option <= NN_TLS_KEY; option++)
            FAILS(tls_file(s, option, files[i].file), files[i].error);
    CHECK(reads(s, NN_TLS_CA, tls_path("ca.pem"))); /* as it was */
    FAILS(tls_file(s, NN_TLS_CA, "server.key"), EINVAL);
    FAILS(tls_file(s, NN_TLS_CERT, "server.key"), EINVAL);
    FAILS(tls_file(s, NN_TLS_KEY, "server.pem"), EINVAL);
    FAILS(nn_setsockopt(s, NN_TLS, NN_TLS_CA, "a\0b", 3), EINVAL);
    uid_t user = geteuid();
    CHECK(chmod(tls_path("text"), 0) == 0 && (user != 0 || seteuid(65534) == 0)); /* root may read everything */
    FAILS(tls_file(s, NN_TLS_KEY, "text"), EACCES);
    CHECK(seteuid(user) == 0);

    static const char *const names[] = {"a b", "-", "a..b", "[::1]", "127.0.0.256", "local host", "\xff", "a/b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        FAILS(tls_text(s, NN_TLS_NAME, names[i]), EINVAL);
    for (int option = NN_TLS_VERIFY; option <= NN_TLS_MIN_VERSION; option += NN_TLS_MIN_VERSION - NN_TLS_VERIFY) {
        for (size_t size = 0; size <= 8; size++)
            if (size != sizeof value)
                FAILS(nn_setsockopt(s, NN_TLS, option, "\2\0\0\0\0\0\0\0", size), EINVAL);
        FAILS(tls_int(s, option, option == NN_TLS_VERIFY ? 3 : 11), EINVAL);
        FAILS(tls_int(s, option, option == NN_TLS_VERIFY ? -2 : 14), EINVAL);
        FAILS(tls_int(s, option, INT_MAX), EINVAL);
    }
    for (int option = NN_TLS_CA - 1; option <= NN_TLS_MIN_VERSION + 1; option += NN_TLS_MIN_VERSION - NN_TLS_CA + 2) {
        FAILS(tls_int(s, option, value), ENOPROTOOPT);
        FAILS(nn_getsockopt(s, NN_TLS, option, &value, &(size_t){sizeof value}), ENOPROTOOPT);
    }
    FAILS(nn_setsockopt(s, NN_TLS, NN_TLS_CA, NULL, 4), EFAULT);
    FAILS(nn_getsockopt(s, NN_TLS, NN_TLS_CA, NULL, &(size_t){4}), EFAULT);
    MUST(nn_close(s));
}

/* ---- certificates and their keys ------------------------------------------- */

/* A socket that shows these two files, either may be NULL, binds and connects, or that is EINVAL. */
static void shows(const char *certificate, const char *key, int binds, int connects)
{
    for (int i = 0; i < 2; i++) {
        char addr[NN_SOCKADDR_MAX];
        int s = fresh();
        if (certificate)
            MUST(tls_file(s, NN_TLS_CERT, certificate));
        if (key)
            MUST(tls_file(s, NN_TLS_KEY, key));
        int id = tls_bind(s, tls_schemes[i], addr);
        CHECK(binds ? id > 0 : id == -1 && nn_errno() == EINVAL);
        id = nn_connect(s, addr);
        CHECK(connects ? id > 0 : id == -1 && nn_errno() == EINVAL);
        MUST(nn_close(s));
    }
}

static void pairs_of_files(void)
{
    int s = fresh();
    FAILS(nn_bind(s, "tls+tcp://eth10000:5555"), ENODEV); /* the address comes first */
    FAILS(nn_bind(s, "wss://127.0.0.1:5555/path"), EINVAL);
    MUST(nn_close(s));
    shows(NULL, NULL, 0, 1);
    shows("server.pem", NULL, 0, 0);
    shows(NULL, "server.key", 0, 0);
    shows("server.pem", "client.key", 0, 0);
    shows("server.pem", "rsa.key", 0, 0);
    shows("both.pem", "client.key", 0, 0);
    shows("server.pem", "server.key", 1, 1);
    shows("server.pem", "server.pkcs8.key", 1, 1);
    shows("rsa.pem", "rsa.key", 1, 1);
    shows("both.pem", NULL, 1, 1);
    shows("both.pem", "both.pem", 1, 1);
}

/* ---- who is accepted -------------------------------------------------------- */

/* How one side is made. */
struct side {
    const char *trusts, *shows;
    int verifies;
    const char *name;
};

static int made(const struct side *side)
{
    int s = fresh();
    if (side->trusts)
        tls_trust(s, side->trusts);
    if (side->shows)
        tls_show(s, side->shows);
    if (side->name)
        MUST(tls_text(s, NN_TLS_NAME, side->name));
    MUST(tls_int(s, NN_TLS_VERIFY, side->verifies));
    MUST(ct_set(s, NN_IPV4ONLY, 0));
    MUST(ct_set(s, NN_RECONNECT_IVL, 10));
    return s;
}

static void exchange(int a, int b)
{
    char body[4];
    CHECK(nn_send(a, "hi", 2, 0) == 2 && nn_recv(b, body, sizeof body, 0) == 2);
    CHECK(nn_send(b, "ho", 2, 0) == 2 && nn_recv(a, body, sizeof body, 0) == 2);
}

/* They meet at this host, or it comes to nothing. */
static void meet(const struct side *binds, const struct side *connects, const char *host, int well)
{
    for (int i = 0; i < 2; i++) {
        char addr[NN_SOCKADDR_MAX];
        int port = ct_port(), s = made(binds), c = made(connects);
        snprintf(addr, sizeof addr, "%s://%s:%d", tls_schemes[i], strcmp(host, "[::1]") ? "127.0.0.1" : host, port);
        MUST(nn_bind(s, addr));
        snprintf(addr, sizeof addr, "%s://%s:%d", tls_schemes[i], host, port);
        MUST(nn_connect(c, addr));
        if (well)
            exchange(s, c);
        else
            EVENTUALLY(ct_stat(c, NN_STAT_BROKEN_CONNECTIONS) >= 3);
        CHECK(PEERS(s) == well && PEERS(c) == well);
        MUST(nn_close(c));
        MUST(nn_close(s));
    }
}

static void acceptance(void)
{
    static const struct side plain = {NULL, "server", -1, NULL}, trusting = {"ca", NULL, -1, NULL};
    static const struct side elsewhere = {NULL, "elsewhere", -1, NULL}, expired = {NULL, "expired", -1, NULL};
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    for (int i = 0; i < 3; i++) {
        meet(&plain, &trusting, hosts[i], 1);
        meet(&elsewhere, &trusting, hosts[i], 0);
        meet(&elsewhere, &(struct side){"ca", NULL, -1, "elsewhere.example"}, hosts[i], 1);
        meet(&plain, &(struct side){"ca", NULL, -1, "::1"}, hosts[i], 1);
        meet(&plain, &(struct side){"ca", NULL, -1, "::2"}, hosts[i], 0);
    }

    /* NN_TLS_VERIFY of who connects: 1 is as good as 2, as a server always shows a certificate. */
    for (int verify = -1; verify <= 2; verify++) {
        meet(&plain, &(struct side){"ca", NULL, verify, NULL}, "127.0.0.1", 1);
        meet(&plain, &(struct side){"other-ca", NULL, verify, NULL}, "127.0.0.1", verify == 0);
        meet(&expired, &(struct side){"ca", NULL, verify, NULL}, "127.0.0.1", verify == 0);
    }
    /* And of who binds. */
    for (int verify = -1; verify <= 2; verify++) {
        struct side binds = {"ca", "server", verify, NULL};
        meet(&binds, &trusting, "127.0.0.1", verify < 2);
        meet(&binds, &(struct side){"ca", "client", -1, NULL}, "127.0.0.1", 1);
        meet(&binds, &(struct side){"ca", "elsewhere", -1, NULL}, "127.0.0.1", 1); /* a client has no name */
        meet(&binds, &(struct side){"ca", "untrusted", -1, NULL}, "127.0.0.1", verify < 1);
    }

    /* One that signs itself is trusted where it is named, and where another is trusted it is not. */
    meet(&(struct side){NULL, "self", -1, NULL}, &(struct side){"self", NULL, -1, NULL}, "127.0.0.1", 1);
    meet(&(struct side){NULL, "self", -1, NULL}, &(struct side){"self", NULL, -1, "elsewhere.example"}, "127.0.0.1", 0);
    meet(&plain, &(struct side){"self", NULL, -1, NULL}, "127.0.0.1", 0);
    meet(&(struct side){"self", "server", 2, NULL}, &(struct side){"ca", "self", -1, NULL}, "127.0.0.1", 1);
    /* So is any certificate, in its time. */
    meet(&expired, &(struct side){"expired", NULL, -1, NULL}, "127.0.0.1", 0);
    meet(&(struct side){"expired", "server", 2, NULL}, &(struct side){"ca", "expired", -1, NULL}, "127.0.0.1", 0);
    meet(&(struct side){NULL, "untrusted", -1, NULL}, &(struct side){"untrusted", NULL, -1, NULL}, "127.0.0.1", 1);

    /* Several authorities in one file. */
    CHECK(tls_run("cat other-ca.pem ca.pem >two.pem") == 0);
    meet(&plain, &(struct side){"two", NULL, -1, NULL}, "127.0.0.1", 1);
    meet(&(struct side){NULL, "untrusted", -1, NULL}, &(struct side){"two", NULL, -1, NULL}, "127.0.0.1", 1);
    meet(&(struct side){NULL, "rsa", -1, NULL}, &trusting, "127.0.0.1", 1);

    /* One signed by one who is signed by who is trusted, with that one in the file and without. */
    CHECK(tls_run("openssl ecparam -name prime256v1 -genkey -noout -out between.key;"
                  "openssl req -new -key between.key -subj /CN=between -out between.csr 2>/dev/null;"
                  "printf 'basicConstraints=critical,CA:TRUE' >between.ext;"
                  "sign() { openssl x509 -req -CAcreateserial -days 100 \"$@\" 2>/dev/null; };"
                  "sign -CA ca.pem -CAkey ca.key -extfile between.ext -in between.csr -out between.pem;"
                  "sign -CA between.pem -CAkey between.key -extfile server.ext -in server.csr -out alone.pem;"
                  "cat alone.pem between.pem >chain.pem; cp server.key alone.key; cp server.key chain.key") == 0);
    meet(&(struct side){NULL, "chain", -1, NULL}, &trusting, "127.0.0.1", 1);
    meet(&(struct side){NULL, "alone", -1, NULL}, &trusting, "127.0.0.1", 0);
    meet(&(struct side){"ca", "server", 2, NULL}, &(struct side){"ca", "chain", -1, NULL}, "127.0.0.1", 1);

    /* The system's authorities, where none is named; the variable is read when the endpoint is made. */
    setenv("SSL_CERT_FILE", tls_path("ca.pem"), 1);
    meet(&plain, &(struct side){NULL, NULL, -1, NULL}, "127.0.0.1", 1);
    setenv("SSL_CERT_FILE", tls_path("other-ca.pem"), 1);
    meet(&plain, &(struct side){NULL, NULL, -1, NULL}, "127.0.0.1", 0);
    meet(&plain, &trusting, "127.0.0.1", 1);
    unsetenv("SSL_CERT_FILE");
}

/* ---- options change while endpoints live ------------------------------------ */

/* Endpoints keep what they were made with, also for redials. */
static void changes(const char *scheme)
{
    char old[NN_SOCKADDR_MAX], new[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_BUS), c = ct_socket(NN_BUS), d = ct_socket(NN_BUS);
    MUST(ct_set(c, NN_RECONNECT_IVL, 10));
    tls_show(s, "server");
    MUST(tls_bind(s, scheme, old));
    tls_show(s, "untrusted");
    MUST(tls_bind(s, scheme, new));
    tls_trust(c, "ca");
    int good = MUST(nn_connect(c, old));
    CONNECTED(c);
    int bad = MUST(nn_connect(c, new));
    EVENTUALLY(ct_stat(c, NN_STAT_BROKEN_CONNECTIONS) >= 2);
    CHECK(PEERS(c) == 1);
    MUST(nn_shutdown(c, bad));
    tls_trust(c, "other-ca");
    MUST(nn_connect(c, new));
    EVENTUALLY(PEERS(c) == 2);
    tls_trust(d, "ca");
    MUST(nn_connect(d, old));
    CONNECTED(d);
    /* Dialled again, the first one still trusts the first authority. */
    MUST(nn_shutdown(s, 1));
    ALONE(d);
    EVENTUALLY(PEERS(c) == 1);
    int again = ct_socket(NN_BUS);
    tls_show(again, "server");
    MUST(nn_bind(again, old));
    EVENTUALLY(PEERS(c) == 2 && PEERS(again) == 2);
    MUST(nn_shutdown(c, good));
    EVENTUALLY(PEERS(again) == 1);
    MUST(nn_close(again));
    MUST(nn_close(d));
    MUST(nn_close(c));
    MUST(nn_close(s));
}

/* A file that is written anew is read when it is named again. */
static void rewritten(const char *scheme)
{
    char first[NN_SOCKADDR_MAX], second[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_BUS), c = ct_socket(NN_BUS);
    tls_path("");
    CHECK(tls_run("cp both.pem mine.pem") == 0);
    MUST(tls_file(s, NN_TLS_CERT, "mine.pem"));
    CHECK(tls_run("cat untrusted.pem untrusted.key >mine.pem") == 0);
    MUST(tls_bind(s, scheme, first));
    MUST(tls_file(s, NN_TLS_CERT, "mine.pem"));
    MUST(tls_bind(s, scheme, second));
    tls_trust(c, "ca");
    MUST(nn_connect(c, first));
    CONNECTED(c);
    tls_trust(c, "other-ca");
    MUST(nn_connect(c, second));
    EVENTUALLY(PEERS(c) == 2);
    MUST(nn_close(c));
    MUST(nn_close(s));
}

static void port_0(const char *scheme)
{
    char addr[NN_SOCKADDR_MAX];
    int s = fresh(), c = fresh();
    tls_show(s, "server");
    tls_trust(c, "ca");
    snprintf(addr, sizeof addr, "%s://127.0.0.1:0", scheme);
    int id = MUST(nn_bind(s, addr));
    FAILS(nn_connect(c, addr), EINVAL);
    snprintf(addr, sizeof addr, "%s", text(s, NN_ENDPOINT, id));
    CHECK(ct_port_of(addr) > 0 && !strncmp(addr, scheme, strlen(scheme)));
    MUST(nn_connect(c, addr));
    exchange(s, c);
    MUST(nn_close(c));
    MUST(nn_close(s));
}

/* Events and control properties tell whose certificate was shown. */
static void told(const char *scheme)
{
    char addr[NN_SOCKADDR_MAX], body[4], control[1024];
    struct nn_iovec iov = {body, sizeof body};
    struct nn_msghdr msg = {&iov, 1, control, sizeof control};
    int s = fresh(), c = fresh(), known = 1;
    tls_show(s, "server");
    tls_trust(s, "ca");
    MUST(tls_int(s, NN_TLS_VERIFY, 1));
    MUST(ct_set(s, NN_RECV_PEER, 1));
    MUST(tls_bind(s, scheme, addr));
    for (int i = 0; i < 2; i++) {
        tls_trust(c, "ca");
        if (known)
            tls_show(c, "client");
        MUST(nn_connect(c, addr));
        MUST(nn_send(c, "hi", 2, 0));
        memset(control, 0, sizeof control);
        CHECK(nn_recvmsg(s, &msg, 0) == 2);
        const char *peer = peer_of(&msg);
        const char *shown = "\"certificate\":{\"subject\":\"CN=client,O=nanomsg tests\",\"sha256\":";
        CHECK(peer && !!strstr(peer, shown) == known);
        CHECK(!!strstr(text(s, NN_SOL_SOCKET, NN_STATISTICS), "CN=client") == known);
        CHECK(strstr(text(c, NN_SOL_SOCKET, NN_STATISTICS), "CN=server,O=nanomsg tests"));
        MUST(nn_close(c));
        ALONE(s);
        c = fresh();
        known = 0;
    }
    MUST(nn_close(c));
    MUST(nn_close(s));
}

int main(void)
{
    tls_need_openssl();
    QUIRK("NN_TLS", "options of TLS are kept, returned and unset, and what is wrong with them is told at once") {
        values();
        errors();
        pairs_of_files();
    }
    QUIRK("NN_TLS", "who is accepted is said by authorities, names and NN_TLS_VERIFY") {
        acceptance();
    }
    QUIRK("NN_TLS", "options hold for endpoints made afterwards") {
        for (int i = 0; i < 2; i++) {
            changes(tls_schemes[i]);
            rewritten(tls_schemes[i]);
            port_0(tls_schemes[i]);
        }
    }
    QUIRK("NN_TLS", "the certificate that a peer has shown is told") {
        for (int i = 0; i < 2; i++)
            told(tls_schemes[i]);
    }
    return 0;
}
