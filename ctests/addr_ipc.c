/* Addresses of ipc: paths, their lengths, and folders that are not there. */

#include "ctest.h"

static void path_of_length(int s, const char *dir, size_t length)
{
    char addr[300], what[64];
    int head = snprintf(addr, sizeof addr, "ipc://%s/", dir);
    memset(addr + head, 'p', sizeof addr - (size_t) head);
    addr[6 + length] = 0;

    snprintf(what, sizeof what, "nn_bind to a path of %zu bytes", length);
    int id = CALL_AS(what, nn_bind(s, addr));
    if (id > 0) {
        struct stat st;
        CHECK(stat(addr + 6, &st) == 0 && S_ISSOCK(st.st_mode));
        MUST(nn_shutdown(s, id));
        EVENTUALLY(access(addr + 6, F_OK) < 0);
    }
    snprintf(what, sizeof what, "nn_connect to a path of %zu bytes", length);
    id = CALL_AS(what, nn_connect(s, addr));
    if (id > 0)
        MUST(nn_shutdown(s, id));
}

static void talk(const char *bound, const char *connected)
{
    char buf[8];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    MUST(nn_bind(a, bound));
    MUST(nn_connect(b, connected));
    CONNECTED(a);
    CONNECTED(b);
    CHECK(nn_send(a, "hi", 2, 0) == 2);
    CHECK(nn_recv(b, buf, sizeof buf, 0) == 2);
    MUST(nn_close(b));
    MUST(nn_close(a));
}

int main(void)
{
    char addr[NN_SOCKADDR_MAX], other[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR);
    const char *dir = ct_dir();

    path_of_length(s, dir, 50);
    path_of_length(s, dir, 106);
    path_of_length(s, dir, 107);
    path_of_length(s, dir, 122);
    path_of_length(s, dir, 200);
    QUIRK("Q-B8", "an ipc path of 108 to 121 bytes is ENAMETOOLONG") {
        for (size_t n = 108; n <= 121; n++) {
            snprintf(addr, sizeof addr, "ipc://%s/", dir);
            memset(addr + strlen(addr), 'p', sizeof addr - strlen(addr));
            addr[6 + n] = 0;
            CHECK(nn_bind(s, addr) == -1 && nn_errno() == ENAMETOOLONG);
            CHECK(nn_connect(s, addr) == -1 && nn_errno() == ENAMETOOLONG);
        }
    }

    snprintf(addr, sizeof addr, "ipc://%s/no/such/folder", dir);
    CALL_AS("nn_bind in a missing folder", nn_bind(s, addr));
    CALL_AS("nn_connect in a missing folder", nn_connect(s, addr));
    fclose(fopen(strcat(strcpy(other, dir), "/plain"), "w"));
    snprintf(addr, sizeof addr, "ipc://%s/plain/x", dir);
    CALL_AS("nn_bind below an ordinary file", nn_bind(s, addr));
    CALL_AS("nn_connect below an ordinary file", nn_connect(s, addr));

    /* The same file by another spelling; relative paths; odd characters. */
    snprintf(addr, sizeof addr, "ipc://%s/one", dir);
    snprintf(other, sizeof other, "ipc://%s/./one", dir);
    talk(addr, other);
    MUST(chdir(dir));
    talk("ipc://two", "ipc://two");
    snprintf(other, sizeof other, "ipc://%s/two", dir);
    talk("ipc://two", other);
    talk("ipc://with blanks:and;signs*", "ipc://with blanks:and;signs*");
    talk("ipc://\xc3\xa4", "ipc://\xc3\xa4");
    printf("other spellings, relative paths and odd characters work\n");

    /* Only one binder. */
    int t = ct_socket(NN_PAIR);
    CALL(nn_bind(s, "ipc://three"));
    CALL(nn_bind(s, "ipc://three"));
    CALL(nn_bind(t, "ipc://three"));
    CALL(nn_bind(t, "ipc://./three"));
    CALL(nn_close(s));
    CALL(nn_bind(t, "ipc://three"));
    CALL(nn_close(t));
    MUST(chdir("/"));
    return 0;
}
