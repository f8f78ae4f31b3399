/* The peer on the public nanomsg ABI. The loader decides which library that is. */

#include "peer.h"

#include <nanomsg/bus.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

/* nanomsg-rs/tls.h, which the original does not have. */
enum { NN_TLS = -1002, NN_TLS_CA = 1001, NN_TLS_CERT = 1002 };

static int s;

static int must (const char *call, int result)
{
    if (result < 0)
        fail ("%s: %s", call, nn_strerror (nn_errno ()));
    return result;
}

static void set (const char *name, int level, int option, int value)
{
    must (name, nn_setsockopt (s, level, option, &value, sizeof value));
}

static void socket_open (enum role as)
{
    static const int protocol[] = {NN_PAIR, NN_PUB,  NN_SUB,      NN_REQ,        NN_REP,
                                   NN_PUSH, NN_PULL, NN_SURVEYOR, NN_RESPONDENT, NN_BUS};
    s = must ("nn_socket", nn_socket (AF_SP, protocol[as]));
    set ("NN_SNDTIMEO", NN_SOL_SOCKET, NN_SNDTIMEO, PATIENCE);
    set ("NN_RCVTIMEO", NN_SOL_SOCKET, NN_RCVTIMEO, PATIENCE);
    set ("NN_RCVMAXSIZE", NN_SOL_SOCKET, NN_RCVMAXSIZE, -1);
    if (as == SUB)
        must ("NN_SUB_SUBSCRIBE", nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    if (as == SURVEYOR)
        set ("NN_SURVEYOR_DEADLINE", NN_SURVEYOR, NN_SURVEYOR_DEADLINE, DEADLINE);
}

static void attach (int socket, int bind, const char *address)
{
    if (is_tls (address)) {
        must ("NN_TLS_CA", nn_setsockopt (socket, NN_TLS, NN_TLS_CA, authority (), strlen (authority ())));
        must ("NN_TLS_CERT", nn_setsockopt (socket, NN_TLS, NN_TLS_CERT, certificate (), strlen (certificate ())));
    }
    if (bind)
        must ("nn_bind", nn_bind (socket, address));
    else
        must ("nn_connect", nn_connect (socket, address));
}

static void socket_attach (int bind, const char *address)
{
    attach (s, bind, address);
}

static void socket_send (const unsigned char *message, size_t size)
{
    int sent = must ("nn_send", nn_send (s, message, size, 0));
    if ((size_t) sent != size)
        fail ("nn_send took %d bytes of %zu", sent, size);
}

static long socket_recv (unsigned char *message, size_t room)
{
    int size = nn_recv (s, message, room, 0);
    if (size < 0 && nn_errno () != ETIMEDOUT)
        must ("nn_recv", size);
    return size;
}

static int socket_peers (void)
{
    return (int) nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS);
}

static void device (const int *bind, char *const *address)
{
    int rep = must ("nn_socket", nn_socket (AF_SP_RAW, NN_REP));
    int req = must ("nn_socket", nn_socket (AF_SP_RAW, NN_REQ));
    attach (rep, bind[0], address[0]);
    attach (req, bind[1], address[1]);
    printf ("ready\n");
    must ("nn_device", nn_device (rep, req));
}
