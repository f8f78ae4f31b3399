/* The network between two hosts is cut and mended: for some seconds, or a minute
   with NN_LONG=1. The hosts are two network namespaces with a cable between
   them. Cut, frames vanish without a word: the cable's ends no longer know each
   other's addresses. */

#include "ctest.h"
#include "faults.h"
#include <sched.h>

#define ADDRESS "tcp://10.77.0.1:5555"

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

/* The other host: waits for its end of the cable, then sends numbers without end. */
static void far_host(int ready, int go)
{
    char byte;
    CHECK(write(ready, "x", 1) == 1 && read(go, &byte, 1) == 1);
    if (sh("ip addr add 10.77.0.2/24 dev v1 && ip link set v1 address 02:00:00:00:00:02 up && "
           "ip neigh replace 10.77.0.1 lladdr 02:00:00:00:00:01 dev v1 nud permanent"))
        _exit(2);
    CHECK(write(ready, "x", 1) == 1);
    int s = MUST(nn_socket(AF_SP, NN_PUSH));
    MUST(ct_set(s, NN_RECONNECT_IVL, 20));
    MUST(nn_connect(s, ADDRESS));
    for (unsigned number = 0;; number++) {
        char text[1000];
        memcpy(text, &number, sizeof number);
        if (nn_send(s, text, sizeof text, 0) < 0)
            _exit(1);
        if (number % 10 == 0)
            ct_nap(1);
    }
}

int main(void)
{
    int ready[2], go[2], status, length = ct_long ? 60000 : 2500;
    char byte, command[256], buf[1000];

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
        far_host(ready[1], go[0]);
    }
    MUST(read(ready[0], &byte, 1) == 1 ? 0 : -1);
    snprintf(command, sizeof command, "ip link set v1 netns %d && ip addr add 10.77.0.1/24 dev v0 && ip link set v0 up", (int) far);
    if (sh(command) || mend())
        ct_skip("no cable between namespaces is permitted");
    CHECK(write(go[1], "x", 1) == 1);
    MUST(read(ready[0], &byte, 1) == 1 ? 0 : -1);

    int s = ct_socket(NN_PULL), late = ct_socket(NN_PULL);
    MUST(ct_set(s, NN_RCVTIMEO, length + 30000));
    MUST(nn_bind(s, ADDRESS));
    unsigned expected = 0, wrong = 0, number;
    while (expected < 1000) {
        CHECK(nn_recv(s, buf, sizeof buf, 0) == sizeof buf);
        memcpy(&number, buf, sizeof number);
        wrong += number != expected++;
    }
    CHECK(wrong == 0);
    printf("a stream of numbers, in order\n");

    CHECK(cut() == 0);
    /* What is on the way already. */
    MUST(ct_set(s, NN_RCVTIMEO, 500));
    while (nn_recv(s, buf, sizeof buf, 0) == sizeof buf) {
        memcpy(&number, buf, sizeof number);
        wrong += number != expected++;
    }
    CALL_AS("nn_recv while it is cut", nn_recv(s, buf, sizeof buf, 0));
    CHECK(PEERS(s) == 1);
    /* Others work, and a dial waits. */
    int p[2];
    MUST(nn_connect(late, "tcp://10.77.0.2:5556"));
    ct_pair(TCP, p);
    fault_talk(p[0], p[1]);
    ct_close_pair(p);
    IDLES(length);
    CHECK(mend() == 0);

    MUST(ct_set(s, NN_RCVTIMEO, length + 30000));
    unsigned until = expected + 2000;
    while (expected < until) {
        CHECK(nn_recv(s, buf, sizeof buf, 0) == sizeof buf);
        memcpy(&number, buf, sizeof number);
        wrong += number != expected++;
    }
    CHECK(wrong == 0);
    printf("mended, it goes on where it was: nothing is lost or doubled\n");
    /* Cut for good: closing does not wait for the other side. */
    CHECK(cut() == 0);
    int64_t start = ct_now();
    MUST(nn_close(s));
    MUST(nn_close(late));
    CHECK(ct_took(start, 0, 4000));
    kill(far, SIGKILL);
    MUST(waitpid(far, &status, 0));
    return 0;
}
