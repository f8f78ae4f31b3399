/* Signals: a handler that runs makes a blocked call return EINTR, SA_RESTART or
   not; the library's own threads take none; SIGPIPE never comes. */

#include "ctest.h"

static volatile sig_atomic_t handled;

static void handler(int sig)
{
    (void) sig;
    handled++;
}

struct waiter { int s, send, rc, error, done; pthread_t thread; };

static void *block(void *arg)
{
    struct waiter *w = arg;
    char buf[8];
    w->rc = w->send ? nn_send(w->s, "x", 1, 0) : nn_recv(w->s, buf, sizeof buf, 0);
    w->error = nn_errno();
    __atomic_store_n(&w->done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Signals the blocked thread until it returns: between two waits a signal goes by. */
static void interrupt(const char *what, int s, int send, int sig)
{
    struct waiter w = {.s = s, .send = send};
    MUST(pthread_create(&w.thread, NULL, block, &w));
    BLOCKED();
    do
        pthread_kill(w.thread, sig);
    while (!WAIT_FOR(100, __atomic_load_n(&w.done, __ATOMIC_SEQ_CST)));
    pthread_join(w.thread, NULL);
    printf("%s: %d %s\n", what, w.rc, w.rc < 0 ? ct_errname(w.error) : "");
}

/* How many other threads there are, or -1 when one of them lets a signal of the set in. */
static int deaf_threads(unsigned long long signals)
{
    char path[300], line[256];
    int threads = 0;
    struct dirent *task;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && (task = readdir(tasks))) {
        unsigned long long blocked = 0;
        if (task->d_name[0] == '.' || atoi(task->d_name) == (int) syscall(SYS_gettid))
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file))
            (void) sscanf(line, "SigBlk: %llx", &blocked);
        if (file)
            fclose(file);
        if ((blocked & signals) != signals)
            return -1;
        threads++;
    }
    if (tasks)
        closedir(tasks);
    return threads;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = handler};
    char addr[NN_SOCKADDR_MAX], buf[8];
    int s = ct_socket(NN_PAIR);

    for (int restart = 0; restart < 2; restart++) {
        printf("-- %s SA_RESTART\n", restart ? "with" : "without");
        sa.sa_flags = restart ? SA_RESTART : 0;
        sigaction(SIGUSR1, &sa, NULL);
        UNLESS_PORTABLE {
            interrupt("nn_recv", s, 0, SIGUSR1);
            interrupt("nn_send", s, 1, SIGUSR1);
        }
        for (enum ct_transport t = INPROC; t <= WS; t++) {
            int p[2];
            ct_pair(t, p);
            UNLESS_PORTABLE {
                printf("%s: ", ct_scheme[t]);
                interrupt("nn_recv", p[0], 0, SIGUSR1);
            }
            /* Nothing is lost by it. */
            MUST(nn_send(p[1], "hello", 5, 0));
            CALL(nn_recv(p[0], buf, sizeof buf, 0));
            ct_close_pair(p);
        }
    }
    CHECK(ct_portable || handled >= 10);

    printf("-- ignored signals interrupt nothing\n");
    signal(SIGUSR2, SIG_IGN);
    MUST(ct_set(s, NN_RCVTIMEO, 400));
    interrupt("nn_recv", s, 0, SIGUSR2);

    /* A call that does not wait is not interrupted, nor is one that has its answer. */
    raise(SIGUSR1);
    CALL(nn_recv(s, buf, sizeof buf, NN_DONTWAIT));

    printf("-- the library takes no signals of the process\n");
    MUST(nn_bind(s, ct_address(TCP, addr)));
    int other = ct_socket(NN_PAIR);
    MUST(nn_connect(other, addr));
    CONNECTED(other);
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int before = handled;
    CHECK(deaf_threads(1ull << (SIGUSR1 - 1) | 1ull << (SIGTERM - 1)) > 0);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGTERM);
    sigpending(&pending);
    printf("SIGUSR1 %s, SIGTERM %s\n", sigismember(&pending, SIGUSR1) ? "pending" : "taken",
           sigismember(&pending, SIGTERM) ? "pending" : "taken");
    CHECK(handled == before);
    signal(SIGTERM, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);

    printf("-- writing to a peer that is gone raises no SIGPIPE\n");
    signal(SIGPIPE, SIG_DFL);
    for (enum ct_transport t = IPC; t <= WS; t++)
        for (int i = 0; i < 20; i++) {
            int a = ct_socket(NN_PAIR);
            MUST(nn_bind(a, ct_address(t, addr)));
            int fd = ct_raw_connect(addr);
            ct_raw_enter(addr, fd, a);
            close(fd);
            for (int k = 0; k < 10; k++)
                nn_send(a, "x", 1, NN_DONTWAIT);
            MUST(nn_close(a));
        }
    printf("still here\n");
    MUST(nn_close(other));
    MUST(nn_close(s));
    return 0;
}
