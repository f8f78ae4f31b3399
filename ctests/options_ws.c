/* The options of NN_WS. */

#include "ctest.h"

int main(void)
{
    static const int values[] = {INT_MIN, -1, 0, 1, 2, 3, 8, INT_MAX};
    char what[64];
    int s = MUST(nn_socket(AF_SP, NN_PAIR));
    printf("NN_WS_MSG_TYPE = %d\n", ct_get(s, NN_WS, NN_WS_MSG_TYPE));
    for (int v = 0; v < 8; v++) {
        snprintf(what, sizeof what, "set NN_WS_MSG_TYPE %d", values[v]);
        CALL_AS(what, nn_setsockopt(s, NN_WS, NN_WS_MSG_TYPE, &values[v], sizeof(int)));
        printf("  now %d\n", ct_get(s, NN_WS, NN_WS_MSG_TYPE));
    }
    long long wide = 1;
    for (size_t n = 0; n <= 8; n++) {
        unsigned char buf[16];
        size_t size = n;
        memset(buf, 0xEE, sizeof buf);
        snprintf(what, sizeof what, "set NN_WS_MSG_TYPE, %zu bytes", n);
        CALL_AS(what, nn_setsockopt(s, NN_WS, NN_WS_MSG_TYPE, &wide, n));
        snprintf(what, sizeof what, "set unknown, %zu bytes", n);
        CALL_AS(what, nn_setsockopt(s, NN_WS, 2, &wide, n));
        snprintf(what, sizeof what, "get NN_WS_MSG_TYPE into %zu bytes", n);
        CALL_AS(what, nn_getsockopt(s, NN_WS, NN_WS_MSG_TYPE, buf, &size));
        printf("  size becomes %zu,", size);
        ct_print_hex(" bytes", buf, 10);
    }
    static const int unknown[] = {-1, 0, 2, 4711};
    for (int o = 0; o < 4; o++) {
        int value = 1;
        size_t size = sizeof value;
        snprintf(what, sizeof what, "set option %d", unknown[o]);
        CALL_AS(what, nn_setsockopt(s, NN_WS, unknown[o], &value, sizeof value));
        snprintf(what, sizeof what, "get option %d", unknown[o]);
        CALL_AS(what, nn_getsockopt(s, NN_WS, unknown[o], &value, &size));
    }
    CALL(nn_setsockopt(s, NN_WS, NN_WS_MSG_TYPE, NULL, 4));
    CALL(nn_setsockopt(s, NN_WS, NN_WS_MSG_TYPE, NULL, 0));
    MUST(nn_close(s));
    return 0;
}
