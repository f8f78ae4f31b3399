/* Who owns an NN_MSG chunk after a call: the library on success, the caller after
   an error. Each chunk the caller keeps is used and freed here, so a library that
   freed it as well would crash. */

#include "ctest.h"

static void *chunk(const char *text)
{
    void *p = nn_allocmsg(strlen(text) + 1, 0);
    strcpy(p, text);
    return p;
}

static void still_mine(const char *when, void *p, const char *text)
{
    printf("%s: still %s\n", when, strcmp(p, text) ? "the caller's but changed" : "the caller's");
    CHECK(nn_reallocmsg(p, 1) == p);
    MUST(nn_freemsg(p));
}

static void sending(enum ct_transport t)
{
    int s[2], alone = ct_socket(NN_PAIR);
    void *p, *q, *before;

    printf("-- %s\n", ct_scheme[t]);
    ct_pair(t, s);

    p = before = chunk("hello");
    CALL(nn_send(s[0], &p, NN_MSG, 0));
    printf("the caller's pointer is %s\n", p == before ? "unchanged" : "changed");
    q = NULL;
    CALL(nn_recv(s[1], &q, NN_MSG, 0));
    CHECK(strcmp(q, "hello") == 0);
    CALL(nn_freemsg(q));

    /* The length of the chunk, not of its text, is the message's. */
    p = nn_allocmsg(0, 0);
    CALL(nn_send(s[0], &p, NN_MSG, 0));
    q = NULL;
    CALL(nn_recv(s[1], &q, NN_MSG, 0));
    printf("an empty message is %s\n", q ? "a chunk" : "NULL");
    CALL(nn_freemsg(q));

    p = nn_allocmsg(200000, 0);
    memset(p, 'x', 200000);
    p = nn_reallocmsg(p, 100000);
    CALL(nn_send(s[0], &p, NN_MSG, 0));
    q = NULL;
    CALL(nn_recv(s[1], &q, NN_MSG, 0));
    CHECK(((char *) q)[99999] == 'x');
    CALL(nn_freemsg(q));

    /* Errors. */
    p = chunk("again");
    CALL(nn_send(alone, &p, NN_MSG, NN_DONTWAIT));
    still_mine("EAGAIN", p, "again");

    p = chunk("late");
    MUST(ct_set(alone, NN_SNDTIMEO, 10));
    CALL(nn_send(alone, &p, NN_MSG, 0));
    still_mine("ETIMEDOUT", p, "late");

    p = chunk("nowhere");
    CALL(nn_send(4711, &p, NN_MSG, 0));
    still_mine("EBADF", p, "nowhere");

    p = chunk("two parts");
    struct nn_iovec two[2] = {{&p, NN_MSG}, {"x", 1}};
    struct nn_msghdr hdr = {two, 2, NULL, 0};
    CALL(nn_sendmsg(s[0], &hdr, 0));
    still_mine("EINVAL", p, "two parts");

    p = NULL;
    CALL_AS("nn_send of a NULL chunk", nn_send(s[0], &p, NN_MSG, 0));
    QUIRK("Q-B23", "a NULL pointer to a chunk is EFAULT") {
        CHECK(nn_send(s[0], NULL, NN_MSG, 0) == -1 && nn_errno() == EFAULT);
    }

    /* Receiving. */
    q = (void *) 0x1234;
    CALL(nn_recv(s[0], &q, NN_MSG, NN_DONTWAIT));
    printf("pointer after a failed nn_recv: %s\n", q == (void *) 0x1234 ? "untouched" : "written");

    ct_close_pair(s);
    MUST(nn_close(alone));
}

int main(void)
{
    sending(INPROC);
    sending(IPC);
    sending(TCP);
    sending(WS);

    /* Control chunks: the library's after success; with an error found before the
       socket is asked, they stay the caller's. */
    int s[2];
    ct_pair(INPROC, s);
    void *control = nn_allocmsg(NN_CMSG_SPACE(0), 0);
    struct nn_cmsghdr *c = control;
    c->cmsg_len = NN_CMSG_LEN(0);
    c->cmsg_level = 55;
    c->cmsg_type = 66;
    struct nn_iovec iov = {"abc", 3};
    struct nn_msghdr hdr = {&iov, 1, &control, NN_MSG};

    CALL_AS("bad handle", nn_sendmsg(4711, &hdr, 0));
    hdr.msg_iovlen = -1;
    CALL_AS("bad iovlen", nn_sendmsg(s[0], &hdr, 0));
    hdr.msg_iovlen = 1;
    iov.iov_base = NULL;
    CALL_AS("bad base", nn_sendmsg(s[0], &hdr, 0));
    iov.iov_base = "abc";
    CHECK(c->cmsg_level == 55);
    CALL_AS("success", nn_sendmsg(s[0], &hdr, 0));

    char buf[8];
    void *got = NULL;
    iov.iov_base = buf;
    iov.iov_len = sizeof buf;
    hdr.msg_control = &got;
    hdr.msg_controllen = NN_MSG;
    CALL(nn_recvmsg(s[1], &hdr, 0));
    printf("received control is %s\n", got ? "a chunk" : "NULL");
    CALL(nn_freemsg(got));

    got = (void *) 0x1234;
    CALL(nn_recvmsg(s[1], &hdr, NN_DONTWAIT));
    printf("control after a failed nn_recvmsg: %s\n", got == (void *) 0x1234 ? "untouched" : "written");
    ct_close_pair(s);
    return 0;
}
