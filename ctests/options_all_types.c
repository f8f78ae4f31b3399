/* Options of the patterns with sizes, numbers and levels that are wrong, and the
   general options on every type. What is right is in later_options. */

#include "patterns.h"

static const struct { const char *name; int type; } types[] = {
    {"PAIR", NN_PAIR}, {"PUB", NN_PUB}, {"SUB", NN_SUB}, {"REQ", NN_REQ}, {"REP", NN_REP}, {"PUSH", NN_PUSH},
    {"PULL", NN_PULL}, {"SURVEYOR", NN_SURVEYOR}, {"RESPONDENT", NN_RESPONDENT}, {"BUS", NN_BUS},
};

static const char *result(int rc)
{
    return rc < 0 ? ct_errname(nn_errno()) : "0";
}

/* One line for set and get with sizes 0 to 8; an answer is shown where it changes. */
static void sizes(int s, int level, int option)
{
    char text[2][512] = {"", ""};
    for (int get = 0; get < 2; get++) {
        const char *last = NULL;
        char *to = text[get];
        for (size_t n = 0; n <= 8; n++) {
            unsigned char value[16] = {1};
            size_t size = n;
            const char *r = result(get ? nn_getsockopt(s, level, option, value, &size)
                                       : nn_setsockopt(s, level, option, value, n));
            if (last && strcmp(last, r) == 0)
                continue;
            to += sprintf(to, " %s%s", n ? "then " : "", last = r);
            if (n)
                to += sprintf(to, " from %zu", n);
        }
    }
    printf("  level %d option %d: set%s; get%s\n", level, option, text[0], text[1]);
}

static void wrong(int domain, int type)
{
    static const int options[] = {INT_MIN, -1, 0, 1, 2, 3, 4, 16, INT_MAX};
    int s = MUST(nn_socket(domain, type));
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        /* Unsubscribing has a test of its own. */
        if (type != NN_SUB || options[o] != NN_SUB_UNSUBSCRIBE)
            sizes(s, type, options[o]);
    }
    /* The number of the protocol is no level, nor is the partner's type. */
    sizes(s, type / 16, 1);
    sizes(s, type ^ 1, 1);
    sizes(s, INT_MAX, 1);
    sizes(s, INT_MIN, 1);
    MUST(nn_close(s));
}

/* With NULL instead of a value. */
static void nulls(int type, int option)
{
    int s = MUST(nn_socket(AF_SP, type));
    size_t size = 4;
    int value = 0;
    CALL(nn_setsockopt(s, type, option, NULL, 0));
    CALL(nn_setsockopt(s, type, option, NULL, 4));
    CALL(nn_setsockopt(s, type, 4711, NULL, 4));
    CALL(nn_setsockopt(s, type, 4711, NULL, 0));
    CALL(nn_getsockopt(s, type, option, NULL, &size));
    CALL(nn_getsockopt(s, type, 4711, NULL, &size));
    CALL(nn_getsockopt(s, type, 4711, &value, &size));
    CALL(nn_setsockopt(-1, type, option, NULL, 4));
    CALL(nn_getsockopt(-1, type, option, NULL, &size));
    MUST(nn_close(s));
}

/* The general options do not ask whether a type has a use for them. */
static void general(int domain, int type)
{
    static const struct { int option, good, bad; } all[] = {
        {NN_SNDPRIO, 16, 17}, {NN_RCVPRIO, 1, 0}, {NN_MAXTTL, 255, 256}, {NN_RCVMAXSIZE, -1, -2}, {NN_SNDTIMEO, 7, 0},
        {NN_RCVTIMEO, 7, 0}, {NN_SNDBUF, 1, 0}, {NN_RCVBUF, 1, 0}, {NN_LINGER, 7, 0}, {NN_IPV4ONLY, 0, 2},
    };
    int s = MUST(nn_socket(domain, type)), one = 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK(ct_set(s, all[i].option, all[i].good) == 0);
        CHECK(ct_get(s, NN_SOL_SOCKET, all[i].option) == (ct_oracle && all[i].option == NN_LINGER ? 0 : all[i].good));
        if (all[i].option == NN_SNDTIMEO || all[i].option == NN_RCVTIMEO || all[i].option == NN_LINGER)
            continue;
        CHECK(ct_set(s, all[i].option, all[i].bad) == -1 && nn_errno() == EINVAL);
        CHECK(ct_get(s, NN_SOL_SOCKET, all[i].option) == all[i].good);
    }
    CHECK(nn_setsockopt(s, NN_TCP, NN_TCP_NODELAY, &one, sizeof one) == 0);
    CHECK(ct_get(s, NN_TCP, NN_TCP_NODELAY) == 1);
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_PROTOCOL) == type);
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_DOMAIN) == domain);
    printf("  the general options are as on any other\n");
    MUST(nn_close(s));
}

/* Values survive what fails, and are each socket's own. */
static void values(int type, int option)
{
    int a = MUST(nn_socket(AF_SP, type)), b = MUST(nn_socket(AF_SP, type)), value = 1234;
    int initial = ct_get(b, type, option);
    CALL(nn_setsockopt(a, type, option, &value, sizeof value));
    value = 4321;
    CALL(nn_setsockopt(a, type, option, &value, 3));
    CALL(nn_setsockopt(a, type, option + 1, &value, 4));
    printf("  %d, and %s on another socket\n", ct_get(a, type, option), ct_get(b, type, option) == initial ? "as before" : "changed");
    MUST(nn_close(a));
    MUST(nn_close(b));
}

int main(void)
{
    for (int domain = AF_SP; domain <= AF_SP_RAW; domain++)
        for (int i = 0; i < 10; i++) {
            printf("-- %s%s\n", domain == AF_SP_RAW ? "raw " : "", types[i].name);
            wrong(domain, types[i].type);
            general(domain, types[i].type);
        }
    printf("-- NULL, REQ\n");
    nulls(NN_REQ, NN_REQ_RESEND_IVL);
    printf("-- NULL, SURVEYOR\n");
    nulls(NN_SURVEYOR, NN_SURVEYOR_DEADLINE);
    printf("-- NULL, SUB\n");
    nulls(NN_SUB, NN_SUB_SUBSCRIBE);
    printf("-- values\n");
    values(NN_REQ, NN_REQ_RESEND_IVL);
    values(NN_SURVEYOR, NN_SURVEYOR_DEADLINE);
    return 0;
}
