/* What all benchmark drivers share: the command line, the two sides (two processes for ipc and tcp, two threads for
   inproc), the measuring loops, the checks of every message and the one line of JSON at the end.

   A driver defines the functions declared under "What a driver provides" and nothing else; it is compiled as one file
   with this one, so that the compiler sees through the calls. Side B binds, echoes round trips and receives streams.
   Side A connects, starts round trips and sends streams. In a fan-out side A binds and publishes, and side B are
   subscribers, each a thread with its own socket. */

#ifndef BENCH_H
#define BENCH_H

#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum mode { RTT, STREAM, FAN };
enum transport { INPROC, IPC, TCP, WS };
enum pattern { PAIR, REQREP, PUSHPULL, PUBSUB };
enum role { SIDE_A, SIDE_B };

enum {
    WINDOW = 16,     /* messages a publisher sends before it waits for all its subscribers */
    PATIENCE = 3,    /* s it waits before it takes a message for lost */
    MOST_SUBS = 256, /* subscribers */
    LIFE = 120       /* s after which a run that nobody ended ends */
};

struct args {
    enum mode mode;
    enum transport transport;
    enum pattern pattern;
    size_t size;
    uint64_t count;
    int subs;        /* subscribers of a fan-out; 1 in the other modes */
    int device;      /* a third process forwards between both sides */
    int nnmsg;       /* messages live in the library's own memory: nothing is copied at its boundary */
    int pin;         /* the one CPU for both sides, or -1 */
    const char *lib; /* the library to load; only the driver of the nanomsg ABI looks at it */
    char dir[96];    /* ipc: the folder of the socket's file */
    int port;        /* tcp */
    char url[128];   /* address in the spelling nanomsg, nng and zmq have in common */
};

/* ---- What a driver provides ---- */

struct side;

/* Once in each process, before any side is opened. */
static void driver_init (const struct args *args);
/* Prints the library's version, for --version. */
static void driver_version (void);
/* Both sides call `listening` (below) or `await_listener` (below) at the right moment inside. */
static struct side *side_open (const struct args *args, enum role role);
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

