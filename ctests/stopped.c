/* A process that is stopped and goes on (Ctrl-Z and fg, a debugger) has handled no
   signal: a call that waits goes on waiting. */

#include "ctest.h"

static enum ct_transport transport;
static int ready[2];

static void wait_for_nothing(void)
{
    char addr[NN_SOCKADDR_MAX], buf[8];
    int s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(transport, addr)));
    MUST(ct_set(s, NN_RCVTIMEO, 1000));
    CHECK(write(ready[1], "x", 1) == 1);
    CALL(nn_recv(s, buf, sizeof buf, 0));
    struct nn_pollfd fd = {.fd = s, .events = NN_POLLIN};
    CALL(nn_poll(&fd, 1, 100));
    MUST(nn_close(s));
}

/* Stops and continues the child a few times while it waits. */
static void *stop_and_go(void *arg)
{
    pid_t child = *(pid_t *) arg;
    char x;
    CHECK(read(ready[0], &x, 1) == 1);
    for (int i = 0; i < 5; i++) {
        int status;
        ct_nap(50);
        kill(child, SIGSTOP);
        waitpid(child, &status, WUNTRACED);
        kill(child, SIGCONT);
    }
    return NULL;
}

int main(void)
{
    ct_dir();
    for (transport = INPROC; transport <= WS; transport++) {
        MUST(pipe(ready));
        printf("-- %s\n", ct_scheme[transport]);
        fflush(stdout);
        pid_t child = MUST(fork());
        if (child == 0) {
            /* With a handler of any kind ours cannot tell one from the other. */
            signal(SIGALRM, SIG_DFL);
            alarm(45);
            wait_for_nothing();
            fflush(stdout);
            _exit(0);
        }
        int status;
        stop_and_go(&child);
        MUST(waitpid(child, &status, 0));
        printf("ended: %d\n", status);
        close(ready[0]);
        close(ready[1]);
    }
    return 0;
}
