/* Benchmark driver with no library at all: what the operating system itself can do, the limit for the others.

   tcp, ipc: one connection (ws is measured against that of tcp) (TCP_NODELAY), an 8-byte length before every message as the libraries have it.
     Round trips and large messages: one write for a message, read straight into the message's buffer.
     Streams of small messages: one write for each would measure system calls, so the sender gathers 64 KiB before it
     writes and the receiver reads up to 64 KiB at once.
     Fan-out: one connection for each subscriber; a window is gathered in the same way.
   inproc: two threads of one process.
     Round trips: a buffer handed over by futex. Streams: a ring of buffers behind one mutex.

   The patterns make no difference here, and neither does --nnmsg. */

#include "bench.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/un.h>

enum {
    HEADER = 8,
    GATHER = 64 << 10,
    GATHER_BELOW = 16 << 10, /* streams of smaller messages are gathered */
    RING_BYTES = 512 << 10,
    RING_SLOTS = 1024,
    RING_SLOTS_MIN = 4,
    COPY_LOCKED = 1 << 10
};

/* One direction between two threads. */
struct lane {
    _Atomic uint32_t full; /* round trips: the futex */
    pthread_mutex_t lock;  /* streams */
    pthread_cond_t changed;
    uint64_t written, read;
    int waiting;
    size_t slots;
    unsigned char *memory;
};

static struct lane lanes[2];

struct side {
    const struct args *args;
    size_t size, frame;
    unsigned char *out, *in; /* one frame each; the message begins behind the header */
    int fd; /* where it reads */
    int fds[MOST_SUBS], connections; /* where it writes */
    int gather;
    unsigned char *gathered, *batch;
    size_t gathered_bytes, batch_at, batch_end;
    struct lane *to, *from;
};

static void driver_init (const struct args *args)
{
    size_t slots = args->mode == RTT ? 1 : args->size ? RING_BYTES / args->size : 0;
    if (args->transport != INPROC)
        return;
    if (args->mode == STREAM)
        slots = slots < RING_SLOTS_MIN ? RING_SLOTS_MIN : slots > RING_SLOTS ? RING_SLOTS : slots;
    for (int i = 0; i < 2; i++) {
        pthread_mutex_init (&lanes[i].lock, NULL);
        pthread_cond_init (&lanes[i].changed, NULL);
        lanes[i].slots = slots;
        lanes[i].memory = calloc (slots, args->size);
    }
}

static void driver_version (void)
{
    printf ("sockets, futex and mutex\n");
}

static void must (const char *call, long result)
{
    if (result < 0)
        fail ("error", "%s: %s", call, strerror (errno));
}

