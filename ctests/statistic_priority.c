/* NN_STAT_CURRENT_SND_PRIORITY of PUSH: the best priority that can be sent to. */

#include "ctest.h"

static void show(const char *what, int s)
{
    printf("%s: %d\n", what, ct_stat(s, NN_STAT_CURRENT_SND_PRIORITY));
}

int main(void)
{
    int push = ct_socket(NN_PUSH), pull[2] = {ct_socket(NN_PULL), ct_socket(NN_PULL)};
    show("fresh", push);
    MUST(ct_set(push, NN_SNDPRIO, 7));
    MUST(nn_connect(push, "inproc://seven"));
    MUST(ct_set(push, NN_SNDPRIO, 3));
    MUST(nn_connect(push, "inproc://three"));
    show("no peer yet", push);
    MUST(nn_bind(pull[0], "inproc://seven"));
    EVENTUALLY(PEERS(push) == 1);
    show("7", push);
    MUST(nn_bind(pull[1], "inproc://three"));
    EVENTUALLY(PEERS(push) == 2);
    show("7 and 3", push);
    MUST(nn_close(pull[1]));
    EVENTUALLY(PEERS(push) == 1);
    show("7 again", push);
    MUST(nn_close(pull[0]));
    EVENTUALLY(PEERS(push) == 0);
    show("nobody", push);
    MUST(nn_close(push));
    return 0;
}
