/* What all benchmark drivers share: the two sides (two processes for ipc and tcp, two threads for inproc), what they tell
   each other, time, and the checks of every message. measures.h has the measuring loops and main.h the command line.

   A driver defines the functions declared under "What a driver provides" and nothing else; it is compiled as one file
   with this one, so that the compiler sees through the calls. Side B binds, echoes round trips and receives streams.
   Side A connects, starts round trips and sends streams; it may make many connections at once. In a fan-out side A binds
   and publishes, and side B are subscribers, each a thread with its own socket. */

#ifndef BENCH_H
#define BENCH_H

#include "common.h"

enum mode { RTT, STREAM, FAN, CROWD };
enum transport { INPROC, IPC, TCP, WS, TLS };
enum pattern { PAIR, REQREP, PUSHPULL, PUBSUB };
enum role { SIDE_A, SIDE_B };

enum {
    WINDOW = 16,        /* messages for each subscriber that a publisher sends before it waits for all */
    PATIENCE = 3,       /* s it waits before it takes a message for lost */
    MOST_SUBS = 256,    /* subscribers */
    MOST_THREADS = 64,
    MOST_LINKS = 20000, /* connections of one socket */
    LIFE = 120          /* s after which a run that nobody ended ends */
};

struct args {
    enum mode mode;
    enum transport transport;
    enum pattern pattern;
    size_t size;
    uint64_t count;
    int subs;        /* subscribers of a fan-out; 1 in the other modes */
    int topics;      /* of a fan-out in which each subscriber has its own; 0: all want everything */
    int subscriber;  /* which of them this is */
    int connections; /* that side A's socket makes to each endpoint */
    int endpoints;   /* that side B's socket binds */
    int idle;        /* further connections to side B's socket, of another socket in side A's process */
    int threads;     /* that send a stream through the one socket of side A */
    int device;      /* a third process forwards between both sides */
    int nnmsg;       /* messages live in the library's own memory: nothing is copied at its boundary */
    int pin;         /* the one CPU for both sides, or -1 */
    const char *lib; /* the library to load: that with the nanomsg ABI, or of the bare program the one for TLS */
    const char *pki; /* tls: the folder of the certificates (tests/pki.sh) */
    char dir[96];    /* ipc: the folder of the socket's file */
    int port;        /* tcp */
};

/* ---- What a driver provides ---- */

struct side;

/* Once in each process, before any side is opened. */
static void driver_init (const struct args *args);
/* Prints the library's version, for --version. */
static void driver_version (void);
/* Both sides call `listening` (below) or `await_listener` (below) at the right moment inside. */
static struct side *side_open (const struct args *args, enum role role);
/* Of a fan-out, from inside side_open: messages that begin with these bytes. */
static void side_subscribe (struct side *side, const char *topic, size_t length);
/* The same socket for another thread, with buffers of its own. */
static struct side *side_share (struct side *side);
/* How many connections the socket has. Asked of a side that binds, where it awaits more than one. */
static int side_connections (struct side *side);
/* The memory for the next outgoing message of args->size bytes. Valid until side_send. */
static unsigned char *side_buffer (struct side *side);
static void side_send (struct side *side);
/* Pushes out what side_send may have gathered. */
static void side_flush (struct side *side);
/* Receives one message and tells its length; the message stays valid until side_release. */
static size_t side_recv (struct side *side, unsigned char **message);
static void side_release (struct side *side);
static void side_close (struct side *side);
static const int has_device;
/* Forwards between `near`, where it listens for side A, and `far`, where side B listens, until it is killed. Calls
   `listening` once it does. */
static _Noreturn void device_run (const struct args *near, const struct args *far);

/* ---- What both sides of one run share, whether threads or processes ---- */

/* What a process has used, all threads together. */
struct usage {
    double cpu; /* s */
    double voluntary, involuntary; /* context switches */
};

struct shared {
    _Atomic int listening;
    _Atomic int received; /* side B has everything and has noted its times */
    _Atomic int finished; /* side A needs nothing more from side B */
    _Atomic int failed;
    _Atomic int connected; /* all connections that side B awaits have been made */
    _Atomic uint64_t dialled; /* ns: when side A began to connect */
    double seconds;     /* written by side B before `received` */
    struct usage usage; /* likewise, where side B is a process of its own */
    double memory;      /* likewise, in a crowd: bytes */
    _Atomic uint32_t acknowledged; /* fan-out: one for each subscriber and window; the publisher waits here */
    _Atomic int greeted;           /* fan-out: subscribers that something has reached */
};

static struct shared *shared;
static pid_t child;
static char cleanup_file[112], cleanup_dir[96];

static void remove_files (void)
{
    if (cleanup_dir[0]) {
        unlink (cleanup_file);
        rmdir (cleanup_dir);
    }
}

/* A side that was refused, crashed or found a wrong message must not leave the other waiting for ever. */
static void on_child_end (int signal)
{
    int saved = errno, status;
    (void) signal;
    if (child && waitpid (child, &status, WNOHANG) == child) {
        if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
            child = -1;
        else if (WIFSIGNALED (status))
            fail ("error", "side B was ended by signal %d", WTERMSIG (status));
        else
            fail ("error", "side B failed");
    }
    errno = saved;
}

/* How many listeners there have to be before this process connects. */
static int awaited = 1;

static void listening (void)
{
    atomic_fetch_add (&shared->listening, 1);
}

static void await_listener (void)
{
    while (atomic_load (&shared->listening) < awaited)
        nap ();
    uint64_t none = 0;
    atomic_compare_exchange_strong (&shared->dialled, &none, now_ns ());
}

