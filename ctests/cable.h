/* A cable between two hosts, which can be cut and mended: two network namespaces with a veth pair between them. Cut, frames vanish
   without a word: the ends no longer know each other's addresses. Include it behind ctest.h. */

#ifndef CABLE_H
#define CABLE_H

#include <sched.h>

static int sh(const char *command)
{
    char quiet[512];
    snprintf(quiet, sizeof quiet, "{ %s; } >/dev/null 2>&1", command);
    return system(quiet);
}

static int cut(void)
{
    return sh("ip link set v0 address 02:00:00:00:00:98 && ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:99 dev v0 nud permanent");
}

static int mend(void)
{
    return sh("ip link set v0 address 02:00:00:00:00:01 && ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
}

/* The other end of the cable, in its own process: 10.77.0.2. Waits until it is there. */
static void cable_far_end(int ready, int go)
{
    char byte;
    CHECK(write(ready, "x", 1) == 1 && read(go, &byte, 1) == 1);
    if (sh("ip addr add 10.77.0.2/24 dev v1 && ip link set v1 address 02:00:00:00:00:02 up && "
           "ip neigh replace 10.77.0.1 lladdr 02:00:00:00:00:01 dev v1 nud permanent"))
        _exit(2);
    CHECK(write(ready, "x", 1) == 1);
}

/* Makes the hosts and the cable, with 10.77.0.1 at this end, and runs the body in the other one. Returns its process. Skips where
   that is not permitted. */
static pid_t cable(void (*body)(void))
{
    int ready[2], go[2];
    char byte, command[256];
    if (sh("ip -V"))
        ct_skip("there is no ip (iproute2)");
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        ct_skip("no network namespace of its own is permitted");
    if (sh("ip link set lo up && ip link add v0 type veth peer name v1"))
        ct_skip("no cable between namespaces is permitted");
    MUST(pipe(ready));
    MUST(pipe(go));
    fflush(stdout);
    pid_t far = MUST(fork());
    if (far == 0) {
        alarm(200);
        MUST(unshare(CLONE_NEWNET));
        cable_far_end(ready[1], go[0]);
        body();
        _exit(0);
    }
    MUST(read(ready[0], &byte, 1) == 1 ? 0 : -1);
    snprintf(command, sizeof command, "ip link set v1 netns %d && ip addr add 10.77.0.1/24 dev v0 && ip link set v0 up", (int) far);
    if (sh(command) || mend())
        ct_skip("no cable between namespaces is permitted");
    CHECK(write(go[1], "x", 1) == 1);
    MUST(read(ready[0], &byte, 1) == 1 ? 0 : -1);
    return far;
}

#endif
