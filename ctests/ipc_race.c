/* Processes that bind one ipc path at the same instant: one succeeds, the others
   are told, and whoever connects meets the one. */

#include "ctest.h"
#include "faults.h"
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { NOBODY = 65534, PROCESSES = 2, BOUND = 1, TAKEN, OTHER };

/* Shared by the processes. */
struct race {
    int round, outcome[PROCESSES], arrived, leave, left;
};

static struct race *race;
static char addr[NN_SOCKADDR_MAX], folder[NN_SOCKADDR_MAX];
static mode_t mode = 0777;

static int get(int *value)
{
    return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

/* More often than EVENTUALLY looks. */
static void await(int *value, int least)
{
    int64_t end = ct_now() + CT_PATIENCE;
    while (get(value) < least && ct_now() < end)
        usleep(50);
    CHECK(get(value) >= least);
}

static void runner(int me)
{
    if (geteuid() == 0) {
        MUST(setgid(NOBODY));
        MUST(setuid(NOBODY));
    }
    for (int round = 1;; round++) {
        int s = ct_socket(NN_PAIR);
        __atomic_fetch_add(&race->arrived, 1, __ATOMIC_SEQ_CST);
        while (get(&race->round) < round)
            sched_yield();
        if (get(&race->round) == INT_MAX)
            exit(0);
        int id = nn_bind(s, addr);
        int outcome = id > 0 ? BOUND : nn_errno() == EADDRINUSE ? TAKEN : OTHER;
        __atomic_store_n(&race->outcome[me], outcome, __ATOMIC_SEQ_CST);
        while (get(&race->leave) < round)
            sched_yield();
        MUST(nn_close(s));
        __atomic_fetch_add(&race->left, 1, __ATOMIC_SEQ_CST);
    }
}

static int files(void)
{
    int n = 0;
    MUST(chmod(folder, 0777));
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(dir);
    MUST(chmod(folder, mode));
    return n;
}

static void leave_dead(void)
{
    close(ct_raw_listen(addr));
    if (geteuid() == 0)
        CHECK(chown(ct_path_of(addr), NOBODY, NOBODY) == 0);
}

/* With a dead file in the way or not. */
static void rounds(int count, int dead)
{
    pid_t child[PROCESSES];
    int status, others = 0, winners[PROCESSES + 1] = {0}, met = 0;
    memset(race, 0, sizeof *race);
    fflush(stdout);
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = MUST(fork());
        if (child[i] == 0) {
            alarm(120);
            runner(i);
        }
    }
    for (int round = 1; round <= count; round++) {
        await(&race->arrived, round * PROCESSES);
        if (dead)
            leave_dead();
        memset(race->outcome, 0, sizeof race->outcome);
        __atomic_store_n(&race->round, round, __ATOMIC_SEQ_CST);
        int n = 0;
        for (int i = 0; i < PROCESSES; i++) {
            await(&race->outcome[i], BOUND);
            n += get(&race->outcome[i]) == BOUND;
            others += get(&race->outcome[i]) == OTHER;
        }
        winners[n]++;
        struct sockaddr_storage sa;
        socklen_t size = ct_sockaddr(addr, &sa);
        int fd = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        chmod(ct_path_of(addr), 0777);
        met += connect(fd, (struct sockaddr *) &sa, size) == 0;
        close(fd);
        CHECK(files() == 1);
        __atomic_store_n(&race->leave, round, __ATOMIC_SEQ_CST);
        await(&race->left, round * PROCESSES);
        CHECK(files() == 0);
    }
    if (winners[1] != count || met != count || others)
        printf("of %d rounds: %d without a winner, %d with one, %d with more; reached %d times; other errors %d\n",
               count, winners[0], winners[1], winners[2], met, others);
    CHECK(winners[1] == count && met == count && others == 0);
    __atomic_store_n(&race->round, INT_MAX, __ATOMIC_SEQ_CST);
    for (int i = 0; i < PROCESSES; i++) {
        MUST(waitpid(child[i], &status, 0));
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* A lock that somebody keeps delays a bind, and does not prevent it. */
static void locked(void)
{
    int lock = MUST(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)), s = ct_socket(NN_PAIR);
    CHECK(flock(lock, LOCK_EX) == 0);
    int64_t start = ct_now();
    CHECK(nn_bind(s, addr) == 1);
    CHECK(ct_took(start, 500, 5000));
    close(lock);
    close(ct_raw_connect(addr));
    start = ct_now();
    CHECK(nn_bind(s, addr) == -1 && nn_errno() == EADDRINUSE);
    CHECK(ct_took(start, 0, 500));
    CHECK(files() == 1);
    MUST(nn_close(s));
    CHECK(files() == 0);
}

/* As on a file system without hard links. */
static int no_links, links_refused;

__attribute__((visibility("default"))) int linkat(int from, const char *old, int to, const char *new, int flags)
{
    if (no_links) {
        links_refused++;
        errno = EPERM;
        return -1;
    }
    return (int) syscall(SYS_linkat, from, old, to, new, flags);
}

static void without_links(void)
{
    int s = ct_socket(NN_PAIR), t = ct_socket(NN_PAIR);
    no_links = 1;
    close(ct_raw_listen(addr));
    CHECK(nn_bind(s, addr) == 1);
    CHECK(files() == 1);
    CHECK(nn_bind(t, addr) == -1 && nn_errno() == EADDRINUSE);
    MUST(nn_connect(t, addr));
    fault_talk(s, t);
    CHECK(files() == 1);
    MUST(nn_close(t));
    MUST(nn_close(s));
    CHECK(files() == 0);
    CHECK(links_refused >= 1);
    no_links = 0;
}

static void without_listening(void)
{
    int s = ct_socket(NN_PAIR);
    for (no_links = 0; no_links < 2; no_links++) {
        /* The first try is the one aside. */
        fail_next(&fault_listen, ENOBUFS, 1);
        CHECK(nn_bind(s, addr) == -1 && nn_errno() == ENOBUFS);
        CHECK(files() == 0);
    }
    no_links = 0;
    MUST(nn_close(s));
}

int main(void)
{
    int count = ct_long ? 40000 : 2000;
    race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    QUIRK("ipc race", "of processes that bind a path at once, one succeeds") {
        MUST(chmod(ct_dir(), 0755));
        snprintf(folder, sizeof folder, "%s/f", ct_dir());
        MUST(mkdir(folder, 0));
        MUST(chmod(folder, mode));
        snprintf(addr, sizeof addr, "ipc://%s/x", folder);
        rounds(count, 0);
        rounds(count, 1);
        locked();
        without_links();
        without_listening();
        /* A folder that cannot be read cannot be locked. */
        MUST(chmod(folder, mode = 0333));
        rounds(count, 0);
        MUST(chmod(folder, mode = 0777));
        /* So long that there is no room for another name beside it. */
        int head = snprintf(addr, sizeof addr, "ipc://%s/", folder);
        memset(addr + head, 'p', 107 + 6 - (size_t) head);
        addr[107 + 6] = 0;
        rounds(count / 3, 0);
        rounds(count / 3, 1);
    }
    return 0;
}
