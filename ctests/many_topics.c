/* 100,000 topics, of a SUB that is alone and of one that is connected to a PUB: at most twice what the original
   takes, which has them in the SUB alone, and given back when they go. */

#include "patterns.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { NN_STAT_MESSAGES_FILTERED = 1301 }; /* of nanomsg-rs/forward.h, which the original has not */

static int subscribe(int s, const char *topic, size_t size)
{
    return nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, topic, size);
}

static int unsubscribe(int s, const char *topic, size_t size)
{
    return nn_setsockopt(s, NN_SUB, NN_SUB_UNSUBSCRIBE, topic, size);
}

/* What is allocated; 0 where nobody knows. */
static size_t allocated(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* Subscribes, and publishes until it comes; and until what nobody wants does not go out any more: now the PUB has heard all that
   was subscribed to before, and is not asked for everything while it does. */
static void until_heard(int pub, int sub, const char *topic)
{
    char buf[16];
    MUST(subscribe(sub, topic, strlen(topic)));
    MUST(ct_set(sub, NN_RCVTIMEO, 100));
    int heard = 0;
    for (int tries = 0; !heard && tries < 100; tries++) {
        MUST(nn_send(pub, topic, strlen(topic), 0));
        heard = nn_recv(sub, buf, sizeof buf, 0) >= 0;
    }
    CHECK(heard);
    uint64_t withheld = ct_oracle ? 0 : nn_get_statistic(pub, NN_STAT_MESSAGES_FILTERED);
    EVENTUALLY(ct_oracle || (nn_send(pub, "?", 1, 0) == 1 && nn_get_statistic(pub, NN_STAT_MESSAGES_FILTERED) > withheld));
    MUST(ct_set(sub, NN_RCVTIMEO, CT_PATIENCE));
}

/* The original needs 44 bytes for each of these. */
static void many_topics(const char *form, const enum ct_transport *transport)
{
    enum { TOPICS = 100000, EACH = 88 };
    char topic[32];
    printf("%s, %s\n", form, transport ? ct_scheme[*transport] : "alone");
    int pub = ct_socket(NN_PUB), s = ct_socket(NN_SUB), connected = transport != NULL;
    if (connected) {
        pt_join(*transport, pub, s);
        until_heard(pub, s, "READY");
    }
    MUST(subscribe(s, "END", 3));
    size_t before = allocated();
    for (int i = 0; i < TOPICS; i++)
        MUST(subscribe(s, topic, (size_t) snprintf(topic, sizeof topic, form, i)));
    if (connected)
        until_heard(pub, s, "DONE");
    CHECK(allocated() < before + (size_t) TOPICS * EACH);
    for (int i = 0; i < TOPICS; i++) {
        MUST(unsubscribe(s, topic, (size_t) snprintf(topic, sizeof topic, form, i)));
        CHECK(connected || i % (TOPICS / 4) || allocated() < before + (size_t) (TOPICS - i) * EACH);
    }
    if (connected)
        until_heard(pub, s, "GONE");
    /* A connection has buffers of its own. The last ones may be on their way. */
    EVENTUALLY(allocated() < before + (connected ? 500000 : 100000));
    MUST(nn_close(s));
    MUST(nn_close(pub));
}

int main(void)
{
    const char *forms[] = {"%08d", "topic-%06d", "quotes/NYSE/%05d"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        enum ct_transport ways[] = {INPROC, TCP};
        many_topics(forms[i], NULL);
        many_topics(forms[i], &ways[0]);
        many_topics(forms[i], &ways[1]);
    }
    return 0;
}
