/* nn_poll with many entries: sixteen times as many take about sixteen times as long. */

#include "ctest.h"

#include <sys/resource.h>

enum {
    TIMES = 16,
    /* The original has 512 sockets at most. */
    MOST = 4000,
    MOST_OF_ORIGINAL = 400,
};

/* Microseconds of this thread. */
static int64_t used(void)
{
    struct timespec now;
    MUST(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* What ten calls take: the least of several times, as others run here, too. */
static int64_t cost(struct nn_pollfd *fds, int n)
{
    int64_t least = INT64_MAX;
    for (int round = 0; round < 15; round++) {
        int64_t start = used();
        for (int i = 0; i < 10; i++)
            CHECK(nn_poll(fds, n, 0) == 0);
        int64_t took = used() - start;
        least = took < least ? took : least;
    }
    return least;
}

static void in_proportion(const char *what, struct nn_pollfd *fds, int most)
{
    int64_t few, many;
    /* Many do not fit into the processor's cache, which other programs use as well: they have four tries. Looking for each among
       all that were before took seventy times as long, each time. */
    int tries = 0;
    do {
        few = cost(fds, most / TIMES);
        many = cost(fds, most);
    } while (many >= few * TIMES * 5 / 2 && ++tries < 4);
    if (tries == 4)
        printf("%s: %d in %lld us, %d in %lld us\n", what, most / TIMES, (long long) few, most, (long long) many);
    CHECK(tries < 4);
    printf("%s: in proportion\n", what);
}

int main(void)
{
    static struct nn_pollfd fds[MOST];
    int most = ct_oracle ? MOST_OF_ORIGINAL : MOST;
    struct rlimit files;
    MUST(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &files));
    for (int i = 0; i < most; i++)
        fds[i] = (struct nn_pollfd) {ct_socket(NN_PAIR), NN_POLLIN, 0};
    in_proportion("a socket an entry", fds, most);
    static struct nn_pollfd twice[MOST];
    for (int i = 0; i < most; i++)
        twice[i] = fds[i % 2];
    in_proportion("two sockets", twice, most);
    for (int i = 0; i < most; i++)
        MUST(nn_close(fds[i].fd));
    return 0;
}
