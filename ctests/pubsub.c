/* PUB and SUB: what matches, counted subscriptions, nobody there, headers. Every
   SUB here keeps the topic "END", and reads until a message with it comes. */

#include "patterns.h"

static int domain;

static int sub_socket(void)
{
    int s = pt_socket(domain, NN_SUB);
    MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "END", 3));
    return s;
}

static int subscribe(int s, const char *topic, size_t size)
{
    return nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, topic, size);
}

static int unsubscribe(int s, const char *topic, size_t size)
{
    return nn_setsockopt(s, NN_SUB, NN_SUB_UNSUBSCRIBE, topic, size);
}

/* Publishes the texts, one after the other, then END; prints what arrives. A PUB
   drops what it cannot send at once, so each is followed by a message that must
   have arrived before the next one is sent. */
static void publish(const char *what, int pub, int sub, const struct nn_iovec *texts, int n)
{
    static int serial;
    char buf[256], end[16];
    printf("%s:", what);
    for (int i = 0; i < n; i++) {
        int first = serial + 1;
        CHECK(nn_send(pub, texts[i].iov_base, texts[i].iov_len, 0) == (int) texts[i].iov_len);
        for (int tries = 0;; tries++) {
            /* Over inproc the pipe may be busy with the text: repeat. */
            int size = snprintf(end, sizeof end, "END%d", ++serial);
            CHECK(nn_send(pub, end, (size_t) size, 0) == size);
            MUST(ct_set(sub, NN_RCVTIMEO, tries < 20 ? 100 : CT_PATIENCE));
            int rc = nn_recv(sub, buf, sizeof buf - 1, 0);
            if (rc < 0 && tries < 20)
                continue;
            buf[MUST(rc)] = 0;
            if (strncmp(buf, "END", 3) != 0)
                printf(" %s", pt_text(buf, (size_t) rc));
            else if (atoi(buf + 3) >= first) /* those before belong to an earlier text */
                break;
        }
    }
    while (nn_recv(sub, buf, sizeof buf, NN_DONTWAIT) >= 0)
        CHECK(memcmp(buf, "END", 3) == 0);
    MUST(ct_set(sub, NN_RCVTIMEO, CT_PATIENCE));
    printf("\n");
}

#define TEXT(s) {s, sizeof s - 1}
#define PUBLISH(what, ...) \
    do { \
        struct nn_iovec texts[] = {__VA_ARGS__}; \
        publish((what), pub, sub, texts, sizeof texts / sizeof *texts); \
    } while (0)

