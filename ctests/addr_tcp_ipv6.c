/* tcp over IPv6: literals with and without brackets, the wildcard, zones. */

#include "ctest.h"

static void talk(const char *bind_pattern, const char *connect_pattern)
{
    char bound[NN_SOCKADDR_MAX], connected[NN_SOCKADDR_MAX], buf[4];
    int port = ct_port();
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    MUST(ct_set(a, NN_IPV4ONLY, 0));
    MUST(ct_set(b, NN_IPV4ONLY, 0));
    snprintf(bound, sizeof bound, "tcp://%s:%d", bind_pattern, port);
    snprintf(connected, sizeof connected, "tcp://%s:%d", connect_pattern, port);
    CHECK(nn_bind(a, bound) == 1);
    CHECK(nn_connect(b, connected) == 1);
    CONNECTED(a);
    CONNECTED(b);
    CHECK(nn_send(a, "hi", 2, 0) == 2 && nn_recv(b, buf, sizeof buf, 0) == 2);
    CHECK(nn_send(b, "hi", 2, 0) == 2 && nn_recv(a, buf, sizeof buf, 0) == 2);
    MUST(nn_close(b));
    MUST(nn_close(a));
    if (!ct_quirk_id)
        printf("%s and %s talk\n", bind_pattern, connect_pattern);
}

int main(void)
{
    struct sockaddr_in6 a = {0};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin6_family = AF_INET6;
    a.sin6_addr = in6addr_loopback;
    if (fd < 0 || bind(fd, (struct sockaddr *) &a, sizeof a) < 0)
        ct_skip("this machine has no IPv6");
    close(fd);

    talk("[::1]", "[::1]");
    talk("::1", "::1");
    talk("[0:0:0:0:0:0:0:1]", "[::1]");
    talk("[::1]", "[::1];[::1]");
    talk("[::1]", "*;[::1]");
    talk("*", "[::1]");
    talk("*", "*;[::1]");
    talk("[::]", "[::1]");
    talk("*", "[::ffff:127.0.0.1]");

    QUIRK("Q-B11", "an IPv4 literal connects while NN_IPV4ONLY is 0") {
        talk("*", "127.0.0.1");
        talk("127.0.0.1", "127.0.0.1");
    }
    QUIRK("tcp zones", "an IPv6 literal may name its zone") {
        talk("[::1%lo]", "[::1%lo]");
    }
    return 0;
}
