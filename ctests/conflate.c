/* NN_CONFLATE and NN_CONFLATE_PREFIX of nanomsg-rs/options.h, which the original does not know: unread messages are replaced by
   newer ones of the same topic. */

#include "ctest.h"

enum { NN_CONFLATE = 1003, NN_CONFLATE_PREFIX = 1004, NN_STAT_MESSAGES_CONFLATED = 1303 };

/* Tells a receiver that all before it has come: the topic of a message that nothing follows. */
#define LAST "~last~~~"

#define REPLACED(s) nn_get_statistic((s), NN_STAT_MESSAGES_CONFLATED)

static const int raw_domain = AF_SP_RAW;

static void no_option(int domain, int type)
{
    int s = MUST(nn_socket(domain, type)), value;
    size_t size = sizeof value;
    for (int option = NN_CONFLATE; option <= NN_CONFLATE_PREFIX; option++) {
        CHECK(ct_set(s, option, 1) == -1 && nn_errno() == ENOPROTOOPT);
        CHECK(nn_getsockopt(s, NN_SOL_SOCKET, option, &value, &size) == -1 && nn_errno() == ENOPROTOOPT);
    }
    CHECK(REPLACED(s) == 0);
    MUST(nn_close(s));
}

static void option(int domain, int type)
{
    int s = MUST(nn_socket(domain, type));
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_CONFLATE) == 0 && ct_get(s, NN_SOL_SOCKET, NN_CONFLATE_PREFIX) == 0);
    CHECK(ct_set(s, NN_CONFLATE, 1) == 0 && ct_get(s, NN_SOL_SOCKET, NN_CONFLATE) == 1);
    CHECK(ct_set(s, NN_CONFLATE, 2) == -1 && nn_errno() == EINVAL);
    CHECK(ct_set(s, NN_CONFLATE, -1) == -1 && nn_errno() == EINVAL);
    CHECK(nn_setsockopt(s, NN_SOL_SOCKET, NN_CONFLATE, "", 1) == -1 && nn_errno() == EINVAL);
    CHECK(ct_set(s, NN_CONFLATE_PREFIX, 4096) == 0 && ct_get(s, NN_SOL_SOCKET, NN_CONFLATE_PREFIX) == 4096);
    CHECK(ct_set(s, NN_CONFLATE_PREFIX, 4097) == -1 && nn_errno() == EINVAL);
    CHECK(ct_set(s, NN_CONFLATE_PREFIX, -1) == -1 && nn_errno() == EINVAL);
    CHECK(ct_get(s, NN_SOL_SOCKET, NN_CONFLATE_PREFIX) == 4096 && ct_get(s, NN_SOL_SOCKET, NN_CONFLATE) == 1);
    CHECK(ct_set(s, NN_CONFLATE, 0) == 0 && ct_get(s, NN_SOL_SOCKET, NN_CONFLATE) == 0);
    MUST(nn_close(s));
}

