/* Addresses of tcp: what binds, what connects, and which errno the rest gets.
   "PORT" stands for a free port. */

#include "ctest.h"
#include "tls.h"

static int ipv4only = 1;

/* Each address on a socket of its own, so that nothing is in the way. */
static int attempt(const char *scheme, int (*how)(int, const char *), const char *pattern)
{
    char addr[300];
    int s = ct_socket(NN_PAIR);
    MUST(ct_set(s, NN_IPV4ONLY, ipv4only));
    if (strcmp(scheme, "tcp"))
        tls_show(s, "server");
    const char *p = strstr(pattern, "PORT");
    if (p)
        snprintf(addr, sizeof addr, "%s://%.*s%d%s", scheme, (int) (p - pattern), pattern, ct_port(), p + 4);
    else
        snprintf(addr, sizeof addr, "%s://%s", scheme, pattern);
    int result = how(s, addr), e = nn_errno();
    MUST(nn_close(s));
    errno = e;
    return result;
}

static void try_bind(const char *pattern)
{
    if (ct_port_0(pattern))
        return;
    char what[300];
    snprintf(what, sizeof what, "nn_bind(\"tcp://%s\")", pattern);
    CALL_AS(what, attempt("tcp", nn_bind, pattern));
}

static void try_connect(const char *pattern)
{
    char what[300];
    snprintf(what, sizeof what, "nn_connect(\"tcp://%s\")", pattern);
    CALL_AS(what, attempt("tcp", nn_connect, pattern));
}

/* What the original takes for names of hosts, and no certificate can be for. */
static const char *const unnamable[] = {"1.2.3:PORT", "1.2.3.4.5:PORT", "a-.invalid:PORT", "a.-b.invalid:PORT"};

static int is_unnamable(const char *pattern)
{
    for (size_t i = 0; i < sizeof unnamable / sizeof *unnamable; i++)
        if (!strcmp(pattern, unnamable[i]))
            return 1;
    return 0;
}

static void same_by_tls(int (*how)(int, const char *), const char *pattern)
{
    int plain = attempt("tcp", how, pattern), error = plain < 0 ? nn_errno() : 0;
    if (how == nn_connect && is_unnamable(pattern))
        CHECK(plain > 0 && (error = EINVAL));
    int secure = attempt("tls+tcp", how, pattern);
    if ((secure < 0 ? nn_errno() : 0) != error) {
        printf("tls+tcp://%s is %s, and shall be %s\n", pattern, ct_errname(nn_errno()), ct_errname(error));
        ct_all_hold = 0;
    }
}

static void binds_by_tls(const char *pattern)
{
    same_by_tls(nn_bind, pattern);
}

static void connects_by_tls(const char *pattern)
{
    same_by_tls(nn_connect, pattern);
}

static void reach(const char *bind_pattern, const char *connect_pattern)
{
    char bound[NN_SOCKADDR_MAX], connected[NN_SOCKADDR_MAX], buf[4];
    int port = ct_port(), a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    snprintf(bound, sizeof bound, "tcp://%s:%d", bind_pattern, port);
    snprintf(connected, sizeof connected, "tcp://%s:%d", connect_pattern, port);
    MUST(nn_bind(a, bound));
    MUST(nn_connect(b, connected));
    CONNECTED(a);
    CONNECTED(b);
    CHECK(nn_send(a, "hi", 2, 0) == 2 && nn_recv(b, buf, sizeof buf, 0) == 2);
    CHECK(nn_send(b, "hi", 2, 0) == 2 && nn_recv(a, buf, sizeof buf, 0) == 2);
    printf("%s is reached by %s\n", bind_pattern, connect_pattern);
    MUST(nn_close(b));
    MUST(nn_close(a));
}

static const char *const ports[] = {
    "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:00", "127.0.0.1:65536", "127.0.0.1:99999999999999999999",
    "127.0.0.1:-1", "127.0.0.1:+PORT", "127.0.0.1: PORT", "127.0.0.1:PORT ", "127.0.0.1:PORTx", "127.0.0.1:x",
    "127.0.0.1:0xffff", "127.0.0.1:5555/", "127.0.0.1:55.55", "", ":", "5555", "::", "*", "*:",
};

