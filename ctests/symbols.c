/* nn_symbol and nn_symbol_info: the whole table, its end, and short buffers. The rows
   are numbered as in 1.1.5; since 1.3.0 there is one more, which is the 32nd. */

#include "ctest.h"

#ifdef _WIN32
#define LEVEL_OF_UNIX -5 /* -2 is that of named pipes there */
#else
#define LEVEL_OF_UNIX -2
#endif

/* Where a row of 1.1.5 stands. */
static int row(int i)
{
    return i + (!ct_oracle && i >= 32);
}

int main(void)
{
    struct nn_symbol_properties p;
    int value, i;

    for (i = 0; i < 121; i++) {
        const char *name = nn_symbol(row(i), &value);
        memset(&p, 0xEE, sizeof p);
        CHECK(name != NULL);
        CHECK(nn_symbol_info(row(i), &p, sizeof p) == (int) sizeof p);
        CHECK(name == p.name && value == p.value);
        CHECK(nn_symbol(row(i), NULL) == name);
        if (p.ns == NN_NS_VERSION)
            printf("%d %s (its value is the release's)", i, name);
        else
            printf("%d %s %d", i, name, value);
        printf(" ns %d type %d unit %d\n", p.ns, p.type, p.unit);
    }

    QUIRK("1.3.0", "NN_UNIX is row 32, in the namespace of transports, without a type and a unit") {
        const char *name = nn_symbol(32, &value);
        CHECK(name && !strcmp(name, "NN_UNIX") && value == LEVEL_OF_UNIX);
        CHECK(nn_symbol_info(32, &p, sizeof p) == (int) sizeof p);
        CHECK(p.name == name && p.value == LEVEL_OF_UNIX);
        CHECK(p.ns == NN_NS_TRANSPORT && p.type == NN_TYPE_NONE && p.unit == NN_UNIT_NONE);
        /* The last of upstream's 122, and behind it ours. */
        CHECK(!strcmp(nn_symbol(121, &value), "NN_STAT_CURRENT_EP_ERRORS"));
        CHECK(nn_symbol(122, &value) && !strcmp(nn_symbol(122, &value), "NN_SUB_FORWARD"));
        /* Names of the options of ipc and winpipe are not in the table, but for one of ours. */
        for (i = 0; i < 122; i++)
            CHECK(strncmp(nn_symbol(i, NULL), "NN_IPC_", 7) && strncmp(nn_symbol(i, NULL), "NN_WINPIPE", 10));
    }

    /* Rows of our own stand behind the original's. */
    static const int outside[] = {-1, INT_MIN, 200, 300, 2000, INT_MAX};
    for (i = 0; i < 6; i++) {
        value = 77;
        errno = 0;
        const char *name = nn_symbol(outside[i], &value);
        printf("nn_symbol(%d) = %s %s, value %d\n", outside[i], name ? name : "NULL",
               ct_errname(nn_errno()), value);
        memset(&p, 0xEE, sizeof p);
        errno = 0;
        int size = nn_symbol_info(outside[i], &p, sizeof p);
        printf("nn_symbol_info(%d) = %d, errno %d, buffer %s\n", outside[i], size, nn_errno(),
               (unsigned) p.value == 0xEEEEEEEEu ? "untouched" : "written");
    }

    /* Row 46 of 1.1.5 is NN_LINGER; a buffer shorter than the struct gets its front. */
    static const int sizes[] = {0, 1, 4, 8, 15, 16, 20, 24, 28, 31, 32, 33, 100};
    for (i = 0; i < 13; i++) {
        unsigned char whole[sizeof p], part[128];
        MUST(nn_symbol_info(row(46), (struct nn_symbol_properties *) whole, sizeof p));
        memset(part, 0xEE, sizeof part);
        int got = nn_symbol_info(row(46), (struct nn_symbol_properties *) part, sizes[i]);
        printf("nn_symbol_info(46, buf, %d) = %d\n", sizes[i], got);
        CHECK(memcmp(part, whole, (size_t) got > 28 ? 28 : (size_t) got) == 0);
        for (int k = got; k < 128; k++)
            CHECK(part[k] == 0xEE);
    }
    return 0;
}
