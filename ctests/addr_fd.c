/* fd://N and fd://name, which the original does not know: sockets that the program has made, or was started with. */

#include "ctest.h"

enum { NN_ENDPOINT = -1001, NN_TCP_KEEPALIVE_IDLE = 1001 };

typedef int call(int, const char *);

static int give(call *how, int s, int fd)
{
    char addr[32];
    snprintf(addr, sizeof addr, "fd://%d", fd);
    return how(s, addr);
}

static int gone(int fd) { return fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

/* Ours, as all the library's descriptors are. */
static int adopted(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC); }

/* Still the program's, as it was made. */
static int untouched(int fd) { return !gone(fd) && !(fcntl(fd, F_GETFL) & O_NONBLOCK) && !fcntl(fd, F_GETFD); }

static void ends(int fds[2]) { MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds)); }

static void say(int from, int to, const char *what)
{
    char body[32];
    int size = (int) strlen(what);
    CHECK(nn_send(from, what, (size_t) size, 0) == size);
    CHECK(nn_recv(to, body, sizeof body, 0) == size && !memcmp(body, what, (size_t) size));
}

static void told(int s, int id, int fd)
{
    char addr[32], text[64];
    size_t size = sizeof text;
    snprintf(addr, sizeof addr, "fd://%d", fd);
    MUST(nn_getsockopt(s, NN_ENDPOINT, id, text, &size));
    CHECK(size == strlen(addr) && !strcmp(text, addr));
}

/* ---- both ends of a socketpair ------------------------------------------- */

static void speaks(int one, int other, call *first, call *second)
{
    int fds[2], a = ct_socket(one), b = ct_socket(other);
    ends(fds);
    if (other == NN_SUB)
        MUST(nn_setsockopt(b, NN_SUB, NN_SUB_SUBSCRIBE, "n", 1));
    int ia = MUST(give(first, a, fds[0])), ib = MUST(give(second, b, fds[1]));
    CHECK(adopted(fds[0]) && adopted(fds[1]));
    CONNECTED(a);
    CONNECTED(b);
    told(a, ia, fds[0]);
    told(b, ib, fds[1]);
    if (one == NN_PUB) {
        CHECK(nn_send(a, "others", 6, 0) == 6);
        say(a, b, "news");
    } else
        say(a, b, "there");
    if (one == NN_PAIR || one == NN_BUS || one == NN_REQ || one == NN_SURVEYOR)
        say(b, a, "and back");
    MUST(nn_close(a));
    CHECK(gone(fds[0]));
    /* The one connection has ended; the endpoint has not, and does not try again. */
    ALONE(b);
    EVENTUALLY(gone(fds[1]));
    told(b, ib, fds[1]);
    CHECK(ct_stat(b, NN_STAT_ESTABLISHED_CONNECTIONS) + ct_stat(b, NN_STAT_ACCEPTED_CONNECTIONS) == 1);
    CHECK(ct_stat(b, NN_STAT_INPROGRESS_CONNECTIONS) == 0 && ct_stat(b, NN_STAT_CONNECT_ERRORS) == 0);
    MUST(nn_shutdown(b, ib));
    MUST(nn_close(b));
}

static void all_patterns(void)
{
    static const int types[][2] = {{NN_PAIR, NN_PAIR}, {NN_PUB, NN_SUB}, {NN_REQ, NN_REP}, {NN_PUSH, NN_PULL},
                                   {NN_SURVEYOR, NN_RESPONDENT}, {NN_BUS, NN_BUS}};
    for (int i = 0; i < 6; i++) {
        speaks(types[i][0], types[i][1], nn_bind, nn_connect);
        speaks(types[i][0], types[i][1], nn_connect, nn_bind);
        speaks(types[i][0], types[i][1], nn_connect, nn_connect);
        speaks(types[i][0], types[i][1], nn_bind, nn_bind);
    }
}

