/* The options of socket types: NN_SUB, NN_REQ, NN_SURVEYOR. */

#include "ctest.h"

static void get(int s, int level, int option, size_t n)
{
    unsigned char buf[16];
    char what[64];
    size_t size = n;
    memset(buf, 0xEE, sizeof buf);
    snprintf(what, sizeof what, "get level %d option %d into %zu", level, option, n);
    int rc = CALL_AS(what, nn_getsockopt(s, level, option, buf, &size));
    if (rc == 0) {
        printf("  size becomes %zu,", size);
        ct_print_hex(" bytes", buf, 10);
    }
}

static void set(int s, int level, int option, const void *value, size_t size)
{
    char what[64];
    snprintf(what, sizeof what, "set level %d option %d, %s%zu bytes", level, option, value ? "" : "NULL, ", size);
    CALL_AS(what, nn_setsockopt(s, level, option, value, size));
}

static const int types[] = {NN_PAIR, NN_PUB, NN_SUB, NN_REQ, NN_REP, NN_PUSH, NN_PULL, NN_SURVEYOR, NN_RESPONDENT, NN_BUS};

int main(void)
{
    int one = 1;

    /* A level answers on its own type only, and REQ and SURVEYOR only cooked. */
    for (int domain = AF_SP; domain <= AF_SP_RAW; domain++)
        for (int i = 0; i < 10; i++) {
            int s = MUST(nn_socket(domain, types[i]));
            printf("-- domain %d, type %d\n", domain, types[i]);
            for (int l = 0; l < 10; l++)
                for (int o = 0; o < 4; o++) {
                    int e = 0, g = 0;
                    if (types[l] == NN_SUB && types[i] == NN_SUB && o == NN_SUB_UNSUBSCRIBE)
                        continue; /* of what was never subscribed: protocols' own test */
                    if (nn_setsockopt(s, types[l], o, &one, sizeof one) < 0)
                        e = nn_errno();
                    int value;
                    size_t size = sizeof value;
                    if (nn_getsockopt(s, types[l], o, &value, &size) < 0)
                        g = nn_errno();
                    if (e != ENOPROTOOPT || g != ENOPROTOOPT)
                        printf("level %d option %d: set %s, get %s\n", types[l], o, e ? ct_errname(e) : "0", g ? ct_errname(g) : "0");
                }
            MUST(nn_close(s));
        }

    static const struct { int type, option; } ints[] = {{NN_REQ, NN_REQ_RESEND_IVL}, {NN_SURVEYOR, NN_SURVEYOR_DEADLINE}};
    static const int values[] = {0, 1, 100, 60000, INT_MAX};
    for (int i = 0; i < 2; i++) {
        int s = MUST(nn_socket(AF_SP, ints[i].type));
        printf("-- type %d\n", ints[i].type);
        printf("default %d\n", ct_get(s, ints[i].type, ints[i].option));
        for (int v = 0; v < 5; v++) {
            set(s, ints[i].type, ints[i].option, &values[v], sizeof(int));
            CHECK(ct_get(s, ints[i].type, ints[i].option) == values[v]);
        }
        long long wide = 5;
        for (size_t n = 0; n <= 8; n++) {
            set(s, ints[i].type, ints[i].option, &wide, n);
            get(s, ints[i].type, ints[i].option, n);
            set(s, ints[i].type, 4711, &wide, n);
        }
        set(s, ints[i].type, ints[i].option, NULL, 4);
        set(s, ints[i].type, ints[i].option, NULL, 0);
        int negative = -1;
        set(s, ints[i].type, ints[i].option, &negative, sizeof negative);
        CHECK(ct_get(s, ints[i].type, ints[i].option) == -1);
        MUST(nn_close(s));
    }

    QUIRK("Q-B5", "a negative interval or deadline is without end") {
        int negative = -1;
        int s = MUST(nn_socket(AF_SP, NN_SURVEYOR));
        MUST(nn_setsockopt(s, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, &negative, sizeof negative));
        CHECK(nn_send(s, "q", 1, 0) == 1);
        for (int i = 0; i < 3; i++)
            CHECK(nn_recv(s, &negative, sizeof negative, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
        MUST(nn_close(s));
        s = MUST(nn_socket(AF_SP, NN_REQ));
        negative = INT_MIN;
        MUST(nn_setsockopt(s, NN_REQ, NN_REQ_RESEND_IVL, &negative, sizeof negative));
        CHECK(nn_send(s, "q", 1, 0) == 1);
        MUST(nn_close(s));
    }

    for (int domain = AF_SP; domain <= AF_SP_RAW; domain++) {
        int s = MUST(nn_socket(domain, NN_SUB));
        printf("-- SUB, domain %d\n", domain);
        set(s, NN_SUB, NN_SUB_SUBSCRIBE, "topic", 5);
        set(s, NN_SUB, NN_SUB_SUBSCRIBE, "topic", 5);
        set(s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0);
        set(s, NN_SUB, NN_SUB_SUBSCRIBE, NULL, 0);
        set(s, NN_SUB, NN_SUB_SUBSCRIBE, NULL, 1);
        set(s, NN_SUB, NN_SUB_UNSUBSCRIBE, "topic", 5);
        set(s, NN_SUB, NN_SUB_UNSUBSCRIBE, "topic", 5);
        QUIRK("Q-B4", "no other topic is taken for an unknown one")
            CHECK(nn_setsockopt(s, NN_SUB, NN_SUB_UNSUBSCRIBE, "other", 5) == -1 && nn_errno() == EINVAL);
        set(s, NN_SUB, 3, "topic", 5);
        set(s, NN_SUB, 0, "topic", 5);
        get(s, NN_SUB, NN_SUB_SUBSCRIBE, 4);
        get(s, NN_SUB, NN_SUB_UNSUBSCRIBE, 4);
        MUST(nn_close(s));
    }
    return 0;
}
