/* No port is left for a client: connecting is tried again, and succeeds when there is
   one. (Upstream 1.2 crashed.) In a network namespace whose ports for clients are four. */

#include "ctest.h"
#include "faults.h"
#include <sched.h>

enum { PORTS = 4, MORE = 3 };

static int sh(const char *command)
{
    char quiet[512];
    snprintf(quiet, sizeof quiet, "{ %s; } >/dev/null 2>&1", command);
    return system(quiet);
}

#define FEW "echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range"
#define MANY "echo 40000 40999 > /proc/sys/net/ipv4/ip_local_port_range"

static void run_out(const char *listens, const char *dials)
{
    int pull = ct_socket(NN_PULL), push[PORTS + MORE];
    char buf[8];
    CHECK(sh(FEW) == 0);
    MUST(nn_bind(pull, listens));
    for (int i = 0; i < PORTS + MORE; i++) {
        push[i] = ct_socket(NN_PUSH);
        MUST(ct_set(push[i], NN_RECONNECT_IVL, 10));
        CHECK(nn_connect(push[i], dials) == 1);
    }
    EVENTUALLY(PEERS(pull) == PORTS);
    int without = 0;
    for (int i = 0; i < PORTS + MORE; i++)
        without += WAIT_FOR(PEERS(push[i]) ? 0 : 2000, ct_stat(push[i], NN_STAT_CONNECT_ERRORS) >= 2) && !PEERS(push[i]);
    CHECK(without == MORE);
    CHECK(PEERS(pull) == PORTS);
    /* They wait for their next try, and do not spin; the others work. */
    IDLES(300);
    for (int i = 0; i < PORTS + MORE; i++)
        if (PEERS(push[i])) {
            CHECK(nn_send(push[i], "one", 3, 0) == 3);
            CHECK(nn_recv(pull, buf, sizeof buf, 0) == 3);
        }
    CHECK(sh(MANY) == 0);
    EVENTUALLY(PEERS(pull) == PORTS + MORE);
    for (int i = 0; i < PORTS + MORE; i++) {
        CONNECTED(push[i]);
        CHECK(ct_stat(push[i], NN_STAT_CURRENT_EP_ERRORS) == 0);
        CHECK(nn_send(push[i], "all", 3, 0) == 3);
        CHECK(nn_recv(pull, buf, sizeof buf, 0) == 3);
    }
    for (int i = 0; i < PORTS + MORE; i++)
        CHECK(nn_close(push[i]) == 0);
    CHECK(nn_close(pull) == 0);
}

int main(void)
{
    if (sh("ip -V"))
        ct_skip_unless_ci("there is no ip (iproute2)");
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        ct_skip_unless_ci("no network namespace of its own is permitted");
    if (sh("ip link set lo up && " FEW))
        ct_skip_unless_ci("the ports for clients may not be chosen");

    QUIRK("ports", "without a port for its end a dial is tried again, and costs nothing meanwhile") {
        run_out("tcp://127.0.0.1:5001", "tcp://127.0.0.1:5001");
        run_out("ws://127.0.0.1:5002", "ws://127.0.0.1:5002/");
        /* Where the source is chosen the port is the kernel's all the same. */
        run_out("tcp://127.0.0.2:5003", "tcp://127.0.0.3;127.0.0.2:5003");
    }
    return 0;
}
