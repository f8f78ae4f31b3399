/* Addresses of ws: what binds, what connects, and which errno the rest gets. The
   host and port grammar is tcp's (addr_tcp.c); here is what ws adds: a port that
   may be left out, and a resource. "PORT" stands for a free port. */

#include "ctest.h"
#include "tls.h"

static int ipv4only = 1;

static int attempt_at(const char *scheme, int (*how)(int, const char *), const char *pattern)
{
    char addr[300];
    int s = ct_socket(NN_PAIR);
    MUST(ct_set(s, NN_IPV4ONLY, ipv4only));
    if (strcmp(scheme, "ws"))
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

static int attempt(int (*how)(int, const char *), const char *pattern)
{
    return attempt_at("ws", how, pattern);
}

/* But for names that no certificate can be for (addr_tcp.c). */
static void same_by_tls(int (*how)(int, const char *), const char *pattern)
{
    int plain = attempt(how, pattern), error = plain < 0 ? nn_errno() : 0;
    if (how == nn_connect && !strcmp(pattern, "1.2.3:PORT"))
        return;
    int secure = attempt_at("wss", how, pattern);
    if ((secure < 0 ? nn_errno() : 0) != error) {
        printf("wss://%s is %s, and shall be %s\n", pattern, ct_errname(nn_errno()), ct_errname(error));
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

static void try_bind(const char *pattern)
{
    if (ct_port_0(pattern))
        return;
    char what[300];
    snprintf(what, sizeof what, "nn_bind(\"ws://%s\")", pattern);
    CALL_AS(what, attempt(nn_bind, pattern));
}

static void try_connect(const char *pattern)
{
    char what[300];
    snprintf(what, sizeof what, "nn_connect(\"ws://%s\")", pattern);
    CALL_AS(what, attempt(nn_connect, pattern));
}

static const char *const binds[] = {
    "127.0.0.1:PORT", "*:PORT", "[127.0.0.1]:PORT", "0.0.0.0:PORT", "127.0.0.1:0PORT",
    "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+PORT", "127.0.0.1: PORT",
    "127.0.0.1:PORTx", "127.0.0.1:x", ":", "*:",
    "127.0.0.1:PORT/", "127.0.0.1:PORT/path", "*:PORT/a/b", "/", "/path",
    "203.0.113.7:PORT", "localhost:PORT", ":PORT", "eth10000:PORT", "[]:PORT", "[::1]:PORT", "::1:PORT", "[::1:PORT",
    "127.0.0.1;127.0.0.1:PORT",
};

static const char *const connects[] = {
    "127.0.0.1:PORT", "[127.0.0.1]:PORT", "localhost:PORT", "a.invalid:PORT", "1.2.3:PORT", "203.0.113.7:PORT",
    /* the port may be left out */
    "127.0.0.1", "localhost", "a.invalid", "127.0.0.1;127.0.0.1", "127.0.0.1/", "127.0.0.1/path", "localhost/a/b?c",
    /* a resource */
    "127.0.0.1:PORT/", "127.0.0.1:PORT/path", "127.0.0.1:PORT/a/b/c", "127.0.0.1:PORT/a?b=c&d", "127.0.0.1:PORT//",
    "127.0.0.1:PORT/%20",
    "127.0.0.1:PORT?b",
    /* ports */
    "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+PORT", "127.0.0.1: PORT", "127.0.0.1:PORTx",
    "127.0.0.1:/", "127.0.0.1:0/", "127.0.0.1:65536/path", "127.0.0.1:x/path",
    /* hosts */
    "*:PORT", "*", "", "/", "/path", ":PORT", ":PORT/", ":", "-hostname:PORT", "abc.123.---.#:PORT", "abc...123:PORT",
    ".123:PORT", "no_underscore:PORT", "[localhost]:PORT", "[]:PORT", "[::1]:PORT", "::1:PORT", "[::1:PORT", "a b:PORT",
    "-hostname", "no_underscore/path", "*/path",
    /* a local part in front */
    "*;127.0.0.1:PORT", "127.0.0.1;127.0.0.1:PORT/path", "127.0.0.1;localhost:PORT", ";127.0.0.1:PORT",
    "eth10000;127.0.0.1:PORT", "eth10000;127.0.0.1", "localhost;127.0.0.1:PORT/", "x;y;127.0.0.1:PORT", "*;*:PORT",
    "*;", ";", "*;/",
    /* which part is looked at first */
    "eth10000;-bad:0", "eth10000;-bad:PORT", "eth10000;127.0.0.1:0", "eth10000;-bad",
};

static const char *const ipv6_binds[] = {
    "127.0.0.1:PORT", "localhost:PORT", "[::1:PORT", "::1]:PORT", "[]:PORT", "[::1]:0", "[::1]:PORT/",
};

static const char *const ipv6_connects[] = {
    "[::1]:PORT", "::1:PORT", "[::1:PORT", "[]:PORT", "[localhost]:PORT", "*:PORT", "[::1];[::1]:PORT", "*;[::1]:PORT/a",
    "eth10000;[::1]:PORT", "localhost:PORT", "[::1]:0", "[::1]:65536/", "[::1]:PORT/path",
};

#define EACH(list, what) for (size_t i = 0; i < sizeof list / sizeof *list; i++) what(list[i])

/* The first line of the request of a connector, and its host. */
static void asks(const char *between, const char *after)
{
    char addr[NN_SOCKADDR_MAX], pattern[NN_SOCKADDR_MAX], head[16], request[600] = "";
    ct_address(WS, addr);
    int port = ct_port_of(addr), listener = ct_raw_listen(addr), s = ct_socket(NN_PAIR);
    snprintf(pattern, sizeof pattern, "ws://%s:%d%s", between, port, after);
    MUST(nn_connect(s, pattern));
    int fd = ct_raw_accept(listener, CT_PATIENCE);
    size_t n = 0;
    while (!strstr(request, "\r\n\r\n") && n < sizeof request - 1 && ct_raw_read(fd, request + n, 1) == 1)
        n++;
    printf("ws://%s:PORT%s asks with %.*s", between, after, (int) strcspn(request, "\r"), request);
    snprintf(head, sizeof head, ":%d\r\n", port);
    const char *host = strstr(request, "\r\nHost: ");
    const char *end = host ? strstr(host, head) : NULL;
    printf(" and %.*s:PORT\n", end ? (int) (end - host - 2) : 0, host ? host + 2 : "");
    MUST(nn_close(s));
    close(fd);
    close(listener);
}

static void reach(const char *bind_pattern, const char *connect_pattern, const char *resource)
{
    char bound[NN_SOCKADDR_MAX], connected[NN_SOCKADDR_MAX], buf[4];
    int port = ct_port(), a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    snprintf(bound, sizeof bound, "ws://%s:%d", bind_pattern, port);
    snprintf(connected, sizeof connected, "ws://%s:%d%s", connect_pattern, port, resource);
    MUST(nn_bind(a, bound));
    MUST(nn_connect(b, connected));
    CONNECTED(a);
    CONNECTED(b);
    CHECK(nn_send(a, "hi", 2, 0) == 2 && nn_recv(b, buf, sizeof buf, 0) == 2);
    CHECK(nn_send(b, "hi", 2, 0) == 2 && nn_recv(a, buf, sizeof buf, 0) == 2);
    printf("%s is reached by %s%s\n", bind_pattern, connect_pattern, resource);
    MUST(nn_close(b));
    MUST(nn_close(a));
}

int main(void)
{
    tls_need_openssl();
    printf("-- bind\n");
    EACH(binds, try_bind);
    printf("-- connect\n");
    EACH(connects, try_connect);
    printf("-- IPv6 allowed\n");
    ipv4only = 0;
    EACH(ipv6_binds, try_bind);
    EACH(ipv6_connects, try_connect);
    QUIRK("wss", "its addresses are those of ws, and so are their errors") {
        EACH(ipv6_binds, binds_by_tls);
        EACH(ipv6_connects, connects_by_tls);
        ipv4only = 1;
        EACH(binds, binds_by_tls);
        EACH(connects, connects_by_tls);
    }
    ipv4only = 1;

    QUIRK("ws resource", "a resource may contain a colon or a semicolon") {
        CHECK(attempt(nn_connect, "127.0.0.1:PORT/a:b") == 1);
        CHECK(attempt(nn_connect, "127.0.0.1/a:1/b") == 1);
        CHECK(attempt(nn_connect, "127.0.0.1:PORT/a;b") == 1);
        CHECK(attempt(nn_connect, "127.0.0.1;127.0.0.1:PORT/a;b:c") == 1);
    }
    QUIRK("ws resource", "what would end the line of the request, or its word, is EINVAL") {
        CHECK(attempt(nn_connect, "127.0.0.1:PORT/a b") == -1 && errno == EINVAL);
        CHECK(attempt(nn_connect, "127.0.0.1:PORT/a\r\nX: y") == -1 && errno == EINVAL);
        CHECK(attempt(nn_connect, "127.0.0.1:PORT/\x7f") == -1 && errno == EINVAL);
        CHECK(attempt(nn_connect, "127.0.0.1:PORT/\xff") == -1 && errno == EINVAL);
    }
    QUIRK("Q-B28", "without a port a bind takes 80; whether it may is the machine's affair") {
        static const char *const without[] = {"127.0.0.1", "[127.0.0.1]", "*"};
        for (int i = 0; i < 3; i++)
            CHECK(attempt(nn_bind, without[i]) == 1 || errno == EACCES || errno == EADDRINUSE);
        CHECK(attempt(nn_bind, "eth10000") == -1 && errno == ENODEV);
        CHECK(attempt(nn_bind, "203.0.113.7") == -1 && errno == EADDRNOTAVAIL);
        CHECK(attempt(nn_bind, "127.0.0.1/") == -1 && errno == EINVAL);
    }

    printf("-- in use\n");
    char addr[NN_SOCKADDR_MAX], other[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    ct_address(WS, addr);
    CALL(nn_bind(a, addr));
    CALL(nn_bind(a, addr));
    CALL(nn_bind(b, addr));
    snprintf(other, sizeof other, "ws://*:%d", ct_port_of(addr));
    CALL(nn_bind(b, other));
    snprintf(other, sizeof other, "tcp://127.0.0.1:%d", ct_port_of(addr));
    CALL(nn_bind(b, other));
    CALL(nn_close(a));
    CALL(nn_bind(b, other));
    CALL(nn_close(b));

    printf("-- what a connector asks for\n");
    asks("127.0.0.1", "");
    asks("127.0.0.1", "/");
    asks("127.0.0.1", "/path/to?it=1&x");
    asks("localhost", "/a");
    asks("127.0.0.1;127.0.0.1", "/b");
    asks("*;localhost", "");

    printf("-- addresses that reach each other\n");
    reach("127.0.0.1", "127.0.0.1", "");
    reach("*", "localhost", "/");
    reach("[127.0.0.1]", "127.0.0.1", "/any/path?and=query");
    reach("*", "127.0.0.3;127.0.0.2", "/");
    return 0;
}
