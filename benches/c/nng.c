/* Benchmark driver for libnng: pair0, req0 and rep0, push0 and pull0, pub0 and sub0, the protocols that nanomsg speaks
   too. Options as they are (it sets TCP_NODELAY by itself), only the limit of a message's size is lifted. */

#include "bench.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>

struct side {
    nng_socket s;
    int nnmsg;
    size_t size;
    unsigned char *out, *in;
    nng_msg *out_msg, *in_msg;
};

/* Connections of the one socket that binds. */
static _Atomic int connections;

static void on_connection (nng_pipe pipe, nng_pipe_ev event, void *unused)
{
    (void) pipe, (void) event, (void) unused;
    atomic_fetch_add (&connections, 1);
}

static void driver_init (const struct args *args)
{
    (void) args;
}

static void driver_version (void)
{
    printf ("%s\n", nng_version ());
}

static void must (const char *call, int result)
{
    if (result)
        fail (result == NNG_ENOTSUP ? "unsupported" : "error", "%s: %s", call, nng_strerror (result));
}

static const int has_device = 0;

static _Noreturn void device_run (const struct args *near, const struct args *far)
{
    (void) near, (void) far;
    abort ();
}

static void side_subscribe (struct side *side, const char *topic, size_t length)
{
    must ("NNG_OPT_SUB_SUBSCRIBE", nng_socket_set (side->s, NNG_OPT_SUB_SUBSCRIBE, topic, length));
}

/* For the listeners or the dialers of a socket. */
static nng_tls_config *tls_config (const struct args *args, int binds)
{
    nng_tls_config *config;
    must ("nng_tls_config_alloc", nng_tls_config_alloc (&config, binds ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT));
    if (binds) {
        must ("cert_key_file", nng_tls_config_cert_key_file (config, pki_file (args, "both.pem"), NULL));
    } else {
        must ("ca_file", nng_tls_config_ca_file (config, pki_file (args, "ca.pem")));
        must ("server_name", nng_tls_config_server_name (config, "localhost"));
    }
    return config;
}

static void listen_at (const struct side *side, const struct args *args, int endpoint)
{
    nng_listener listener;
    must ("nng_listener_create", nng_listener_create (&listener, side->s, endpoint_url (args, endpoint)));
    if (args->transport == TLS)
        must ("TLS", nng_listener_set_ptr (listener, NNG_OPT_TLS_CONFIG, tls_config (args, 1)));
    must ("nng_listener_start", nng_listener_start (listener, 0));
}

static void dial (const struct side *side, const struct args *args, int endpoint, int flags)
{
    nng_dialer dialer;
    must ("nng_dialer_create", nng_dialer_create (&dialer, side->s, endpoint_url (args, endpoint)));
    if (args->transport == TLS)
        must ("TLS", nng_dialer_set_ptr (dialer, NNG_OPT_TLS_CONFIG, tls_config (args, 0)));
    must ("nng_dialer_start", nng_dialer_start (dialer, flags));
}

static struct side *side_open (const struct args *args, enum role role)
{
    static int (*const open[4][2]) (nng_socket *) = {{nng_pair0_open, nng_pair0_open},
                                                     {nng_req0_open, nng_rep0_open},
                                                     {nng_push0_open, nng_pull0_open},
                                                     {nng_pub0_open, nng_sub0_open}};
    struct side *side = calloc (1, sizeof *side);

    side->nnmsg = args->nnmsg;
    side->size = args->size;
    side->out = calloc (1, args->size);
    side->in = calloc (1, args->size);
    must ("open", open[args->pattern][role](&side->s));
    must ("NNG_OPT_RECVMAXSZ", nng_socket_set_size (side->s, NNG_OPT_RECVMAXSZ, 0));
    if (args->pattern == PUBSUB && role == SIDE_B)
        subscribe (side, args);
    if (args->topics && role == SIDE_A) /* 16 messages for each connection otherwise, and what is more is dropped */
        must ("NNG_OPT_SENDBUF", nng_socket_set_int (side->s, NNG_OPT_SENDBUF, WINDOW * args->subs));
    if (binds (args, role)) {
        must ("nng_pipe_notify", nng_pipe_notify (side->s, NNG_PIPE_EV_ADD_POST, on_connection, NULL));
        for (int i = 0; i < args->endpoints; i++)
            listen_at (side, args, i);
        listening ();
    } else {
        /* A lone dialler waits until it is connected; many would wait for one another. */
        int flags = args->endpoints * args->connections > 1 ? NNG_FLAG_NONBLOCK : 0;
        await_listener ();
        for (int i = 0; i < args->endpoints * args->connections; i++)
            dial (side, args, i % args->endpoints, flags);
    }
    return side;
}

static struct side *side_share (struct side *side)
{
    struct side *other = calloc (1, sizeof *other);
    *other = *side;
    other->out = calloc (1, side->size);
    other->in = calloc (1, side->size);
    return other;
}

static int side_connections (struct side *side)
{
    (void) side;
    return atomic_load (&connections);
}

static unsigned char *side_buffer (struct side *side)
{
    if (!side->nnmsg)
        return side->out;
    must ("nng_msg_alloc", nng_msg_alloc (&side->out_msg, side->size));
    return nng_msg_body (side->out_msg);
}

static void side_send (struct side *side)
{
    if (side->nnmsg)
        must ("nng_sendmsg", nng_sendmsg (side->s, side->out_msg, 0));
    else
        must ("nng_send", nng_send (side->s, side->out, side->size, 0));
}

static void side_flush (struct side *side)
{
    (void) side;
}

static size_t side_recv (struct side *side, unsigned char **message)
{
    if (side->nnmsg) {
        must ("nng_recvmsg", nng_recvmsg (side->s, &side->in_msg, 0));
        *message = nng_msg_body (side->in_msg);
        return nng_msg_len (side->in_msg);
    }
    size_t length = side->size;
    must ("nng_recv", nng_recv (side->s, side->in, &length, 0));
    *message = side->in;
    return length;
}

static void side_release (struct side *side)
{
    if (side->nnmsg)
        nng_msg_free (side->in_msg);
}

static void side_close (struct side *side)
{
    must ("nng_close", nng_close (side->s));
}
