/* Binds an address of each scheme, and prints what came of it: 0, or the name of the errno. */

#include <nanomsg/nn.h>
#include <nanomsg/pair.h>

#include <stdio.h>
#include <string.h>

static void try (const char *scheme, const char *address)
{
    int s = nn_socket (AF_SP, NN_PAIR);
    int id = nn_bind (s, address);
    printf ("%s %s\n", scheme,
        id > 0 ? "yes" : nn_errno () == EPROTONOSUPPORT ? "EPROTONOSUPPORT" : nn_strerror (nn_errno ()));
    nn_close (s);
}

/* A message there and back shows more than an address that is taken. */
static void talk (const char *scheme, const char *address)
{
    char text [8] = "";
    int timeout = 15000; /* ms; longer than a busy machine takes */
    int a = nn_socket (AF_SP, NN_PAIR), b = nn_socket (AF_SP, NN_PAIR);
    nn_setsockopt (a, NN_SOL_SOCKET, NN_RCVTIMEO, &timeout, sizeof timeout);
    nn_bind (a, address);
    nn_connect (b, address);
    nn_send (b, "hello", 6, 0);
    nn_recv (a, text, sizeof text, 0);
    printf ("%s says %s\n", scheme, text);
    nn_close (b);
    nn_close (a);
}

int main (int argc, char **argv)
{
    /* A folder for the file, and a free port of tcp's. */
    char ipc [256], tcp [64];
    if (argc != 3)
        return 2;
    snprintf (ipc, sizeof ipc, "ipc://%s/a", argv [1]);
    snprintf (tcp, sizeof tcp, "tcp://127.0.0.1:%s", argv [2]);
    try ("inproc", "inproc://a");
    try ("tcp", "tcp://127.0.0.1:0");
    try ("ipc", ipc);
    try ("ws", "ws://127.0.0.1:0");
    talk ("inproc", "inproc://b");
    talk ("tcp", tcp);
    return 0;
}
