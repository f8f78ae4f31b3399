/* fork: the child has none of the parent's sockets and may open its own; the
   parent notices nothing. The original shares sockets and hangs. */

#include "ctest.h"

static int p[WS + 1][2];

static void inherited(int s)
{
    char buf[8];
    int value = 0;
    size_t size = sizeof value;
    CHECK(nn_send(s, "x", 1, 0) == -1 && nn_errno() == EBADF);
    CHECK(nn_recv(s, buf, sizeof buf, 0) == -1 && nn_errno() == EBADF);
    CHECK(nn_getsockopt(s, NN_SOL_SOCKET, NN_DOMAIN, &value, &size) == -1 && nn_errno() == EBADF);
    CHECK(nn_bind(s, "inproc://x") == -1 && nn_errno() == EBADF);
    CHECK(nn_close(s) == -1 && nn_errno() == EBADF);
}

static void child(void)
{
    char buf[8];
    for (enum ct_transport t = INPROC; t <= WS; t++)
        for (int i = 0; i < 2; i++)
            inherited(p[t][i]);
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        int mine[2];
        ct_pair(t, mine);
        CHECK(nn_send(mine[0], "hi", 2, 0) == 2 && nn_recv(mine[1], buf, sizeof buf, 0) == 2);
        ct_close_pair(mine);
    }
    nn_term();
}

static void *receive(void *unused)
{
    char buf[8];
    (void) unused;
    return nn_recv(p[TCP][0], buf, sizeof buf, 0) == 4 ? &p : NULL;
}

int main(void)
{
    ct_dir();
    QUIRK("Q-E3", "after fork the child's inherited sockets are EBADF, new ones work, the parent notices nothing") {
        char buf[8];
        pthread_t thread;
        void *got;
        for (enum ct_transport t = INPROC; t <= WS; t++)
            ct_pair(t, p[t]);
        MUST(pthread_create(&thread, NULL, receive, NULL));
        BLOCKED();
        for (int how = 0; how < 2; how++) {
            int status;
            fflush(stdout);
            pid_t pid = MUST(fork());
            if (pid == 0) {
                alarm(30);
                if (how == 0)
                    child(); /* otherwise straight to exit and what runs there */
                fflush(stdout);
                exit(ct_all_hold ? 0 : 1);
            }
            MUST(waitpid(pid, &status, 0));
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        for (enum ct_transport t = INPROC; t <= WS; t++) {
            CHECK(PEERS(p[t][0]) == 1 && PEERS(p[t][1]) == 1);
            CHECK(nn_send(p[t][0], "hi", 2, 0) == 2 && nn_recv(p[t][1], buf, sizeof buf, 0) == 2);
        }
        CHECK(nn_send(p[TCP][1], "four", 4, 0) == 4);
        pthread_join(thread, &got);
        CHECK(got != NULL);
        for (enum ct_transport t = INPROC; t <= WS; t++)
            ct_close_pair(p[t]);
    }

    /* A child that opens its own sockets first. */
    int status;
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char buf[8];
        int s[2];
        alarm(30);
        ct_pair(TCP, s);
        CHECK(nn_send(s[0], "hi", 2, 0) == 2 && nn_recv(s[1], buf, sizeof buf, 0) == 2);
        ct_close_pair(s);
        fflush(stdout);
        _exit(ct_all_hold ? 0 : 1);
    }
    MUST(waitpid(pid, &status, 0));
    printf("child with sockets of its own: exit status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}
