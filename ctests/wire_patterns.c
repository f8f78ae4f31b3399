/* The patterns as an OS socket sees them: greetings, and what stands before a body. */

#include "patterns.h"

static const struct { const char *name; int type, peer; } types[] = {
    {"PAIR", NN_PAIR, NN_PAIR}, {"PUB", NN_PUB, NN_SUB}, {"SUB", NN_SUB, NN_PUB}, {"REQ", NN_REQ, NN_REP},
    {"REP", NN_REP, NN_REQ}, {"PUSH", NN_PUSH, NN_PULL}, {"PULL", NN_PULL, NN_PUSH},
    {"SURVEYOR", NN_SURVEYOR, NN_RESPONDENT}, {"RESPONDENT", NN_RESPONDENT, NN_SURVEYOR}, {"BUS", NN_BUS, NN_BUS},
};

/* The greeting, which the listener sends without waiting for the other's; what it
   does with a peer of the right type, and of each other. */
static void greeting(enum ct_transport t, int domain, int i)
{
    char addr[NN_SOCKADDR_MAX];
    unsigned char header[8], mine[8] = {0, 'S', 'P', 0, 0, 0, 0, 0};
    int s = pt_socket(domain, types[i].type);
    MUST(nn_bind(s, ct_address(t, addr)));
    for (int k = 0; k < 10; k++) {
        int broken = ct_stat(s, NN_STAT_BROKEN_CONNECTIONS), fd = ct_raw_connect(addr);
        memset(header, 0xEE, sizeof header);
        CHECK(ct_raw_read(fd, header, 8) == 8);
        if (k == 0)
            ct_print_hex(types[i].name, header, 8);
        mine[5] = (unsigned char) types[k].type;
        ct_raw_write(fd, mine, 8);
        if (types[k].type == types[i].peer) {
            CONNECTED(s);
            close(fd);
            ALONE(s);
        } else {
            CHECK(ct_raw_closed(fd, CT_PATIENCE));
            EVENTUALLY(ct_stat(s, NN_STAT_BROKEN_CONNECTIONS) == broken + 1);
            CHECK(PEERS(s) == 0);
            close(fd);
        }
    }
    MUST(nn_close(s));
}

/* Reads a frame and prints it: the top bit of the first four bytes and no more of
   them when they are an id. */
static void frame(const char *what, int fd, const char *addr, int id, unsigned char *out)
{
    int n = pt_os_recv(fd, addr, out, 64);
    CHECK(n >= 0);
    if (id)
        printf("%s: an id with top bit %d, then %s\n", what, out[0] >> 7, pt_text(out + 4, (size_t) n - 4));
    else
        printf("%s: %s\n", what, pt_text(out, (size_t) n));
}

static int bound(enum ct_transport t, int type, char addr[NN_SOCKADDR_MAX])
{
    int s = ct_socket(type);
    MUST(nn_bind(s, ct_address(t, addr)));
    return s;
}

/* Those that send a body and nothing else. */
static void plain(enum ct_transport t, int i)
{
    char addr[NN_SOCKADDR_MAX];
    unsigned char in[64];
    int s = bound(t, types[i].type, addr), fd = pt_os_peer(addr, types[i].peer, s);
    if (types[i].type == NN_SUB)
        MUST(nn_setsockopt(s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    if (types[i].type != NN_SUB && types[i].type != NN_PULL) {
        pt_say(s, "body");
        frame(types[i].name, fd, addr, 0, in);
        pt_say(s, "");
        frame(types[i].name, fd, addr, 0, in);
    }
    if (types[i].type != NN_PUB && types[i].type != NN_PUSH) {
        pt_os_send(fd, addr, "from the wire", 13);
        CHECK(pt_got(s, "from the wire"));
        pt_os_send(fd, addr, "", 0);
        CHECK(pt_got(s, ""));
    }
    close(fd);
    MUST(nn_close(s));
}

/* REQ and SURVEYOR: an id before the body, one more each time, and back. */
static void asking(enum ct_transport t, int i)
{
    char addr[NN_SOCKADDR_MAX];
    unsigned char first[64], second[64];
    int s = bound(t, types[i].type, addr), fd = pt_os_peer(addr, types[i].peer, s);
    pt_say(s, "question");
    frame(types[i].name, fd, addr, 1, first);
    memcpy(first + 4, "answer", 6);
    pt_os_send(fd, addr, "\0\0\0\1nobody asked", 16);
    pt_os_send(fd, addr, "abc", 3);
    pt_os_send(fd, addr, first, 10);
    CHECK(pt_got(s, "answer"));
    pt_say(s, "");
    frame(types[i].name, fd, addr, 1, second);
    CHECK(pt_word(second) == ((pt_word(first) + 1) | 0x80000000u));
    pt_os_send(fd, addr, second, 4);
    CHECK(pt_got(s, ""));
    close(fd);
    MUST(nn_close(s));
}

/* REP and RESPONDENT: the words come back as they were, without a key. */
static void answering(enum ct_transport t, int i)
{
    char addr[NN_SOCKADDR_MAX];
    unsigned char out[64], in[64];
    int s = bound(t, types[i].type, addr), fd = pt_os_peer(addr, types[i].peer, s);
    for (int words = 1; words <= 8; words += 7) {
        pt_os_send(fd, addr, "\1\1\1\1\1\1\1\1\1\1\1\1", 12);
        pt_os_send(fd, addr, out, pt_stack(out, words, "question"));
        CHECK(pt_got(s, "question"));
        pt_say(s, "answer");
        int n = pt_os_recv(fd, addr, in, sizeof in);
        CHECK(n == 4 * words + 6 && memcmp(in, out, (size_t) words * 4) == 0);
        CHECK(memcmp(in + 4 * words, "answer", 6) == 0);
    }
    /* The body may start with a top bit, it is behind the words. */
    pt_os_send(fd, addr, "\x80\0\0\1\x80\0\0\2", 8);
    pt_hear(types[i].name, s);
    pt_say(s, "");
    frame(types[i].name, fd, addr, 0, in);
    close(fd);
    MUST(nn_close(s));
}

int main(void)
{
    for (enum ct_transport t = IPC; t <= WS; t++) {
        for (int domain = AF_SP; t != WS && domain <= AF_SP_RAW; domain++) {
            printf("-- %s%s, greetings\n", domain == AF_SP_RAW ? "raw, " : "", ct_scheme[t]);
            for (int i = 0; i < 10; i++)
                greeting(t, domain, i);
        }
        printf("-- %s, messages\n", ct_scheme[t]);
        for (int i = 0; i < 10; i++)
            switch (types[i].type) {
            case NN_REQ: case NN_SURVEYOR: asking(t, i); break;
            case NN_REP: case NN_RESPONDENT: answering(t, i); break;
            default: plain(t, i);
            }
    }
    return 0;
}
