/* The other option levels: transports, and levels that are not this socket's. */

#include "ctest.h"

static void get(const char *what, int s, int level, int option, size_t n)
{
    unsigned char buf[16];
    size_t size = n;
    memset(buf, 0xEE, sizeof buf);
    int rc = CALL_AS(what, nn_getsockopt(s, level, option, buf, &size));
    if (rc == 0) {
        printf("  size becomes %zu,", size);
        ct_print_hex(" bytes", buf, 10);
    }
}

int main(void)
{
    char what[128];
    int s = MUST(nn_socket(AF_SP, NN_PAIR));
    int one = 1;

    printf("-- levels and options without meaning here\n");
    static const int levels[] = {NN_PAIR, NN_SUB, NN_REQ, NN_SURVEYOR, NN_BUS, 1, 4711, INT_MAX, NN_INPROC, -5, -6, -4711, INT_MIN};
    static const int options[] = {-1, 0, 1, 2, 3, 16};
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++)
        for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
            snprintf(what, sizeof what, "set level %d option %d", levels[l], options[o]);
            CALL_AS(what, nn_setsockopt(s, levels[l], options[o], &one, sizeof one));
            snprintf(what, sizeof what, "get level %d option %d", levels[l], options[o]);
            get(what, s, levels[l], options[o], 4);
        }
    CALL(nn_setsockopt(s, 4711, 1, &one, 0));
    CALL(nn_setsockopt(s, 4711, 1, &one, 3));
    CALL(nn_setsockopt(s, 4711, 1, NULL, 3));
    CALL(nn_setsockopt(s, NN_INPROC, 1, NULL, 3));
    CALL(nn_setsockopt(s, NN_INPROC, 1, NULL, 0));

    printf("-- NN_TCP\n");
    static const int values[] = {INT_MIN, -1, 0, 1, 2, INT_MAX};
    printf("NN_TCP_NODELAY = %d\n", ct_get(s, NN_TCP, NN_TCP_NODELAY));
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        snprintf(what, sizeof what, "set NN_TCP_NODELAY %d", values[v]);
        CALL_AS(what, nn_setsockopt(s, NN_TCP, NN_TCP_NODELAY, &values[v], sizeof(int)));
        printf("  now %d\n", ct_get(s, NN_TCP, NN_TCP_NODELAY));
    }
    long long wide = 1;
    for (size_t size = 0; size <= 8; size++) {
        snprintf(what, sizeof what, "set NN_TCP_NODELAY, %zu bytes", size);
        CALL_AS(what, nn_setsockopt(s, NN_TCP, NN_TCP_NODELAY, &wide, size));
        snprintf(what, sizeof what, "set unknown NN_TCP option, %zu bytes", size);
        CALL_AS(what, nn_setsockopt(s, NN_TCP, 2, &wide, size));
        snprintf(what, sizeof what, "get NN_TCP_NODELAY into %zu bytes", size);
        get(what, s, NN_TCP, NN_TCP_NODELAY, size);
    }
    get("get unknown NN_TCP option", s, NN_TCP, 0, 4);
    get("get unknown NN_TCP option", s, NN_TCP, 2, 4);
    CALL(nn_setsockopt(s, NN_TCP, NN_TCP_NODELAY, NULL, 4));
    CALL(nn_setsockopt(s, NN_TCP, NN_TCP_NODELAY, NULL, 0));

    printf("-- NN_IPC\n");
    static const int ipc[] = {NN_IPC_OUTBUFSZ, NN_IPC_INBUFSZ};
    for (int o = 0; o < 2; o++) {
        printf("NN_IPC option %d = %d\n", ipc[o], ct_get(s, NN_IPC, ipc[o]));
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            snprintf(what, sizeof what, "set NN_IPC option %d to %d", ipc[o], values[v]);
            CALL_AS(what, nn_setsockopt(s, NN_IPC, ipc[o], &values[v], sizeof(int)));
            printf("  now %d\n", ct_get(s, NN_IPC, ipc[o]));
        }
        wide = 77;
        for (size_t size = 0; size <= 8; size++) {
            snprintf(what, sizeof what, "set NN_IPC option %d, %zu bytes", ipc[o], size);
            CALL_AS(what, nn_setsockopt(s, NN_IPC, ipc[o], &wide, size));
        }
        printf("  now %d\n", ct_get(s, NN_IPC, ipc[o]));
    }
    static const int no_ipc[] = {-1, 0, 4, 4711};
    for (int o = 0; o < 4; o++) {
        snprintf(what, sizeof what, "set NN_IPC option %d", no_ipc[o]);
        CALL_AS(what, nn_setsockopt(s, NN_IPC, no_ipc[o], &one, sizeof one));
        get("get it", s, NN_IPC, no_ipc[o], 4);
    }
    void *attr = &one;
    size_t size = sizeof attr;
    CALL(nn_getsockopt(s, NN_IPC, NN_IPC_SEC_ATTR, &attr, &size));
    printf("  NN_IPC_SEC_ATTR is %s\n", attr ? "set" : "NULL");
    QUIRK("Q-B17", "options of NN_IPC stay within the caller's buffer") {
        unsigned char buf[8];
        memset(buf, 0xEE, sizeof buf);
        size = 2;
        nn_getsockopt(s, NN_IPC, NN_IPC_OUTBUFSZ, buf, &size);
        CHECK(buf[2] == 0xEE && buf[3] == 0xEE);
    }

    /* Before and after endpoints exist, and a socket each. */
    char addr[NN_SOCKADDR_MAX];
    one = 1;
    CALL(nn_setsockopt(s, NN_TCP, NN_TCP_NODELAY, &one, sizeof one));
    MUST(nn_bind(s, ct_address(TCP, addr)));
    one = 0;
    CALL(nn_setsockopt(s, NN_TCP, NN_TCP_NODELAY, &one, sizeof one));
    printf("NN_TCP_NODELAY = %d\n", ct_get(s, NN_TCP, NN_TCP_NODELAY));
    one = 1;
    CALL(nn_setsockopt(s, NN_TCP, NN_TCP_NODELAY, &one, sizeof one));
    int other = MUST(nn_socket(AF_SP_RAW, NN_PAIR));
    printf("another socket's NN_TCP_NODELAY = %d\n", ct_get(other, NN_TCP, NN_TCP_NODELAY));
    MUST(nn_close(other));
    MUST(nn_close(s));
    return 0;
}