/* How many connections side B awaits in all. */
static int links (const struct args *args)
{
    return args->mode == FAN ? args->subs : args->connections * args->endpoints + args->idle;
}

/* The address of an endpoint in the spelling nanomsg, nng and zmq have in common. Valid until the thread's next call. */
static __attribute__ ((unused)) const char *endpoint_url (const struct args *args, int endpoint)
{
    static _Thread_local char url[128];
    char host[INET_ADDRSTRLEN];
    struct in_addr address = endpoint_address (endpoint);
    switch (args->transport) {
    case INPROC:
        return "inproc://bench";
    case IPC:
        snprintf (url, sizeof url, "ipc://%s/s", args->dir);
        break;
    case TCP:
    case WS:
    case TLS:
        inet_ntop (AF_INET, &address, host, sizeof host);
        snprintf (url, sizeof url, "%s://%s:%d", args->transport == TCP ? "tcp" : args->transport == WS ? "ws" : "tls+tcp", host, args->port);
        break;
    }
    return url;
}

/* A file of the folder of certificates. Valid until the thread's next call. */
static __attribute__ ((unused)) const char *pki_file (const struct args *args, const char *name)
{
    static _Thread_local char path[512];
    snprintf (path, sizeof path, "%s/%s", args->pki, name);
    return path;
}

/* ---- What it costs, and messages ---- */

static struct usage usage_now (void)
{
    struct rusage u;
    getrusage (RUSAGE_SELF, &u);
    return (struct usage){(double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                              1e-6 * (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec),
                          (double) u.ru_nvcsw, (double) u.ru_nivcsw};
}

static struct usage usage_since (struct usage begin)
{
    struct usage now = usage_now ();
    return (struct usage){now.cpu - begin.cpu, now.voluntary - begin.voluntary, now.involuntary - begin.involuntary};
}

/* Bytes of memory that are this process's own and in use, whoever allocated them. */
static double memory_now (void)
{
    FILE *file = fopen ("/proc/self/smaps_rollup", "r");
    char line[128];
    double kib = -1;
    while (file && fgets (line, sizeof line, file))
        if (sscanf (line, "Anonymous: %lf kB", &kib) == 1)
            break;
    if (kib < 0)
        fail ("error", "the kernel does not tell the memory of this process");
    fclose (file);
    return kib * 1024;
}

/* Fan-out: numbers beyond those of any message. */
#define GREETING (UINT64_MAX - 1)
#define BEGIN UINT64_MAX

enum { TOPIC = 8 /* bytes */ };

static inline uint64_t topic_bytes (uint32_t topic)
{
    char text[TOPIC];
    uint64_t bytes;
    for (int i = 0; i < TOPIC; i++)
        text[i] = "0123456789abcdef"[topic >> 4 * (TOPIC - 1 - i) & 15];
    memcpy (&bytes, text, TOPIC);
    return bytes;
}

/* The subscribers take turns, and each one's topics follow one another in a stride that no cache foresees. */
static inline uint64_t topic_of (const struct args *args, uint64_t number)
{
    uint64_t bytes, subs = (uint64_t) args->subs, each = (uint64_t) args->topics / subs;
    if (number < GREETING)
        return topic_bytes ((uint32_t) (number % subs + subs * (number / subs * 7919 % each)));
    memcpy (&bytes, "everyone", TOPIC);
    return bytes;
}

/* For side_open. */
static __attribute__ ((unused)) void subscribe (struct side *side, const struct args *args)
{
    uint64_t topic;
    if (!args->topics) {
        side_subscribe (side, "", 0);
        return;
    }
    for (int i = args->subscriber; i < args->topics; i += args->subs) {
        topic = topic_bytes ((uint32_t) i);
        side_subscribe (side, (const char *) &topic, TOPIC);
    }
    topic = topic_of (args, GREETING);
    side_subscribe (side, (const char *) &topic, TOPIC);
}

/* A message begins with its topic, if it has any. Its number stands at the end, and without a topic at the beginning too,
   so that a torn or shifted message does not pass. */
static inline uint64_t head_of (const struct args *args, uint64_t number)
{
    return args->topics ? topic_of (args, number) : number;
}

static inline void check (const unsigned char *message, size_t length, const struct args *args, uint64_t number)
{
    uint64_t head, tail;
    if (length != args->size)
        fail ("error", "message %llu has %zu bytes, expected %zu", (unsigned long long) number, length, args->size);
    memcpy (&head, message, 8);
    memcpy (&tail, message + length - 8, 8);
    if (tail != number || head != head_of (args, number))
        fail ("error", "message %llu begins with %llx and is numbered %llu at its end", (unsigned long long) number,
              (unsigned long long) head, (unsigned long long) tail);
}

static inline void send_one (struct side *side, const struct args *args, uint64_t number)
{
    unsigned char *message = side_buffer (side);
    uint64_t head = head_of (args, number);
    memcpy (message, &head, 8);
    memcpy (message + args->size - 8, &number, 8);
    side_send (side);
}

static inline void recv_one (struct side *side, const struct args *args, uint64_t number)
{
    unsigned char *message;
    size_t length = side_recv (side, &message);
    check (message, length, args, number);
    side_release (side);
}

/* Receives one message, whatever its number is. */
static uint64_t recv_any (struct side *side, const struct args *args)
{
    unsigned char *message;
    uint64_t number;
    size_t length = side_recv (side, &message);
    if (length == args->size)
        memcpy (&number, message + length - 8, 8);
    else
        number = 0;
    check (message, length, args, number);
    side_release (side);
    return number;
}

#include "measures.h"

#include "main.h"

#endif
