/* What the drivers of program shapes share: the processes of a run, what they tell each other, the checks of every message
   and what is measured. shapes.h has the shapes; a driver (shape_sp.c, shape_zmq.c, shape_bare.c) is a thin layer over one
   library, with its default options, and is compiled as one file with this one.

   A shape consists of parts, a part of processes with threads that do the same (inproc: all are threads of one process).
   The parent uses no library. It starts the others and lets them bind, connect and get ready, one step after the other. It
   looks at what they have received and used when the measuring begins and when it ends. Then it waits until what was sent
   has arrived, and ends them. */

#ifndef SHAPE_H
#define SHAPE_H

#include "common.h"

#include <dirent.h>
#include <sys/epoll.h>

enum kind { PAIR, REQ, REP, PUSH, PULL, PUB, SUB, SURVEYOR, RESPONDENT, BUS };

struct args {
    const struct shape *shape;
    enum { INPROC, IPC, TCP } transport;
    size_t size;
    int sub;         /* loop: SUBs, not PULLs. flow: PAIR if 0, or PUSH and PULL */
    int number;      /* of sockets, subscribers, clients, respondents or members, as the shape has them */
    int threads;     /* flow: for each direction at each side */
    int both;        /* flow: both directions at once */
    int blocked;     /* a thread is blocked in the receiving call of a socket to which nothing is sent */
    int window;      /* loop: messages that may be on their way; 0: as many as there is room for */
    int batch;       /* loop: of so many the last one is acknowledged */
    int take;        /* messages that an event loop takes from a ready socket, at most; 0: no loop, a blocked call */
    int direct;      /* descriptors that are the connections' own: ready for half a message, too */
    int one;         /* poll: one request is on its way, not one on each pair */
    long period_us;  /* between messages */
    double seconds;
    const char *lib; /* the library to load; only the driver of the nanomsg ABI looks at it */
    char dir[96];    /* ipc: the folder of the sockets' files */
    int port;        /* tcp */
};

/* ---- What a driver provides ---- */

struct sock;
struct poll_set;

/* Once in each process that uses the library. */
static void library_init (const char *path);
static void library_version (void);
/* Several threads may use a socket at once. */
static const int sockets_are_shared;
/* A socket's descriptor is readable for as long as there is something to receive, and not only when it comes. */
static const int descriptors_tell_again;
/* A socket with default options; a SUB wants everything. `links`: how many sock_links will be asked for, if it is. */
static struct sock *sock_open (enum kind kind, int links);
static void sock_bind (struct sock *sock, const char *url);
static void sock_connect (struct sock *sock, const char *url);
/* Waits until the socket has so many connections. */
static void sock_links (struct sock *sock, int links);
static void sock_send (struct sock *sock, const void *message, size_t length);
/* The message's length, even where it is longer than there is room for; -1: there is none, and `wait` is 0. */
static long sock_recv (struct sock *sock, void *message, size_t room, int wait);
static int sock_fd (struct sock *sock, int direct);
static void sock_close (struct sock *sock);
static struct poll_set *poll_open (struct sock **socks, int count);
/* Waits, and tells of each whether there is something to receive. */
static void poll_wait (struct poll_set *set, unsigned char *ready);
/* Forwards requests that come to `front`, to the workers that connect to `back`. */
static void device_open (const char *front, const char *back);
static _Noreturn void device_run (void);

/* ---- What all processes of a run share ---- */

enum {
    PATIENCE = 5,           /* s for what was sent to arrive, when sending has ended */
    LIFE = 150,             /* s after which a run that nobody ended ends */
    MOST_TALLIES = 512,
    MOST_SAMPLES = 1 << 20, /* of latency */
    MOST_CHILDREN = 16,
    BATCH = 100             /* tasks that a ventilator hands out before it waits for the sink */
};

/* What one thread has sent and received. On a cache line of its own, which nobody else writes to. */
struct tally {
    _Alignas (64) _Atomic uint64_t sent, received;
};

enum phase { STARTING, WARMING, MEASURING, ENDING };

struct shared {
    pthread_barrier_t step;
    _Atomic int failed, phase;
    _Atomic int active;  /* threads that have not sent everything, or not got every answer */
    _Atomic int greeted; /* subscribers that something has reached */
    _Atomic int tallies_used;
    struct tally tallies[MOST_TALLIES];
    _Atomic int in_time; /* a message whose latency counts has been sent or received */
    _Atomic uint64_t samples_used;
    uint32_t samples[MOST_SAMPLES]; /* ns */
    /* Of each numbered message that goes to many: when it was sent (0: not to be counted), how many have it, and when the
       last of them got it. */
    struct arrival {
        _Atomic uint64_t sent, last;
        _Atomic uint32_t reached;
    } arrivals[MOST_SAMPLES];
};

