/* Peers that stop reading or are killed, and signals that rain on all threads
   meanwhile: calls wait or say so, nothing spins, nothing is lost or doubled. */

#include "ctest.h"
#include "faults.h"

static char body[60000], frame[60100];

/* A peer that stops reading, and goes on later. */
static void stalled(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR), p[2], count = 0;
    ct_pair(t, p);
    MUST(nn_bind(s, ct_address(t, addr)));
    MUST(ct_set(s, NN_SNDTIMEO, 100));
    int fd = ct_raw_connect(addr);
    ct_raw_enter(addr, fd, s);
    while (nn_send(s, body, sizeof body, 0) == (int) sizeof body)
        count++;
    CHECK(nn_errno() == ETIMEDOUT && count > 0);
    int64_t start = ct_now();
    CHECK(nn_send(s, body, sizeof body, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
    CHECK(ct_took(start, 0, 1000));
    IDLES(300);
    fault_talk(p[0], p[1]);
    size_t head = t == TCP ? 8 : t == IPC ? 9 : 4;
    for (int i = 0; i < count; i++)
        CHECK(ct_raw_read(fd, frame, head + sizeof body) == head + sizeof body);
    MUST(ct_set(s, NN_SNDTIMEO, CT_PATIENCE));
    CHECK(nn_send(s, "x", 1, 0) == 1);
    CHECK(ct_raw_read(fd, frame, (t == WS ? 2 : head) + 1) > 0 && frame[(t == WS ? 2 : head)] == 'x');
    close(fd);
    ct_close_pair(p);
    MUST(nn_close(s));
}

/* Another process that takes work until it is killed. */
static pid_t worker(const char *addr)
{
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        alarm(45);
        execl("/proc/self/exe", "faults_peer", addr, NULL);
        _exit(1);
    }
    return pid;
}

__attribute__((noreturn)) static void work(const char *addr)
{
    static char buf[100000];
    int s = ct_socket(NN_REP);
    MUST(nn_connect(s, addr));
    for (;;)
        if (nn_recv(s, buf, sizeof buf, 0) >= 0)
            nn_send(s, buf, 1, 0);
}

static void end(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    MUST(waitpid(pid, &status, 0));
}

static void killed(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_REQ), done = 0, interval = 60000;
    MUST(nn_setsockopt(s, NN_REQ, NN_REQ_RESEND_IVL, &interval, sizeof interval));
    MUST(nn_bind(s, ct_address(t, addr)));
    pid_t pid = worker(addr);
    CONNECTED(s);
    for (int i = 0; i < 20; i++) {
        /* In the middle of its work. What it had is done by the next one. */
        memset(body, i, sizeof body);
        CHECK(nn_send(s, body, sizeof body, 0) == (int) sizeof body);
        end(pid);
        ALONE(s);
        IDLES(20);
        pid = worker(addr);
        char answer = 0;
        CHECK(nn_recv(s, &answer, 1, 0) == 1);
        done += answer == i;
    }
    printf("%s: %d of 20 requests answered though their first worker was killed\n", ct_scheme[t], done);
    end(pid);
    ALONE(s);
    MUST(nn_close(s));
}

static volatile sig_atomic_t handled;
static int raining;

static void handler(int sig)
{
    (void) sig;
    handled++;
}

/* Signals to each thread of the process, as fast as they are taken. */
static void *rain(void *unused)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (__atomic_load_n(&raining, __ATOMIC_SEQ_CST)) {
        DIR *d = opendir("/proc/self/task");
        for (struct dirent *e; d && (e = readdir(d));)
            if (e->d_name[0] != '.')
                tgkill(getpid(), atoi(e->d_name), handled & 1 ? SIGUSR1 : SIGUSR2);
        closedir(d);
        struct timespec t = {0, 50000};
        nanosleep(&t, NULL);
    }
    return unused;
}

struct way { int s, count, wrong; };

static void *send_numbers(void *arg)
{
    struct way *w = arg;
    for (int i = 0; i < w->count; i++) {
        /* Small ones and large ones. */
        memcpy(body, &i, sizeof i);
        int size = i % 50 == 0 ? (int) sizeof body : 10, rc;
        while ((rc = nn_send(w->s, body, (size_t) size, 0)) < 0 && nn_errno() == EINTR)
            continue;
        w->wrong += rc != size;
    }
    return NULL;
}

static void *receive_numbers(void *arg)
{
    static char buf[100000];
    struct way *w = arg;
    for (int i = 0; i < w->count; i++) {
        int rc, number;
        while ((rc = nn_recv(w->s, buf, sizeof buf, 0)) < 0 && nn_errno() == EINTR)
            continue;
        memcpy(&number, buf, sizeof number);
        w->wrong += rc < 10 || number != i;
    }
    return NULL;
}

static void under_rain(enum ct_transport t)
{
    int p[2], count = ct_long ? 200000 : 3000;
    pthread_t cloud, sender, receiver;
    struct sigaction sa = {.sa_handler = handler};
    ct_pair(t, p);
    struct way out = {p[0], count, 0}, in = {p[1], count, 0};
    sigaction(SIGUSR1, &sa, NULL);
    sa.sa_flags = SA_RESTART;
    sigaction(SIGUSR2, &sa, NULL);
    handled = 0;
    raining = 1;
    MUST(pthread_create(&cloud, NULL, rain, NULL));
    MUST(pthread_create(&receiver, NULL, receive_numbers, &in));
    EVENTUALLY(handled > 10);
    MUST(pthread_create(&sender, NULL, send_numbers, &out));
    pthread_join(sender, NULL);
    pthread_join(receiver, NULL);
    __atomic_store_n(&raining, 0, __ATOMIC_SEQ_CST);
    pthread_join(cloud, NULL);
    CHECK(out.wrong == 0 && in.wrong == 0);
    printf("%s: signals take no message and double none\n", ct_scheme[t]);
    ct_close_pair(p);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        work(argv[1]);
    ct_dir();
    QUIRK("Q-E11", "peers that stop reading, and go on, get everything") {
        for (enum ct_transport t = IPC; t <= WS; t++)
            stalled(t);
    }
    for (enum ct_transport t = IPC; t <= WS; t++)
        killed(t);
    for (enum ct_transport t = INPROC; t <= WS; t++)
        under_rain(t);
    return 0;
}
