/* Program shapes over the nanomsg ABI: one program for the original and for this library. */

#include "shape.h"

#include "library.h"

#include <nanomsg/bus.h>
#include <nanomsg/survey.h>
#include <nanomsg-rs/direct.h>

struct sock {
    int s;
};

static const int sockets_are_shared = 1;
static const int descriptors_tell_again = 1;

static void library_init (const char *path)
{
    if (!path)
        usage ("--lib is needed");
    library_load (path);
}

static int check (const char *call, int result)
{
    if (result < 0)
        broken (call);
    return result;
}

static struct sock *open_raw (int domain, int protocol)
{
    struct sock *sock = malloc (sizeof *sock);
    if ((sock->s = lib.nn_socket (domain, protocol)) < 0)
        refused ("nn_socket", EMFILE); /* the original has no more than 512 */
    return sock;
}

static struct sock *sock_open (enum kind kind, int links)
{
    static const int protocols[] = {[PAIR] = NN_PAIR, [REQ] = NN_REQ, [REP] = NN_REP, [PUSH] = NN_PUSH, [PULL] = NN_PULL,
                                    [PUB] = NN_PUB, [SUB] = NN_SUB, [SURVEYOR] = NN_SURVEYOR,
                                    [RESPONDENT] = NN_RESPONDENT, [BUS] = NN_BUS};
    struct sock *sock = open_raw (AF_SP, protocols[kind]);
    (void) links;
    if (kind == SUB)
        check ("NN_SUB_SUBSCRIBE", lib.nn_setsockopt (sock->s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    return sock;
}

static void sock_bind (struct sock *sock, const char *url)
{
    check ("nn_bind", lib.nn_bind (sock->s, url));
}

static void sock_connect (struct sock *sock, const char *url)
{
    check ("nn_connect", lib.nn_connect (sock->s, url));
}

static void sock_links (struct sock *sock, int links)
{
    while (lib.nn_get_statistic (sock->s, NN_STAT_CURRENT_CONNECTIONS) < (uint64_t) links)
        nap ();
}

static inline void sock_send (struct sock *sock, const void *message, size_t length)
{
    int sent = check ("nn_send", lib.nn_send (sock->s, message, length, 0));
    if ((size_t) sent != length)
        fail ("error", "nn_send took %d bytes of %zu", sent, length);
}

static inline long sock_recv (struct sock *sock, void *message, size_t room, int wait)
{
    int length = lib.nn_recv (sock->s, message, room, wait ? 0 : NN_DONTWAIT);
    if (length < 0 && (wait || lib.nn_errno () != EAGAIN))
        broken ("nn_recv");
    return length;
}

/* The place for descriptors that are the connections' own: an option will ask for them. */
static int sock_fd (struct sock *sock, int direct)
{
    int fd;
    size_t size = sizeof fd;
    if (direct) /* libnanomsg has one kind only */
        lib.nn_setsockopt (sock->s, NN_SOL_SOCKET, NN_DIRECT_FD, &direct, sizeof direct);
    check ("NN_RCVFD", lib.nn_getsockopt (sock->s, NN_SOL_SOCKET, NN_RCVFD, &fd, &size));
    return fd;
}

static void sock_close (struct sock *sock)
{
    check ("nn_close", lib.nn_close (sock->s));
    free (sock);
}

struct poll_set {
    int count;
    struct nn_pollfd fds[];
};

static struct poll_set *poll_open (struct sock **socks, int count)
{
    struct poll_set *set = calloc (1, sizeof *set + (size_t) count * sizeof *set->fds);
    set->count = count;
    for (int i = 0; i < count; i++)
        set->fds[i] = (struct nn_pollfd){.fd = socks[i]->s, .events = NN_POLLIN};
    return set;
}

static void poll_wait (struct poll_set *set, unsigned char *ready)
{
    check ("nn_poll", lib.nn_poll (set->fds, set->count, -1));
    for (int i = 0; i < set->count; i++)
        ready[i] = (set->fds[i].revents & NN_POLLIN) != 0;
}

static struct sock *device[2];

static void device_open (const char *front, const char *back)
{
    device[0] = open_raw (AF_SP_RAW, NN_REP);
    device[1] = open_raw (AF_SP_RAW, NN_REQ);
    sock_bind (device[0], front);
    sock_bind (device[1], back);
}

static _Noreturn void device_run (void)
{
    lib.nn_device (device[0]->s, device[1]->s);
    broken ("nn_device");
}