/* Peers that say their type and nothing else, as the original does: at once, or when they have heard ours. */
static void plain_peers(void)
{
    for (int spoken = 0; spoken < 2; spoken++)
        for (int bound = 0; bound < 2; bound++) {
            int fds[2], s = ct_socket(NN_SUB);
            char header[8], body[8];
            MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
            ends(fds);
            if (spoken)
                ct_raw_write(fds[1], "\0SP\0\0\x20\0\0", 8);
            MUST(give(bound ? nn_bind : nn_connect, s, fds[0]));
            CHECK(ct_raw_read(fds[1], header, 8) == 8 && !memcmp(header, "\0SP\0\0\x21\0\0", 8));
            if (!spoken)
                ct_raw_write(fds[1], "\0SP\0\0\x20\0\0", 8);
            CONNECTED(s);
            ct_raw_write(fds[1], "\1\0\0\0\0\0\0\0\4news", 13);
            CHECK(nn_recv(s, body, sizeof body, 0) == 4 && !memcmp(body, "news", 4));
            MUST(nn_close(s));
            CHECK(ct_raw_closed(fds[1], CT_PATIENCE));
            close(fds[1]);
        }
}

/* A PAIR has room for one; the other connection is ended, and its descriptor closed. */
static void no_room(void)
{
    for (int bound = 0; bound < 2; bound++) {
        int fds[2], more[2], s = ct_socket(NN_PAIR), t = ct_socket(NN_PAIR);
        ends(fds);
        ends(more);
        MUST(give(nn_bind, s, fds[0]));
        MUST(give(nn_connect, t, fds[1]));
        CONNECTED(s);
        CONNECTED(t);
        MUST(give(bound ? nn_bind : nn_connect, s, more[0]));
        ct_raw_write(more[1], PAIR_HEADER, 8);
        CHECK(ct_raw_closed(more[1], CT_PATIENCE));
        EVENTUALLY(gone(more[0]));
        say(s, t, "still here");
        MUST(nn_close(s));
        MUST(nn_close(t));
        close(more[1]);
    }
}

static void lingers(void)
{
    int fds[2], a = ct_socket(NN_PUSH), b = ct_socket(NN_PULL);
    char number[8];
    ends(fds);
    MUST(give(nn_connect, a, fds[0]));
    MUST(give(nn_bind, b, fds[1]));
    for (int i = 0; i < 100; i++)
        CHECK(nn_send(a, number, (size_t) snprintf(number, sizeof number, "%d", i), 0) > 0);
    MUST(nn_close(a));
    for (int i = 0; i < 100; i++) {
        int size = nn_recv(b, number, sizeof number - 1, 0);
        CHECK(size > 0);
        number[size > 0 ? size : 0] = 0;
        CHECK(atoi(number) == i);
    }
    MUST(nn_close(b));
}

/* ---- listening, and tcp ---------------------------------------------------- */

static void serves(enum ct_transport transport)
{
    char addr[NN_SOCKADDR_MAX];
    int fd = ct_raw_listen(ct_address(transport, addr));
    int s = ct_socket(NN_PULL), peers[3];
    MUST(fcntl(fd, F_SETFD, 0));
    int id = MUST(give(nn_bind, s, fd));
    CHECK(adopted(fd));
    told(s, id, fd);
    for (int i = 0; i < 3; i++) {
        peers[i] = ct_socket(NN_PUSH);
        MUST(nn_connect(peers[i], addr));
        say(peers[i], s, "listening");
    }
    CHECK(PEERS(s) == 3);
    /* The library's until its endpoint is closed, and what it has accepted as well. */
    MUST(nn_shutdown(s, id));
    EVENTUALLY(gone(fd));
    ALONE(s);
    if (transport == IPC) /* the file is whoever's has made it */
        CHECK(access(ct_path_of(addr), F_OK) == 0);
    for (int i = 0; i < 3; i++)
        MUST(nn_close(peers[i]));
    MUST(nn_close(s));
}

