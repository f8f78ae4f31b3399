/* Program shapes over sockets and nothing else: one connection, an 8-byte length before every message, one write and one
   read for each. So it is what the system can do for single messages and for large ones; streams of small ones would have to
   be gathered. */

#include "shape.h"

#include <netinet/tcp.h>
#include <sys/un.h>

enum { HEADER = 8, GATHER_BELOW = 16 << 10 };

struct sock {
    int fd, listener;
    unsigned char *out, *in; /* one frame each */
};

static const int sockets_are_shared = 1; /* by one thread that sends and one that receives */
static const int descriptors_tell_again = 1;

static void library_init (const char *path)
{
    (void) path;
}

static void library_version (void)
{
    printf ("sockets\n");
}

static long check (const char *call, long result)
{
    if (result < 0)
        fail ("error", "%s: %s", call, strerror (errno));
    return result;
}

static struct sock *sock_open (enum kind kind, int links)
{
    struct sock *sock = calloc (1, sizeof *sock);
    uint64_t length = args.size;
    int stream = !strcmp (args.shape->name, "flow"), paced = !strcmp (args.shape->name, "pace");
    (void) kind, (void) links;
    if (args.transport == INPROC || args.threads > 1 || !(paced || (stream && args.size >= GATHER_BELOW)))
        fail ("unsupported", "sockets do not do this by themselves");
    sock->out = calloc (1, HEADER + args.size);
    sock->in = calloc (1, HEADER + args.size);
    memcpy (sock->out, &length, HEADER);
    return sock;
}

static int socket_at (const char *url, struct sockaddr_storage *address, socklen_t *length)
{
    if (args.transport == IPC) {
        struct sockaddr_un *un = (struct sockaddr_un *) address;
        *un = (struct sockaddr_un){.sun_family = AF_UNIX};
        strcpy (un->sun_path, strchr (url, ':') + 3);
        *length = sizeof *un;
    } else {
        *(struct sockaddr_in *) address = (struct sockaddr_in){.sin_family = AF_INET,
                                                               .sin_addr = endpoint_address (0),
                                                               .sin_port = htons ((uint16_t) args.port)};
        *length = sizeof (struct sockaddr_in);
    }
    return (int) check ("socket", socket (address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void no_delay (int fd)
{
    int on = 1;
    if (args.transport == TCP)
        check ("TCP_NODELAY", setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

static void sock_bind (struct sock *sock, const char *url)
{
    struct sockaddr_storage address;
    socklen_t length;
    sock->listener = socket_at (url, &address, &length);
    check ("bind", bind (sock->listener, (struct sockaddr *) &address, length));
    check ("listen", listen (sock->listener, 1));
}

static void sock_connect (struct sock *sock, const char *url)
{
    struct sockaddr_storage address;
    socklen_t length;
    sock->fd = socket_at (url, &address, &length);
    check ("connect", connect (sock->fd, (struct sockaddr *) &address, length));
    no_delay (sock->fd);
}

static void sock_links (struct sock *sock, int links)
{
    (void) links;
    sock->fd = (int) check ("accept", accept (sock->listener, NULL, NULL));
    no_delay (sock->fd);
}

static void sock_send (struct sock *sock, const void *message, size_t length)
{
    memcpy (sock->out + HEADER, message, length);
    for (size_t at = 0; at < HEADER + length;)
        at += (size_t) check ("send", send (sock->fd, sock->out + at, HEADER + length - at, MSG_NOSIGNAL));
}

static long sock_recv (struct sock *sock, void *message, size_t room, int wait)
{
    uint64_t length;
    for (size_t got = 0; got < HEADER + room; wait = 1) {
        ssize_t n = recv (sock->fd, sock->in + got, HEADER + room - got, wait ? 0 : MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN && !wait)
            return -1;
        if (check ("recv", n) == 0)
            fail ("error", "the connection ended early");
        got += (size_t) n;
    }
    memcpy (&length, sock->in, HEADER);
    memcpy (message, sock->in + HEADER, room);
    return (long) length;
}

static int sock_fd (struct sock *sock, int direct)
{
    if (direct)
        fail ("unsupported", "it is direct");
    return sock->fd;
}

static void sock_close (struct sock *sock)
{
    close (sock->fd);
    free (sock);
}

static struct poll_set *poll_open (struct sock **socks, int count)
{
    (void) socks, (void) count;
    abort (); /* sock_open refuses */
}

static void poll_wait (struct poll_set *set, unsigned char *ready)
{
    (void) set, (void) ready;
    abort ();
}

static void device_open (const char *front, const char *back)
{
    (void) front, (void) back;
    fail ("unsupported", "sockets do not do this by themselves");
}

static _Noreturn void device_run (void)
{
    abort ();
}
