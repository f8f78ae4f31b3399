/* unix://, which upstream has since 1.3.0, and ipc://, its other name: addresses, the
   order of checks, the socket file, and both names at one path. The original 1.1.5
   knows ipc:// alone: it runs what both have, by that name. */

#include "ctest.h"
#include <sys/un.h>

static const char *scheme;

static int exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static ino_t inode(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

static const char *at(const char *path)
{
    static char addr[2][2 * NN_SOCKADDR_MAX];
    static int turn;
    turn = !turn;
    snprintf(addr[turn], sizeof addr[turn], "%s://%s", scheme, path);
    return addr[turn];
}

static int refuses(int s, const char *addr, int error)
{
    int bind = nn_bind(s, addr) == -1 && nn_errno() == error;
    return bind & (nn_connect(s, addr) == -1 && nn_errno() == error);
}

/* A message each way. */
static void talk(int bound, int connected)
{
    char buf[8];
    CONNECTED(bound);
    CONNECTED(connected);
    CHECK(nn_send(bound, "there", 5, 0) == 5 && nn_recv(connected, buf, sizeof buf, 0) == 5);
    CHECK(nn_send(connected, "back", 4, 0) == 4 && nn_recv(bound, buf, sizeof buf, 0) == 4);
}

static void at_one_path(const char *bound, const char *connected)
{
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    MUST(nn_bind(a, bound));
    MUST(nn_connect(b, connected));
    talk(a, b);
    MUST(nn_close(b));
    MUST(nn_close(a));
}

/* Of path bytes, with the folder's in front. */
static const char *long_path(size_t bytes)
{
    static char path[300];
    memset(path, 'p', sizeof path);
    memcpy(path, ct_dir(), strlen(ct_dir()));
    path[strlen(ct_dir())] = '/';
    path[bytes] = 0;
    return path;
}

static void addresses(void)
{
    int s = ct_socket(NN_PAIR);
    static const char *const paths[] = {"plain", "./dotted", "with blanks ", "per%20cent?query#part", "@not-abstract",
                                        "semi;colon:1", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "unix:", "*", "\xff\xfe"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        at_one_path(at(paths[i]), at(paths[i]));
        MUST(nn_bind(s, at(paths[i])));
        CHECK(inode(paths[i]));
        MUST(nn_close(s));
        CHECK(!exists(paths[i]));
        s = ct_socket(NN_PAIR);
    }
    printf("paths are taken as they are\n");
    CALL_AS("107 bytes", nn_bind(s, at(long_path(107))));
    CALL_AS("107 bytes, to connect", nn_connect(s, at(long_path(107))));
    CALL_AS("missing folder", nn_bind(s, at("no/such/folder")));
    CALL_AS("missing folder, to connect", nn_connect(s, at("no/such/folder")));
    CALL(nn_close(s));

    QUIRK("1.3.0", "an empty path is EINVAL; one of 108 bytes or more ENAMETOOLONG; for bind and connect, and at once") {
        static const char *const names[] = {"unix", "ipc"};
        for (int i = 0; i < 2; i++) {
            scheme = names[i];
            s = ct_socket(NN_PAIR);
            CHECK(refuses(s, at(""), EINVAL));
            for (size_t bytes = 108; bytes < 200; bytes++)
                CHECK(refuses(s, at(long_path(bytes)), ENAMETOOLONG));
            /* The socket is as good as ever, and no id was used up. */
            CHECK(nn_bind(s, at("after")) == 1);
            CHECK(nn_connect(s, at("elsewhere")) == 2);
            CHECK(nn_close(s) == 0);
        }
        scheme = "unix";
    }
}

/* EBADF, then NULL, then the length, then "://", then the scheme, then the path. */
static void order(void)
{
    char long_one[300];
    int s = ct_socket(NN_PAIR);
    memset(long_one, 'x', sizeof long_one);
    long_one[299] = 0;
    CALL_AS("no socket, NULL", nn_bind(-1, NULL));
    CALL_AS("no socket, NULL, to connect", nn_connect(-1, NULL));
    CALL_AS("no socket, too long", nn_bind(777, long_one));
    CALL_AS("NULL", nn_bind(s, NULL));
    CALL_AS("NULL, to connect", nn_connect(s, NULL));
    CALL_AS("too long, and no scheme", nn_bind(s, long_one));
    CALL_AS("too long, and no scheme, to connect", nn_connect(s, long_one));
    memcpy(long_one, "nosuch://", 9);
    CALL_AS("too long, and an unknown scheme", nn_bind(s, long_one));
    long_one[127] = 0;
    CALL_AS("127 characters, and an unknown scheme", nn_bind(s, long_one));
    static const char *const unknown[] = {"IPC://x", "Ipc://x", "UNIX://x", "Unix://x", "unixx://x", "uni://x", "unix+x://x",
                                          "winpipe://x", "winpipe://", "WINPIPE://x", "ipcs://x", " ipc://x"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CALL_AS(unknown[i], nn_bind(s, unknown[i]));
        CALL_AS(unknown[i], nn_connect(s, unknown[i]));
    }
    static const char *const incomplete[] = {"unix", "unix:", "unix:/x", "unix//x", "winpipe", "winpipe:x"};
    for (size_t i = 0; i < sizeof incomplete / sizeof *incomplete; i++)
        CALL_AS(incomplete[i], nn_bind(s, incomplete[i]));
    CALL(nn_bind(s, at("first")));
    CALL(nn_close(s));
}

static void two_names(void)
{
    QUIRK("1.3.0", "unix and ipc are two names of one transport: they meet at one path, and stand in each other's way") {
        at_one_path("unix://meet", "ipc://meet");
        at_one_path("ipc://meet", "unix://meet");
        int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
        CHECK(nn_bind(a, "unix://taken") == 1);
        CHECK(nn_bind(b, "ipc://taken") == -1 && nn_errno() == EADDRINUSE);
        CHECK(nn_bind(b, "unix://taken") == -1 && nn_errno() == EADDRINUSE);
        CHECK(nn_bind(b, "unix://./taken") == -1 && nn_errno() == EADDRINUSE);
        /* The one who is there is not harmed. */
        MUST(nn_connect(b, "ipc://taken"));
        talk(a, b);
        MUST(nn_close(b));
        MUST(nn_close(a));
        CHECK(!exists("taken"));
        /* The options of one are the other's. */
        int value = 77, read = 0;
        size_t size = sizeof read;
        a = ct_socket(NN_PAIR);
        CHECK(nn_setsockopt(a, NN_IPC, NN_IPC_INBUFSZ, &value, sizeof value) == 0);
        CHECK(nn_getsockopt(a, -2, 3, &read, &size) == 0 && read == 77);
        MUST(nn_close(a));
    }
}

/* What becomes of the file at the end. */
static void files(void)
{
    int s = ct_socket(NN_PAIR), t;
    MUST(nn_bind(s, at("a")));
    CHECK(inode("a"));
    MUST(nn_close(s));
    printf("nobody has connected: %s\n", exists("a") ? "there" : "gone");

    /* One that a process has left. */
    struct sockaddr_un dead = {AF_UNIX, "dead"};
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    MUST(bind(fd, (struct sockaddr *) &dead, sizeof dead));
    close(fd);
    s = ct_socket(NN_PAIR);
    CALL_AS("a dead file in the way", nn_bind(s, at("dead")));
    MUST(nn_close(s));

    /* Renamed, it stays, and can be reached. */
    s = ct_socket(NN_PAIR);
    t = ct_socket(NN_PAIR);
    MUST(nn_bind(s, at("b")));
    ino_t ours = inode("b");
    CHECK(rename("b", "c") == 0);
    MUST(nn_connect(t, at("c")));
    talk(s, t);
    MUST(nn_close(t));
    MUST(nn_close(s));
    CHECK(ours && inode("c") == ours);
    printf("renamed, it stays\n");
    MUST(unlink("c"));

    QUIRK("1.3.0", "a file that has taken the place of ours stays, whatever it is") {
        static const char *const kinds[] = {"socket of ours", "socket", "dead socket", "file", "link", "folder"};
        for (int kind = 0; kind < 6; kind++) {
            struct sockaddr_un there = {AF_UNIX, "d"};
            s = ct_socket(NN_PAIR);
            t = ct_socket(NN_PAIR);
            fd = -1;
            CHECK(nn_bind(s, at("d")) == 1);
            /* Renamed and not removed: the number would be given to the next. */
            CHECK(rename("d", "d.old") == 0);
            switch (kind) {
            case 0: MUST(nn_bind(t, at("d"))); break;
            case 1: case 2:
                fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
                MUST(bind(fd, (struct sockaddr *) &there, sizeof there));
                if (kind == 1)
                    MUST(listen(fd, 1));
                break;
            case 3: fclose(fopen("d", "w")); break;
            case 4: MUST(symlink("d.old", "d")); break;
            case 5: MUST(mkdir("d", 0777)); break;
            }
            CHECK(nn_close(s) == 0);
            if (!exists("d"))
                printf("%s is gone\n", kinds[kind]);
            CHECK(exists("d"));
            CHECK(nn_close(t) == 0);
            if (fd >= 0)
                close(fd);
            CHECK((kind == 0) == !exists("d"));
            remove("d");
            CHECK(exists("d.old"));
            remove("d.old");
        }
    }
    QUIRK("1.3.0", "a bind that fails leaves no file behind, and no descriptor") {
        static const int kinds[] = {S_IFREG, S_IFDIR, S_IFIFO};
        for (int i = 0; i < 3; i++) {
            MUST(mkdir("only", 0777));
            if (kinds[i] == S_IFDIR)
                MUST(mkdir("only/e", 0777));
            else
                MUST(mknod("only/e", kinds[i] | 0666, 0));
            s = ct_socket(NN_PAIR);
            int before = ct_open_fds();
            CHECK(nn_bind(s, at("only/e")) == -1 && nn_errno() == EADDRINUSE);
            CHECK(ct_open_fds() == before);
            MUST(nn_close(s));
            CHECK(exists("only/e"));
            MUST(remove("only/e"));
            /* Nothing else is in there. */
            CHECK(rmdir("only") == 0);
        }
    }
    QUIRK("relative path", "the file is removed also when the process has gone to another folder") {
        s = ct_socket(NN_PAIR);
        CHECK(nn_bind(s, at("f")) == 1);
        MUST(mkdir("else", 0777));
        MUST(chdir("else"));
        /* Another's of the same name. */
        t = ct_socket(NN_PAIR);
        CHECK(nn_bind(t, at("f")) == 1);
        CHECK(nn_close(s) == 0);
        CHECK(!exists("../f") && exists("f"));
        CHECK(nn_close(t) == 0);
        MUST(chdir(".."));
        CHECK(rmdir("else") == 0);
    }
}

/* A dial in between finds no file, rather than a file and nobody behind it: of those
   another process would make its own. */
static int gone_before_it_closed = -1, watched_fd = -1;

__attribute__((visibility("default"))) int close(int fd)
{
    if (fd >= 0 && fd == watched_fd) {
        gone_before_it_closed = !exists("g");
        watched_fd = -1;
    }
    return (int) syscall(SYS_close, fd);
}

static void unlinked_first(void)
{
    int s = ct_socket(NN_PAIR), listener = -1;
    /* The descriptor that it listens on. */
    int before[1024] = {0};
    for (int fd = 0; fd < 1024; fd++)
        before[fd] = fcntl(fd, F_GETFD) != -1;
    MUST(nn_bind(s, at("g")));
    for (int fd = 0; fd < 1024; fd++) {
        int listens = 0;
        socklen_t size = sizeof listens;
        if (!before[fd] && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens)
            listener = fd;
    }
    CHECK(listener >= 0);
    watched_fd = listener;
    MUST(nn_close(s));
    EVENTUALLY(watched_fd == -1);
    CHECK(gone_before_it_closed == 1);
    printf("the file goes, then the listener\n");
}

int main(void)
{
    scheme = ct_oracle ? "ipc" : "unix";
    MUST(chdir(ct_dir()));
    addresses();
    order();
    two_names();
    files();
    unlinked_first();
    MUST(chdir("/"));
    return 0;
}
