/* A process that is stopped and goes on (Ctrl-Z and fg, a debugger) has handled no
   signal: a call that waits goes on waiting, also in a program that has handlers. */

#include "ctest.h"

static enum ct_transport transport;
static int ready[2];

static void handler(int sig)
{
    (void) sig;
}

static void wait_for_nothing(void)
{
    signal(SIGUSR1, handler);
    char addr[NN_SOCKADDR_MAX], buf[8];
    int s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(transport, addr)));
    MUST(ct_set(s, NN_RCVTIMEO, 1000));
    CHECK(write(ready[1], "x", 1) == 1);
    CALL(nn_recv(s, buf, sizeof buf, 0));
    /* Two, which are waited for in another way. */
    int other = ct_socket(NN_PAIR);
    MUST(nn_bind(other, ct_address(transport, addr)));
    struct nn_pollfd fds[] = {{.fd = s, .events = NN_POLLIN}, {.fd = other, .events = NN_POLLIN}};
    CALL(nn_poll(fds, 1, 300));
    CALL(nn_poll(fds, 2, 300));
    MUST(nn_close(other));
    MUST(nn_close(s));
}

/* Stops and continues the child a few times while it waits. Returns how it has ended. */
static int stop_and_go(pid_t child)
{
    int status;
    char x;
    CHECK(read(ready[0], &x, 1) == 1);
    for (int i = 0; i < 25; i++) {
        ct_nap(50);
        kill(child, SIGSTOP);
        MUST(waitpid(child, &status, WUNTRACED));
        /* On a busy machine the naps take longer than what the child waits. */
        if (!WIFSTOPPED(status))
            return status;
        kill(child, SIGCONT);
    }
    MUST(waitpid(child, &status, 0));
    return status;
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
            signal(SIGALRM, SIG_DFL);
            alarm(45);
            wait_for_nothing();
            fflush(stdout);
            _exit(0);
        }
        printf("ended: %d\n", stop_and_go(child));
        close(ready[0]);
        close(ready[1]);
    }
    return 0;
}
