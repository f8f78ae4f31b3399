/* The network between two hosts is cut and mended: for some seconds, or a minute
   with NN_LONG=1. */

#include "ctest.h"
#include "cable.h"
#include "faults.h"

#define ADDRESS "tcp://10.77.0.1:5555"

/* The other host sends numbers without end. */
static void far_host(void)
{
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
    int status, length = ct_long ? 60000 : 2500;
    char buf[1000];
    pid_t far = cable(far_host);

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
