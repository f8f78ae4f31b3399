/* NN_PRINT_ERRORS: a line on stderr for each change of an endpoint's error. The
   program runs itself with its stderr in a pipe, and prints what came. */

#include "ctest.h"

/* The other half: fails to connect, connects, fails again. */
static int child(const char *addr)
{
    int s = ct_socket(NN_PAIR), binder;
    MUST(ct_set(s, NN_RECONNECT_IVL, 10));
    MUST(nn_setsockopt(s, NN_SOL_SOCKET, NN_SOCKET_NAME, "mysock", 6));
    MUST(nn_connect(s, addr));
    EVENTUALLY(ct_stat(s, NN_STAT_CONNECT_ERRORS) >= 5);
    binder = ct_socket(NN_PAIR);
    MUST(nn_bind(binder, addr));
    CONNECTED(s);
    CHECK(nn_bind(binder, addr) == -1);
    MUST(nn_close(binder));
    ALONE(s);
    int errors = ct_stat(s, NN_STAT_CONNECT_ERRORS);
    EVENTUALLY(ct_stat(s, NN_STAT_CONNECT_ERRORS) >= errors + 3);
    MUST(nn_close(s));

    /* Without a name of its own. */
    s = ct_socket(NN_PAIR);
    MUST(nn_connect(s, addr));
    EVENTUALLY(ct_stat(s, NN_STAT_CONNECT_ERRORS) >= 2);
    MUST(nn_close(s));
    return 0;
}

/* Replaces every occurrence, as the port or the path differ from run to run. */
static void print_masked(const char *text, const char *variable, const char *mask)
{
    const char *hit;
    while ((hit = strstr(text, variable)) != NULL) {
        printf("%.*s%s", (int) (hit - text), text, mask);
        text = hit + strlen(variable);
    }
    printf("%s", text);
}

static void run(const char *self, const char *value, const char *addr)
{
    static char text[10000];
    int fds[2], status;
    printf("-- %s, NN_PRINT_ERRORS %s\n", addr[0] == 't' ? "tcp" : "ipc", value ? value[0] ? value : "empty" : "unset");
    fflush(stdout);
    MUST(pipe(fds));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        if (value)
            setenv("NN_PRINT_ERRORS", value, 1);
        else
            unsetenv("NN_PRINT_ERRORS");
        setenv("NN_PRINT_STATISTICS", "1", 1);
        execl("/proc/self/exe", self, "child", addr, NULL);
        _exit(1);
    }
    close(fds[1]);
    size_t n = 0;
    ssize_t got;
    while (n < sizeof text - 1 && (got = read(fds[0], text + n, sizeof text - 1 - n)) > 0)
        n += (size_t) got;
    text[n] = 0;
    close(fds[0]);
    MUST(waitpid(pid, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    print_masked(text, strchr(addr, ':') + 3, "ADDRESS");
}

int main(int argc, char **argv)
{
    char addr[NN_SOCKADDR_MAX];
    if (argc == 3)
        return child(argv[2]);
    for (enum ct_transport t = IPC; t <= WS; t++) {
        run(argv[0], "1", ct_address(t, addr));
        run(argv[0], "0", ct_address(t, addr));
        run(argv[0], "", ct_address(t, addr));
        run(argv[0], NULL, ct_address(t, addr));
    }
    return 0;
}
