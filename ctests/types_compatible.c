/* Which types connect with which, over each transport; the others never do, and
   nobody is told. */

#include "ctest.h"

static const struct { const char *name; int type; } types[] = {
    {"PAIR", NN_PAIR}, {"PUB", NN_PUB}, {"SUB", NN_SUB}, {"REQ", NN_REQ}, {"REP", NN_REP}, {"PUSH", NN_PUSH},
    {"PULL", NN_PULL}, {"SURVEYOR", NN_SURVEYOR}, {"RESPONDENT", NN_RESPONDENT}, {"BUS", NN_BUS},
};

/* Waits until they are connected, or have found out that they will not be. */
static int connects(enum ct_transport t, int raw, int bound, int connected)
{
    char addr[NN_SOCKADDR_MAX];
    int a = MUST(nn_socket(AF_SP, bound)), b = MUST(nn_socket(raw ? AF_SP_RAW : AF_SP, connected));
    MUST(nn_bind(a, ct_address(t, addr)));
    MUST(nn_connect(b, addr));
    if (t == INPROC) {
        WAIT_FOR(20, PEERS(a) == 1);
        CHECK(PEERS(a) == PEERS(b));
        CHECK(ct_stat(b, NN_STAT_INPROGRESS_CONNECTIONS) == !PEERS(b));
    } else
        EVENTUALLY(PEERS(a) == 1 || ct_stat(a, NN_STAT_BROKEN_CONNECTIONS) > 0);
    int yes = PEERS(a) == 1;
    MUST(nn_close(b));
    MUST(nn_close(a));
    return yes;
}

int main(void)
{
    for (enum ct_transport t = INPROC; t <= TCP; t++)
        for (int raw = 0; raw < 2; raw++)
            for (int i = 0; i < 10; i++) {
                printf("%s, %s, bound, and %sconnected:", ct_scheme[t], types[i].name, raw ? "raw " : "");
                for (int k = 0; k < 10; k++)
                    if (connects(t, raw, types[i].type, types[k].type))
                        printf(" %s", types[k].name);
                printf("\n");
            }
    QUIRK("Q-R11", "ws refuses the same types: nobody stays connected after a 400") {
        for (int raw = 0; raw < 2; raw++)
            for (int i = 0; i < 10; i++)
                for (int k = 0; k < 10; k++)
                    CHECK(connects(WS, raw, types[i].type, types[k].type) ==
                          connects(INPROC, raw, types[i].type, types[k].type));
    }
    return 0;
}