/* A receiver and who sends to it, which know each other. */
static void link_up(enum ct_transport t, int sends, int sender, int receiver)
{
    char addr[NN_SOCKADDR_MAX];
    MUST(nn_bind(receiver, ct_address(t, addr)));
    MUST(nn_connect(sender, addr));
    CONNECTED(sender);
    EVENTUALLY(PEERS(receiver) == 1);
    if (sends == NN_PUB)
        MUST(nn_setsockopt(receiver, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
}

static int receiver_of(int domain, int type, int prefix)
{
    int s = MUST(nn_socket(domain, type));
    MUST(ct_set(s, NN_RCVTIMEO, CT_PATIENCE));
    MUST(ct_set(s, NN_CONFLATE_PREFIX, prefix));
    MUST(ct_set(s, NN_CONFLATE, 1));
    return s;
}

static void say(int s, const char *text)
{
    CHECK(nn_send(s, text, strlen(text), 0) == (int) strlen(text));
}

static int hears(int s, const char *text)
{
    char body[64];
    int size = nn_recv(s, body, sizeof body, 0);
    if (size == (int) strlen(text) && !memcmp(body, text, (size_t) size))
        return 1;
    printf("heard %.*s instead of %s\n", size < 0 ? 0 : size, body, text);
    return 0;
}

static void is_empty(int s)
{
    CHECK(nn_recv(s, NULL, 0, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
}

/* Thousands of messages that nobody reads: of each topic the newest is there, in the order in which the topics came. */
static void newest(enum ct_transport t, int domain, int sends, int receives)
{
    int sender = ct_socket(sends), receiver = receiver_of(domain, receives, 8);
    link_up(t, sends, sender, receiver);
    char text[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "topic-%c%c%d", 'a' + i % 3, '/', i);
        say(sender, text);
    }
    say(sender, "topic-z/only one");
    EVENTUALLY(REPLACED(receiver) == 2997);
    say(sender, LAST);
    CHECK(hears(receiver, "topic-a/2997") && hears(receiver, "topic-b/2998") && hears(receiver, "topic-c/2999"));
    CHECK(hears(receiver, "topic-z/only one") && hears(receiver, LAST));
    is_empty(receiver);
    /* And on: one that was received makes its topic a new one. */
    say(sender, "topic-b/x");
    say(sender, "topic-a/y");
    say(sender, "topic-b/z");
    say(sender, LAST);
    EVENTUALLY(REPLACED(receiver) == 2998);
    CHECK(hears(receiver, "topic-b/z") && hears(receiver, "topic-a/y") && hears(receiver, LAST));
    CHECK(nn_get_statistic(receiver, NN_STAT_MESSAGES_RECEIVED) == 8);
    MUST(nn_close(sender));
    MUST(nn_close(receiver));
}

/* With no topics at all there is one message, the last, for poll, for NN_RCVFD and for nn_recv. */
static void only_one(enum ct_transport t)
{
    int sender = ct_socket(NN_PUSH), receiver = receiver_of(AF_SP, NN_PULL, 0);
    link_up(t, NN_PUSH, sender, receiver);
    struct nn_pollfd p = {receiver, NN_POLLIN, 0};
    CHECK(nn_poll(&p, 1, 0) == 0);
    struct pollfd can = {ct_get(receiver, NN_SOL_SOCKET, NN_RCVFD), POLLIN, 0};
    CHECK(poll(&can, 1, 0) == 0);
    for (int i = 0; i < 5000; i++)
        say(sender, i == 4999 ? "last" : "not the last");
    EVENTUALLY(REPLACED(receiver) == 4999);
    CHECK(poll(&can, 1, CT_PATIENCE) == 1 && nn_poll(&p, 1, CT_PATIENCE) == 1);
    CHECK(hears(receiver, "last"));
    CHECK(poll(&can, 1, 0) == 0 && nn_poll(&p, 1, 0) == 0);
    is_empty(receiver);
    MUST(nn_close(sender));
    MUST(nn_close(receiver));
}

static void *receive(void *socket)
{
    CHECK(hears(*(int *) socket, "wake up"));
    return NULL;
}

static void blocked_receivers_are_woken(enum ct_transport t)
{
    int sender = ct_socket(NN_PUB), receiver = receiver_of(AF_SP, NN_SUB, 0);
    link_up(t, NN_PUB, sender, receiver);
    pthread_t thread;
    pthread_create(&thread, NULL, receive, &receiver);
    BLOCKED();
    say(sender, "wake up");
    pthread_join(thread, NULL);
    MUST(nn_close(sender));
    MUST(nn_close(receiver));
}

/* A mebibyte each, of which the last is received. */
static void large(enum ct_transport t)
{
    enum { SIZE = 1 << 20 };
    int sender = ct_socket(NN_PUSH), receiver = receiver_of(AF_SP, NN_PULL, 4);
    MUST(ct_set(receiver, NN_RCVMAXSIZE, SIZE));
    link_up(t, NN_PUSH, sender, receiver);
    char *body = calloc(1, SIZE);
    for (int i = 0; i < 30; i++) {
        memset(body, 'a' + i % 26, SIZE);
        memcpy(body, "same", 4);
        CHECK(nn_send(sender, body, SIZE, 0) == SIZE);
    }
    EVENTUALLY(REPLACED(receiver) == 29);
    void *got;
    CHECK(nn_recv(receiver, &got, NN_MSG, 0) == SIZE && !memcmp(got, body, SIZE));
    MUST(nn_freemsg(got));
    is_empty(receiver);
    free(body);
    MUST(nn_close(sender));
    MUST(nn_close(receiver));
}

/* Different topics take NN_RCVBUF bytes at most; more of them wait with the sender, and nothing of them is lost. */
static void bounded(enum ct_transport t)
{
    enum { MANY = 20000 };
    int sender = ct_socket(NN_PUSH), receiver = receiver_of(AF_SP, NN_PULL, 6);
    MUST(ct_set(receiver, NN_RCVBUF, 4096));
    MUST(ct_set(sender, NN_SNDBUF, 4096));
    MUST(ct_set(sender, NN_SNDTIMEO, 50));
    link_up(t, NN_PUSH, sender, receiver);
    char text[400];
    memset(text, '.', sizeof text);
    int sent = 0, received = 0;
    for (; sent < MANY; sent++) {
        snprintf(text, 7, "%06d", sent);
        if (nn_send(sender, text, sizeof text, 0) < 0)
            break;
    }
    CHECK(sent < MANY && nn_errno() == ETIMEDOUT);
    for (; received < sent; received++)
        CHECK(nn_recv(receiver, text, sizeof text, 0) == sizeof text && atoi(text) == received);
    CHECK(REPLACED(receiver) == 0);
    is_empty(receiver);
    MUST(nn_close(sender));
    MUST(nn_close(receiver));
}

/* What has come before the option was set counts, and so does what is there when it is taken back. What is kept outlives its
   sender. */
static void on_and_off(enum ct_transport t)
{
    int sender = ct_socket(NN_PAIR), receiver = ct_socket(NN_PAIR);
    struct nn_pollfd p = {receiver, NN_POLLIN, 0};
    link_up(t, NN_PAIR, sender, receiver);
    for (int i = 0; i < 4; i++)
        say(sender, "before");
    CHECK(nn_poll(&p, 1, CT_PATIENCE) == 1);
    MUST(ct_set(receiver, NN_CONFLATE, 1));
    EVENTUALLY(REPLACED(receiver) == 3);
    CHECK(hears(receiver, "before"));
    is_empty(receiver);
    say(sender, "a1");
    say(sender, "a2");
    EVENTUALLY(REPLACED(receiver) == 4);
    MUST(ct_set(receiver, NN_CONFLATE, 0));
    say(sender, "a3");
    say(sender, "a4");
    CHECK(hears(receiver, "a2") && hears(receiver, "a3") && hears(receiver, "a4"));
    MUST(ct_set(receiver, NN_CONFLATE, 1));
    say(sender, "a5");
    say(sender, "a6");
    EVENTUALLY(REPLACED(receiver) == 5);
    MUST(nn_close(sender));
    ALONE(receiver);
    CHECK(nn_poll(&p, 1, 0) == 1 && hears(receiver, "a6"));
    is_empty(receiver);
    MUST(nn_close(receiver));
}

/* All that has come by then is read, though nobody receives, and more than is read in one go. */
static void much_at_once(enum ct_transport t)
{
    int sender = ct_socket(NN_PUSH), receiver = ct_socket(NN_PULL);
    link_up(t, NN_PUSH, sender, receiver);
    for (int i = 0; i < 5000; i++)
        say(sender, i == 4999 ? "last" : "before");
    MUST(ct_set(receiver, NN_CONFLATE, 1));
    EVENTUALLY(REPLACED(receiver) == 4999);
    CHECK(hears(receiver, "last"));
    is_empty(receiver);
    MUST(nn_close(sender));
    MUST(nn_close(receiver));
}

/* A SUB replaces what it wants by what it wants. */
static void wanted(enum ct_transport t)
{
    int sender = ct_socket(NN_PUB), receiver = receiver_of(AF_SP, NN_SUB, 0);
    link_up(t, NN_PUSH, sender, receiver);
    MUST(nn_setsockopt(receiver, NN_SUB, NN_SUB_SUBSCRIBE, "y", 1));
    MUST(nn_setsockopt(receiver, NN_SUB, NN_SUB_SUBSCRIBE, "z", 1));
    say(sender, "y1");
    say(sender, "y2");
    say(sender, "n3");
    EVENTUALLY(REPLACED(receiver) == 1);
    CHECK(hears(receiver, "y2"));
    say(sender, "z4");
    say(sender, "y5");
    EVENTUALLY(REPLACED(receiver) == 2);
    MUST(nn_setsockopt(receiver, NN_SUB, NN_SUB_UNSUBSCRIBE, "y", 1));
    is_empty(receiver);
    MUST(nn_close(sender));
    MUST(nn_close(receiver));
}

/* Several that send all the time do not keep it from being received from. */
static void *flood(void *addr)
{
    int s = ct_socket(NN_PUSH);
    MUST(nn_connect(s, addr));
    for (int i = 0; i < 20000; i++)
        CHECK(nn_send(s, "flood", 5, 0) == 5);
    MUST(nn_close(s));
    return NULL;
}

static void many_senders(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    pthread_t threads[4];
    int receiver = receiver_of(AF_SP, NN_PULL, 0), received = 0;
    MUST(nn_bind(receiver, ct_address(t, addr)));
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, flood, addr);
    while (REPLACED(receiver) + (uint64_t) received < 80000) {
        struct nn_pollfd p = {receiver, NN_POLLIN, 0};
        if (nn_poll(&p, 1, 10) == 1 && nn_recv(receiver, NULL, 0, NN_DONTWAIT) == 5)
            received++;
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(received > 0 && REPLACED(receiver) + (uint64_t) received == 80000);
    MUST(nn_close(receiver));
}

int main(void)
{
    QUIRK("NN_CONFLATE", "SUB, PULL and PAIR have the options, and nobody else") {
        static const int types[] = {NN_PUB, NN_REQ, NN_REP, NN_PUSH, NN_SURVEYOR, NN_RESPONDENT, NN_BUS};
        for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
            no_option(AF_SP, types[i]);
            no_option(raw_domain, types[i]);
        }
        for (int domain = AF_SP; domain <= raw_domain; domain++) {
            option(domain, NN_SUB);
            option(domain, NN_PULL);
            option(domain, NN_PAIR);
        }
    }
    static const char *const texts[][2] = {
        {"NN_CONFLATE over inproc", "an unread message is replaced by the next of its topic"},
        {"NN_CONFLATE over ipc", "an unread message is replaced by the next of its topic"},
        {"NN_CONFLATE over tcp", "an unread message is replaced by the next of its topic"},
    };
    for (enum ct_transport t = INPROC; t <= TCP; t++) {
        QUIRK(texts[t][0], texts[t][1]) {
            for (int domain = AF_SP; domain <= raw_domain; domain++) {
                newest(t, domain, NN_PUSH, NN_PULL);
                newest(t, domain, NN_PUB, NN_SUB);
                newest(t, domain, NN_PAIR, NN_PAIR);
            }
            only_one(t);
            blocked_receivers_are_woken(t);
            large(t);
            bounded(t);
            on_and_off(t);
            much_at_once(t);
            wanted(t);
            many_senders(t);
        }
    }
    return 0;
}
