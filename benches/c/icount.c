/* Messages through the public functions, for benches/icount.py to count the instructions of: icount LIBRARY CASE COUNT.

   One thread is both sides, so that every call finds what it needs and a run is the same as the next. A case is
   kind/transport for what goes through a transport, or kind alone (inproc): `echo` sends a message each way in turn,
   `stream` sends 16 and receives 16, and the others are socket types. COUNT is in messages. */

#include <arpa/inet.h>
#include <dlfcn.h>
#include <nanomsg/bus.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>
#include <nanomsg/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 64, WINDOW = 16, READY_MS = 10000 };

#define FUNCTIONS(f)                                                                                                   \
    f (nn_errno) f (nn_strerror) f (nn_socket) f (nn_close) f (nn_setsockopt) f (nn_bind) f (nn_connect) f (nn_send)   \
        f (nn_recv) f (nn_get_statistic)

static struct {
#define MEMBER(name) __typeof__ (name) *name;
    FUNCTIONS (MEMBER)
} lib;

static const struct kind {
    const char *name;
    int a, b;
    int answers; /* b sends too */
    int window;  /* messages that a sends before b receives them */
} kinds[] = {
    {"echo", NN_PAIR, NN_PAIR, 1, 1},       {"stream", NN_PUSH, NN_PULL, 0, WINDOW},
    {"pair", NN_PAIR, NN_PAIR, 0, 1},       {"pipeline", NN_PUSH, NN_PULL, 0, 1},
    {"pubsub", NN_PUB, NN_SUB, 0, 1},       {"reqrep", NN_REQ, NN_REP, 1, 1},
    {"survey", NN_SURVEYOR, NN_RESPONDENT, 1, 1}, {"bus", NN_BUS, NN_BUS, 1, 1},
};

static void load (const char *path)
{
    void *so = dlopen (path, RTLD_NOW | RTLD_LOCAL);
    if (!so) {
        fprintf (stderr, "%s\n", dlerror ());
        exit (2);
    }
#define LOAD(name)                                                                                                     \
    if (!(lib.name = (__typeof__ (lib.name)) dlsym (so, #name)))                                                       \
        exit (2);
    FUNCTIONS (LOAD)
}

static int must (const char *call, int result)
{
    if (result < 0) {
        fprintf (stderr, "%s: %s\n", call, lib.nn_strerror (lib.nn_errno ()));
        exit (2);
    }
    return result;
}

static int open_socket (int protocol)
{
    int s = must ("nn_socket", lib.nn_socket (AF_SP, protocol)), on = 1;
    must ("NN_TCP_NODELAY", lib.nn_setsockopt (s, NN_TCP, NN_TCP_NODELAY, &on, sizeof on));
    if (protocol == NN_SUB)
        must ("NN_SUB_SUBSCRIBE", lib.nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    return s;
}

/* A port that is free now. */
static int free_port (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int s = socket (AF_INET, SOCK_STREAM, 0);
    if (s < 0 || bind (s, (struct sockaddr *) &address, length) || getsockname (s, (struct sockaddr *) &address, &length))
        exit (2);
    close (s);
    return ntohs (address.sin_port);
}

static void join (int a, int b, const char *transport)
{
    char url[128];
    if (!strcmp (transport, "inproc"))
        strcpy (url, "inproc://icount");
    else if (!strcmp (transport, "ipc"))
        snprintf (url, sizeof url, "ipc:///tmp/icount.%d", getpid ());
    else
        snprintf (url, sizeof url, "%s://127.0.0.1:%d", transport, free_port ());
    must ("nn_bind", lib.nn_bind (b, url));
    must ("nn_connect", lib.nn_connect (a, url));
    for (int ms = 0; lib.nn_get_statistic (a, NN_STAT_CURRENT_CONNECTIONS) != 1 ||
                     lib.nn_get_statistic (b, NN_STAT_CURRENT_CONNECTIONS) != 1;
         ms++) {
        if (ms == READY_MS)
            exit (2);
        usleep (1000);
    }
    if (!strcmp (transport, "ipc"))
        unlink (url + strlen ("ipc://"));
}

static void send_one (int s, const char *body)
{
    if (must ("nn_send", lib.nn_send (s, body, SIZE, 0)) != SIZE)
        exit (2);
}

static void recv_one (int s, const char *body)
{
    char got[SIZE];
    if (must ("nn_recv", lib.nn_recv (s, got, SIZE, 0)) != SIZE || memcmp (got, body, SIZE))
        exit (2);
}

int main (int argc, char **argv)
{
    char kind[32] = "", transport[16] = "inproc", body[SIZE];
    const struct kind *k = NULL;
    if (argc != 4 || sscanf (argv[2], "%31[^/]/%15s", kind, transport) < 1)
        return 2;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp (kinds[i].name, kind))
            k = &kinds[i];
    if (!k)
        return 2;
    load (argv[1]);
    memset (body, 'm', SIZE);
    int a = open_socket (k->a), b = open_socket (k->b);
    join (a, b, transport);
    for (long left = atol (argv[3]); left > 0; left -= k->window * (1 + k->answers)) {
        for (int i = 0; i < k->window; i++)
            send_one (a, body);
        for (int i = 0; i < k->window; i++)
            recv_one (b, body);
        if (k->answers) {
            send_one (b, body);
            recv_one (a, body);
        }
    }
    must ("nn_close", lib.nn_close (a));
    must ("nn_close", lib.nn_close (b));
    return 0;
}
