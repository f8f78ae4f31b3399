/* How many descriptors a pair of connected sockets takes: a connection has two ends, a listener one, and each socket has
   what its waiting needs. Here that is two for any socket, and none on the portable way to the system; the original has
   two for one that sends and receives, and one for another, whatever the transport. */

#include "ctest.h"

#include <sys/resource.h>

enum { PAIRS = 100 };

static void exchange(int from, int to)
{
    char buf[8];
    CHECK(nn_send(from, "x", 1, 0) == 1 && nn_recv(to, buf, sizeof buf, 0) == 1);
}

/* What each pair but the first takes, which makes the library have what it needs once. */
static void take(enum ct_transport t, int both_ways, int here, int original)
{
    static int s[PAIRS + 1][2];
    char addr[NN_SOCKADDR_MAX];
    int before = 0, reserved = t == TCP || t == WS; /* ct_port keeps one */
    for (int i = 0; i <= PAIRS; i++) {
        s[i][0] = ct_socket(both_ways ? NN_PAIR : NN_PULL);
        s[i][1] = ct_socket(both_ways ? NN_PAIR : NN_PUSH);
        MUST(nn_bind(s[i][0], ct_address(t, addr)));
        MUST(nn_connect(s[i][1], addr));
        exchange(s[i][1], s[i][0]);
        if (both_ways)
            exchange(s[i][0], s[i][1]);
        if (i == 0)
            before = ct_open_fds();
    }
    int taken = ct_open_fds() - before - PAIRS * reserved, expected = PAIRS * (ct_oracle ? original : here);
    if (taken != expected)
        printf("%d descriptors instead of %d\n", taken, expected);
    CHECK(taken == expected);
    for (int i = 0; i <= PAIRS; i++)
        ct_close_pair(s[i]);
    printf("%s, %s: as many as it needs\n", ct_scheme[t], both_ways ? "PAIR" : "PUSH and PULL");
}

int main(void)
{
    struct rlimit files;
    MUST(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &files));
    take(INPROC, 1, 0, 4);
    take(INPROC, 0, 0, 2);
    for (enum ct_transport t = IPC; t <= WS; t++) {
        take(t, 1, ct_portable ? 3 : 7, 7);
        take(t, 0, ct_portable ? 3 : 7, 5);
    }
    return 0;
}