static const char *const interfaces[] = {
    "*:PORT", "127.0.0.1:PORT", "127.0.0.1:0PORT", "127.0.0.1:000PORT", "[127.0.0.1]:PORT", "127.0.0.2:PORT",
    "0.0.0.0:PORT",
    "203.0.113.7:PORT", "localhost:PORT", ":PORT", "eth10000:PORT", "[]:PORT", "[*]:PORT",
    "**:PORT", "* :PORT", " *:PORT", "127.0.0.1 :PORT", " 127.0.0.1:PORT", "127.0.0:PORT", "127.1:PORT",
    "127.0.0.256:PORT", "127.0.0.1.1:PORT", "2130706433:PORT", "0x7f.0.0.1:PORT", "127.0.0.01:PORT",
    "[127.0.0.1:PORT", "127.0.0.1]:PORT", "[::1]:PORT", "::1:PORT", "[::1:PORT", "[::]:PORT", "[::ffff:127.0.0.1]:PORT",
    "127.0.0.1;127.0.0.1:PORT", "*;*:PORT",
    "1111111111111111111111111111111111111111111111:PORT",
};

static const char *const hosts[] = {
    /* literals */
    "127.0.0.1:PORT", "[127.0.0.1]:PORT", "127.0.0.1:0PORT", "203.0.113.7:PORT", "0.0.0.0:PORT", "*:PORT", ":PORT",
    "[]:PORT", "[::1]:PORT", "::1:PORT", "[127.0.0.1:PORT", "127.0.0.1]:PORT", "[localhost]:PORT",
    /* names; whether they resolve does not matter here */
    "localhost:PORT", "LOCALHOST:PORT", "a.invalid:PORT", "a.invalid.:PORT", "1.2.3:PORT", "1.2.3.4.5:PORT",
    "a-b.invalid:PORT", "a-.invalid:PORT", "-a.invalid:PORT", "a.-b.invalid:PORT", "-hostname:PORT", "abc.123.---.#:PORT",
    "abc...123:PORT", ".123:PORT", ".:PORT", "..:PORT", "a..:PORT", "no_underscore:PORT", "a b:PORT", " a:PORT", "a/b:PORT",
    "a%b:PORT", "\xc3\xa4:PORT", "invalid:PORT",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid:PORT",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid:PORT",
    /* a local part in front */
    "*;127.0.0.1:PORT", "127.0.0.1;127.0.0.1:PORT", "[127.0.0.1];127.0.0.1:PORT", "127.0.0.1;localhost:PORT",
    "0.0.0.0;127.0.0.1:PORT", ";127.0.0.1:PORT", "eth10000;127.0.0.1:PORT", "localhost;127.0.0.1:PORT",
    "x;y;127.0.0.1:PORT", "*;*:PORT", "*;:PORT", "*;", ";", ";;:PORT", "127.0.0.1:5555;127.0.0.1:PORT",
    "127.0.0;127.0.0.1:PORT", "[::1];127.0.0.1:PORT", "::1;127.0.0.1:PORT",
    /* which part is looked at first: the port, the host, the local part */
    "eth10000;-bad:0", "eth10000;-bad:PORT", "eth10000;127.0.0.1:0",
};

#define EACH(list, what) for (size_t i = 0; i < sizeof list / sizeof *list; i++) what(list[i])