static int is_on(int fd, int level, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    MUST(getsockopt(fd, level, option, &value, &size));
    return value;
}

/* Connections of the program's own, which obey the options of tcp. */
static void connections(void)
{
    char addr[NN_SOCKADDR_MAX];
    int idle = 77000, s = ct_socket(NN_PAIR), t = ct_socket(NN_PAIR);
    MUST(nn_bind(s, ct_address(TCP, addr)));
    int fd = ct_raw_connect(addr), same = MUST(dup(fd));
    MUST(nn_setsockopt(t, NN_TCP, NN_TCP_KEEPALIVE_IDLE, &idle, sizeof idle));
    MUST(give(nn_connect, t, fd));
    CHECK(is_on(same, IPPROTO_TCP, TCP_NODELAY) && is_on(same, SOL_SOCKET, SO_KEEPALIVE));
    CHECK(is_on(same, IPPROTO_TCP, TCP_KEEPIDLE) == 77);
    CONNECTED(t);
    say(s, t, "tcp");
    say(t, s, "tcp");
    MUST(nn_close(t));
    MUST(nn_close(s));
    close(same);

    /* Accepted by the program; who dials offers that subscriptions travel, which is answered. */
    int listener = ct_raw_listen(ct_address(TCP, addr));
    s = ct_socket(NN_PUB);
    t = ct_socket(NN_SUB);
    MUST(nn_setsockopt(t, NN_SUB, NN_SUB_SUBSCRIBE, "n", 1));
    MUST(nn_connect(t, addr));
    fd = MUST(ct_raw_accept(listener, CT_PATIENCE));
    MUST(give(nn_bind, s, fd));
    CONNECTED(s);
    CONNECTED(t);
    CHECK(nn_send(s, "others", 6, 0) == 6);
    say(s, t, "news");
    MUST(nn_close(s));
    MUST(nn_close(t));
    close(listener);
}

/* ---- what is refused --------------------------------------------------------- */

static void refused(call *how, const char *addr, int error)
{
    int s = ct_socket(NN_PAIR);
    errno = 0;
    CHECK(how(s, addr) == -1 && nn_errno() == error);
    CHECK(ct_stat(s, NN_STAT_BIND_ERRORS) == (how == nn_bind));
    MUST(nn_close(s));
}

static void refused_fd(call *how, int fd, int error)
{
    char addr[32];
    snprintf(addr, sizeof addr, "fd://%d", fd);
    refused(how, addr, error);
    if (error != EBADF)
        CHECK(untouched(fd));
}

