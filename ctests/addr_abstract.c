/* abstract://name, which the original does not know: Unix sockets whose names are no files. */

#include "ctest.h"

static int attempt(int (*how)(int, const char *), const char *name)
{
    char addr[200];
    int s = ct_socket(NN_PAIR);
    snprintf(addr, sizeof addr, "abstract://%s", name);
    int result = how(s, addr), error = nn_errno();
    MUST(nn_close(s));
    errno = error;
    return result;
}

static void talk(int from, int to)
{
    char body[8];
    MUST(nn_send(from, "hello", 5, 0));
    CHECK(nn_recv(to, body, sizeof body, 0) == 5 && !memcmp(body, "hello", 5));
}

/* Both by the same address; the name is gone with its socket, and can be bound again at once. */
static void reaches(const char *name)
{
    char addr[200];
    snprintf(addr, sizeof addr, "abstract://%s", name);
    for (int round = 0; round < 3; round++) {
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
        MUST(nn_connect(b, addr));
        MUST(nn_bind(a, addr));
        CONNECTED(b);
        talk(a, b);
        talk(b, a);
        MUST(nn_close(a));
        MUST(nn_close(b));
    }
}

static void lengths(void)
{
    char name[120];
    memset(name, 'x', sizeof name);
    name[107] = 0; /* with the NUL before it all of sun_path */
    reaches(name);
    name[107] = 'x';
    name[108] = 0;
    CHECK(attempt(nn_bind, name) == -1 && errno == ENAMETOOLONG);
    CHECK(attempt(nn_connect, name) == -1 && errno == ENAMETOOLONG);
    CHECK(attempt(nn_bind, "") == -1 && errno == EINVAL);
    CHECK(attempt(nn_connect, "") == -1 && errno == EINVAL);
}

int main(void)
{
    CHECK(chdir(ct_dir()) == 0);
    QUIRK("abstract", "Unix sockets have names that are no files") {
        char name[64], addr[80], path[80];
        snprintf(name, sizeof name, "nnctest/%d", getpid());
        snprintf(addr, sizeof addr, "abstract://%s", name);
        snprintf(path, sizeof path, "ipc://%s", name);
        reaches(name);
        snprintf(name, sizeof name, "%d: any \xff byte / is a name's", getpid());
        reaches(name);
        lengths();

        int a = ct_socket(NN_PUSH), b = ct_socket(NN_PULL), c = ct_socket(NN_PULL);
        MUST(nn_bind(a, addr));
        CHECK(nn_bind(b, addr) == -1 && nn_errno() == EADDRINUSE);
        CHECK(access("nnctest", F_OK) == -1); /* and no file */
        MUST(nn_connect(c, path));            /* whose name a path never is */
        MUST(nn_connect(b, addr));
        CONNECTED(b);
        CHECK(PEERS(a) == 1 && PEERS(c) == 0);
        fflush(stdout);
        pid_t pid = MUST(fork());
        if (pid == 0) { /* a process of its own reaches it */
            int d = ct_socket(NN_PULL);
            MUST(nn_connect(d, addr));
            CONNECTED(d);
            MUST(nn_close(d));
            _exit(0);
        }
        int status;
        MUST(waitpid(pid, &status, 0));
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        talk(a, b);
        MUST(nn_close(a));
        MUST(nn_close(b));
        MUST(nn_close(c));
    }
    return 0;
}
