/* Benchmark driver with no library at all: what the operating system itself can do, the limit for the others.

   tls: the same as tcp, through TLS on the blocking socket (benches/tls, named by --lib).
   tcp, ipc: one connection (TCP_NODELAY; ws is measured against it), an 8-byte length before every message as the
     libraries have it.
     Round trips and large messages: one write for a message, read straight into the message's buffer.
     Streams of small messages: one write for each would measure system calls, so the sender gathers 64 KiB before it
     writes and the receiver reads up to 64 KiB at once.
     Fan-out: one connection for each subscriber; a window is gathered in the same way.
     Many connections: side A takes them in turn, side B waits for all with epoll; one write and one read a message.
   inproc: two threads of one process.
     Round trips: a buffer handed over by futex. Streams: a ring of buffers behind one mutex.

   The patterns make no difference here, and neither does --nnmsg. */

#include "bench.h"

#include <dlfcn.h>
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

/* benches/tls/lib.rs */
static struct {
    void *(*new) (int fd, const char *pki, int accepts);
    void (*write) (void *tls, const unsigned char *bytes, size_t length);
    size_t (*read) (void *tls, unsigned char *bytes, size_t room);
} library;

struct side {
    const struct args *args;
    size_t size, frame;
    unsigned char *out, *in; /* one frame each; the message begins behind the header */
    void *tls; /* of the one connection */
    int fd; /* where it reads, and writes but for a fan-out */
    int *fds, connections;
    int turn; /* the next of many connections to write to */
    int set, ready; /* many connections to read from: those that epoll has told and that have not been read */
    struct epoll_event events[64];
    int gather;
    unsigned char *gathered, *batch;
    size_t gathered_bytes, batch_at, batch_end;
    struct lane *to, *from;
};

