/* Benchmark driver for libzmq. Options as they are (it sets TCP_NODELAY by itself); only its queues, which count
   messages and not bytes, are shortened for large messages so that they do not fill the machine's memory, and those of
   a publisher have no limit. */

#include "bench.h"

#include <zmq.h>

enum { QUEUE_MESSAGES = 1000 /* the default */, QUEUE_BYTES = 64 << 20 };

static void *context;

struct side {
    void *s;
    int nnmsg;
    size_t size;
    unsigned char *out, *in;
    zmq_msg_t out_msg, in_msg;
    void *monitor; /* tells of connections; only where they are counted */
    int connections;
};

static void driver_init (const struct args *args)
{
    (void) args;
    if (!(context = zmq_ctx_new ()))
        fail ("error", "zmq_ctx_new: %s", zmq_strerror (zmq_errno ()));
}

static void driver_version (void)
{
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    printf ("%d.%d.%d\n", major, minor, patch);
}

static void must (const char *call, int result)
{
    if (result < 0)
        fail (zmq_errno () == EPROTONOSUPPORT ? "unsupported" : "error", "%s: %s", call, zmq_strerror (zmq_errno ()));
}

static const int has_device = 0;

static _Noreturn void device_run (const struct args *near, const struct args *far)
{
    (void) near, (void) far;
    abort ();
}

static void watch_connections (struct side *side)
{
    int unlimited = 0;
    must ("zmq_socket_monitor",
          zmq_socket_monitor (side->s, "inproc://connections", ZMQ_EVENT_HANDSHAKE_SUCCEEDED));
    if (!(side->monitor = zmq_socket (context, ZMQ_PAIR)))
        must ("zmq_socket", -1);
    must ("ZMQ_RCVHWM", zmq_setsockopt (side->monitor, ZMQ_RCVHWM, &unlimited, sizeof unlimited));
    must ("zmq_connect", zmq_connect (side->monitor, "inproc://connections"));
}

/* A requester takes a second zmq_connect with the same words for a mistake, and makes no connection. So each of them
   names another address of this machine to come from. */
static const char *connection_url (const struct args *args, int connection)
{
    static char url[128];
    char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];
    struct in_addr source = endpoint_address (connection), target = endpoint_address (0);
    if (args->transport != TCP || args->connections == 1)
        return endpoint_url (args, connection % args->endpoints);
    inet_ntop (AF_INET, &source, from, sizeof from);
    inet_ntop (AF_INET, &target, to, sizeof to);
    snprintf (url, sizeof url, "tcp://%s:0;%s:%d", from, to, args->port);
    return url;
}

static void side_subscribe (struct side *side, const char *topic, size_t length)
{
    must ("ZMQ_SUBSCRIBE", zmq_setsockopt (side->s, ZMQ_SUBSCRIBE, topic, length));
}

static struct side *side_open (const struct args *args, enum role role)
{
    static const int type[4][2] = {{ZMQ_PAIR, ZMQ_PAIR}, {ZMQ_REQ, ZMQ_REP}, {ZMQ_PUSH, ZMQ_PULL}, {ZMQ_PUB, ZMQ_SUB}};
    struct side *side = calloc (1, sizeof *side);
    int queue = QUEUE_BYTES / args->size < QUEUE_MESSAGES ? (int) (QUEUE_BYTES / args->size) : QUEUE_MESSAGES;
    int linger = 0; /* everything has been acknowledged when a side closes */

    if (queue < 1)
        queue = 1;
    if (args->pattern == PUBSUB && role == SIDE_A)
        queue = 0; /* a publisher learns late what its queue has got rid of, and drops while it counts 1000 of 16 */
    if (args->topics && role == SIDE_B)
        queue = 0; /* a subscription is dropped, too, where the queue to the publisher is full */
    side->nnmsg = args->nnmsg;
    side->size = args->size;
    side->out = calloc (1, args->size);
    side->in = calloc (1, args->size);
    if (!(side->s = zmq_socket (context, type[args->pattern][role])))
        must ("zmq_socket", -1);
    must ("ZMQ_SNDHWM", zmq_setsockopt (side->s, ZMQ_SNDHWM, &queue, sizeof queue));
    must ("ZMQ_RCVHWM", zmq_setsockopt (side->s, ZMQ_RCVHWM, &queue, sizeof queue));
    must ("ZMQ_LINGER", zmq_setsockopt (side->s, ZMQ_LINGER, &linger, sizeof linger));
    if (args->pattern == PUBSUB && role == SIDE_B)
        subscribe (side, args);
    if (binds (args, role)) {
        if (args->mode != FAN && links (args) > 1)
            watch_connections (side);
        for (int i = 0; i < args->endpoints; i++)
            must ("zmq_bind", zmq_bind (side->s, endpoint_url (args, i)));
        listening ();
    } else {
        await_listener ();
        for (int i = 0; i < args->endpoints * args->connections; i++)
            must ("zmq_connect", zmq_connect (side->s, connection_url (args, i)));
    }
    return side;
}

static struct side *side_share (struct side *side)
{
    (void) side;
    fail ("unsupported", "a socket of this peer is for one thread");
}

/* An event is two parts: what happened, and the address. */
static int side_connections (struct side *side)
{
    struct {
        uint16_t event;
        uint32_t value;
    } __attribute__ ((packed)) event;
    char address[256];
    while (zmq_recv (side->monitor, &event, sizeof event, ZMQ_DONTWAIT) == sizeof event) {
        must ("monitor", zmq_recv (side->monitor, address, sizeof address, 0));
        side->connections += event.event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    }
    return side->connections;
}

static unsigned char *side_buffer (struct side *side)
{
    if (!side->nnmsg)
        return side->out;
    must ("zmq_msg_init_size", zmq_msg_init_size (&side->out_msg, side->size));
    return zmq_msg_data (&side->out_msg);
}

static void side_send (struct side *side)
{
    if (side->nnmsg)
        must ("zmq_msg_send", zmq_msg_send (&side->out_msg, side->s, 0));
    else
        must ("zmq_send", zmq_send (side->s, side->out, side->size, 0));
}

static void side_flush (struct side *side)
{
    (void) side;
}

static size_t side_recv (struct side *side, unsigned char **message)
{
    int length;
    if (side->nnmsg) {
        zmq_msg_init (&side->in_msg);
        must ("zmq_msg_recv", length = zmq_msg_recv (&side->in_msg, side->s, 0));
        *message = zmq_msg_data (&side->in_msg);
    } else {
        must ("zmq_recv", length = zmq_recv (side->s, side->in, side->size, 0)); /* the whole length, even of more */
        *message = side->in;
    }
    return (size_t) length;
}

static void side_release (struct side *side)
{
    if (side->nnmsg)
        zmq_msg_close (&side->in_msg);
}

static void side_close (struct side *side)
{
    if (side->monitor)
        must ("zmq_close", zmq_close (side->monitor));
    must ("zmq_close", zmq_close (side->s));
}
