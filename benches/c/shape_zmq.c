/* Program shapes over libzmq's ABI: the same program for libzmq and, found in its place, for omq. One option is not the
   default: a publisher whose subscribers acknowledge has a queue for a million messages, because it learns so late what has
   left it that with a queue for 1000 it drops some while 16 are on their way. */

#include "shape.h"

#include <zmq.h>

struct sock {
    void *s, *monitor; /* the monitor tells of connections, where they are awaited */
};

static void *context;
static const int sockets_are_shared = 0;
static const int descriptors_tell_again = 0;

static void library_init (const char *path)
{
    (void) path;
    if (!(context = zmq_ctx_new ()))
        fail ("error", "zmq_ctx_new: %s", zmq_strerror (zmq_errno ()));
}

static void library_version (void)
{
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    printf ("%d.%d.%d\n", major, minor, patch);
}

static int check (const char *call, int result)
{
    if (result < 0)
        fail (zmq_errno () == EMFILE ? "unsupported" : "error", "%s: %s", call, zmq_strerror (zmq_errno ()));
    return result;
}

static void *open_type (int type)
{
    void *s = zmq_socket (context, type);
    check ("zmq_socket", s ? 0 : -1);
    return s;
}

static struct sock *sock_open (enum kind kind, int links)
{
    static const int types[] = {[PAIR] = ZMQ_PAIR, [REQ] = ZMQ_REQ, [REP] = ZMQ_REP, [PUSH] = ZMQ_PUSH, [PULL] = ZMQ_PULL,
                                [PUB] = ZMQ_PUB, [SUB] = ZMQ_SUB};
    struct sock *sock = calloc (1, sizeof *sock);
    int queue = 1000000;
    if (kind >= sizeof types / sizeof *types)
        fail ("unsupported", "this pattern is not among the library's");
    sock->s = open_type (types[kind]);
    if (kind == SUB)
        check ("ZMQ_SUBSCRIBE", zmq_setsockopt (sock->s, ZMQ_SUBSCRIBE, "", 0));
    if (kind == PUB && args.window)
        check ("ZMQ_SNDHWM", zmq_setsockopt (sock->s, ZMQ_SNDHWM, &queue, sizeof queue));
    if (links > 1 && args.transport != INPROC) {
        check ("zmq_socket_monitor",
               zmq_socket_monitor (sock->s, "inproc://connections", ZMQ_EVENT_HANDSHAKE_SUCCEEDED));
        sock->monitor = open_type (ZMQ_PAIR);
        check ("zmq_connect", zmq_connect (sock->monitor, "inproc://connections"));
    }
    return sock;
}

static void sock_bind (struct sock *sock, const char *url)
{
    check ("zmq_bind", zmq_bind (sock->s, url));
}

static void sock_connect (struct sock *sock, const char *url)
{
    check ("zmq_connect", zmq_connect (sock->s, url));
}

/* An event is a message of two parts. */
static void sock_links (struct sock *sock, int links)
{
    char part[128];
    for (int i = 0; sock->monitor && i < 2 * links; i++)
        check ("zmq_recv", zmq_recv (sock->monitor, part, sizeof part, 0));
}

static inline void sock_send (struct sock *sock, const void *message, size_t length)
{
    check ("zmq_send", zmq_send (sock->s, message, length, 0));
}

static inline long sock_recv (struct sock *sock, void *message, size_t room, int wait)
{
    int length = zmq_recv (sock->s, message, room, wait ? 0 : ZMQ_DONTWAIT);
    if (length < 0 && (wait || zmq_errno () != EAGAIN))
        check ("zmq_recv", length);
    return length;
}

static int sock_fd (struct sock *sock, int direct)
{
    int fd;
    size_t size = sizeof fd;
    (void) direct; /* it has one kind only */
    check ("ZMQ_FD", zmq_getsockopt (sock->s, ZMQ_FD, &fd, &size));
    return fd;
}

static void sock_close (struct sock *sock)
{
    check ("zmq_close", zmq_close (sock->s));
    free (sock);
}

struct poll_set {
    int count;
    zmq_pollitem_t items[];
};

static struct poll_set *poll_open (struct sock **socks, int count)
{
    struct poll_set *set = calloc (1, sizeof *set + (size_t) count * sizeof *set->items);
    set->count = count;
    for (int i = 0; i < count; i++)
        set->items[i] = (zmq_pollitem_t){.socket = socks[i]->s, .events = ZMQ_POLLIN};
    return set;
}

static void poll_wait (struct poll_set *set, unsigned char *ready)
{
    check ("zmq_poll", zmq_poll (set->items, set->count, -1));
    for (int i = 0; i < set->count; i++)
        ready[i] = (set->items[i].revents & ZMQ_POLLIN) != 0;
}

static void *device[2];

static void device_open (const char *front, const char *back)
{
    device[0] = open_type (ZMQ_ROUTER);
    device[1] = open_type (ZMQ_DEALER);
    check ("zmq_bind", zmq_bind (device[0], front));
    check ("zmq_bind", zmq_bind (device[1], back));
}

static _Noreturn void device_run (void)
{
    zmq_proxy (device[0], device[1], NULL);
    fail ("error", "zmq_proxy: %s", zmq_strerror (zmq_errno ()));
}
