/* nn_allocmsg, nn_reallocmsg, nn_freemsg: sizes, pointers, contents. */

#include "ctest.h"

static void fill(unsigned char *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        p[i] = (unsigned char) (i * 7 + i / 256);
}

static int filled(const unsigned char *p, size_t to)
{
    for (size_t i = 0; i < to; i++)
        if (p[i] != (unsigned char) (i * 7 + i / 256))
            return 0;
    return 1;
}

static const char *outcome(void *p)
{
    return p ? "a pointer" : ct_errname(nn_errno());
}

int main(void)
{
    static const size_t sizes[] = {0, 1, 7, 8, 31, 32, 33, 64, 4096, 1 << 20, 16 << 20};
    unsigned char *p, *q;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        p = nn_allocmsg(sizes[i], 0);
        printf("nn_allocmsg(%zu, 0): %s\n", sizes[i], outcome(p));
        CHECK((uintptr_t) p % 8 == 0);
        fill(p, 0, sizes[i]);
        CHECK(filled(p, sizes[i]));
        CALL(nn_freemsg(p));
    }

    static const int types[] = {1, 2, -1, INT_MIN, INT_MAX};
    for (size_t i = 0; i < 5; i++) {
        p = nn_allocmsg(100, types[i]);
        printf("nn_allocmsg(100, %d): %s\n", types[i], outcome(p));
    }

    /* Sizes no machine has; the size is looked at before the type. */
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 31, SIZE_MAX / 2};
    for (size_t i = 0; i < 4; i++) {
        p = nn_allocmsg(huge[i], 0);
        printf("nn_allocmsg(huge %zu, 0): %s\n", i, outcome(p));
    }
    printf("nn_allocmsg(SIZE_MAX, 1): %s\n", outcome(nn_allocmsg(SIZE_MAX, 1)));

    /* Shrinking keeps the pointer and what is left of the contents. */
    p = nn_allocmsg(1000, 0);
    fill(p, 0, 1000);
    static const size_t less[] = {1000, 999, 500, 1, 0};
    for (size_t i = 0; i < 5; i++) {
        q = nn_reallocmsg(p, less[i]);
        printf("shrunk to %zu: %s pointer\n", less[i], q == p ? "same" : "other");
        CHECK(filled(q, less[i]));
    }

    /* Growing copies. It is the message's length that counts, not its memory. */
    q = nn_reallocmsg(p, 10);
    printf("grown from 0 to 10: %s pointer\n", q == p ? "same" : "other");
    p = q;
    fill(p, 0, 10);
    q = nn_reallocmsg(p, 100000);
    printf("grown to 100000: %s pointer\n", q == p ? "same" : "other");
    CHECK(filled(q, 10));
    fill(q, 10, 100000);
    p = q;

    /* A failed reallocmsg leaves the message as it is. */
    for (size_t i = 0; i < 3; i++) {
        q = nn_reallocmsg(p, huge[i]);
        printf("nn_reallocmsg(p, huge %zu): %s\n", i, outcome(q));
        CHECK(filled(p, 100000));
    }
    CALL(nn_freemsg(p));

    /* A chunk received is as good as one allocated. */
    int s[2];
    ct_pair(INPROC, s);
    p = nn_allocmsg(300, 0);
    fill(p, 0, 300);
    CALL(nn_send(s[0], &p, NN_MSG, 0));
    CALL(nn_recv(s[1], &q, NN_MSG, 0));
    CHECK(filled(q, 300));
    q = nn_reallocmsg(q, 100);
    CALL(nn_send(s[1], &q, NN_MSG, 0));
    CALL(nn_recv(s[0], &p, NN_MSG, 0));
    CHECK(filled(p, 100));
    p = nn_reallocmsg(p, 5000);
    CHECK(filled(p, 100));
    fill(p, 100, 5000);
    CALL(nn_send(s[0], &p, NN_MSG, 0));
    CALL(nn_recv(s[1], &q, NN_MSG, 0));
    CHECK(filled(q, 5000));
    CALL(nn_freemsg(q));
    ct_close_pair(s);

    QUIRK("Q-B16", "nn_freemsg(NULL) is EFAULT") {
        CHECK(nn_freemsg(NULL) == -1 && nn_errno() == EFAULT);
    }
    return 0;
}
