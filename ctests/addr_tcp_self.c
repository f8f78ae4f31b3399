/* A client that dials a port of this machine where nobody listens may be given
   that very port for its own end, and meet itself. It does not take that for a
   peer, and does not keep the server from binding. In a network namespace whose
   ports for clients are four. */

#include "ctest.h"
#include <sched.h>

static int sh(const char *command)
{
    char quiet[512];
    snprintf(quiet, sizeof quiet, "{ %s; } >/dev/null 2>&1", command);
    return system(quiet);
}

static void dial_a_dead_port(const char *scheme, int client_type, int server_type)
{
    char addr[NN_SOCKADDR_MAX], buf[8];
    snprintf(addr, sizeof addr, "%s://127.0.0.1:40001", scheme);
    int client = ct_socket(client_type), server = ct_socket(server_type);
    MUST(ct_set(client, NN_RECONNECT_IVL, 2));
    MUST(nn_connect(client, addr));
    /* Each try has a chance of one in four. */
    EVENTUALLY(ct_stat(client, NN_STAT_CONNECT_ERRORS) >= 200);
    CHECK(ct_stat(client, NN_STAT_ESTABLISHED_CONNECTIONS) == 0);
    CHECK(PEERS(client) == 0);
    CHECK(WAIT_FOR(2000, nn_bind(server, addr) > 0));
    CONNECTED(client);
    CHECK(nn_send(client, "hello", 5, 0) == 5);
    CHECK(nn_recv(server, buf, sizeof buf, 0) == 5);
    CHECK(nn_close(client) == 0);
    CHECK(nn_close(server) == 0);
}

int main(void)
{
    if (sh("ip -V"))
        ct_skip_unless_ci("there is no ip (iproute2)");
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        ct_skip_unless_ci("no network namespace of its own is permitted");
    if (sh("ip link set lo up && echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range"))
        ct_skip_unless_ci("the ports for clients may not be chosen");

    QUIRK("tcp to itself", "a socket that meets itself is refused; the port is free for the server") {
        dial_a_dead_port("tcp", NN_PAIR, NN_PAIR);
        dial_a_dead_port("tcp", NN_BUS, NN_BUS);
        dial_a_dead_port("tcp", NN_REQ, NN_REP);
        dial_a_dead_port("ws", NN_PAIR, NN_PAIR);
        dial_a_dead_port("ws", NN_REQ, NN_REP);
    }
    return 0;
}