static void topics(enum ct_transport t)
{
    int pub = pt_socket(domain, NN_PUB), sub = sub_socket();
    pt_join(t, pub, sub);
    PUBLISH("no topic of these", TEXT("hello"), TEXT(""), TEXT("en"), TEXT("end"), TEXT("xEND"));
    CALL(subscribe(sub, "he", 2));
    PUBLISH("he", TEXT("hello"), TEXT("he"), TEXT("hallo"), TEXT("hi"), TEXT("ahe"), TEXT("He"));
    CALL(subscribe(sub, "hello world", 11));
    CALL(subscribe(sub, "help", 4));
    CALL(subscribe(sub, "x", 1));
    PUBLISH("he, hello world, help, x", TEXT("hello"), TEXT("hello world!"), TEXT("help"), TEXT("help me"), TEXT("x"),
            TEXT("xy"), TEXT("yx"));
    CALL(unsubscribe(sub, "he", 2));
    PUBLISH("hello world, help, x", TEXT("hello, all"), TEXT("hello world"), TEXT("hello world!"), TEXT("help"),
            TEXT("help me"), TEXT("heap"), TEXT("x"));
    CALL(unsubscribe(sub, "hello world", 11));
    PUBLISH("help, x", TEXT("hello world"), TEXT("help"), TEXT("x"));
    CALL(unsubscribe(sub, "help", 4));
    CALL(unsubscribe(sub, "x", 1));
    PUBLISH("none again", TEXT("hello world"), TEXT("help me"), TEXT("xx"));

    /* A topic is bytes, not text. */
    CALL(subscribe(sub, "a\0b", 3));
    CALL(subscribe(sub, "\0", 1));
    CALL(subscribe(sub, "\xff\xfe", 2));
    PUBLISH("bytes", TEXT("a\0b"), TEXT("a\0bc"), TEXT("a\0c"), TEXT("a-b"), TEXT("\0"), TEXT("\0\0"), TEXT("\0z"),
            TEXT("\xff\xfe\x01"), TEXT("\xff\xff\x01"));
    CALL(unsubscribe(sub, "\0", 1));
    PUBLISH("without NUL", TEXT("a\0b"), TEXT("\0\0"), TEXT("\xff\xfe"));

    /* As often as it was subscribed. */
    for (int i = 0; i < 3; i++)
        CALL(subscribe(sub, "twice", 5));
    CALL(unsubscribe(sub, "twice", 5));
    CALL(unsubscribe(sub, "twice", 5));
    PUBLISH("subscribed three times, unsubscribed twice", TEXT("twice"), TEXT("twice and more"));
    CALL(unsubscribe(sub, "twice", 5));
    PUBLISH("and once more", TEXT("twice"), TEXT("twice and more"));

    /* The empty topic is all messages, and is counted too. */
    CALL(subscribe(sub, "", 0));
    PUBLISH("everything", TEXT("hello"), TEXT(""), TEXT("\0"));
    CALL(subscribe(sub, NULL, 0));
    CALL(unsubscribe(sub, "", 0));
    PUBLISH("still everything", TEXT("hello"), TEXT(""));
    CALL(unsubscribe(sub, "", 0));
    PUBLISH("not everything", TEXT("hello"), TEXT("a\0b"));

    /* Long topics. */
    char topic[300];
    memset(topic, 't', sizeof topic);
    CALL(subscribe(sub, topic, sizeof topic - 200));
    topic[99] = 'u';
    char other[100];
    memcpy(other, topic, sizeof other);
    memset(topic, 't', sizeof topic);
    struct nn_iovec texts[] = {{topic, 100}, {topic, 101}, {other, 100}};
    printf("100 bytes or more of t, by topic:");
    for (int i = 0; i < 3; i++) {
        char buf[512];
        CHECK(nn_send(pub, texts[i].iov_base, texts[i].iov_len, 0) == (int) texts[i].iov_len);
        int rc;
        for (;;) {
            MUST(nn_send(pub, "END", 3, 0));
            MUST(ct_set(sub, NN_RCVTIMEO, 100));
            if ((rc = nn_recv(sub, buf, sizeof buf, 0)) >= 0)
                break;
        }
        printf(" %d", rc);
        ct_set(sub, NN_RCVTIMEO, CT_PATIENCE);
        while (rc != 3)
            rc = MUST(nn_recv(sub, buf, sizeof buf, 0));
        while (nn_recv(sub, buf, sizeof buf, NN_DONTWAIT) >= 0)
            continue;
    }
    printf("\n");
    MUST(nn_close(sub));
    MUST(nn_close(pub));
}

/* The filter works when the application receives, not when the message arrives. */
static void when(enum ct_transport t)
{
    int pub = pt_socket(domain, NN_PUB), sub = pt_socket(domain, NN_SUB);
    pt_join(t, pub, sub);
    pt_say(pub, "first");
    READABLE(sub);
    pt_hear_for("no subscription", sub, 20);
    CHECK(pt_polled(sub, NN_POLLIN) == 0);
    pt_say(pub, "second");
    READABLE(sub);
    CALL(subscribe(sub, "s", 1));
    pt_hear("subscribed after it came", sub);
    pt_say(pub, "sixth");
    READABLE(sub);
    CALL(unsubscribe(sub, "s", 1));
    CALL(subscribe(sub, "seventh", 7));
    pt_try("unsubscribed after it came", sub);
    CHECK(pt_polled(sub, NN_POLLIN) == 0);
    pt_say(pub, "seventh");
    pt_hear("the next", sub);
    MUST(nn_close(sub));
    MUST(nn_close(pub));
}