static void refusals(void)
{
    char addr[NN_SOCKADDR_MAX];
    int pipes[2], packets[2], fds[2];
    int listener = ct_raw_listen(ct_address(TCP, addr));
    int datagrams = MUST(socket(AF_INET, SOCK_DGRAM, 0)), file = MUST(open("/dev/null", O_RDONLY));
    int alone = MUST(socket(AF_INET, SOCK_STREAM, 0)), local = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    MUST(fcntl(listener, F_SETFD, 0));
    MUST(pipe(pipes));
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets));
    call *const both[] = {nn_bind, nn_connect};
    for (int i = 0; i < 2; i++) {
        refused(both[i], "fd://", EINVAL);
        refused(both[i], "fd://3:4", EINVAL);
        refused(both[i], "fd://tab\t", EINVAL);
        refused(both[i], "fd://\xff", EINVAL);
        refused(both[i], "fd://-1", ENOENT); /* a name, and nothing has it */
        refused(both[i], "fd://work", ENOENT);
        refused(both[i], "fd://1000000", EBADF);
        refused(both[i], "fd://4294967299", EBADF);
        refused_fd(both[i], pipes[0], ENOTSOCK);
        refused_fd(both[i], file, ENOTSOCK);
        refused_fd(both[i], datagrams, EPROTONOSUPPORT);
        refused_fd(both[i], packets[0], EPROTONOSUPPORT);
        refused_fd(both[i], alone, ENOTCONN);
        refused_fd(both[i], local, ENOTCONN);
    }
    refused_fd(nn_connect, listener, ENOTCONN);
    int gone_fd = MUST(dup(file));
    close(gone_fd);
    refused_fd(nn_bind, gone_fd, EBADF);

    /* By a socket that is none, or that cannot have what it needs. */
    ends(fds);
    CHECK(give(nn_bind, 12345, fds[0]) == -1 && nn_errno() == EBADF && untouched(fds[0]));
    CHECK(give(nn_connect, 12345, fds[0]) == -1 && nn_errno() == EBADF && untouched(fds[0]));
    int s = ct_socket(NN_PAIR), t = ct_socket(NN_PAIR), fillers[256], count = 0;
    struct rlimit all, few;
    MUST(getrlimit(RLIMIT_NOFILE, &all));
    few = all;
    few.rlim_cur = 256;
    MUST(setrlimit(RLIMIT_NOFILE, &few));
    while (count < 256 && (fillers[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    UNLESS_PORTABLE {
        CHECK(give(nn_bind, s, fds[0]) == -1 && nn_errno() == EMFILE && untouched(fds[0]));
        CHECK(give(nn_connect, s, fds[0]) == -1 && nn_errno() == EMFILE && untouched(fds[0]));
    }
    MUST(setrlimit(RLIMIT_NOFILE, &all));
    while (count)
        close(fillers[--count]);
    MUST(give(nn_bind, s, fds[0]));
    MUST(give(nn_connect, t, fds[1]));
    say(s, t, "after all");

    /* A descriptor is given once at a time, to whichever socket, and not harmed by the second try. */
    int u = ct_socket(NN_PAIR);
    CHECK(give(nn_bind, u, fds[0]) == -1 && nn_errno() == EADDRINUSE);
    CHECK(give(nn_connect, s, fds[0]) == -1 && nn_errno() == EADDRINUSE);
    CHECK(give(nn_connect, u, fds[1]) == -1 && nn_errno() == EADDRINUSE);
    say(t, s, "unharmed");
    MUST(nn_close(s));
    MUST(nn_close(t));

    /* The program keeps the listener by another number, and gives it again by the same. */
    int kept = MUST(dup(listener));
    for (int round = 0; round < 3; round++) {
        s = ct_socket(NN_PAIR);
        t = ct_socket(NN_PAIR);
        MUST(give(nn_bind, s, listener));
        CHECK(give(nn_bind, u, listener) == -1 && nn_errno() == EADDRINUSE);
        MUST(nn_connect(t, addr));
        say(t, s, "again");
        MUST(nn_close(s));
        MUST(nn_close(t));
        CHECK(gone(listener));
        MUST(dup2(kept, listener));
    }
    MUST(nn_close(u));
    int rest[] = {kept, listener, datagrams, file, alone, local, pipes[0], pipes[1], packets[0], packets[1]};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        CHECK(close(rest[i]) == 0);
}

/* ---- rounds, and processes ----------------------------------------------------- */

static void leaks(void)
{
    int fds[2], s = ct_socket(NN_PULL), t = ct_socket(NN_PUSH);
    ends(fds);
    MUST(give(nn_bind, s, fds[0]));
    MUST(give(nn_connect, t, fds[1]));
    say(t, s, "first");
    int before = ct_open_fds();
    for (int i = 0; i < 3000; i++) {
        ends(fds);
        /* Through all ways to lose one: the endpoint goes, the peer goes, it is refused. */
        int id = MUST(give(i & 1 ? nn_bind : nn_connect, s, fds[0]));
        CHECK(give(nn_bind, t, fds[0]) == -1 && nn_errno() == EADDRINUSE);
        if (i % 3 == 0)
            ct_raw_write(fds[1], "\0SP\0\0\x50\0\0", 8); /* a PUSH */
        if (i % 5 == 0)
            ct_raw_write(fds[1], "garbage.", 8);
        if (i & 2)
            MUST(nn_shutdown(s, id));
        close(fds[1]);
        EVENTUALLY(gone(fds[0]));
        if (!(i & 2))
            MUST(nn_shutdown(s, id));
    }
    EVENTUALLY(ct_open_fds() == before);
    say(t, s, "last");
    MUST(nn_close(s));
    MUST(nn_close(t));
    for (int i = 0; i < 500; i++) {
        ends(fds);
        s = ct_socket(NN_PAIR);
        MUST(give(i & 1 ? nn_bind : nn_connect, s, fds[0]));
        MUST(nn_close(s));
        CHECK(gone(fds[0]) && close(fds[1]) == 0);
    }
}

/* A number is free as soon as its descriptor is closed, and the next one of that number, of whichever thread, can be given. */
static void *rounds(void *unused)
{
    (void) unused;
    for (int i = 0; i < 1000; i++) {
        int fds[2], s = ct_socket(NN_PAIR), t = ct_socket(NN_PAIR);
        ends(fds);
        MUST(give(nn_connect, s, fds[0]));
        MUST(give(nn_connect, t, fds[1]));
        MUST(nn_close(s));
        MUST(nn_close(t));
    }
    return NULL;
}

static void threads(void)
{
    pthread_t all[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&all[i], NULL, rounds, NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(all[i], NULL) == 0);
}

static void in_child(void (*body)(int), int fd)
{
    int status;
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        alarm(45);
        body(fd);
        fflush(stdout);
        _exit(!ct_all_hold);
    }
    MUST(waitpid(pid, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static char forked_addr[NN_SOCKADDR_MAX];

/* The child's copy of a descriptor is another one, and its library has not been given it yet. */
static void in_the_child(int fd)
{
    int s = ct_socket(NN_REP), t = ct_socket(NN_REQ);
    MUST(give(nn_bind, s, fd));
    CHECK(give(nn_bind, t, fd) == -1 && nn_errno() == EADDRINUSE);
    MUST(nn_close(s));
    CHECK(gone(fd));
    MUST(nn_close(t));
}

static void forks(void)
{
    int fd = ct_raw_listen(ct_address(TCP, forked_addr)), s = ct_socket(NN_REP), t = ct_socket(NN_REQ);
    MUST(give(nn_bind, s, fd));
    in_child(in_the_child, fd);
    CHECK(!gone(fd));
    MUST(nn_connect(t, forked_addr));
    say(t, s, "after the fork");
    MUST(nn_close(s));
    MUST(nn_close(t));
}

static void terminates(int unused)
{
    int fds[2];
    (void) unused;
    ends(fds);
    int s = ct_socket(NN_PAIR);
    MUST(give(nn_bind, s, fds[0]));
    nn_term();
    CHECK(gone(fds[0]) && ct_raw_closed(fds[1], CT_PATIENCE));
    CHECK(give(nn_bind, s, fds[1]) == -1 && !gone(fds[1]));
}

/* ---- sockets that the process was started with ----------------------------------- */

static void environment(pid_t pid, const char *count, const char *names)
{
    char number[16];
    snprintf(number, sizeof number, "%d", (int) pid);
    setenv("LISTEN_PID", number, 1);
    setenv("LISTEN_FDS", count, 1);
    if (names)
        setenv("LISTEN_FDNAMES", names, 1);
    else
        unsetenv("LISTEN_FDNAMES");
}

static void activated(int unused)
{
    char addr[3][NN_SOCKADDR_MAX];
    (void) unused;
    int made[3];
    for (int i = 0; i < 3; i++)
        made[i] = MUST(fcntl(ct_raw_listen(ct_address(i == 2 ? IPC : TCP, addr[i])), F_DUPFD, 20));
    for (int i = 0; i < 3; i++) {
        MUST(dup2(made[i], 3 + i));
        close(made[i]);
    }
    for (int fd = 6; fd < 20; fd++)
        close(fd);
    environment(getppid(), "3", "work:a name.:work"); /* another's */
    refused(nn_bind, "fd://work", ENOENT);
    environment(getpid(), "2", "work:a name.:work"); /* wrong */
    refused(nn_bind, "fd://work", ENOENT);
    environment(getpid(), "3", "work:a name.:work");
    refused(nn_bind, "fd://other", ENOENT);
    refused(nn_bind, "fd://wor", ENOENT);
    refused(nn_connect, "fd://work", ENOTCONN); /* which leaves it where it is */

    int s = ct_socket(NN_REP), t[3], twice = ct_socket(NN_REP);
    int id = MUST(nn_bind(s, "fd://work"));
    MUST(nn_bind(s, "fd://a name."));
    MUST(nn_bind(s, "fd://work")); /* the second of the name */
    CHECK(adopted(3) && adopted(4) && adopted(5));
    CHECK(nn_bind(s, "fd://work") == -1 && nn_errno() == EADDRINUSE);
    CHECK(nn_bind(twice, "fd://4") == -1 && nn_errno() == EADDRINUSE);
    char text[64];
    size_t size = sizeof text;
    MUST(nn_getsockopt(s, NN_ENDPOINT, id, text, &size));
    CHECK(!strcmp(text, "fd://work"));
    for (int i = 0; i < 3; i++) {
        t[i] = ct_socket(NN_REQ);
        MUST(nn_connect(t[i], addr[i]));
        say(t[i], s, "work");
        say(s, t[i], "done");
    }
    /* Whatever has the number later is not what the process was started with. */
    MUST(nn_shutdown(s, id));
    EVENTUALLY(gone(3));
    int later = ct_raw_listen(ct_address(TCP, addr[0]));
    if (later != 3) {
        MUST(dup2(later, 3));
        close(later);
    }
    CHECK(nn_bind(s, "fd://work") == -1 && nn_errno() == EADDRINUSE);
    environment(getpid(), "1", NULL);
    CHECK(nn_bind(s, "fd://unknown") == -1 && nn_errno() == EADDRINUSE);
    MUST(nn_bind(s, "fd://3")); /* the number is good */
    MUST(nn_close(s));
    MUST(nn_close(twice));
    for (int i = 0; i < 3; i++)
        MUST(nn_close(t[i]));
    MUST(unlink(ct_path_of(addr[2])));
}

/* Without names all are called unknown. */
static void unnamed(int unused)
{
    char addr[NN_SOCKADDR_MAX];
    (void) unused;
    int fd = MUST(fcntl(ct_raw_listen(ct_address(TCP, addr)), F_DUPFD, 20));
    MUST(dup2(fd, 3));
    for (int other = 4; other <= fd; other++)
        close(other);
    environment(getpid(), "1", NULL);
    int s = ct_socket(NN_PULL), t = ct_socket(NN_PUSH);
    MUST(nn_bind(s, "fd://unknown"));
    MUST(nn_connect(t, addr));
    say(t, s, "nameless");
    MUST(nn_close(s));
    MUST(nn_close(t));
}

int main(void)
{
    ct_dir();
    QUIRK("fd", "sockets that the program has made are bound and connected to by their numbers") {
        /* Before there is a descriptor of the library's. */
        in_child(activated, 0);
        in_child(unnamed, 0);
        in_child(terminates, 0);
        int before = ct_open_fds();
        all_patterns();
        plain_peers();
        no_room();
        lingers();
        serves(TCP);
        serves(IPC);
        connections();
        refusals();
        leaks();
        threads();
        forks();
        EVENTUALLY(ct_open_fds() == before + 5); /* the ports that ct_port keeps */
    }
    return 0;
}
