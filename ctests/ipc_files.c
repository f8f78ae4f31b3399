/* The socket file of an ipc endpoint: made, kept, replaced, removed. */

#include "ctest.h"

static int is_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void talk(int a, int b)
{
    char buf[8];
    CONNECTED(a);
    CONNECTED(b);
    CHECK(nn_send(a, "hi", 2, 0) == 2 && nn_recv(b, buf, sizeof buf, 0) == 2);
    CHECK(nn_send(b, "hi", 2, 0) == 2 && nn_recv(a, buf, sizeof buf, 0) == 2);
}

/* Leaves a socket file nobody listens on. */
static void leave_stale(const char *addr)
{
    close(ct_raw_listen(addr));
    CHECK(is_socket(ct_path_of(addr)));
}

int main(void)
{
    char addr[NN_SOCKADDR_MAX];
    const char *path = ct_path_of(addr);
    struct stat st;
    int s = ct_socket(NN_PAIR), t;

    printf("-- mode\n");
    static const mode_t umasks[] = {0, 022, 027, 077};
    for (int i = 0; i < 4; i++) {
        umask(umasks[i]);
        MUST(nn_bind(s, ct_address(IPC, addr)));
        MUST(stat(path, &st));
        printf("umask %03o: %03o\n", (unsigned) umasks[i], (unsigned) st.st_mode & 07777);
    }
    umask(022);
    CALL(nn_close(s));

    printf("-- removed\n");
    s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(IPC, addr)));
    CHECK(is_socket(path));
    CALL(nn_close(s));
    printf("after nn_close: %s\n", access(path, F_OK) ? "gone" : "there");
    s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, addr));
    CALL(nn_shutdown(s, 1));
    EVENTUALLY(access(path, F_OK) < 0);
    CALL(nn_bind(s, addr));
    CHECK(is_socket(path));
    CHECK(unlink(path) == 0);
    CALL(nn_close(s));
    printf("removed by somebody else before: no matter\n");

    printf("-- a file left behind\n");
    leave_stale(ct_address(IPC, addr));
    s = ct_socket(NN_PAIR);
    t = ct_socket(NN_PAIR);
    CALL(nn_connect(t, addr));
    EVENTUALLY(ct_stat(t, NN_STAT_CONNECT_ERRORS) >= 2);
    CHECK(is_socket(path));
    CALL(nn_bind(s, addr));
    talk(s, t);
    CALL(nn_close(t));
    CALL(nn_close(s));
    CHECK(!is_socket(path));

    printf("-- somebody listens\n");
    int listener = ct_raw_listen(ct_address(IPC, addr));
    s = ct_socket(NN_PAIR);
    CALL(nn_bind(s, addr));
    CHECK(is_socket(path));
    close(ct_raw_connect(addr));
    CALL(nn_close(s));
    CHECK(is_socket(path));
    close(listener);
    s = ct_socket(NN_PAIR);
    t = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(IPC, addr)));
    CALL(nn_bind(t, addr));
    CALL(nn_close(t));
    CHECK(is_socket(path));
    t = ct_socket(NN_PAIR);
    MUST(nn_connect(t, addr));
    talk(s, t);
    CALL(nn_close(t));
    CALL(nn_close(s));

    printf("-- not there\n");
    s = ct_socket(NN_PAIR);
    t = ct_socket(NN_PAIR);
    char deep[NN_SOCKADDR_MAX], folder[NN_SOCKADDR_MAX];
    snprintf(folder, sizeof folder, "%s/later", ct_dir());
    snprintf(deep, sizeof deep, "ipc://%s/x", folder);
    CALL(nn_bind(s, deep));
    CALL(nn_connect(t, deep));
    EVENTUALLY(ct_stat(t, NN_STAT_CONNECT_ERRORS) >= 2);
    MUST(mkdir(folder, 0777));
    CALL(nn_bind(s, deep));
    talk(s, t);
    CALL(nn_close(t));
    CALL(nn_close(s));

    /* Two files, one socket. */
    s = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(IPC, addr)));
    char first[NN_SOCKADDR_MAX];
    strcpy(first, path);
    MUST(nn_bind(s, ct_address(IPC, addr)));
    CHECK(is_socket(first) && is_socket(path));
    CALL(nn_shutdown(s, 1));
    EVENTUALLY(access(first, F_OK) < 0);
    CHECK(is_socket(path));
    CALL(nn_close(s));

    QUIRK("Q-B9", "ipc never removes a file that is no socket; binding there is EADDRINUSE") {
        s = ct_socket(NN_PAIR);
        ct_address(IPC, addr);
        FILE *f = fopen(path, "w");
        fputs("precious", f);
        fclose(f);
        CHECK(nn_bind(s, addr) == -1 && nn_errno() == EADDRINUSE);
        CHECK(stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 8);
        /* Neither one that takes the place of ours. */
        CHECK(nn_bind(s, ct_address(IPC, addr)) == 1);
        CHECK(unlink(path) == 0);
        fclose(fopen(path, "w"));
        CHECK(nn_close(s) == 0);
        CHECK(stat(path, &st) == 0 && S_ISREG(st.st_mode));
    }
    QUIRK("Q-B10", "a folder in the way is EADDRINUSE, and stays") {
        s = ct_socket(NN_PAIR);
        ct_address(IPC, addr);
        MUST(mkdir(path, 0777));
        CHECK(nn_bind(s, addr) == -1 && nn_errno() == EADDRINUSE);
        CHECK(nn_bind(s, ct_address(IPC, addr)) == 1);
        CHECK(unlink(path) == 0);
        MUST(mkdir(path, 0777));
        CHECK(nn_close(s) == 0);
        CHECK(stat(path, &st) == 0 && S_ISDIR(st.st_mode));
    }
    return 0;
}
