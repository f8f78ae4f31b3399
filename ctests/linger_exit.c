/* A process that sends and ends: by nn_close, nn_term, return from main or exit.
   The program runs itself as the sender. */

#include "ctest.h"

enum { COUNT = 100 };

/* The other half: connects, sends, and ends in the way told. */
static int child(const char *addr, const char *way)
{
    int s = ct_socket(NN_PAIR);
    MUST(nn_connect(s, addr));
    CONNECTED(s);
    for (int i = 0; i < COUNT; i++)
        MUST(nn_send(s, "0123456789", 10, 0));
    if (strcmp(way, "nn_close") == 0)
        nn_close(s);
    else if (strcmp(way, "nn_term") == 0)
        nn_term();
    else if (strcmp(way, "exit") == 0)
        exit(0);
    return 0;
}

static int run(const char *self, enum ct_transport t, const char *way)
{
    char addr[NN_SOCKADDR_MAX], buf[16];
    int status, n = 0, s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(t, addr)));
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        execl("/proc/self/exe", self, "child", addr, way, NULL);
        _exit(1);
    }
    MUST(ct_set(s, NN_RCVTIMEO, 3000));
    while (n < COUNT && nn_recv(s, buf, sizeof buf, 0) == 10)
        n++;
    int64_t start = ct_now();
    MUST(waitpid(pid, &status, 0));
    CHECK(ct_took(start, 0, 5000));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ALONE(s);
    MUST(nn_close(s));
    return n;
}

int main(int argc, char **argv)
{
    static const char *const ways[] = {"nn_close", "nn_term", "return", "exit"};
    if (argc == 4)
        return child(argv[2], argv[3]);
    for (enum ct_transport t = IPC; t <= WS; t++)
        for (int i = 0; i < 4; i++) {
            char text[128];
            snprintf(text, sizeof text, "%s: all %d messages arrive before the end by %s", ct_scheme[t], COUNT, ways[i]);
            QUIRK("Q-E13", text) {
                CHECK(run(argv[0], t, ways[i]) == COUNT);
            }
        }

    /* A process with sockets open, waiting and unconnected, ends at once. */
    char addr[NN_SOCKADDR_MAX];
    int64_t start = ct_now();
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int p[2], s = ct_socket(NN_PAIR);
        MUST(nn_connect(s, ct_address(TCP, addr)));
        MUST(nn_bind(s, ct_address(TCP, addr)));
        ct_pair(TCP, p);
        exit(7);
    }
    int status;
    MUST(waitpid(pid, &status, 0));
    CHECK(ct_took(start, 0, 10000));
    printf("sockets left open: exit status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}
