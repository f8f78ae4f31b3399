/* fork while threads of the parent wait for each other's locks: the child's
   threads wait for theirs, and none for ever. */

#include "ctest.h"

static int stop;

struct talk { int s[2], rounds; };

/* Many threads on few sockets, in each of the ways that take locks. */
static void *talk(void *arg)
{
    struct talk *t = arg;
    for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST) && i != t->rounds; i++) {
        char b[8];
        struct nn_pollfd fds[2] = {{t->s[0], NN_POLLIN, 0}, {t->s[1], NN_POLLIN, 0}};
        if (i % 4 == 0)
            nn_send(t->s[i & 1], "x", 1, NN_DONTWAIT);
        nn_recv(t->s[~i & 1], b, sizeof b, NN_DONTWAIT);
        nn_poll(fds, 2, 0);
        if (i % 16 == 0)
            nn_close(nn_socket(AF_SP, NN_PAIR));
    }
    return NULL;
}

#define THREADS 16

static void contend(enum ct_transport t, int rounds, pthread_t threads[THREADS], struct talk *it)
{
    ct_pair(t, it->s);
    it->rounds = rounds;
    for (int i = 0; i < THREADS; i++)
        MUST(pthread_create(&threads[i], NULL, talk, it));
}

static void run(enum ct_transport t)
{
    struct talk it, own;
    pthread_t threads[THREADS], own_threads[THREADS];
    stop = 0;
    contend(t, -1, threads, &it);
    int64_t start = ct_now();
    for (int i = 0; i < (ct_long ? 3000 : 300); i++) {
        int status;
        pid_t pid = MUST(fork());
        if (pid == 0) {
            alarm(10);
            contend(t, 50, own_threads, &own);
            for (int k = 0; k < THREADS; k++)
                pthread_join(own_threads[k], NULL);
            _exit(0);
        }
        MUST(waitpid(pid, &status, 0));
        if (status) {
            printf("child %d ended with %#x\n", i, status);
            break;
        }
    }
    CHECK(ct_long || ct_took(start, 0, 25000));
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int k = 0; k < THREADS; k++)
        pthread_join(threads[k], NULL);
    ct_close_pair(it.s);
}

int main(void)
{
    ct_dir();
    QUIRK("Q-E3", "children wait for their own locks only") {
        run(INPROC);
        run(TCP);
    }
    return 0;
}
