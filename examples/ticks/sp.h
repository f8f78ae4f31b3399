/*  What the C programs of the network share: sockets that end the
    program when something fails, a line of figures once a second,
    certificates, and reports for whoever watches the network. */

#ifndef SP_H
#define SP_H

#include <nanomsg/nn.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg-rs/tls.h>

#include "../monitor/reporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*  A message of the network: "TOPIC N VALUE EXTRA", all text. N counts the
    messages of that topic, so that whoever subscribes can count what is lost. */
#define SP_MESSAGE_MAX 128

/*  Room for a burst on every edge. PUB drops what does not fit. */
#define SP_ROOM (4 * 1024 * 1024)

static inline void sp_fail (const char *what, const char *about)
{
    fprintf (stderr, "%s %s: %s\n", what, about, nn_strerror (nn_errno ()));
    exit (1);
}

/*  Whom the program trusts and who it is, where addresses are of TLS: ticks.py
    says it in the environment. */
static inline void sp_identify (int s)
{
    const char *ca = getenv ("TICKS_CA");
    const char *certificate = getenv ("TICKS_CERTIFICATE");

    if (!ca || !certificate)
        return;
    if (nn_setsockopt (s, NN_TLS, NN_TLS_CA, ca, strlen (ca)) < 0 ||
          nn_setsockopt (s, NN_TLS, NN_TLS_CERT, certificate,
          strlen (certificate)) < 0)
        sp_fail ("nn_setsockopt", certificate);
}

static inline int sp_socket (int domain, int protocol, const char *name)
{
    int room = SP_ROOM;
    int s = nn_socket (domain, protocol);

    if (s < 0)
        sp_fail ("nn_socket", "");
    if (nn_setsockopt (s, NN_SOL_SOCKET, NN_SNDBUF, &room, sizeof (room)) < 0 ||
          nn_setsockopt (s, NN_SOL_SOCKET, NN_RCVBUF, &room, sizeof (room)) < 0 ||
          nn_setsockopt (s, NN_SOL_SOCKET, NN_SOCKET_NAME, name, strlen (name)) < 0)
        sp_fail ("nn_setsockopt", name);
    sp_identify (s);
    return s;
}

static inline void sp_bind (int s, const char *address)
{
    /*  Everybody who connects has to show a certificate; browsers have none. */
    int verify = strncmp (address, "wss://", 6) == 0 ? 0 : 2;

    if (getenv ("TICKS_CA") &&
          nn_setsockopt (s, NN_TLS, NN_TLS_VERIFY, &verify, sizeof (verify)) < 0)
        sp_fail ("nn_setsockopt", address);
    if (nn_bind (s, address) < 0)
        sp_fail ("nn_bind", address);
}

static inline void sp_connect (int s, const char *address)
{
    if (nn_connect (s, address) < 0)
        sp_fail ("nn_connect", address);
}

static inline void sp_subscribe (int s, const char *prefix)
{
    if (nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, prefix, strlen (prefix)) < 0)
        sp_fail ("nn_setsockopt", prefix);
}

static inline double sp_now (void)
{
    struct timespec now;

    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/*  Whether a second has passed since this was last true: time for a line of
    figures, "word number word number ...". */
static inline int sp_report_due (void)
{
    static double next;

    if (sp_now () < next)
        return 0;
    next = sp_now () + 1;
    return 1;
}

/*  Lets these sockets be watched, if the network is to be: ticks.py --monitor
    says where in the environment. */
static inline void sp_report_on (const int *sockets, int count)
{
    const char *addresses = getenv ("TICKS_MONITOR");

    if (reporter_start (sockets, count, addresses) < 0)
        sp_fail ("TICKS_MONITOR", addresses);
}

#endif
