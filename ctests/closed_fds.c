/* A process that closes all its descriptors, ours as well, as some do when they
   become daemons: calls fail, nothing spins, and everything can still be closed. */

#include "ctest.h"
#include "faults.h"

static void close_all(void)
{
    fflush(stdout);
    for (int fd = 3; fd < 200; fd++)
        close(fd);
}

static void open_all(int s[8])
{
    for (enum ct_transport t = INPROC; t <= WS; t++)
        ct_pair(t, s + 2 * t);
}

static void closing(void)
{
    char buf[8];
    int s[8];
    open_all(s);
    close_all();
    IDLES(200);
    for (int i = 2; i < 8; i++) {
        MUST(ct_set(s[i], NN_RCVTIMEO, 50));
        CHECK(nn_recv(s[i], buf, sizeof buf, 0) == -1);
        (void) nn_send(s[i], "x", 1, NN_DONTWAIT);
    }
    CHECK(nn_send(s[0], "x", 1, 0) == 1 && nn_recv(s[1], buf, sizeof buf, 0) == 1);
    for (int i = 0; i < 8; i++)
        CHECK(nn_close(s[i]) == 0);
}

static void terminating(void)
{
    int s[8];
    open_all(s);
    close_all();
    nn_term();
}

static void exiting(void)
{
    int s[8];
    open_all(s);
    close_all();
    exit(0);
}

int main(void)
{
    static void (*const ways[])(void) = {closing, terminating, exiting};
    static const char *const names[] = {"nn_close", "nn_term", "exit"};
    for (int i = 0; i < 3; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s ends although its descriptors were closed", names[i]);
        QUIRK("Q-E5", text) {
            int status;
            int64_t start = ct_now();
            fflush(stdout);
            pid_t pid = MUST(fork());
            if (pid == 0) {
                alarm(30);
                ways[i]();
                fflush(stdout);
                _exit(!ct_all_hold);
            }
            MUST(waitpid(pid, &status, 0));
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            CHECK(ct_took(start, 0, 5000));
        }
    }
    return 0;
}
