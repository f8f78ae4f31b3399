/* nn_errno and nn_strerror: whose errno, and which words. */

#include "ctest.h"

static void *other_thread(void *unused)
{
    (void) unused;
    errno = 0;
    nn_socket(-1, NN_PAIR);
    return NULL;
}

int main(void)
{
    printf("ETERM %s\n", nn_strerror(ETERM));
    printf("EFSM %s\n", nn_strerror(EFSM));
    static const int known[] = {0, EINVAL, EAGAIN, EADDRINUSE, ETIMEDOUT, ENOTSUP, EBADF, EMFILE,
                                ENOPROTOOPT, EPROTONOSUPPORT, EAFNOSUPPORT, 9999, -1,
                                NN_HAUSNUMERO, NN_HAUSNUMERO + 52, NN_HAUSNUMERO + 55};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char ours[128];
        snprintf(ours, sizeof ours, "%s", nn_strerror(known[i]));
        printf("%d as in the C library: %s\n", known[i], strcmp(ours, strerror(known[i])) ? "no" : "yes");
    }

    /* It is the calling thread's errno, both ways. */
    errno = EDOM;
    CHECK(nn_errno() == EDOM);
    CALL(nn_socket(77, NN_PAIR));
    CHECK(errno == EAFNOSUPPORT);

    pthread_t t;
    errno = ERANGE;
    MUST(pthread_create(&t, NULL, other_thread, NULL));
    pthread_join(t, NULL);
    CHECK(nn_errno() == ERANGE);
    return 0;
}
