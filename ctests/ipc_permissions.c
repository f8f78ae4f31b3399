/* ipc where the file system says no: folders that may not be written or
   searched, and a socket file that may not be connected to. Root may do
   everything, so the library is used by a child that is nobody. */

#include "ctest.h"

#define NOBODY 65534

static char closed[NN_SOCKADDR_MAX], sealed[NN_SOCKADDR_MAX], open_[NN_SOCKADDR_MAX];

static void in(char addr[NN_SOCKADDR_MAX], const char *folder, const char *name)
{
    snprintf(addr, NN_SOCKADDR_MAX, "ipc://%s/%s", folder, name);
}

static void make(char folder[NN_SOCKADDR_MAX], const char *name)
{
    snprintf(folder, NN_SOCKADDR_MAX, "%s/%s", ct_dir(), name);
    MUST(mkdir(folder, 0777));
}

/* Prints whether a connector fails again and again, and removes it. */
static void connect_in_vain(const char *what, const char *addr)
{
    int s = ct_socket(NN_PAIR);
    CALL_AS(what, nn_connect(s, addr));
    EVENTUALLY(ct_stat(s, NN_STAT_CONNECT_ERRORS) >= 2);
    CHECK(PEERS(s) == 0);
    CALL(nn_close(s));
}

static void be_nobody(int ask)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR), t;

    in(addr, closed, "new");
    CALL_AS("nn_bind in a folder that may not be written", nn_bind(s, addr));
    CHECK(access(addr + 6, F_OK) < 0);
    connect_in_vain("nn_connect to a file that is not there", addr);

    in(addr, sealed, "new");
    CALL_AS("nn_bind in a folder that may not be searched", nn_bind(s, addr));
    connect_in_vain("nn_connect there", addr);

    in(addr, closed, "taken");
    CALL_AS("nn_bind to a socket file that may not be written", nn_bind(s, addr));
    t = ct_socket(NN_PAIR);
    CALL_AS("nn_connect to it", nn_connect(t, addr));
    EVENTUALLY(ct_stat(t, NN_STAT_CONNECT_ERRORS) >= 2);
    CHECK(ct_stat(t, NN_STAT_ESTABLISHED_CONNECTIONS) == 0);
    CHECK(write(ask, "x", 1) == 1);
    EVENTUALLY(ct_stat(t, NN_STAT_ESTABLISHED_CONNECTIONS) > 0);
    printf("it connects when it may\n");
    CALL(nn_close(t));

    /* Nothing of this has harmed the socket. */
    in(addr, open_, "new");
    t = ct_socket(NN_PAIR);
    CALL_AS("nn_bind in a folder that may be written", nn_bind(s, addr));
    MUST(nn_connect(t, addr));
    CONNECTED(s);
    CONNECTED(t);
    CALL(nn_close(t));
    CALL(nn_close(s));
}

int main(void)
{
    char addr[NN_SOCKADDR_MAX], byte;
    int pipes[2], status;

    make(closed, "closed");
    make(sealed, "sealed");
    make(open_, "open");
    in(addr, closed, "taken");
    int listener = ct_raw_listen(addr);
    MUST(chmod(addr + 6, 0444));
    MUST(chmod(closed, 0555));
    MUST(chmod(sealed, 0));
    MUST(chmod(open_, 0777));
    MUST(chmod(ct_dir(), 0755));
    MUST(pipe(pipes));

    fflush(stdout);
    pid_t child = MUST(fork());
    if (child == 0) {
        close(listener);
        close(pipes[0]);
        if (geteuid() == 0) {
            MUST(setgid(NOBODY));
            MUST(setuid(NOBODY));
        }
        be_nobody(pipes[1]);
        exit(0);
    }
    close(pipes[1]);
    CHECK(read(pipes[0], &byte, 1) == 1);
    MUST(chmod(addr + 6, 0777));
    MUST(waitpid(child, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    MUST(chmod(closed, 0777));
    MUST(chmod(sealed, 0777));
    return 0;
}
