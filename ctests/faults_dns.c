/* A name server that is silent: nobody waits for it, and nothing spins. */

#include "ctest.h"
#include "faults.h"

enum { HANG = 1500 };

static void hanging(void)
{
    char addr[NN_SOCKADDR_MAX], named[NN_SOCKADDR_MAX];
    int64_t start = ct_now();
    int stuck[20], a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), p[2];
    ct_address(TCP, addr);
    fault_dns_hangs = 1;
    for (int i = 0; i < 20; i++) {
        /* One name, and more names than are looked up at a time. */
        snprintf(named, sizeof named, "%s://silent-%d.example:5555", i & 1 ? "ws" : "tcp", i / 2);
        stuck[i] = ct_socket(NN_PAIR);
        CHECK(nn_connect(stuck[i], named) > 0);
    }
    snprintf(named, sizeof named, "tcp://localhost:%d", ct_port_of(addr));
    MUST(nn_bind(a, addr));
    MUST(nn_connect(b, named));
    /* The same thread and the same library go on. */
    ct_pair(TCP, p);
    fault_talk(p[0], p[1]);
    CHECK(ct_took(start, 0, 1000));
    IDLES(ct_long ? 30000 : HANG);
    CHECK(nn_send(stuck[0], "x", 1, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
    start = ct_now();
    for (int i = 0; i < 18; i++)
        CHECK(nn_close(stuck[i]) == 0);
    CHECK(ct_took(start, 0, 1000));
    __atomic_store_n(&fault_dns_hangs, 0, __ATOMIC_SEQ_CST);
    fault_talk(a, b);
    ct_close_pair(p);
    MUST(nn_close(a));
    MUST(nn_close(b));
}

/* The process ends while a lookup hangs. */
static void leaving(int how)
{
    int s = ct_socket(NN_PAIR);
    fault_dns_hangs = 1;
    MUST(nn_connect(s, "tcp://silent.example:5555"));
    ct_nap(20);
    if (how == 0)
        nn_close(s);
    else if (how == 1)
        nn_term();
    exit(0);
}

int main(void)
{
    QUIRK("Q-E9", "a silent name server holds up no call, no other name's user and no close")
        hanging();
    QUIRK("Q-E9", "nor nn_close, nn_term and exit of a process") {
        for (int how = 0; how < 3; how++) {
            int status;
            int64_t start = ct_now();
            fflush(stdout);
            pid_t pid = MUST(fork());
            if (pid == 0)
                leaving(how);
            MUST(waitpid(pid, &status, 0));
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            CHECK(ct_took(start, 0, 2000));
        }
    }
    return 0;
}
