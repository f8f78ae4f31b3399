/* Control data of nn_sendmsg and nn_recvmsg, as far as a PAIR has any. */

#include "ctest.h"

static int s[2];
static _Alignas(size_t) unsigned char control[256];

static size_t sp_hdr(unsigned char *at, size_t header, const char *bytes)
{
    struct nn_cmsghdr *c = (struct nn_cmsghdr *) at;
    c->cmsg_len = NN_CMSG_SPACE(sizeof(size_t) + header);
    c->cmsg_level = PROTO_SP;
    c->cmsg_type = SP_HDR;
    memcpy(NN_CMSG_DATA(c), &header, sizeof header);
    memcpy(NN_CMSG_DATA(c) + sizeof header, bytes, header);
    return NN_CMSG_SPACE(sizeof(size_t) + header);
}

static void send_with(const char *what, size_t length)
{
    char buf[64];
    struct nn_iovec iov = {"body", 4};
    struct nn_msghdr hdr = {&iov, 1, control, length};
    CALL_AS(what, nn_sendmsg(s[0], &hdr, 0));
    CHECK(hdr.msg_control == control && hdr.msg_controllen == length);
    int n = MUST(nn_recv(s[1], buf, sizeof buf, 0));
    ct_print_hex("  arrives", buf, (size_t) n);
}

/* What nn_recvmsg leaves in a control buffer of the given length. */
static void receive_with(size_t length)
{
    char buf[64];
    struct nn_iovec iov = {buf, sizeof buf};
    struct nn_msghdr hdr = {&iov, 1, control, length};
    memset(control, 0xEE, sizeof control);
    MUST(nn_send(s[0], "body", 4, 0));
    int n = MUST(nn_recvmsg(s[1], &hdr, 0));
    printf("control of %zu bytes: %d, msg_controllen %zu,", length, n, hdr.msg_controllen);
    ct_print_hex("", control, 32);
    CHECK(hdr.msg_control == control);
    for (size_t i = length; i < sizeof control; i++)
        CHECK(control[i] == 0xEE);
}