static void driver_init (const struct args *args)
{
    size_t slots = args->mode == RTT ? 1 : args->size ? RING_BYTES / args->size : 0;
    if (args->transport == TLS) {
        void *so = args->lib ? dlopen (args->lib, RTLD_NOW | RTLD_LOCAL) : NULL;
        if (!so)
            fail ("unsupported", "there is no TLS for the bare program");
        library.new = (__typeof__ (library.new)) dlsym (so, "bare_tls_new");
        library.write = (__typeof__ (library.write)) dlsym (so, "bare_tls_write");
        library.read = (__typeof__ (library.read)) dlsym (so, "bare_tls_read");
    }
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

static int socket_at (const struct args *args, int endpoint, struct sockaddr_storage *address, socklen_t *length)
{
    if (args->transport == IPC) {
        struct sockaddr_un *un = (struct sockaddr_un *) address;
        *un = (struct sockaddr_un){.sun_family = AF_UNIX};
        snprintf (un->sun_path, sizeof un->sun_path, "%s/s", args->dir);
        *length = sizeof *un;
    } else {
        *(struct sockaddr_in *) address = (struct sockaddr_in){.sin_family = AF_INET,
                                                               .sin_addr = endpoint_address (endpoint),
                                                               .sin_port = htons ((uint16_t) args->port)};
        *length = sizeof (struct sockaddr_in);
    }
    int s = socket (address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must ("socket", s);
    return s;
}

static int listen_at (const struct args *args, int endpoint)
{
    struct sockaddr_storage address;
    socklen_t length;
    int s = socket_at (args, endpoint, &address, &length), on = 1;
    must ("SO_REUSEADDR", setsockopt (s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    must ("bind", bind (s, (struct sockaddr *) &address, length));
    must ("listen", listen (s, SOMAXCONN));
    return s;
}

static void accept_all (struct side *side, int listener, int connections)
{
    for (int i = 0; i < connections; i++) {
        int fd = accept (listener, NULL, NULL);
        must ("accept", fd);
        no_delay (side->args, fd);
        side->fds[side->connections++] = fd;
    }
    close (listener);
}

static int connect_to (const struct args *args, int endpoint)
{
    struct sockaddr_storage address;
    socklen_t length;
    int s = socket_at (args, endpoint, &address, &length);
    must ("connect", connect (s, (struct sockaddr *) &address, length));
    no_delay (args, s);
    return s;
}

static void watch_all (struct side *side)
{
    must ("epoll_create1", side->set = epoll_create1 (EPOLL_CLOEXEC));
    for (int i = 0; i < side->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = side->fds[i]};
        must ("epoll_ctl", epoll_ctl (side->set, EPOLL_CTL_ADD, side->fds[i], &event));
    }
}

static struct side *side_open (const struct args *args, enum role role)
{
    struct side *side = calloc (1, sizeof *side);
    uint64_t length = args->size;

    if (args->topics)
        fail ("unsupported", "the bare program sends everything to everyone");
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

    side->gathered = malloc (GATHER);
    side->batch = malloc (GATHER);
    side->fds = calloc ((size_t) links (args), sizeof *side->fds);
    if (binds (args, role)) {
        int listeners[args->endpoints];
        for (int i = 0; i < args->endpoints; i++)
            listeners[i] = listen_at (args, i);
        listening ();
        for (int i = 0; side->connections < links (args); i++)
            accept_all (side, listeners[i], args->endpoints == 1 ? links (args) : args->connections);
    } else {
        await_listener ();
        for (int i = 0; i < args->endpoints * args->connections; i++)
            side->fds[side->connections++] = connect_to (args, i % args->endpoints);
    }
    side->fd = side->fds[0];
    if (args->transport == TLS) {
        if (links (args) > 1)
            fail ("unsupported", "the bare program has one connection with TLS");
        side->tls = library.new (side->fd, args->pki, binds (args, role));
    }
    side->gather = args->mode != RTT && args->size < GATHER_BELOW && (args->mode == FAN || links (args) == 1);
    if (binds (args, role) && args->mode != FAN && links (args) > 1)
        watch_all (side);
    return side;
}

static struct side *side_share (struct side *side)
{
    (void) side;
    fail ("unsupported", "the bare program sends from one thread");
}

static int side_connections (struct side *side)
{
    return side->connections;
}

static void side_subscribe (struct side *side, const char *topic, size_t length)
{
    (void) side, (void) topic, (void) length;
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

static void write_all (struct side *side, int fd, const unsigned char *bytes, size_t length)
{
    if (side->tls) {
        library.write (side->tls, bytes, length);
        return;
    }
    for (size_t at = 0; at < length;) {
        ssize_t n = send (fd, bytes + at, length - at, MSG_NOSIGNAL);
        must ("send", n);
        at += (size_t) n;
    }
}

static void write_to_each (struct side *side, const unsigned char *bytes, size_t length)
{
    for (int i = 0; i < side->connections; i++)
        write_all (side, side->fds[i], bytes, length);
}

/* The connection that the next message comes from. */
static void next_ready (struct side *side)
{
    if (side->ready == 0)
        must ("epoll_wait", side->ready = epoll_wait (side->set, side->events, 64, -1));
    side->fd = side->events[--side->ready].data.fd;
}

static size_t read_some (struct side *side, unsigned char *bytes, size_t room)
{
    ssize_t n = side->tls ? (ssize_t) library.read (side->tls, bytes, room) : recv (side->fd, bytes, room, 0);
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
        side->batch_end = held + read_some (side, side->batch + held, GATHER - held);
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
    } else if (side->args->mode == FAN) {
        write_to_each (side, side->out, side->frame);
    } else {
        if (!side->set && side->connections > 1)
            side->fd = side->fds[side->turn++ % side->connections];
        write_all (side, side->fd, side->out, side->frame);
    }
}

static void side_flush (struct side *side)
{
    write_to_each (side, side->gathered, side->gathered_bytes);
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
        if (side->set)
            next_ready (side);
        for (size_t got = 0; got < side->frame;)
            got += read_some (side, side->in + got, side->frame - got);
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