/* nn_recv that waits goes on waiting through messages that do not match. */
static void *hear(void *arg)
{
    CHECK(pt_got(*(int *) arg, "END"));
    return NULL;
}

static void waiting(enum ct_transport t)
{
    int pub = pt_socket(domain, NN_PUB), sub = sub_socket();
    pthread_t thread;
    pt_join(t, pub, sub);
    MUST(pthread_create(&thread, NULL, hear, &sub));
    for (int i = 0; i < 20; i++) {
        pt_say(pub, "not this");
        ct_nap(1);
    }
    pt_say(pub, "END");
    pthread_join(thread, NULL);
    printf("waits through messages of no topic\n");
    MUST(nn_close(sub));
    MUST(nn_close(pub));
}

/* Nobody there, somebody later, several. */
static void audience(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int pub = pt_socket(domain, NN_PUB), sub[3];
    MUST(nn_bind(pub, ct_address(t, addr)));
    CALL(nn_send(pub, "END: nobody", 11, 0));
    CALL(nn_send(pub, "END: nobody", 11, NN_DONTWAIT));
    for (int i = 0; i < 3; i++) {
        sub[i] = sub_socket();
        pt_link(pub, sub[i], addr);
    }
    pt_say(pub, "END: three");
    for (int i = 0; i < 3; i++)
        pt_hear("one of three", sub[i]);
    MUST(nn_close(sub[1]));
    EVENTUALLY(PEERS(pub) == 2);
    pt_say(pub, "END: two");
    pt_hear("one of two", sub[0]);
    pt_hear("one of two", sub[2]);
    CALL(nn_send(sub[0], "x", 1, 0));
    CALL(nn_send(sub[0], "x", 1, NN_DONTWAIT));
    pt_try("PUB receives", pub);
    pt_hear("PUB receives", pub);
    printf("messages sent %d, bytes %d\n", ct_stat(pub, NN_STAT_MESSAGES_SENT), ct_stat(pub, NN_STAT_BYTES_SENT));
    printf("messages received %d, bytes %d\n", ct_stat(sub[0], NN_STAT_MESSAGES_RECEIVED),
           ct_stat(sub[0], NN_STAT_BYTES_RECEIVED));
    MUST(nn_close(sub[0]));
    MUST(nn_close(sub[2]));
    EVENTUALLY(PEERS(pub) == 0);
    CALL(nn_send(pub, "END: nobody", 11, 0));
    MUST(nn_close(pub));
}

/* A SUB of two PUBs hears both in turns. Each PUB sends the next message when the
   one before has been received, so nothing is dropped. */
static void two_publishers(enum ct_transport t)
{
    int pub[2] = {pt_socket(domain, NN_PUB), pt_socket(domain, NN_PUB)}, sub = sub_socket();
    int got[2] = {0, 0};
    char buf[16];
    pt_join(t, pub[0], sub);
    pt_join(t, pub[1], sub);
    for (int i = 0; i < 20; i++) {
        pt_say(pub[i % 2], i % 2 ? "END 1" : "END 0");
        CHECK(nn_recv(sub, buf, sizeof buf, 0) == 5);
        got[buf[4] == '1']++;
        ct_nap(1);
    }
    printf("two publishers: %d and %d\n", got[0], got[1]);
    MUST(nn_close(sub));
    pt_close(pub, 2);
}

static void headers(enum ct_transport t)
{
    int pub = pt_socket(domain, NN_PUB), sub = sub_socket();
    pt_join(t, pub, sub);
    CALL_AS("with a header", pt_send_raw(pub, "EN", 2, "Did", 3, 0));
    struct pt_msg m = pt_take(sub);
    printf("header %d bytes, body %s\n", m.heads, pt_text(m.body, (size_t) m.size));
    CALL(subscribe(sub, "HEAD", 4));
    ct_nap(2);
    CALL_AS("the header is the topic", pt_send_raw(pub, "HEAD", 4, "", 0, 0));
    m = pt_take(sub);
    printf("header %d bytes, body %s\n", m.heads, pt_text(m.body, (size_t) m.size));
    MUST(nn_close(sub));
    MUST(nn_close(pub));
}

