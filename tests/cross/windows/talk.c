/* One side of a conversation: talk PATTERN bind|connect ADDRESS. It prints what it receives, and ends with 0 when all has come that
   belongs to the pattern. `push` returns from main with everything still to be written. */

#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 2000 /* of push and pull */
#define PATIENCE 30000

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, nn_strerror(nn_errno()));
    exit(1);
}

static void send_text(int s, const char *text)
{
    if (nn_send(s, text, strlen(text), 0) < 0)
        fail("nn_send");
}

static void recv_text(int s)
{
    char buf[100];
    int n = nn_recv(s, buf, sizeof buf, 0);
    if (n < 0)
        fail("nn_recv");
    printf("%.*s\n", n, buf);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; int type; } types[] = {
        {"pair", NN_PAIR}, {"pub", NN_PUB}, {"sub", NN_SUB}, {"req", NN_REQ}, {"rep", NN_REP}, {"push", NN_PUSH}, {"pull", NN_PULL},
    };
    static char large[10000];
    int type = -1, patience = PATIENCE, step = 20, i, s;
    if (argc != 4)
        return 2;
    for (i = 0; i < (int) (sizeof types / sizeof types[0]); i++)
        if (strcmp(types[i].name, argv[1]) == 0)
            type = types[i].type;
    s = nn_socket(AF_SP, type);
    if (s < 0)
        fail("nn_socket");
    nn_setsockopt(s, NN_SOL_SOCKET, NN_RCVTIMEO, &patience, sizeof patience);
    nn_setsockopt(s, NN_SOL_SOCKET, NN_SNDTIMEO, &patience, sizeof patience);
    if (type == NN_SUB && nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) < 0)
        fail("NN_SUB_SUBSCRIBE");
    if ((strcmp(argv[2], "bind") == 0 ? nn_bind(s, argv[3]) : nn_connect(s, argv[3])) < 0)
        fail(argv[3]);
    switch (type) {
    case NN_PAIR:
        send_text(s, "from windows");
        recv_text(s);
        break;
    case NN_PUB: {
        /* Until somebody has surely heard it: nobody answers. */
        int answers = nn_socket(AF_SP, NN_PAIR);
        nn_setsockopt(answers, NN_SOL_SOCKET, NN_RCVTIMEO, &step, sizeof step);
        for (i = 0; i < 1000; i++) {
            char buf[1];
            send_text(s, "news from windows");
            nn_recv(answers, buf, 1, 0); /* a pause */
        }
        break;
    }
    case NN_SUB:
    case NN_PULL:
        recv_text(s);
        break;
    case NN_REQ:
        send_text(s, "question from windows");
        recv_text(s);
        break;
    case NN_REP:
        recv_text(s);
        send_text(s, "answer from windows");
        break;
    case NN_PUSH:
        for (i = 0; i < MESSAGES; i++) {
            memset(large, 'a' + i % 26, sizeof large);
            large[sizeof large - 1] = '\n';
            if (nn_send(s, large, sizeof large, 0) < 0)
                fail("nn_send");
        }
        return 0; /* without nn_close */
    }
    if (nn_close(s) < 0)
        fail("nn_close");
    return 0;
}
