/* The options of NN_SOL_SOCKET: defaults, accepted values, sizes, short buffers. */

#include "ctest.h"

struct option { const char *name; int number; };
#define OPTION(x) {#x, x}

static const struct option settable[] = {
    OPTION(NN_SNDBUF), OPTION(NN_RCVBUF), OPTION(NN_SNDTIMEO), OPTION(NN_RCVTIMEO), OPTION(NN_RECONNECT_IVL),
    OPTION(NN_RECONNECT_IVL_MAX), OPTION(NN_SNDPRIO), OPTION(NN_RCVPRIO), OPTION(NN_IPV4ONLY), OPTION(NN_RCVMAXSIZE),
    OPTION(NN_MAXTTL),
};
static const struct option readonly[] = {
    OPTION(NN_SNDFD), OPTION(NN_RCVFD), OPTION(NN_DOMAIN), OPTION(NN_PROTOCOL),
};
#define COUNT(a) (sizeof a / sizeof *a)

static int set(int s, int option, const void *value, size_t size)
{
    return nn_setsockopt(s, NN_SOL_SOCKET, option, value, size);
}

int main(void)
{
    static const int values[] = {INT_MIN, -2, -1, 0, 1, 2, 7, 8, 9, 15, 16, 17, 100, 254, 255, 256, 65536, 1048577, INT_MAX};
    static const int unknown[] = {-1, 0, 18, 19, 100, INT_MAX, INT_MIN};
    char what[128];
    int s = MUST(nn_socket(AF_SP, NN_PAIR));

    printf("-- defaults\n");
    for (size_t o = 0; o < COUNT(settable); o++)
        printf("%s = %d\n", settable[o].name, ct_get(s, NN_SOL_SOCKET, settable[o].number));
    printf("NN_DOMAIN = %d\n", ct_get(s, NN_SOL_SOCKET, NN_DOMAIN));
    printf("NN_PROTOCOL = %d\n", ct_get(s, NN_SOL_SOCKET, NN_PROTOCOL));
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_SNDFD) >= 0);
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_RCVFD) >= 0);
    int raw = MUST(nn_socket(AF_SP_RAW, NN_PAIR));
    printf("raw: NN_DOMAIN = %d\n", ct_get(raw, NN_SOL_SOCKET, NN_DOMAIN));
    printf("raw: NN_PROTOCOL = %d\n", ct_get(raw, NN_SOL_SOCKET, NN_PROTOCOL));
    MUST(nn_close(raw));

    printf("-- accepted values, and what is read back\n");
    for (size_t o = 0; o < COUNT(settable); o++)
        for (size_t v = 0; v < COUNT(values); v++) {
            snprintf(what, sizeof what, "set %s %d", settable[o].name, values[v]);
            int rc = CALL_AS(what, set(s, settable[o].number, &values[v], sizeof(int)));
            int back = ct_get(s, NN_SOL_SOCKET, settable[o].number);
            if (rc == 0)
                CHECK(back == values[v]);
            else
                printf("  keeps %d\n", back);
        }
    for (size_t o = 0; o < COUNT(readonly); o++)
        for (int v = -1; v <= 1; v++) {
            snprintf(what, sizeof what, "set %s %d", readonly[o].name, v);
            CALL_AS(what, set(s, readonly[o].number, &v, sizeof v));
        }

    printf("-- sizes in nn_setsockopt\n");
    long long wide = 1;
    for (size_t size = 0; size <= 8; size++) {
        for (size_t o = 0; o < COUNT(settable); o++) {
            snprintf(what, sizeof what, "set %s, %zu bytes", settable[o].name, size);
            CALL_AS(what, set(s, settable[o].number, &wide, size));
        }
        snprintf(what, sizeof what, "set NN_DOMAIN, %zu bytes", size);
        CALL_AS(what, set(s, NN_DOMAIN, &wide, size));
        snprintf(what, sizeof what, "set unknown option, %zu bytes", size);
        CALL_AS(what, set(s, 4711, &wide, size));
    }

    printf("-- unknown options\n");
    int value = 1;
    size_t size;
    for (size_t o = 0; o < COUNT(unknown); o++) {
        snprintf(what, sizeof what, "set option %d", unknown[o]);
        CALL_AS(what, set(s, unknown[o], &value, sizeof value));
        snprintf(what, sizeof what, "get option %d", unknown[o]);
        size = sizeof value;
        CALL_AS(what, nn_getsockopt(s, NN_SOL_SOCKET, unknown[o], &value, &size));
    }

    printf("-- NULL\n");
    size = sizeof value;
    CALL(set(s, NN_SNDTIMEO, NULL, 4));
    CALL(set(s, NN_SNDTIMEO, NULL, 0));
    CALL(set(s, NN_SNDTIMEO, NULL, 1));
    CALL(set(s, 4711, NULL, 4));
    CALL(set(s, NN_SOCKET_NAME, NULL, 4));
    CALL(set(s, NN_SOCKET_NAME, NULL, 0));
    CALL(nn_getsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, NULL, &size));
    CALL(nn_getsockopt(s, NN_SOL_SOCKET, 4711, NULL, &size));
    CALL(nn_getsockopt(s, 4711, 4711, NULL, &size));
    QUIRK("Q-B17", "a NULL optvallen is EFAULT") {
        CHECK(nn_getsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, &value, NULL) == -1 && nn_errno() == EFAULT);
        CHECK(nn_getsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, NULL, NULL) == -1 && nn_errno() == EFAULT);
    }

    printf("-- buffers of nn_getsockopt\n");
    MUST(ct_set(s, NN_SNDTIMEO, 0x01020304));
    for (size_t n = 0; n <= 9; n++) {
        unsigned char buf[16];
        memset(buf, 0xEE, sizeof buf);
        size = n;
        snprintf(what, sizeof what, "get into %zu bytes", n);
        CALL_AS(what, nn_getsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, buf, &size));
        printf("  size becomes %zu,", size);
        ct_print_hex(" bytes", buf, 10);
    }

    /* An option is this socket's own. */
    int other = MUST(nn_socket(AF_SP, NN_PAIR));
    printf("another socket's NN_SNDTIMEO = %d\n", ct_get(other, NN_SOL_SOCKET, NN_SNDTIMEO));

    QUIRK("Q-E11", "NN_LINGER is 1000 ms unless set, and can be read back") {
        CHECK(ct_get(other, NN_SOL_SOCKET, NN_LINGER) == 1000);
        CHECK(ct_set(other, NN_LINGER, 250) == 0);
        CHECK(ct_get(other, NN_SOL_SOCKET, NN_LINGER) == 250);
        CHECK(ct_set(other, NN_LINGER, 0) == 0);
        CHECK(ct_get(other, NN_SOL_SOCKET, NN_LINGER) == 0);
    }
    for (size_t v = 0; v < COUNT(values); v++) {
        snprintf(what, sizeof what, "set NN_LINGER %d", values[v]);
        CALL_AS(what, set(other, NN_LINGER, &values[v], sizeof(int)));
    }
    CALL(set(other, NN_LINGER, &value, 3));
    MUST(ct_set(other, NN_LINGER, 100));
    MUST(nn_close(other));
    MUST(nn_close(s));
    return 0;
}