static void our_own(void)
{
    QUIRK("Q-B3", "unsubscribing from what was never subscribed is EINVAL") {
        int s = pt_socket(domain, NN_SUB);
        CHECK(unsubscribe(s, "abc", 3) == -1 && nn_errno() == EINVAL);
        CHECK(unsubscribe(s, "", 0) == -1 && nn_errno() == EINVAL);
        MUST(subscribe(s, "abc", 3));
        MUST(subscribe(s, "abd", 3));
        CHECK(unsubscribe(s, "ab", 2) == -1 && nn_errno() == EINVAL);
        CHECK(unsubscribe(s, "a", 1) == -1 && nn_errno() == EINVAL);
        CHECK(unsubscribe(s, "abcd", 4) == -1 && nn_errno() == EINVAL);
        CHECK(unsubscribe(s, "abc", 3) == 0);
        CHECK(unsubscribe(s, "abc", 3) == -1 && nn_errno() == EINVAL);
        MUST(nn_close(s));
    }
    QUIRK("Q-B4", "unsubscribing from the empty topic leaves other topics alone") {
        int pub = pt_socket(domain, NN_PUB), sub = pt_socket(domain, NN_SUB);
        pt_join(INPROC, pub, sub);
        MUST(subscribe(sub, "abc", 3));
        CHECK(unsubscribe(sub, "", 0) == -1 && nn_errno() == EINVAL);
        pt_say(pub, "abc");
        CHECK(pt_got(sub, "abc"));
        CHECK(unsubscribe(sub, "abc", 3) == 0);
        MUST(nn_close(sub));
        MUST(nn_close(pub));
    }
    QUIRK("Q-R24", "a message shorter than every topic matches none") {
        int pub = pt_socket(domain, NN_PUB), sub = pt_socket(domain, NN_SUB);
        pt_join(INPROC, pub, sub);
        MUST(subscribe(sub, "abc", 3));
        MUST(subscribe(sub, "abd", 3));
        static const char *const shorter[] = {"ab", "a", "", "abe"};
        for (int i = 0; i < 80; i++) {
            if (i == 40)
                MUST(subscribe(sub, "x", 1));
            pt_say(pub, shorter[i % 4]);
            READABLE(sub);
            char buf[16];
            CHECK(nn_recv(sub, buf, sizeof buf, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
        }
        MUST(nn_close(sub));
        MUST(nn_close(pub));
    }
    for (enum ct_transport t = IPC; t <= WS; t++)
        QUIRK("Q-R1", "what a subscriber sends is ignored") {
            char addr[NN_SOCKADDR_MAX], body[16];
            int pub = pt_socket(domain, NN_PUB);
            MUST(nn_bind(pub, ct_address(t, addr)));
            int fd = pt_os_peer(addr, NN_SUB, pub);
            for (int i = 0; i < 5; i++)
                pt_os_send(fd, addr, "unasked", 7);
            pt_say(pub, "news");
            CHECK(pt_os_recv(fd, addr, body, sizeof body) == 4 && memcmp(body, "news", 4) == 0);
            CHECK(PEERS(pub) == 1);
            close(fd);
            MUST(nn_close(pub));
        }
}

int main(void)
{
    ct_send_everything();
    for (domain = AF_SP; domain <= AF_SP_RAW; domain++) {
        for (enum ct_transport t = INPROC; t <= WS; t++) {
            printf("-- %s%s\n", domain == AF_SP_RAW ? "raw, " : "", ct_scheme[t]);
            topics(t);
            when(t);
            waiting(t);
            audience(t);
            two_publishers(t);
            headers(t);
        }
        our_own();
    }
    return 0;
}
