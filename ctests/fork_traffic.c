/* fork and exec while messages are under way: the parent's traffic loses and
   doubles nothing, a child's end is none of the parent's business, and a program
   that is executed inherits no descriptor. */

#include "ctest.h"

static char body[60000];

/* Descriptors that this program was started with. */
static char inherited[16];

struct way { int s, count, wrong; pthread_t thread; };

static void *send_numbers(void *arg)
{
    struct way *w = arg;
    for (int i = 0; i < w->count; i++) {
        int size = i % 100 == 0 ? (int) sizeof body : 20;
        char text[sizeof body];
        memcpy(text, &i, sizeof i);
        w->wrong += nn_send(w->s, text, (size_t) size, 0) != size;
    }
    return NULL;
}

static void *receive_numbers(void *arg)
{
    struct way *w = arg;
    for (int i = 0; i < w->count; i++) {
        char text[sizeof body];
        int number, rc = nn_recv(w->s, text, sizeof text, 0);
        memcpy(&number, text, sizeof number);
        w->wrong += rc < 20 || number != i;
    }
    return NULL;
}

/* What a child does with its life. */
static void live(int how, const struct way *ways)
{
    char buf[8];
    int s[2];
    alarm(30);
    switch (how) {
    case 0:
        _exit(0);
    case 1:
        exit(0);
    case 2:
        for (int i = 0; i < 8; i++)
            if (nn_close(ways[i].s) != -1 || nn_errno() != EBADF)
                _exit(1);
        exit(0);
    case 3:
        ct_pair(TCP, s);
        if (nn_send(s[0], "own", 3, 0) != 3 || nn_recv(s[1], buf, sizeof buf, 0) != 3)
            _exit(2);
        exit(0);
    case 4:
        nn_term();
        _exit(0);
    default:
        execl("/proc/self/exe", "fork_traffic", inherited, NULL);
        _exit(3);
    }
}

static void forking(void)
{
    int p[2], count = ct_long ? 300000 : 10000, wrong = 0;
    struct way ways[8];
    for (enum ct_transport t = INPROC; t <= WS; t++) {
        ct_pair(t, p);
        for (int i = 0; i < 2; i++)
            ways[2 * t + i] = (struct way){.s = p[i], .count = count};
    }
    for (int i = 0; i < 8; i++)
        MUST(pthread_create(&ways[i].thread, NULL, i & 1 ? receive_numbers : send_numbers, &ways[i]));
    for (int i = 0; i < (ct_long ? 600 : 60); i++) {
        int status;
        pid_t pid = MUST(fork());
        if (pid == 0)
            live(i % 6, ways);
        MUST(waitpid(pid, &status, 0));
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            printf("a child of kind %d ended with %#x\n", i % 6, status);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(ways[i].thread, NULL);
        wrong += ways[i].wrong;
    }
    CHECK(wrong == 0);
    for (int i = 0; i < 8; i++)
        MUST(nn_close(ways[i].s));
}

/* A child ends while the parent has accepted what the kernel has not taken: it comes once, from the parent. */
static void exiting(enum ct_transport t, int how)
{
    static char frame[60100];
    char addr[NN_SOCKADDR_MAX];
    int s = ct_socket(NN_PAIR), sent = 0, status;
    MUST(nn_bind(s, ct_address(t, addr)));
    int fd = ct_raw_connect(addr);
    ct_raw_enter(addr, fd, s);
    while (nn_send(s, body, sizeof body, NN_DONTWAIT) >= 0)
        sent++;
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        close(fd);
        if (how == 0)
            exit(0);
        nn_term();
        _exit(0);
    }
    MUST(waitpid(pid, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    size_t size = ct_frame(addr, sizeof body, body, sizeof body, frame) - (t == WS ? 4 : 0);
    for (int i = 0; i < sent; i++)
        CHECK(ct_raw_read(fd, frame, size) == size);
    CHECK(!ct_raw_closed(fd, 100));
    close(fd);
    ALONE(s);
    /* The address is the parent's as before. */
    fd = ct_raw_connect(addr);
    ct_raw_enter(addr, fd, s);
    close(fd);
    MUST(nn_close(s));
}

int main(int argc, char **argv)
{
    int open_fds = ct_open_fds();
    if (argc == 2) {
        if (open_fds != atoi(argv[1]))
            printf("%d descriptors instead of %s\n", open_fds, argv[1]);
        return open_fds != atoi(argv[1]);
    }
    snprintf(inherited, sizeof inherited, "%d", open_fds);
    ct_dir();

    printf("-- exec\n");
    int p[4][2], ready = -1, status;
    size_t size = sizeof ready;
    for (enum ct_transport t = INPROC; t <= WS; t++)
        ct_pair(t, p[t]);
    for (enum ct_transport t = INPROC; t <= WS; t++)
        MUST(nn_getsockopt(p[t][0], NN_SOL_SOCKET, NN_RCVFD, &ready, &size));
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0)
        execl("/proc/self/exe", argv[0], inherited, NULL);
    MUST(waitpid(pid, &status, 0));
    printf("a program that is executed inherits %s\n", status == 0 ? "nothing" : "descriptors");
    for (enum ct_transport t = INPROC; t <= WS; t++)
        ct_close_pair(p[t]);

    QUIRK("Q-E3", "children come and go, and the parent's traffic loses and doubles nothing")
        forking();
    QUIRK("Q-E3", "a child's exit sends nothing of the parent's, and takes no address away") {
        for (enum ct_transport t = IPC; t <= WS; t++)
            for (int how = 0; how < 2; how++)
                exiting(t, how);
    }
    return 0;
}
