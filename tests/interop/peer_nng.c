/* The peer on libnng, with the protocols that nanomsg speaks too. */

#include "peer.h"

#include <nng/nng.h>
#include <nng/protocol/bus0/bus.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/protocol/survey0/respond.h>
#include <nng/protocol/survey0/survey.h>
#include <nng/supplemental/tls/tls.h>

static nng_socket s;
static _Atomic int pipes;

static void must (const char *call, int result)
{
    if (result)
        fail ("%s: %s", call, nng_strerror (result));
}

static void on_pipe (nng_pipe pipe, nng_pipe_ev event, void *unused)
{
    (void) pipe;
    (void) unused;
    atomic_fetch_add (&pipes, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
}

static void socket_open (enum role as)
{
    static int (*const open[]) (nng_socket *) = {
        nng_pair0_open, nng_pub0_open,  nng_sub0_open,      nng_req0_open,        nng_rep0_open,
        nng_push0_open, nng_pull0_open, nng_surveyor0_open, nng_respondent0_open, nng_bus0_open};
    must ("open", open[as](&s));
    must ("NNG_OPT_SENDTIMEO", nng_socket_set_ms (s, NNG_OPT_SENDTIMEO, PATIENCE));
    must ("NNG_OPT_RECVTIMEO", nng_socket_set_ms (s, NNG_OPT_RECVTIMEO, PATIENCE));
    must ("nng_pipe_notify", nng_pipe_notify (s, NNG_PIPE_EV_ADD_POST, on_pipe, NULL));
    must ("nng_pipe_notify", nng_pipe_notify (s, NNG_PIPE_EV_REM_POST, on_pipe, NULL));
    if (as == SUB)
        must ("NNG_OPT_SUB_SUBSCRIBE", nng_socket_set (s, NNG_OPT_SUB_SUBSCRIBE, "", 0));
    if (as == SURVEYOR)
        must ("NNG_OPT_SURVEYOR_SURVEYTIME", nng_socket_set_ms (s, NNG_OPT_SURVEYOR_SURVEYTIME, DEADLINE));
}

static nng_tls_config *tls (nng_tls_mode mode)
{
    nng_tls_config *config;
    must ("nng_tls_config_alloc", nng_tls_config_alloc (&config, mode));
    if (mode == NNG_TLS_MODE_SERVER)
        must ("nng_tls_config_own_cert", nng_tls_config_own_cert (config, certificate (), certificate (), NULL));
    else {
        must ("nng_tls_config_ca_chain", nng_tls_config_ca_chain (config, authority (), NULL));
        /* Its mbedTLS compares no IP addresses. */
        must ("nng_tls_config_server_name", nng_tls_config_server_name (config, "localhost"));
    }
    return config;
}

static void socket_attach (int bind, const char *address)
{
    if (bind) {
        nng_listener listener;
        must ("nng_listener_create", nng_listener_create (&listener, s, address));
        if (is_tls (address))
            must ("NNG_OPT_TLS_CONFIG", nng_listener_set_ptr (listener, NNG_OPT_TLS_CONFIG, tls (NNG_TLS_MODE_SERVER)));
        must ("nng_listener_start", nng_listener_start (listener, 0));
    } else {
        nng_dialer dialer;
        must ("nng_dialer_create", nng_dialer_create (&dialer, s, address));
        if (is_tls (address))
            must ("NNG_OPT_TLS_CONFIG", nng_dialer_set_ptr (dialer, NNG_OPT_TLS_CONFIG, tls (NNG_TLS_MODE_CLIENT)));
        must ("nng_dialer_start", nng_dialer_start (dialer, NNG_FLAG_NONBLOCK));
    }
}

static void socket_send (const unsigned char *message, size_t size)
{
    must ("nng_send", nng_send (s, (void *) message, size, 0));
}

static long socket_recv (unsigned char *message, size_t room)
{
    nng_msg *received;
    int result = nng_recvmsg (s, &received, 0);
    if (result == NNG_ETIMEDOUT)
        return -1;
    must ("nng_recvmsg", result);
    size_t size = nng_msg_len (received);
    memcpy (message, nng_msg_body (received), size < room ? size : room);
    nng_msg_free (received);
    return (long) size;
}

static int socket_peers (void)
{
    return atomic_load (&pipes);
}

static void device (const int *bind, char *const *address)
{
    nng_socket sides[2];
    must ("nng_rep0_open_raw", nng_rep0_open_raw (&sides[0]));
    must ("nng_req0_open_raw", nng_req0_open_raw (&sides[1]));
    for (int i = 0; i < 2; i++) {
        s = sides[i];
        socket_attach (bind[i], address[i]);
    }
    printf ("ready\n");
    must ("nng_device", nng_device (sides[0], sides[1]));
}
