/* When a connector tries again: at once, then after growing intervals. */

#include "ctest.h"

/* Accepts and closes, and compares the gaps between the attempts with the rule. */
static void gaps(enum ct_transport t, int ivl, int max, int attempts)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR), listener = ct_raw_listen(ct_address(t, addr));
    MUST(ct_set(s, NN_RECONNECT_IVL, ivl));
    MUST(ct_set(s, NN_RECONNECT_IVL_MAX, max));
    MUST(nn_connect(s, addr));
    /* What is set later is for later endpoints. */
    MUST(ct_set(s, NN_RECONNECT_IVL, 7000));
    MUST(ct_set(s, NN_RECONNECT_IVL_MAX, 7000));

    if (!ct_quirk_id)
        printf("%s, NN_RECONNECT_IVL %d, NN_RECONNECT_IVL_MAX %d:", ct_scheme[t], ivl, max);
    int64_t last = 0;
    for (int k = -1; k < attempts; k++) {
        int fd = ct_raw_accept(listener, CT_PATIENCE);
        CHECK(fd >= 0);
        int64_t now = ct_now();
        if (k >= 0) {
            int64_t expected = ((1 << k) - 1) * (int64_t) ivl, limit = max ? max : ivl;
            if (expected > limit)
                expected = limit;
            /* Never early; late only as far as a busy machine makes it. */
            int64_t gap = now - last;
            int right = gap >= expected - expected / 5 - 2 && gap < expected + 3000;
            if (ct_quirk_id)
                CHECK(right);
            else if (right)
                printf(" %d", (int) expected);
            else
                printf(" %d instead of %d", (int) gap, (int) expected);
        }
        close(fd);
        last = now;
    }
    if (!ct_quirk_id)
        printf("\n");
    MUST(nn_close(s));
    close(listener);
}

static void schedule(enum ct_transport t)
{
    gaps(t, 100, 0, 5);
    gaps(t, 50, 400, 6);
    gaps(t, 10, 40, 6);
    gaps(t, 0, 0, 5);
}

/* Refused attempts never come faster than the interval allows. */
static void refused(enum ct_transport t, int ivl)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR);
    MUST(ct_set(s, NN_RECONNECT_IVL, ivl));
    int64_t start = ct_now();
    MUST(nn_connect(s, ct_address(t, addr)));
    EVENTUALLY(ct_stat(s, NN_STAT_CONNECT_ERRORS) >= 6);
    int64_t took = ct_now() - start;
    CHECK(took >= 4 * ivl - ivl / 2);
    CHECK(took < 4 * ivl + 5000);
    CHECK(ct_stat(s, NN_STAT_CONNECT_ERRORS) <= took / ivl + 3);
    printf("%s, refused: an attempt, another at once, then one in %d ms\n", ct_scheme[t], ivl);
    MUST(nn_close(s));
}

int main(void)
{
    for (enum ct_transport t = IPC; t <= WS; t++) {
        if (t == WS) {
            QUIRK("ws redial", "a connector tries again after a failed handshake") {
                schedule(t);
            }
        } else
            schedule(t);
        refused(t, 100);
        refused(t, 30);
    }

    /* A connector that waits for its next attempt is closed at once. */
    char addr[NN_SOCKADDR_MAX];
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        int s = ct_socket(NN_PAIR);
        MUST(ct_set(s, NN_RECONNECT_IVL, 30000));
        MUST(nn_connect(s, ct_address(t, addr)));
        EVENTUALLY(t == INPROC || ct_stat(s, NN_STAT_CONNECT_ERRORS) == 2);
        int64_t start = ct_now();
        CHECK(nn_close(s) == 0);
        CHECK(ct_took(start, 0, 5000));
    }
    printf("waiting connectors close at once\n");

    /* The largest interval there is. */
    int s = ct_socket(NN_PAIR);
    MUST(ct_set(s, NN_RECONNECT_IVL, INT_MAX));
    MUST(ct_set(s, NN_RECONNECT_IVL_MAX, INT_MAX));
    CALL(nn_connect(s, ct_address(TCP, addr)));
    EVENTUALLY(ct_stat(s, NN_STAT_CONNECT_ERRORS) >= 2);
    ct_nap(50);
    CHECK(ct_stat(s, NN_STAT_CONNECT_ERRORS) == 2);
    MUST(nn_close(s));
    return 0;
}