static struct shared *shared;
static struct args args;
static pid_t children[MOST_CHILDREN];
static int children_count;
static char cleanup_dir[96];

static void remove_files (void)
{
    DIR *dir = cleanup_dir[0] ? opendir (cleanup_dir) : NULL;
    for (struct dirent *entry; dir && (entry = readdir (dir));)
        unlinkat (dirfd (dir), entry->d_name, 0);
    if (dir)
        closedir (dir);
    rmdir (cleanup_dir);
}

static inline int stopped (void)
{
    return atomic_load_explicit (&shared->phase, memory_order_relaxed) == ENDING;
}

/* Everybody's three steps: all have bound; all have connected; all are ready. */
static void step (void)
{
    pthread_barrier_wait (&shared->step);
}

static struct tally *new_tally (void)
{
    int used = atomic_fetch_add (&shared->tallies_used, 1);
    if (used >= MOST_TALLIES)
        fail ("error", "too many threads");
    return &shared->tallies[used];
}

/* Only the tally's own thread writes to it. */
static inline void count (_Atomic uint64_t *value, uint64_t more)
{
    atomic_store_explicit (value, atomic_load_explicit (value, memory_order_relaxed) + more, memory_order_relaxed);
}

/* Before the step that makes everybody ready; and when a thread has done what it does. */
static void enter (int threads)
{
    atomic_fetch_add (&shared->active, threads);
}

static void leave (void)
{
    atomic_fetch_sub (&shared->active, 1);
}

static void start (void *(*run) (void *), void *argument)
{
    pthread_t thread;
    if (pthread_create (&thread, NULL, run, argument))
        fail ("error", "no thread");
    pthread_detach (thread);
}

/* Endpoint `number` of the run. Valid until the thread's next call. */
static const char *url (int number)
{
    static _Thread_local char text[128];
    char host[INET_ADDRSTRLEN];
    struct in_addr address = endpoint_address (number);
    inet_ntop (AF_INET, &address, host, sizeof host);
    if (args.transport == INPROC)
        snprintf (text, sizeof text, "inproc://shape%d", number);
    else if (args.transport == IPC)
        snprintf (text, sizeof text, "ipc://%s/%d", args.dir, number);
    else
        snprintf (text, sizeof text, "tcp://%s:%d", host, args.port);
    return text;
}

/* ---- Messages ---- */

#define GREETING UINT64_MAX

/* How a message begins. Its number stands at its end, too, so that a torn or shifted one does not pass. */
struct head {
    uint64_t number, stamp;
    uint32_t source, spare;
};

static void *new_message (void)
{
    return calloc (1, args.size);
}

static inline void send_message (struct sock *sock, unsigned char *message, int source, uint64_t number, uint64_t stamp)
{
    struct head head = {number, stamp, (uint32_t) source, 0};
    memcpy (message, &head, sizeof head);
    memcpy (message + args.size - 8, &number, 8);
    sock_send (sock, message, args.size);
}

/* 0: there is none. */
static inline int recv_message (struct sock *sock, unsigned char *message, int wait, struct head *head)
{
    uint64_t tail;
    long length = sock_recv (sock, message, args.size, wait);
    *head = (struct head){0};
    if (length < 0)
        return 0;
    if ((size_t) length != args.size)
        fail ("error", "a message has %ld bytes, expected %zu", length, args.size);
    memcpy (head, message, sizeof *head);
    memcpy (&tail, message + args.size - 8, 8);
    if (tail != head->number)
        fail ("error", "message %llu is numbered %llu at its end", (unsigned long long) head->number,
              (unsigned long long) tail);
    return 1;
}

static inline void expect (const struct head *head, uint64_t number)
{
    if (head->number != number)
        fail ("error", "message %llu of %u came, expected %llu", (unsigned long long) head->number, head->source,
              (unsigned long long) number);
}

/* A message that must be the next, and its number. */
static inline void recv_next (struct sock *sock, unsigned char *message, uint64_t number)
{
    struct head head;
    recv_message (sock, message, 1, &head);
    expect (&head, number);
}

enum { MOST_SOURCES = 16 };