int main(void)
{
    tls_need_openssl();
    printf("-- ports\n");
    EACH(ports, try_bind);
    EACH(ports, try_connect);
    printf("-- bind\n");
    EACH(interfaces, try_bind);
    printf("-- connect\n");
    EACH(hosts, try_connect);

    /* With IPv6 allowed, IPv4 literals keep working and names are no interfaces. */
    printf("-- IPv6 allowed\n");
    ipv4only = 0;
    static const char *const with_ipv6_bind[] = {
        "127.0.0.1:PORT", "[127.0.0.1]:PORT", "localhost:PORT", "eth10000:PORT", "[::1:PORT", "::1]:PORT", "[]:PORT",
        ":::PORT:", "[:::]:PORT", "[12345::]:PORT", "[::1]x:PORT", "203.0.113.7:PORT", "", ":", "[::1]", "[::1]:0",
    };
    static const char *const with_ipv6_connect[] = {
        "[::1]:PORT", "::1:PORT", "[::1:PORT", "::1]:PORT", "[]:PORT", "[localhost]:PORT", "[:::]:PORT", "*:PORT",
        "[::1];[::1]:PORT", "::1;::1:PORT", "*;[::1]:PORT", "[::1;[::1]:PORT", "eth10000;[::1]:PORT", "localhost:PORT",
        "[::1]", "[::1]:0", "[::1]:65536", "[::ffff:127.0.0.1]:PORT",
    };
    EACH(with_ipv6_bind, try_bind);
    EACH(with_ipv6_connect, try_connect);
    QUIRK("tls+tcp", "its addresses are those of tcp, and so are their errors") {
        EACH(with_ipv6_bind, binds_by_tls);
        EACH(with_ipv6_connect, connects_by_tls);
        ipv4only = 1;
        EACH(ports, binds_by_tls);
        EACH(ports, connects_by_tls);
        EACH(interfaces, binds_by_tls);
        EACH(hosts, connects_by_tls);
    }
    ipv4only = 1;

    /* One binder an address, also through the wildcard. */
    printf("-- in use\n");
    char addr[NN_SOCKADDR_MAX], any[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    ct_address(TCP, addr);
    snprintf(any, sizeof any, "tcp://*:%d", ct_port_of(addr));
    CALL(nn_bind(a, addr));
    CALL(nn_bind(a, addr));
    CALL(nn_bind(b, addr));
    CALL(nn_bind(b, any));
    CALL(nn_close(a));
    CALL(nn_bind(b, any));
    a = ct_socket(NN_PAIR);
    CALL(nn_bind(a, addr));
    CALL(nn_bind(a, any));
    CALL(nn_close(b));
    CALL(nn_bind(a, addr));
    CALL(nn_close(a));

    printf("-- addresses that reach each other\n");
    reach("127.0.0.1", "127.0.0.1");
    reach("*", "127.0.0.1");
    reach("0.0.0.0", "127.0.0.1");
    reach("[127.0.0.1]", "[127.0.0.1]");
    reach("127.0.0.1", "localhost");
    reach("127.0.0.1", "LocalHost");
    reach("127.0.0.2", "127.0.0.2");
    reach("*", "127.0.0.1;127.0.0.1");
    reach("*", "127.0.0.3;127.0.0.2");
    reach("*", "*;127.0.0.1");
    reach("*", "127.0.0.1;localhost");

    QUIRK("Q-B11", "a source address that is not local makes the connector try again, not abort") {
        int s = ct_socket(NN_PAIR);
        MUST(ct_set(s, NN_RECONNECT_IVL, 10));
        snprintf(addr, sizeof addr, "tcp://203.0.113.7;127.0.0.1:%d", ct_port());
        CHECK(nn_connect(s, addr) == 1);
        EVENTUALLY(ct_stat(s, NN_STAT_CONNECT_ERRORS) >= 3);
        CHECK(nn_close(s) == 0);
    }

    printf("-- the name of an interface\n");
    QUIRK("tcp interface", "the name of a network interface stands for its address") {
        int s = ct_socket(NN_PAIR), t = ct_socket(NN_PAIR);
        char lo[NN_SOCKADDR_MAX], from[NN_SOCKADDR_MAX], buf[4];
        ct_address(TCP, addr);
        snprintf(lo, sizeof lo, "tcp://lo:%d", ct_port_of(addr));
        snprintf(from, sizeof from, "tcp://lo;127.0.0.1:%d", ct_port_of(addr));
        CHECK(nn_bind(s, lo) == 1);
        CHECK(nn_connect(t, from) == 1);
        CONNECTED(s);
        CONNECTED(t);
        CHECK(nn_send(s, "hi", 2, 0) == 2 && nn_recv(t, buf, sizeof buf, 0) == 2);
        MUST(nn_close(s));
        MUST(nn_close(t));
    }
    return 0;
}
