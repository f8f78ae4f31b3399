/* Benchmark driver for the nanomsg ABI. It knows the public header only and loads the library named by --lib, so the
   same program measures the original and this library. */

#include "bench.h"

#include "library.h"

enum { LARGE = 1 << 10 };

struct side {
    int s;
    int nnmsg;
    size_t size;
    unsigned char *out, *in; /* own buffers; with --nnmsg, the chunks on their way */
};

static void driver_init (const struct args *args)
{
    if (!args->lib)
        usage ("--lib is needed");
    library_load (args->lib);
}

static void driver_version (void)
{
    library_version ();
}

static void side_subscribe (struct side *side, const char *topic, size_t length)
{
    if (lib.nn_setsockopt (side->s, NN_SUB, NN_SUB_SUBSCRIBE, topic, length))
        broken ("NN_SUB_SUBSCRIBE");
}

static struct side *side_open (const struct args *args, enum role role)
{
    static const int protocol[4][2] = {{NN_PAIR, NN_PAIR}, {NN_REQ, NN_REP}, {NN_PUSH, NN_PULL}, {NN_PUB, NN_SUB}};
    struct side *side = calloc (1, sizeof *side);
    int on = 1, unlimited = -1, ample = 4 << 20;

    side->nnmsg = args->nnmsg;
    side->size = args->size;
    if (!args->nnmsg) {
        side->out = calloc (1, args->size);
        side->in = calloc (1, args->size);
    }
    if ((side->s = lib.nn_socket (AF_SP, protocol[args->pattern][role])) < 0)
        refused ("nn_socket", EINVAL);
    if (lib.nn_setsockopt (side->s, NN_SOL_SOCKET, NN_RCVMAXSIZE, &unlimited, sizeof unlimited))
        broken ("NN_RCVMAXSIZE");
    /* As much as the kernel gives other programs by itself, in whose buffers both of these options take a hand. */
    if (args->mode == STREAM && args->size >= LARGE && (args->transport == TCP || args->transport == WS || args->transport == TLS) &&
        (lib.nn_setsockopt (side->s, NN_SOL_SOCKET, NN_SNDBUF, &ample, sizeof ample) ||
         lib.nn_setsockopt (side->s, NN_SOL_SOCKET, NN_RCVBUF, &ample, sizeof ample)))
        broken ("NN_SNDBUF and NN_RCVBUF");
    if (args->transport == TCP && lib.nn_setsockopt (side->s, NN_TCP, NN_TCP_NODELAY, &on, sizeof on))
        broken ("NN_TCP_NODELAY");
    if (args->transport == TLS) {
        int option = binds (args, role) ? NN_TLS_CERT : NN_TLS_CA;
        const char *file = pki_file (args, binds (args, role) ? "both.pem" : "ca.pem");
        if (lib.nn_setsockopt (side->s, NN_TLS, option, file, strlen (file)))
            refused ("NN_TLS", ENOPROTOOPT);
    }
    if (args->pattern == PUBSUB && role == SIDE_B)
        subscribe (side, args);
    if (binds (args, role)) {
        for (int i = 0; i < args->endpoints; i++)
            if (lib.nn_bind (side->s, endpoint_url (args, i)) < 0)
                refused ("nn_bind", EPROTONOSUPPORT);
        listening ();
    } else {
        await_listener ();
        for (int i = 0; i < args->endpoints * args->connections; i++)
            if (lib.nn_connect (side->s, endpoint_url (args, i % args->endpoints)) < 0)
                refused ("nn_connect", EPROTONOSUPPORT);
    }
    return side;
}

static struct side *side_share (struct side *side)
{
    struct side *other = calloc (1, sizeof *other);
    *other = *side;
    if (!side->nnmsg) {
        other->out = calloc (1, side->size);
        other->in = calloc (1, side->size);
    }
    return other;
}

static int side_connections (struct side *side)
{
    return (int) lib.nn_get_statistic (side->s, NN_STAT_CURRENT_CONNECTIONS);
}

static const int has_device = 1;

static _Noreturn void device_run (const struct args *near, const struct args *far)
{
    int reqrep = near->pattern == REQREP, on = 1;
    int a = lib.nn_socket (AF_SP_RAW, reqrep ? NN_REP : NN_PAIR), b = lib.nn_socket (AF_SP_RAW, reqrep ? NN_REQ : NN_PAIR);
    if (a < 0 || b < 0)
        refused ("nn_socket", EINVAL);
    lib.nn_setsockopt (a, NN_TCP, NN_TCP_NODELAY, &on, sizeof on);
    lib.nn_setsockopt (b, NN_TCP, NN_TCP_NODELAY, &on, sizeof on);
    await_listener ();
    if (lib.nn_connect (b, endpoint_url (far, 0)) < 0 || lib.nn_bind (a, endpoint_url (near, 0)) < 0)
        broken ("device");
    listening ();
    lib.nn_device (a, b);
    broken ("nn_device");
}

static unsigned char *side_buffer (struct side *side)
{
    if (side->nnmsg && !(side->out = lib.nn_allocmsg (side->size, 0)))
        broken ("nn_allocmsg");
    return side->out;
}

static void side_send (struct side *side)
{
    int sent = side->nnmsg ? lib.nn_send (side->s, &side->out, NN_MSG, 0)
                           : lib.nn_send (side->s, side->out, side->size, 0);
    if (sent < 0)
        broken ("nn_send");
    if ((size_t) sent != side->size)
        fail ("error", "nn_send took %d bytes of %zu", sent, side->size);
}

static void side_flush (struct side *side)
{
    (void) side;
}

static size_t side_recv (struct side *side, unsigned char **message)
{
    int length = side->nnmsg ? lib.nn_recv (side->s, &side->in, NN_MSG, 0)
                             : lib.nn_recv (side->s, side->in, side->size, 0); /* the whole length, even of more */
    if (length < 0)
        broken ("nn_recv");
    *message = side->in;
    return (size_t) length;
}

static void side_release (struct side *side)
{
    if (side->nnmsg && lib.nn_freemsg (side->in))
        broken ("nn_freemsg");
}

static void side_close (struct side *side)
{
    if (lib.nn_close (side->s))
        broken ("nn_close");
}