static void no_delay (const struct args *args, int fd)
{
    int on = 1;
    if (args->transport != IPC)
        must ("TCP_NODELAY", setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

static struct side *side_open (const struct args *args, enum role role)
{
    struct side *side = calloc (1, sizeof *side);
    uint64_t length = args->size;

    side->args = args;
    side->size = args->size;
    side->frame = HEADER + args->size;
    side->out = calloc (1, side->frame);
    side->in = calloc (1, side->frame);
    memcpy (side->out, &length, HEADER);
    side->to = &lanes[role];
    side->from = &lanes[!role];
    if (args->transport == INPROC)
        return side;

    side->gather = args->mode != RTT && args->size < GATHER_BELOW;
    side->gathered = malloc (GATHER);
    side->batch = malloc (GATHER);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK), .sin_port = htons ((uint16_t) args->port)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr *address = args->transport != IPC ? (struct sockaddr *) &in : (struct sockaddr *) &un;
    socklen_t address_length = args->transport != IPC ? sizeof in : sizeof un;
    snprintf (un.sun_path, sizeof un.sun_path, "%s/s", args->dir);

    int s = socket (address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    must ("socket", s);
    if (binds (args, role)) {
        must ("SO_REUSEADDR", setsockopt (s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
        must ("bind", bind (s, address, address_length));
        must ("listen", listen (s, MOST_SUBS));
        listening ();
        while (side->connections < args->subs) {
            must ("accept", side->fd = accept (s, NULL, NULL));
            no_delay (args, side->fd);
            side->fds[side->connections++] = side->fd;
        }
        close (s);
    } else {
        await_listener ();
        must ("connect", connect (s, address, address_length));
        no_delay (args, s);
        side->fd = side->fds[side->connections++] = s;
    }
    return side;
}

static const int has_device = 1;

/* One thread, one wait for both connections, one read and one write for each message. */
static _Noreturn void device_run (const struct args *near, const struct args *far)
{
    int both[2] = {side_open (far, SIDE_A)->fd, side_open (near, SIDE_B)->fd};
    size_t frame = HEADER + near->size;
    unsigned char *bytes = malloc (frame);
    int set = epoll_create1 (EPOLL_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t) i};
        must ("epoll_ctl", epoll_ctl (set, EPOLL_CTL_ADD, both[i], &event));
    }
    for (;;) {
        struct epoll_event events[2];
        int ready = epoll_wait (set, events, 2, -1);
        must ("epoll_wait", ready);
        for (int i = 0; i < ready; i++) {
            uint32_t from = events[i].data.u32;
            ssize_t n = recv (both[from], bytes, frame, 0);
            must ("recv", n);
            if (n == 0)
                exit (0);
            must ("send", send (both[!from], bytes, (size_t) n, MSG_NOSIGNAL));
        }
    }
}

/* ---- Sockets ---- */

static void write_all (struct side *side, const unsigned char *bytes, size_t length)
{
    for (int i = 0; i < side->connections; i++)
        for (size_t at = 0; at < length;) {
            ssize_t n = send (side->fds[i], bytes + at, length - at, MSG_NOSIGNAL);
            must ("send", n);
            at += (size_t) n;
        }
}

static size_t read_some (int fd, unsigned char *bytes, size_t room)
{
    ssize_t n = recv (fd, bytes, room, 0);
    must ("recv", n);
    if (n == 0)
        fail ("error", "the connection ended early");
    return (size_t) n;
}

/* The frame at the front of the batch, copied out as the libraries' receive calls do; the batch is refilled when it
   holds no whole one. */
static size_t recv_gathered (struct side *side, unsigned char **message)
{
    uint64_t length = 0;
    for (;;) {
        size_t held = side->batch_end - side->batch_at;
        if (held >= HEADER) {
            memcpy (&length, side->batch + side->batch_at, HEADER);
            if (length > side->size)
                return (size_t) length; /* the check reports it */
            if (held >= HEADER + length)
                break;
        }
        memmove (side->batch, side->batch + side->batch_at, held);
        side->batch_at = 0;
        side->batch_end = held + read_some (side->fd, side->batch + held, GATHER - held);
    }
    memcpy (side->in + HEADER, side->batch + side->batch_at + HEADER, length);
    side->batch_at += HEADER + length;
    *message = side->in + HEADER;
    return (size_t) length;
}

/* ---- Threads ---- */

static void hand_over (struct lane *lane, const unsigned char *message, size_t size)
{
    memcpy (lane->memory, message, size);
    atomic_store (&lane->full, 1);
    syscall (SYS_futex, &lane->full, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void take_over (struct lane *lane, unsigned char *message, size_t size)
{
    while (!atomic_load (&lane->full))
        syscall (SYS_futex, &lane->full, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    memcpy (message, lane->memory, size);
    atomic_store (&lane->full, 0);
}

static void wait_changed (struct lane *lane)
{
    lane->waiting++;
    pthread_cond_wait (&lane->changed, &lane->lock);
    lane->waiting--;
}

/* A slot belongs to one side at a time, so a large copy need not hold the lock; for a small one, taking the lock twice
   would cost more than the copy. */
static void move (struct lane *lane, unsigned char *to, const unsigned char *from, size_t size)
{
    if (size > COPY_LOCKED)
        pthread_mutex_unlock (&lane->lock);
    memcpy (to, from, size);
    if (size > COPY_LOCKED)
        pthread_mutex_lock (&lane->lock);
}

static void advance (struct lane *lane, uint64_t *index)
{
    ++*index;
    if (lane->waiting)
        pthread_cond_signal (&lane->changed);
}

static void enqueue (struct lane *lane, const unsigned char *message, size_t size)
{
    pthread_mutex_lock (&lane->lock);
    while (lane->written - lane->read == lane->slots)
        wait_changed (lane);
    move (lane, lane->memory + lane->written % lane->slots * size, message, size);
    advance (lane, &lane->written);
    pthread_mutex_unlock (&lane->lock);
}

static void dequeue (struct lane *lane, unsigned char *message, size_t size)
{
    pthread_mutex_lock (&lane->lock);
    while (lane->written == lane->read)
        wait_changed (lane);
    move (lane, message, lane->memory + lane->read % lane->slots * size, size);
    advance (lane, &lane->read);
    pthread_mutex_unlock (&lane->lock);
}

/* ---- What the measuring loops call ---- */

static unsigned char *side_buffer (struct side *side)
{
    return side->out + HEADER;
}

static void side_send (struct side *side)
{
    if (side->args->transport == INPROC) {
        (side->args->mode == RTT ? hand_over : enqueue) (side->to, side->out + HEADER, side->size);
    } else if (side->gather) {
        if (side->gathered_bytes + side->frame > GATHER)
            side_flush (side);
        memcpy (side->gathered + side->gathered_bytes, side->out, side->frame);
        side->gathered_bytes += side->frame;
    } else {
        write_all (side, side->out, side->frame);
    }
}

static void side_flush (struct side *side)
{
    write_all (side, side->gathered, side->gathered_bytes);
    side->gathered_bytes = 0;
}

static size_t side_recv (struct side *side, unsigned char **message)
{
    uint64_t length = side->size;
    *message = side->in + HEADER;
    if (side->args->transport == INPROC) {
        (side->args->mode == RTT ? take_over : dequeue) (side->from, side->in + HEADER, side->size);
    } else if (side->gather) {
        length = recv_gathered (side, message);
    } else {
        for (size_t got = 0; got < side->frame;)
            got += read_some (side->fd, side->in + got, side->frame - got);
        memcpy (&length, side->in, HEADER);
    }
    return (size_t) length;
}

static void side_release (struct side *side)
{
    (void) side;
}

static void side_close (struct side *side)
{
    for (int i = 0; i < side->connections; i++)
        close (side->fds[i]);
}
