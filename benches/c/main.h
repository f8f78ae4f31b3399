/* The command line, and the processes or threads of both sides. Part of bench.h. */

static void usage (const char *problem)
{
    fprintf (stderr,
             "%s\nusage: DRIVER --mode rtt|stream|fan|crowd --transport inproc|ipc|tcp|ws|tls --size BYTES --count N\n"
             "              [--pattern pair|reqrep|pushpull|pubsub] [--subs N] [--topics N] [--connections N] [--endpoints N] [--idle N]\n"
             "              [--threads N] [--device] [--nnmsg] [--pin CPU] [--lib PATH] [--pki FOLDER]\n"
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

static void place (struct args *args)
{
    const char *tmp = getenv ("TMPDIR");
    if (args->transport == IPC) {
        snprintf (args->dir, sizeof args->dir, "%s/nnbench.XXXXXX", tmp && strlen (tmp) < 60 ? tmp : "/tmp");
        if (!mkdtemp (args->dir))
            fail ("error", "no folder for the socket: %s", strerror (errno));
        strcpy (cleanup_dir, args->dir);
        snprintf (cleanup_file, sizeof cleanup_file, "%s/s", args->dir);
    } else if (args->transport != INPROC) {
        args->port = free_port ();
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
            args->mode = (enum mode) choose (value, (const char *const[]){"rtt", "stream", "fan", "crowd", NULL});
            mode = 1;
        } else if (!strcmp (name, "--transport")) {
            args->transport = (enum transport) choose (value, (const char *const[]){"inproc", "ipc", "tcp", "ws", "tls", NULL});
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
        else if (!strcmp (name, "--topics"))
            args->topics = atoi (value);
        else if (!strcmp (name, "--connections"))
            args->connections = atoi (value);
        else if (!strcmp (name, "--endpoints"))
            args->endpoints = atoi (value);
        else if (!strcmp (name, "--idle"))
            args->idle = atoi (value);
        else if (!strcmp (name, "--threads"))
            args->threads = atoi (value);
        else if (!strcmp (name, "--pin"))
            args->pin = atoi (value);
        else if (!strcmp (name, "--lib"))
            args->lib = value;
        else if (!strcmp (name, "--pki"))
            args->pki = value;
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
    if (args->transport == TLS && !args->pki)
        usage ("tls needs --pki");
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
    if (args->topics && (args->mode != FAN || args->topics < args->subs))
        usage ("--topics is for the fan-out, at least one for each subscriber");
    if (args->threads < 1 || args->threads > (args->mode == STREAM ? MOST_THREADS : 1))
        usage ("--threads: too few or too many");
    if (args->connections < 1 || args->endpoints < 1 || args->idle < 0 || links (args) > MOST_LINKS)
        usage ("--connections, --endpoints, --idle: too few or too many");
    if (args->mode != FAN && links (args) > 1 && (args->pattern == PAIR || args->transport == INPROC))
        usage ("many connections: not with pair, and not with inproc");
    if (args->endpoints > 1 && (args->transport == IPC || args->connections > 1 || args->idle))
        usage ("many endpoints are for tcp and ws, with one connection each");
    if (args->mode == CROWD && links (args) < 2)
        usage ("a crowd needs connections");
}

/* A connection is a descriptor at each side; libraries keep some more for themselves. */
static void allow_descriptors (const struct args *args)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t) links (args) + 1000;
    getrlimit (RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = needed;
    if (limit.rlim_max < needed)
        limit.rlim_max = needed; /* for the privileged */
    if (setrlimit (RLIMIT_NOFILE, &limit))
        fail ("unsupported", "%d connections need a limit of %llu descriptors, which cannot be set here (ulimit -Hn)",
              links (args), (unsigned long long) needed);
}

int main (int argc, char **argv)
{
    static struct args args = {.pin = -1, .subs = 1, .connections = 1, .endpoints = 1, .threads = 1};
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
    failed = &shared->failed;
    allow_descriptors (&args);
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