/* Where several threads or sockets of a process receive what one source sends: each number comes once. */
static void expect_once (const struct head *head)
{
    enum { NUMBERS = 1 << 28 }; /* half a minute of ten millions a second; a bit each, of which only the used are memory */
    static _Atomic (_Atomic uint64_t *) seen[MOST_SOURCES];
    if (head->source >= MOST_SOURCES || head->number >= NUMBERS)
        fail ("error", "number %llu of source %u: there never was one", (unsigned long long) head->number, head->source);
    _Atomic uint64_t *bits = seen[head->source], *none = NULL;
    if (!bits) {
        bits = mmap (NULL, NUMBERS / 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (bits == MAP_FAILED)
            fail ("error", "no memory for the numbers");
        if (!atomic_compare_exchange_strong (&seen[head->source], &none, bits)) {
            munmap (bits, NUMBERS / 8);
            bits = none;
        }
    }
    uint64_t bit = 1ull << head->number % 64;
    if (atomic_fetch_or (&bits[head->number / 64], bit) & bit)
        fail ("error", "message %llu of %u came twice", (unsigned long long) head->number, head->source);
}

static void sample (uint64_t took)
{
    if (atomic_load (&shared->phase) != MEASURING)
        return;
    atomic_store (&shared->in_time, 1);
    uint64_t used = atomic_fetch_add (&shared->samples_used, 1);
    if (used < MOST_SAMPLES)
        shared->samples[used] = (uint32_t) (took < UINT32_MAX ? took : UINT32_MAX);
}

/* ---- What is measured ---- */

struct look {
    uint64_t time, received;
    double cpu, waits; /* of all processes: s, voluntary context switches */
};

static double process_cpu (pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid (pid, &clock) || clock_gettime (clock, &t))
        fail ("error", "the kernel does not tell the processor time of a process");
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* Threads that have ended do not count any more. */
static double process_waits (pid_t pid)
{
    char path[300], line[128];
    double sum = 0, value;
    snprintf (path, sizeof path, "/proc/%d/task", pid);
    DIR *dir = opendir (path);
    for (struct dirent *entry; dir && (entry = readdir (dir));) {
        snprintf (path, sizeof path, "/proc/%d/task/%s/status", pid, entry->d_name);
        FILE *file = fopen (path, "r");
        while (file && fgets (line, sizeof line, file))
            if (sscanf (line, "voluntary_ctxt_switches: %lf", &value) == 1)
                sum += value;
        if (file)
            fclose (file);
    }
    if (dir)
        closedir (dir);
    return sum;
}

static uint64_t total (int received)
{
    uint64_t sum = 0;
    for (int i = 0; i < atomic_load (&shared->tallies_used); i++)
        sum += received ? shared->tallies[i].received : shared->tallies[i].sent;
    return sum;
}

static struct look look (void)
{
    struct look now = {0};
    for (int i = 0; i < children_count; i++)
        now.waits += process_waits (children[i]);
    for (int i = 0; i < children_count; i++)
        now.cpu += process_cpu (children[i]);
    now.received = total (1);
    now.time = now_ns ();
    return now;
}

static void sleep_for (double seconds)
{
    uint64_t until = now_ns () + (uint64_t) (seconds * 1e9);
    struct timespec t = {(time_t) (until / 1000000000), (long) (until % 1000000000)};
    while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static int by_value (const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return (x > y) - (x < y);
}

static void print_latency (void)
{
    size_t used = shared->samples_used < MOST_SAMPLES ? shared->samples_used : MOST_SAMPLES;
    qsort (shared->samples, used, sizeof *shared->samples, by_value);
    printf (", \"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f", shared->samples[used / 2] / 1e3,
            shared->samples[used - 1 - used / 100] / 1e3, shared->samples[used - 1 - used / 1000] / 1e3);
}

/* ---- The shapes ---- */

struct part {
    void (*run) (int index); /* index: of the thread, among all of this part */
    int processes, threads;  /* threads in each process; 0: args.number, over the processes */
};

enum measured { RATE, LATENCY, IDLE };

struct shape {
    const char *name;
    enum measured measured;
    int lossy; /* a message may be lost, or none is counted as sent: the end does not wait for all to arrive */
    void (*arrived) (void); /* what else to look at when everything has ended */
    struct part parts[4];
};

static const struct shape shapes[];

#include "shapes.h"

/* ---- Processes ---- */

struct instance {
    const struct part *part;
    int index;
};

static void *run_instance (void *instance_)
{
    const struct instance *instance = instance_;
    instance->part->run (instance->index);
    return NULL;
}

static int threads_of (const struct part *part)
{
    return part->threads ? part->threads : args.number / part->processes;
}

/* Of one process of a part; with `part` NULL all of the shape. */
static void start_threads (const struct part *part, int process)
{
    for (const struct part *p = part ? part : args.shape->parts; p->run && (part ? p == part : 1); p++)
        for (int i = 0; i < threads_of (p) * (part ? 1 : p->processes); i++) {
            struct instance *instance = malloc (sizeof *instance);
            *instance = (struct instance){p, (part ? process * threads_of (p) : 0) + i};
            start (run_instance, instance);
        }
}

static void on_child_end (int signal)
{
    int status;
    (void) signal;
    for (int i = 0; i < children_count; i++)
        if (waitpid (children[i], &status, WNOHANG) == children[i]) {
            if (WIFSIGNALED (status))
                fail ("error", "a process was ended by signal %d", WTERMSIG (status));
            fail ("error", "a process ended with %d", WEXITSTATUS (status));
        }
}

static void start_process (const struct part *part, int process)
{
    pid_t parent = getpid ();
    if (children_count == MOST_CHILDREN)
        fail ("error", "too many processes");
    pid_t pid = fork ();
    if (pid < 0)
        fail ("error", "no process: %s", strerror (errno));
    if (pid == 0) {
        sigset_t none;
        sigemptyset (&none);
        signal (SIGCHLD, SIG_DFL);
        sigprocmask (SIG_SETMASK, &none, NULL);
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        if (getppid () != parent)
            _exit (1);
        cleanup_dir[0] = 0; /* the parent's business */
        library_init (args.lib);
        start_threads (part, process);
        for (;;)
            pause ();
    }
    children[children_count++] = pid;
}

static void end_processes (void)
{
    signal (SIGCHLD, SIG_DFL);
    for (int i = 0; i < children_count; i++)
        kill (children[i], SIGKILL);
    for (int i = 0; i < children_count; i++)
        waitpid (children[i], NULL, 0);
}

/* Until all that send have ended, and what they sent has arrived. */
static void await_the_rest (void)
{
    uint64_t until = now_ns () + PATIENCE * 1000000000ull;
    while (atomic_load (&shared->active) || (!args.shape->lossy && total (0) != total (1))) {
        if (now_ns () > until)
            fail ("error", "%d threads have not ended, and of %llu messages %llu have come", atomic_load (&shared->active),
                  (unsigned long long) total (0), (unsigned long long) total (1));
        nap ();
    }
}

static int nothing_yet (const struct look *begin)
{
    if (args.shape->measured == LATENCY && !atomic_load (&shared->in_time))
        return 1;
    return args.shape->measured != IDLE && total (1) == begin->received;
}

static void measure (void)
{
    for (int i = 0; i < 3; i++)
        step ();
    atomic_store (&shared->phase, WARMING);
    sleep_for (args.seconds / 5);
    struct look begin = look ();
    atomic_store (&shared->phase, MEASURING);
    sleep_for (args.seconds);
    for (uint64_t until = now_ns () + PATIENCE * 1000000000ull; nothing_yet (&begin);) {
        if (now_ns () > until)
            fail ("error", "nothing came in %d s", PATIENCE);
        nap ();
    }
    atomic_store (&shared->phase, ENDING);
    struct look end = look ();
    await_the_rest ();
    end_processes ();

    double seconds = (double) (end.time - begin.time) / 1e9, received = (double) (end.received - begin.received);
    printf ("{\"count\": %.0f, \"seconds\": %.6f", received, seconds);
    if (args.shape->arrived)
        args.shape->arrived ();
    if (args.shape->measured == IDLE) {
        printf (", \"cpu_ms_per_s\": %.4f, \"wakeups_per_s\": %.4f}\n", 1e3 * (end.cpu - begin.cpu) / seconds,
                (end.waits - begin.waits) / seconds);
        return;
    }
    if (args.shape->measured == LATENCY)
        print_latency ();
    printf (", \"msgs_per_s\": %.2f, \"mb_per_s\": %.4f, \"cpu_us\": %.4f, \"waits\": %.4f}\n", received / seconds,
            received / seconds * (double) args.size / 1e6, 1e6 * (end.cpu - begin.cpu) / received,
            (end.waits - begin.waits) / received);
}

/* ---- The command line ---- */

static _Noreturn void usage (const char *problem)
{
    fprintf (stderr,
             "%s\nusage: DRIVER --shape NAME --transport inproc|ipc|tcp --seconds S [--size BYTES] [--number N] [--threads N]\n"
             "              [--both 1] [--blocked 1] [--sub 1] [--window N --batch N] [--take N] [--direct 1] [--one 1]\n"
             "              [--period-us N] [--lib PATH]\n"
             "       DRIVER --version [--lib PATH]\nshapes:",
             problem);
    for (const struct shape *shape = shapes; shape->name; shape++)
        fprintf (stderr, " %s", shape->name);
    fprintf (stderr, "\n");
    exit (2);
}

static void parse (int argc, char **argv)
{
    static const char *const transports[] = {"inproc", "ipc", "tcp"};
    const struct {
        const char *name;
        int *value;
    } numbers[] = {{"--sub", &args.sub}, {"--number", &args.number}, {"--threads", &args.threads}, {"--both", &args.both},
                   {"--blocked", &args.blocked}, {"--window", &args.window}, {"--batch", &args.batch}, {"--take", &args.take},
                   {"--direct", &args.direct}, {"--one", &args.one}};
    int version = 0, transport = -1;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = argv[i + 1];
        size_t n = 0;
        if (!strcmp (name, "--version")) {
            version = 1;
            continue;
        }
        if (!value)
            usage (name);
        i++;
        while (n < sizeof numbers / sizeof *numbers && strcmp (name, numbers[n].name))
            n++;
        if (n < sizeof numbers / sizeof *numbers)
            *numbers[n].value = atoi (value);
        else if (!strcmp (name, "--shape"))
            for (const struct shape *shape = shapes; shape->name; shape++)
                args.shape = strcmp (shape->name, value) ? args.shape : shape;
        else if (!strcmp (name, "--transport"))
            for (int t = 0; t < 3; t++)
                transport = strcmp (transports[t], value) ? transport : t;
        else if (!strcmp (name, "--size"))
            args.size = strtoull (value, NULL, 10);
        else if (!strcmp (name, "--period-us"))
            args.period_us = atol (value);
        else if (!strcmp (name, "--seconds"))
            args.seconds = atof (value);
        else if (!strcmp (name, "--lib"))
            args.lib = value;
        else
            usage (name);
    }
    if (version) {
        library_init (args.lib);
        library_version ();
        exit (0);
    }
    if (!args.shape || transport < 0 || args.seconds <= 0 || args.seconds > LIFE / 2)
        usage ("--shape, --transport and --seconds are needed");
    if (args.size < sizeof (struct head) + 8 || args.number < 1 || args.threads < 1 || 2 * args.threads > MOST_SOURCES)
        usage ("--size, --number, --threads: too few or too many");
    if (args.window && (args.batch < 1 || args.window % args.batch))
        usage ("--batch has to fit into --window");
    args.transport = (__typeof__ (args.transport)) transport;
}

int main (int argc, char **argv)
{
    struct rlimit limit;
    pthread_barrierattr_t attributes;
    const char *tmp = getenv ("TMPDIR");
    args = (struct args){.size = 64, .number = 1, .threads = 1};
    parse (argc, argv);
    alarm (LIFE);

    getrlimit (RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit (RLIMIT_NOFILE, &limit);
    prctl (PR_SET_TIMERSLACK, 1ul); /* ns: what is sent at a certain time is sent then */
    if ((shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED)
        fail ("error", "no shared memory: %s", strerror (errno));
    failed = &shared->failed;
    if (args.transport == IPC) {
        snprintf (args.dir, sizeof args.dir, "%s/nnshape.XXXXXX", tmp && strlen (tmp) < 60 ? tmp : "/tmp");
        if (!mkdtemp (args.dir))
            fail ("error", "no folder for the sockets: %s", strerror (errno));
        strcpy (cleanup_dir, args.dir);
    } else if (args.transport == TCP)
        args.port = free_port ();

    unsigned instances = 1;
    for (const struct part *part = args.shape->parts; part->run; part++)
        instances += (unsigned) (part->processes * threads_of (part));
    pthread_barrierattr_init (&attributes);
    pthread_barrierattr_setpshared (&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init (&shared->step, &attributes, instances);

    sigset_t chld, old;
    sigemptyset (&chld);
    sigaddset (&chld, SIGCHLD);
    sigprocmask (SIG_BLOCK, &chld, &old);
    signal (SIGCHLD, on_child_end);
    if (args.transport == INPROC)
        start_process (NULL, 0);
    else
        for (const struct part *part = args.shape->parts; part->run; part++)
            for (int process = 0; process < part->processes; process++)
                start_process (part, process);
    sigprocmask (SIG_SETMASK, &old, NULL);
    measure ();
    remove_files ();
    return 0;
}

#endif