static void run(enum ct_transport t)
{
    size_t n;
    printf("-- %s\n", ct_scheme[t]);
    ct_pair(t, s);

    /* A header sent along is put in front of the body. */
    memset(control, 0, sizeof control);
    send_with("no control", 0);
    n = sp_hdr(control, 0, "");
    send_with("an empty header", n);
    n = sp_hdr(control, 4, "\x80\0\0\x01");
    send_with("a header of 4", n);
    n = sp_hdr(control, 5, "HEADE");
    send_with("a header of 5", n);
    n = sp_hdr(control, 8, "\x01\x02\x03\x04\x80\x05\x06\x07");
    send_with("a header of 8", n);
    send_with("its buffer one byte short", n - 1);
    send_with("its buffer one byte long", n + 1);
    send_with("15 bytes of it", 15);

    /* A length inside that does not fit is ignored. */
    n = sp_hdr(control, 8, "HHHHHHHH");
    ((struct nn_cmsghdr *) control)->cmsg_len = NN_CMSG_LEN(sizeof(size_t) + 8);
    send_with("cmsg_len exact", n);
    ((struct nn_cmsghdr *) control)->cmsg_len = NN_CMSG_LEN(sizeof(size_t) + 7);
    send_with("cmsg_len one short", n);
    ((struct nn_cmsghdr *) control)->cmsg_len = NN_CMSG_LEN(sizeof(size_t));
    send_with("cmsg_len with room for the size only", NN_CMSG_SPACE(sizeof(size_t)));
    ((struct nn_cmsghdr *) control)->cmsg_len = NN_CMSG_LEN(0);
    send_with("cmsg_len without payload", NN_CMSG_SPACE(0));
    n = sp_hdr(control, 8, "HHHHHHHH");
    memset(NN_CMSG_DATA(control), 0xFF, sizeof(size_t));
    send_with("a size of SIZE_MAX", n);

    /* Other properties do not matter; the first header counts. */
    n = sp_hdr(control, 2, "HH");
    ((struct nn_cmsghdr *) control)->cmsg_level = 2;
    send_with("another level", n);
    ((struct nn_cmsghdr *) control)->cmsg_level = PROTO_SP;
    ((struct nn_cmsghdr *) control)->cmsg_type = 2;
    send_with("another type", n);
    n += sp_hdr(control + n, 3, "III");
    send_with("another type, then a header", n);
    ((struct nn_cmsghdr *) control)->cmsg_type = SP_HDR;
    send_with("two headers", n);

    if (t == INPROC) {
        QUIRK("Q-B14", "a zeroed control buffer is no property and no endless loop") {
            char buf[16];
            struct nn_iovec iov = {"body", 4};
            struct nn_msghdr hdr = {&iov, 1, control, 48};
            memset(control, 0, sizeof control);
            CHECK(nn_sendmsg(s[0], &hdr, 0) == 4);
            CHECK(nn_recv(s[1], buf, sizeof buf, 0) == 4);
        }
        QUIRK("Q-B15", "a header property shorter than its own header is ignored") {
            char buf[16];
            struct nn_iovec iov = {"body", 4};
            struct nn_msghdr hdr = {&iov, 1, control, 0};
            for (size_t len = 0; len < 16; len++) {
                hdr.msg_controllen = sp_hdr(control, 4, "HHHH");
                ((struct nn_cmsghdr *) control)->cmsg_len = len;
                CHECK(nn_sendmsg(s[0], &hdr, 0) == 4);
                CHECK(nn_recv(s[1], buf, sizeof buf, 0) == 4);
            }
        }
    }

    /* Receiving: an empty header property, if there is room for it. */
    static const size_t lengths[] = {0, 1, 15, 16, 17, 23, 24, 25, 31, 32, 40, 48, 64};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        receive_with(lengths[i]);

    /* As a chunk. */
    char buf[64];
    void *chunk = NULL;
    struct nn_iovec iov = {buf, sizeof buf};
    struct nn_msghdr hdr = {&iov, 1, &chunk, NN_MSG};
    MUST(nn_send(s[0], "body", 4, 0));
    CALL(nn_recvmsg(s[1], &hdr, 0));
    CHECK(hdr.msg_controllen == NN_MSG && hdr.msg_control == &chunk);
    struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR(&hdr);
    ct_print_hex("chunk", c, 24);
    printf("one property only: %s\n", NN_CMSG_NXTHDR(&hdr, c) ? "no" : "yes");

    /* Body and control both as chunks, sent on as they came. */
    void *body = NULL;
    iov = (struct nn_iovec) {&body, NN_MSG};
    MUST(nn_freemsg(chunk));
    MUST(nn_send(s[0], "forward", 7, 0));
    CALL(nn_recvmsg(s[1], &hdr, 0));
    CALL(nn_sendmsg(s[1], &hdr, 0));
    n = (size_t) MUST(nn_recv(s[0], buf, sizeof buf, 0));
    printf("%.*s\n", (int) n, buf);

    /* A control chunk with a header in it. */
    n = sp_hdr(control, 3, "abc");
    chunk = nn_allocmsg(n, 0);
    memcpy(chunk, control, n);
    iov = (struct nn_iovec) {"body", 4};
    hdr = (struct nn_msghdr) {&iov, 1, &chunk, NN_MSG};
    CALL(nn_sendmsg(s[0], &hdr, 0));
    n = (size_t) MUST(nn_recv(s[1], buf, sizeof buf, 0));
    printf("%.*s\n", (int) n, buf);
    chunk = nn_allocmsg(0, 0);
    CALL_AS("an empty control chunk", nn_sendmsg(s[0], &hdr, 0));
    CALL(nn_recv(s[1], buf, sizeof buf, 0));

    ct_close_pair(s);
}

int main(void)
{
    run(INPROC);
    run(IPC);
    run(TCP);
    run(WS);

    /* A raw PAIR is the same. */
    printf("-- raw\n");
    int patience = CT_PATIENCE;
    s[0] = MUST(nn_socket(AF_SP_RAW, NN_PAIR));
    s[1] = MUST(nn_socket(AF_SP_RAW, NN_PAIR));
    MUST(ct_set(s[1], NN_RCVTIMEO, patience));
    MUST(nn_bind(s[0], "inproc://raw"));
    MUST(nn_connect(s[1], "inproc://raw"));
    CONNECTED(s[0]);
    CONNECTED(s[1]);
    size_t n = sp_hdr(control, 5, "HEADE");
    send_with("a header of 5", n);
    receive_with(40);
    ct_close_pair(s);
    return 0;
}
