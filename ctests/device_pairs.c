/* Which raw sockets nn_device joins: all hundred pairs, and loop-backs. A pair it
   accepts ends by the sockets' timeouts. */

#include "ctest.h"

static const struct { const char *name; int type; } types[] = {
    {"PAIR", NN_PAIR}, {"PUB", NN_PUB}, {"SUB", NN_SUB}, {"REQ", NN_REQ}, {"REP", NN_REP}, {"PUSH", NN_PUSH},
    {"PULL", NN_PULL}, {"SURVEYOR", NN_SURVEYOR}, {"RESPONDENT", NN_RESPONDENT}, {"BUS", NN_BUS},
};

static int raw(int type)
{
    int s = MUST(nn_socket(AF_SP_RAW, type));
    MUST(ct_set(s, NN_RCVTIMEO, 10));
    MUST(ct_set(s, NN_SNDTIMEO, 10));
    return s;
}

int main(void)
{
    char what[64];
    for (int i = 0; i < 10; i++)
        for (int k = 0; k < 10; k++) {
            int a = raw(types[i].type), b = raw(types[k].type);
            snprintf(what, sizeof what, "%s and %s", types[i].name, types[k].name);
            CALL_AS(what, nn_device(a, b));
            MUST(nn_close(a));
            MUST(nn_close(b));
        }
    for (int i = 0; i < 10; i++) {
        int a = raw(types[i].type);
        snprintf(what, sizeof what, "%s alone", types[i].name);
        CALL_AS(what, nn_device(a, -1));
        CALL_AS(what, nn_device(-1, a));
        MUST(nn_close(a));
        a = MUST(nn_socket(AF_SP, types[i].type));
        int b = raw(types[i].type);
        snprintf(what, sizeof what, "cooked %s", types[i].name);
        CALL_AS(what, nn_device(a, -1));
        CALL_AS(what, nn_device(a, b));
        CALL_AS(what, nn_device(b, a));
        MUST(nn_close(a));
        MUST(nn_close(b));
    }
    return 0;
}
