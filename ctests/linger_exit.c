/* A process that sends and ends: by nn_close, nn_term, return from main or exit.
   The program runs itself as the sender. */

#include "ctest.h"

static const struct burst { int count, size; } bursts[] = {
    {1, 10}, {1, 60000}, {100, 10}, {100, 60000}, {10000, 10}, {10000, 1000}, {10000, 60000}};

static const char *const ways[] = {"nn_close", "nn_term", "return", "exit"};

static char body[60000];

/* The other half: connects, sends numbers, and ends in the way told. Without a count it sends what is taken at once. */
static int child(const char *addr, const char *way, int count, int size)
{
    int s = ct_socket(NN_PAIR);
    MUST(nn_connect(s, addr));
    CONNECTED(s);
    for (int i = 0; i < count; i++) {
        memcpy(body, &i, sizeof i);
        MUST(nn_send(s, body, (size_t) size, 0));
    }
    if (count == 0)
        MUST(ct_set(s, NN_LINGER, 300));
    for (int i = 0; count == 0; i++) {
        memcpy(body, &i, sizeof i);
        if (nn_send(s, body, (size_t) size, NN_DONTWAIT) < 0)
            break;
    }
    if (strcmp(way, "nn_close") == 0)
        nn_close(s);
    else if (strcmp(way, "nn_term") == 0)
        nn_term();
    else if (strcmp(way, "exit") == 0)
        exit(0);
    return 0;
}

static pid_t sender(const char *self, const char *addr, const char *way, int count, int size)
{
    char counted[16], sized[16];
    snprintf(counted, sizeof counted, "%d", count);
    snprintf(sized, sizeof sized, "%d", size);
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        execl("/proc/self/exe", self, "child", addr, way, counted, sized, NULL);
        _exit(1);
    }
    return pid;
}

/* How many numbers come, in order, until no more do. */
static int received(int s, int at_most, int size)
{
    static char buf[100000];
    int n = 0, number;
    while (n < at_most && nn_recv(s, buf, sizeof buf, 0) == size) {
        memcpy(&number, buf, sizeof number);
        if (number != n)
            return -1;
        n++;
    }
    return n;
}

static void ended(pid_t pid)
{
    int status;
    int64_t start = ct_now();
    MUST(waitpid(pid, &status, 0));
    CHECK(ct_took(start, 0, 5000));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int run(const char *self, enum ct_transport t, const char *way, struct burst burst)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(t, addr)));
    MUST(ct_set(s, NN_RCVTIMEO, 3000));
    pid_t pid = sender(self, addr, way, burst.count, burst.size);
    int n = received(s, burst.count, burst.size);
    ended(pid);
    ALONE(s);
    MUST(nn_close(s));
    return n;
}

/* Nobody reads: the sender ends when NN_LINGER is over. What has arrived is the beginning of what was sent. */
static void unread(const char *self, enum ct_transport t, const char *way)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(t, addr)));
    ended(sender(self, addr, way, 0, 10000));
    MUST(ct_set(s, NN_RCVTIMEO, 200));
    CHECK(received(s, INT_MAX, 10000) > 0);
    ALONE(s);
    MUST(nn_close(s));
}

int main(int argc, char **argv)
{
    if (argc == 6)
        return child(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
    for (enum ct_transport t = IPC; t <= WS; t++)
        for (int i = 0; i < 4; i++) {
            char text[128];
            snprintf(text, sizeof text, "%s: all messages arrive before the end by %s", ct_scheme[t], ways[i]);
            QUIRK("Q-E13", text) {
                /* The last burst is half a gigabyte. */
                for (int b = 0; b < (ct_long ? 7 : 6); b++)
                    CHECK(run(argv[0], t, ways[i], bursts[b]) == bursts[b].count);
            }
            snprintf(text, sizeof text, "%s: by %s it waits no longer than NN_LINGER for a peer that does not read", ct_scheme[t], ways[i]);
            QUIRK("Q-E11", text)
                unread(argv[0], t, ways[i]);
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
