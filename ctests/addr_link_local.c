/* tcp and ws where an interface has no address but its link-local one: by zone,
   and by the interface's name. In a network namespace with a cable. */

#include "ctest.h"
#include <sched.h>

static int sh(const char *command)
{
    char quiet[512];
    snprintf(quiet, sizeof quiet, "{ %s; } >/dev/null 2>&1", command);
    return system(quiet);
}

static void talk(const char *scheme, const char *bind_pattern, const char *connect_pattern)
{
    char bound[NN_SOCKADDR_MAX], connected[NN_SOCKADDR_MAX], buf[4];
    static int port = 5555;
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    MUST(ct_set(a, NN_IPV4ONLY, 0));
    MUST(ct_set(b, NN_IPV4ONLY, 0));
    snprintf(bound, sizeof bound, "%s://%s:%d", scheme, bind_pattern, ++port);
    snprintf(connected, sizeof connected, "%s://%s:%d", scheme, connect_pattern, port);
    if (nn_bind(a, bound) != 1 || nn_connect(b, connected) != 1) {
        printf("%s and %s: %s\n", bound, connected, ct_errname(nn_errno()));
        CHECK(0);
    } else {
        CONNECTED(a);
        CONNECTED(b);
        CHECK(nn_send(a, "hi", 2, 0) == 2 && nn_recv(b, buf, sizeof buf, 0) == 2);
        CHECK(nn_send(b, "hi", 2, 0) == 2 && nn_recv(a, buf, sizeof buf, 0) == 2);
    }
    MUST(nn_close(b));
    MUST(nn_close(a));
}

static void refused(int (*call)(int, const char *), const char *addr, int error)
{
    int s = ct_socket(NN_PAIR);
    MUST(ct_set(s, NN_IPV4ONLY, 0));
    CHECK(call(s, addr) == -1 && nn_errno() == error);
    MUST(nn_close(s));
}

int main(void)
{
    if (sh("ip -V"))
        ct_skip_unless_ci("there is no ip (iproute2)");
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        ct_skip_unless_ci("no network namespace of its own is permitted");
    if (sh("ip link set lo up && ip link add v0 type veth peer name v1"))
        ct_skip_unless_ci("no cable is permitted");
    if (sh("ip link set v1 up && ip link set v0 addrgenmode none up && ip -6 addr add fe80::7/64 dev v0 nodad"))
        ct_skip_unless_ci("this machine has no IPv6");

    QUIRK("tcp zones", "an IPv6 literal may name its zone, also where nothing but a link-local address is") {
        for (int i = 0; i < 2; i++) {
            const char *scheme = i ? "ws" : "tcp";
            talk(scheme, "[fe80::7%v0]", "[fe80::7%v0]");
            talk(scheme, "fe80::7%v0", "fe80::7%v0");
            talk(scheme, "[fe80:0000:0000:0000:0000:0000:0000:0007%v0]", "[fe80::7%v0];[fe80::7%v0]");
            talk(scheme, "*", "*;[fe80::7%v0]");
        }
        refused(nn_bind, "tcp://[fe80::7%v7]:5555", ENODEV);
        refused(nn_bind, "tcp://[fe80::7%]:5555", ENODEV);
        refused(nn_bind, "tcp://[fe80::7]:5555", EINVAL);
        refused(nn_connect, "tcp://[fe80::7%v7]:5555", EINVAL);
        refused(nn_connect, "tcp://[fe80::7%v7];[fe80::7%v0]:5555", ENODEV);
    }
    QUIRK("tcp interface", "the name of an interface stands for its link-local address if it has no other") {
        for (int i = 0; i < 2; i++) {
            const char *scheme = i ? "ws" : "tcp";
            talk(scheme, "v0", "[fe80::7%v0]");
            talk(scheme, "v0", "v0;[fe80::7%v0]");
        }
        refused(nn_bind, "tcp://v7:5555", ENODEV);
        /* Any other comes first. */
        MUST(sh("ip addr add 10.78.0.1/24 dev v0") ? -1 : 0);
        talk("tcp", "v0", "10.78.0.1");
        MUST(sh("ip -6 addr add fd00::7/64 dev v0 nodad") ? -1 : 0);
        talk("tcp", "v0", "[fd00::7]");
    }
    return 0;
}