struct shared {
    _Atomic int listening;
    _Atomic int received; /* side B has everything and has noted its times */
    _Atomic int finished; /* side A needs nothing more from side B */
    _Atomic int failed;
    double seconds; /* written by side B before `received` */
    double cpu;     /* likewise: processor time of side B where it is a process of its own */
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

/* Ends the run. The first of both sides to fail says why, in one line. `key` is "error", or "unsupported" where the
   library has no such pattern or transport. */
static _Noreturn void fail (const char *key, const char *format, ...)
{
    char text[400], line[512];
    va_list list;
    va_start (list, format);
    vsnprintf (text, sizeof text, format, list);
    va_end (list);
    for (char *c = text; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char) *c < ' ')
            *c = '\'';
    if (!shared || !atomic_exchange (&shared->failed, 1)) {
        int length = snprintf (line, sizeof line, "{\"%s\": \"%s\"}\n", key, text);
        if (write (STDOUT_FILENO, line, (size_t) length) < 0)
            _exit (2);
    }
    remove_files ();
    _exit (1);
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

static void nap (void)
{
    nanosleep (&(struct timespec){0, 100000}, NULL);
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
}

/* ---- Time and messages ---- */

static inline uint64_t now_ns (void)
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

static double cpu_seconds (void)
{
    struct rusage u;
    getrusage (RUSAGE_SELF, &u);
    return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* The number stands at both ends of a message, so that a torn or shifted one does not pass. */
static inline void stamp (unsigned char *message, size_t size, uint64_t number)
{
    memcpy (message, &number, 8);
    memcpy (message + size - 8, &number, 8);
}

static inline void check (const unsigned char *message, size_t length, size_t size, uint64_t number)
{
    uint64_t head, tail;
    if (length != size)
        fail ("error", "message %llu has %zu bytes, expected %zu", (unsigned long long) number, length, size);
    memcpy (&head, message, 8);
    memcpy (&tail, message + size - 8, 8);
    if (head != number || tail != number)
        fail ("error", "message %llu is numbered %llu at its head and %llu at its tail", (unsigned long long) number,
              (unsigned long long) head, (unsigned long long) tail);
}

static inline void send_one (struct side *side, const struct args *args, uint64_t number)
{
    stamp (side_buffer (side), args->size, number);
    side_send (side);
}

static inline void recv_one (struct side *side, const struct args *args, uint64_t number)
{
    unsigned char *message;
    size_t length = side_recv (side, &message);
    check (message, length, args->size, number);
    side_release (side);
}

/* ---- The two measurements ---- */

static int by_value (const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return (x > y) - (x < y);
}

/* Times are one-way: half a round trip. The first twentieth warms up and is not counted. */
static void rtt_a (struct side *side, const struct args *args)
{
    uint64_t warm = args->count / 20, samples = args->count - warm, sum = 0;
    uint32_t *took = malloc (samples * sizeof *took);
    if (!took)
        fail ("error", "no memory for the samples");
    memset (took, 0, samples * sizeof *took); /* page faults now, not while measuring */

    double cpu = cpu_seconds ();
    uint64_t last = 0;
    for (uint64_t i = 0; i < args->count; i++) {
        if (i == warm)
            last = now_ns ();
        send_one (side, args, i);
        side_flush (side);
        recv_one (side, args, i);
        if (i >= warm) {
            uint64_t now = now_ns ();
            took[i - warm] = (uint32_t) (now - last < UINT32_MAX ? now - last : UINT32_MAX);
            last = now;
        }
    }
    cpu = cpu_seconds () - cpu;
    atomic_store (&shared->finished, 1);
    while (!atomic_load (&shared->received))
        nap ();

    for (uint64_t i = 0; i < samples; i++)
        sum += took[i];
    qsort (took, samples, sizeof *took, by_value);
    printf ("{\"count\": %llu, \"mean_us\": %.4f, \"p50_us\": %.4f, \"p99_us\": %.4f, \"cpu_us\": %.4f}\n",
            (unsigned long long) args->count, (double) sum / (double) samples / 2e3, took[samples / 2] / 2e3,
            took[samples - 1 - samples / 100] / 2e3, (cpu + shared->cpu) * 1e6 / (2.0 * (double) args->count));
    free (took);
}

static void rtt_b (struct side *side, const struct args *args)
{
    double cpu = cpu_seconds ();
    for (uint64_t i = 0; i < args->count; i++) {
        recv_one (side, args, i);
        send_one (side, args, i);
        side_flush (side);
    }
    shared->cpu = args->transport == INPROC ? 0 : cpu_seconds () - cpu;
    atomic_store (&shared->received, 1);
    while (!atomic_load (&shared->finished)) /* upstream's nn_close would discard the last echo */
        nap ();
}

static void stream_a (struct side *side, const struct args *args)
{
    double cpu = cpu_seconds ();
    for (uint64_t i = 0; i < args->count; i++)
        send_one (side, args, i);
    side_flush (side);
    if (args->pattern == PAIR)
        recv_one (side, args, args->count);
    else /* the pattern has no way back, and nothing else drives the library: what it gathered must leave by itself */
        while (!atomic_load (&shared->received))
            nap ();
    cpu = cpu_seconds () - cpu;
    atomic_store (&shared->finished, 1);
    while (!atomic_load (&shared->received))
        nap ();

    double rate = (double) (args->count - 1) / shared->seconds;
    printf ("{\"count\": %llu, \"seconds\": %.6f, \"msgs_per_s\": %.1f, \"mb_per_s\": %.3f, \"cpu_us\": %.5f}\n",
            (unsigned long long) args->count, shared->seconds, rate, rate * (double) args->size / 1e6,
            (cpu + shared->cpu) * 1e6 / (double) args->count);
}

/* The receiver measures, from its first message to its last. */
static void stream_b (struct side *side, const struct args *args)
{
    double cpu = cpu_seconds ();
    recv_one (side, args, 0);
    uint64_t first = now_ns ();
    for (uint64_t i = 1; i < args->count; i++)
        recv_one (side, args, i);
    shared->seconds = (double) (now_ns () - first) / 1e9;
    shared->cpu = args->transport == INPROC ? 0 : cpu_seconds () - cpu;
    atomic_store (&shared->received, 1);
    if (args->pattern == PAIR) {
        send_one (side, args, args->count);
        side_flush (side);
    }
    while (!atomic_load (&shared->finished))
        nap ();
}

/* ---- Fan-out ---- */

/* Numbers beyond those of any message. */
#define GREETING (UINT64_MAX - 1)
#define BEGIN UINT64_MAX

static int binds (const struct args *args, enum role role)
{
    return role == (args->mode == FAN ? SIDE_A : SIDE_B);
}

/* Acknowledgements pass beside the library, so that they cost the same with all of them. */
static void acknowledge (const struct args *args)
{
    if ((atomic_fetch_add (&shared->acknowledged, 1) + 1) % (uint32_t) args->subs == 0)
        syscall (SYS_futex, &shared->acknowledged, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void await_all (const struct args *args, uint64_t window)
{
    uint32_t all = (uint32_t) (window * (uint64_t) args->subs), now;
    uint64_t until = now_ns () + PATIENCE * 1000000000ull;
    while ((now = atomic_load (&shared->acknowledged)) != all) {
        if (now_ns () > until)
            fail ("error", "%u of %d subscribers lack messages of window %llu", all - now, args->subs,
                  (unsigned long long) window);
        syscall (SYS_futex, &shared->acknowledged, FUTEX_WAIT, now, &(struct timespec){PATIENCE, 0}, NULL, 0);
    }
}

static void fan_a (struct side *side, const struct args *args)
{
    uint64_t windows = (args->count + WINDOW - 1) / WINDOW, start;
    uint64_t until = now_ns () + PATIENCE * 1000000000ull;
    /* What is published before a subscriber has connected is not for it. */
    while (atomic_load (&shared->greeted) < args->subs) {
        if (now_ns () > until)
            fail ("error", "%d of %d subscribers got nothing", args->subs - atomic_load (&shared->greeted), args->subs);
        send_one (side, args, GREETING);
        side_flush (side);
        nanosleep (&(struct timespec){0, 2000000}, NULL);
    }
    send_one (side, args, BEGIN);
    side_flush (side);
    await_all (args, 1);

    double cpu = cpu_seconds ();
    start = now_ns ();
    for (uint64_t w = 0; w < windows; w++) {
        for (uint64_t i = 0; i < WINDOW; i++)
            send_one (side, args, w * WINDOW + i);
        side_flush (side);
        await_all (args, w + 2);
    }
    double seconds = (double) (now_ns () - start) / 1e9;
    cpu = cpu_seconds () - cpu;
    atomic_store (&shared->finished, 1);
    while (!atomic_load (&shared->received))
        nap ();

    double delivered = (double) (windows * WINDOW) * args->subs, rate = delivered / seconds;
    printf ("{\"count\": %llu, \"seconds\": %.6f, \"msgs_per_s\": %.1f, \"mb_per_s\": %.3f, \"cpu_us\": %.5f}\n",
            (unsigned long long) (windows * WINDOW), seconds, rate, rate * (double) args->size / 1e6,
            (cpu + shared->cpu) * 1e6 / delivered);
}

static uint64_t number_of (struct side *side, const struct args *args)
{
    unsigned char *message;
    uint64_t number;
    size_t length = side_recv (side, &message);
    if (length == args->size)
        memcpy (&number, message, 8);
    else
        number = 0;
    check (message, length, args->size, number);
    side_release (side);
    return number;
}

static pthread_barrier_t subscribers;

static void *subscriber (void *args_)
{
    const struct args *args = args_;
    struct side *side = side_open (args, SIDE_B);
    uint64_t windows = (args->count + WINDOW - 1) / WINDOW;
    if (number_of (side, args) != GREETING)
        fail ("error", "a subscriber got something else than a greeting first");
    atomic_fetch_add (&shared->greeted, 1);
    for (uint64_t number; (number = number_of (side, args)) != BEGIN;)
        if (number != GREETING)
            fail ("error", "message %llu came too early", (unsigned long long) number);
    pthread_barrier_wait (&subscribers); /* the processor time is read here */
    pthread_barrier_wait (&subscribers);
    acknowledge (args);
    for (uint64_t w = 0; w < windows; w++) {
        for (uint64_t i = 0; i < WINDOW; i++)
            recv_one (side, args, w * WINDOW + i);
        acknowledge (args);
    }
    pthread_barrier_wait (&subscribers);
    while (!atomic_load (&shared->finished))
        nap ();
    side_close (side);
    return NULL;
}

static void fan_b (const struct args *args)
{
    pthread_t threads[MOST_SUBS];
    pthread_barrier_init (&subscribers, NULL, (unsigned) args->subs + 1);
    for (int i = 0; i < args->subs; i++)
        if (pthread_create (&threads[i], NULL, subscriber, (void *) args))
            fail ("error", "no thread");
    pthread_barrier_wait (&subscribers);
    double cpu = cpu_seconds ();
    pthread_barrier_wait (&subscribers);
    pthread_barrier_wait (&subscribers);
    shared->cpu = cpu_seconds () - cpu;
    atomic_store (&shared->received, 1);
    for (int i = 0; i < args->subs; i++)
        pthread_join (threads[i], NULL);
}

/* ---- The sides ---- */

static void run_a (const struct args *args)
{
    struct side *side = side_open (args, SIDE_A);
    (args->mode == RTT ? rtt_a : args->mode == STREAM ? stream_a : fan_a) (side, args);
    side_close (side);
}

static void *run_b (void *args_)
{
    const struct args *args = args_;
    if (args->mode == FAN) {
        fan_b (args);
        return NULL;
    }
    struct side *side = side_open (args, SIDE_B);
    (args->mode == RTT ? rtt_b : stream_b) (side, args);
    side_close (side);
    return NULL;
}

/* ---- The command line ---- */

static void usage (const char *problem)
{
    fprintf (stderr,
             "%s\nusage: DRIVER --mode rtt|stream|fan --transport inproc|ipc|tcp|ws --size BYTES --count N\n"
             "              [--pattern pair|reqrep|pushpull|pubsub] [--subs N] [--device] [--nnmsg] [--pin CPU] [--lib PATH]\n"
             "       DRIVER --version [--lib PATH]\n",
             problem);
    exit (2);
}

static int choose (const char *value, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp (value, names[i]))
            return i;
    usage (value);
    return -1;
}

/* Asks the kernel for a port that is free now. */
static int free_port (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int s = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || bind (s, (struct sockaddr *) &address, length) ||
        getsockname (s, (struct sockaddr *) &address, &length))
        fail ("error", "no free port: %s", strerror (errno));
    close (s);
    return ntohs (address.sin_port);
}

static void place (struct args *args)
{
    const char *tmp = getenv ("TMPDIR");
    switch (args->transport) {
    case INPROC:
        snprintf (args->url, sizeof args->url, "inproc://bench");
        break;
    case IPC:
        snprintf (args->dir, sizeof args->dir, "%s/nnbench.XXXXXX", tmp && strlen (tmp) < 60 ? tmp : "/tmp");
        if (!mkdtemp (args->dir))
            fail ("error", "no folder for the socket: %s", strerror (errno));
        snprintf (args->url, sizeof args->url, "ipc://%s/s", args->dir);
        strcpy (cleanup_dir, args->dir);
        snprintf (cleanup_file, sizeof cleanup_file, "%s/s", args->dir);
        break;
    case TCP:
    case WS:
        args->port = free_port ();
        snprintf (args->url, sizeof args->url, "%s://127.0.0.1:%d", args->transport == TCP ? "tcp" : "ws", args->port);
        break;
    }
}

static void parse (struct args *args, int argc, char **argv)
{
    int version = 0, mode = 0, transport = 0;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (!strcmp (name, "--nnmsg")) {
            args->nnmsg = 1;
            continue;
        }
        if (!strcmp (name, "--device")) {
            args->device = 1;
            continue;
        }
        if (!strcmp (name, "--version")) {
            version = 1;
            continue;
        }
        if (i + 1 == argc)
            usage (name);
        const char *value = argv[++i];
        if (!strcmp (name, "--mode")) {
            args->mode = (enum mode) choose (value, (const char *const[]){"rtt", "stream", "fan", NULL});
            mode = 1;
        } else if (!strcmp (name, "--transport")) {
            args->transport = (enum transport) choose (value, (const char *const[]){"inproc", "ipc", "tcp", "ws", NULL});
            transport = 1;
        } else if (!strcmp (name, "--pattern"))
            args->pattern =
                (enum pattern) choose (value, (const char *const[]){"pair", "reqrep", "pushpull", "pubsub", NULL});
        else if (!strcmp (name, "--size"))
            args->size = strtoull (value, NULL, 10);
        else if (!strcmp (name, "--count"))
            args->count = strtoull (value, NULL, 10);
        else if (!strcmp (name, "--subs"))
            args->subs = atoi (value);
        else if (!strcmp (name, "--pin"))
            args->pin = atoi (value);
        else if (!strcmp (name, "--lib"))
            args->lib = value;
        else
            usage (name);
    }
    if (version) {
        driver_init (args);
        driver_version ();
        exit (0);
    }
    if (!mode || !transport)
        usage ("--mode and --transport are needed");
    if (args->size < 8 || args->count < 20)
        usage ("--size of at least 8 and --count of at least 20 are needed");
    if (args->mode == STREAM && args->pattern == REQREP)
        usage ("a request needs its reply: no stream with reqrep");
    if (args->mode == RTT && args->pattern == PUSHPULL)
        usage ("pushpull has no way back: no round trip");
    if ((args->mode == FAN) != (args->pattern == PUBSUB))
        usage ("pubsub is for the fan-out, and the other way round");
    if (args->mode == FAN && args->transport == INPROC)
        usage ("the fan-out leads from one process to another");
    if (args->device && (args->mode != RTT || args->transport != TCP))
        usage ("the device stands between round trips on tcp");
    if (args->subs < 1 || args->subs > (args->mode == FAN ? MOST_SUBS : 1))
        usage ("--subs: too few or too many");
}

int main (int argc, char **argv)
{
    static struct args args = {.pin = -1, .subs = 1};
    parse (&args, argc, argv);
    alarm (LIFE);

    if (args.pin >= 0) {
        cpu_set_t one;
        CPU_ZERO (&one);
        CPU_SET (args.pin, &one);
        if (sched_setaffinity (0, sizeof one, &one))
            fail ("error", "cannot run on CPU %d: %s", args.pin, strerror (errno));
    }
    shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fail ("error", "no shared memory: %s", strerror (errno));
    if (args.device && !has_device)
        fail ("unsupported", "this peer has no device of the kind");
    place (&args);

    if (args.transport == INPROC) {
        pthread_t b;
        driver_init (&args);
        if (pthread_create (&b, NULL, run_b, &args))
            fail ("error", "no thread");
        run_a (&args);
        pthread_join (b, NULL);
        return 0;
    }

    /* Two processes, parted before anything of the library has run. */
    sigset_t chld, old;
    sigemptyset (&chld);
    sigaddset (&chld, SIGCHLD);
    sigprocmask (SIG_BLOCK, &chld, &old);
    signal (SIGCHLD, on_child_end);
    pid_t pid = fork ();
    if (pid < 0)
        fail ("error", "no second process: %s", strerror (errno));
    if (pid == 0) {
        signal (SIGCHLD, SIG_DFL);
        sigprocmask (SIG_SETMASK, &old, NULL);
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        cleanup_dir[0] = 0; /* side A's business */
        driver_init (&args);
        run_b (&args);
        exit (0);
    }
    child = pid;
    if (args.device) {
        struct args near = args;
        place (&near);
        if ((pid = fork ()) < 0)
            fail ("error", "no third process: %s", strerror (errno));
        if (pid == 0) {
            signal (SIGCHLD, SIG_DFL);
            sigprocmask (SIG_SETMASK, &old, NULL);
            prctl (PR_SET_PDEATHSIG, SIGKILL);
            driver_init (&near);
            device_run (&near, &args);
        }
        args = near;
        awaited = 2;
        pid = child;
    }
    sigprocmask (SIG_SETMASK, &old, NULL);
    driver_init (&args);
    run_a (&args);
    while (child == pid)
        nap ();
    remove_files ();
    return 0;
}

#endif
