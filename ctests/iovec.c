/* Gathering and scattering, truncation, and NN_MSG in the wrong place. */

#include "ctest.h"

static int s[2];

/* Receives into buffers of the given sizes and prints what each got. */
static void scatter(const char *message, const size_t *sizes, int count)
{
    char buf[8][32];
    struct nn_iovec iov[8];
    struct nn_msghdr hdr = {iov, count, NULL, 0};
    memset(buf, '#', sizeof buf);
    for (int i = 0; i < count; i++)
        iov[i] = (struct nn_iovec) {buf[i], sizes[i]};
    MUST(nn_send(s[0], message, strlen(message), 0));
    int rc = MUST(nn_recvmsg(s[1], &hdr, 0));
    printf("\"%s\" = %d:", message, rc);
    for (int i = 0; i < count; i++)
        printf(" %zu[%.*s]", sizes[i], (int) sizes[i] + 1, buf[i]);
    printf("\n");
    for (int i = 0; i < count; i++)
        CHECK(iov[i].iov_base == buf[i] && iov[i].iov_len == sizes[i]);
    CHECK(hdr.msg_iov == iov && hdr.msg_iovlen == count);
}

static void run(enum ct_transport t)
{
    char buf[64];
    printf("-- %s\n", ct_scheme[t]);
    ct_pair(t, s);

    struct nn_iovec out[4] = {{"abc", 3}, {"", 0}, {"defg", 4}, {"h", 1}};
    struct nn_msghdr hdr = {out, 4, NULL, 0};
    CALL(nn_sendmsg(s[0], &hdr, 0));
    int n = CALL(nn_recv(s[1], buf, sizeof buf, 0));
    printf("%.*s\n", n, buf);
    CHECK(out[2].iov_len == 4 && hdr.msg_iovlen == 4);

    /* 100 parts, large in sum. */
    static char large[100 * 3000], back[100 * 3000];
    struct nn_iovec many[100];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char) (i * 31 + i / 3000);
    for (int i = 0; i < 100; i++)
        many[i] = (struct nn_iovec) {large + i * 3000, 3000};
    hdr.msg_iov = many;
    hdr.msg_iovlen = 100;
    CALL(nn_sendmsg(s[0], &hdr, 0));
    for (int i = 0; i < 100; i++)
        many[i].iov_base = back + i * 3000;
    CALL(nn_recvmsg(s[1], &hdr, 0));
    CHECK(memcmp(large, back, sizeof large) == 0);

    scatter("abcdef", (size_t[]) {4, 2}, 2);
    scatter("abcdef", (size_t[]) {2, 0, 4}, 3);
    scatter("abcdef", (size_t[]) {1, 1, 1, 1, 1, 1}, 6);
    scatter("abcdef", (size_t[]) {10}, 1);
    scatter("abcdef", (size_t[]) {4, 10, 5}, 3);
    scatter("abcdef", (size_t[]) {4}, 1);
    scatter("abcdef", (size_t[]) {2, 3}, 2);
    scatter("abcdef", (size_t[]) {0}, 1);
    scatter("abcdef", (size_t[]) {0, 0, 1}, 3);
    scatter("abcdef", NULL, 0);
    scatter("", (size_t[]) {3, 3}, 2);

    /* A message cut short is gone; the next one is whole. */
    MUST(nn_send(s[0], "0123456789", 10, 0));
    MUST(nn_send(s[0], "next", 4, 0));
    memset(buf, '#', sizeof buf);
    CALL(nn_recv(s[1], buf, 4, 0));
    printf("%.5s\n", buf);
    n = CALL(nn_recv(s[1], buf, sizeof buf, 0));
    printf("%.*s\n", n, buf);

    /* NN_MSG stands alone. */
    void *chunk = NULL;
    struct nn_iovec mixed[2] = {{buf, 2}, {&chunk, NN_MSG}};
    hdr.msg_iov = mixed;
    hdr.msg_iovlen = 2;
    MUST(nn_send(s[0], "once", 4, 0));
    CALL_AS("NN_MSG second", nn_recvmsg(s[1], &hdr, 0));
    QUIRK("api.md 7.6", "NN_MSG among several buffers loses no message") {
        mixed[0] = (struct nn_iovec) {&chunk, NN_MSG};
        mixed[1] = (struct nn_iovec) {buf, 2};
        CHECK(nn_recvmsg(s[1], &hdr, 0) == -1 && nn_errno() == EINVAL && !chunk);
        CHECK(nn_recv(s[1], buf, sizeof buf, 0) == 4 && memcmp(buf, "once", 4) == 0);
    }

    /* From many parts into a chunk, and from a chunk into many parts. */
    hdr.msg_iov = out;
    hdr.msg_iovlen = 4;
    MUST(nn_sendmsg(s[0], &hdr, 0));
    n = CALL(nn_recv(s[1], &chunk, NN_MSG, 0));
    printf("%.*s\n", n, (char *) chunk);
    MUST(nn_send(s[0], &chunk, NN_MSG, 0));
    char parts[2][4];
    struct nn_iovec in[2] = {{parts[0], 4}, {parts[1], 4}};
    hdr.msg_iov = in;
    hdr.msg_iovlen = 2;
    CALL(nn_recvmsg(s[1], &hdr, 0));
    printf("%.4s %.4s\n", parts[0], parts[1]);
    ct_close_pair(s);
}

int main(void)
{
    run(INPROC);
    run(IPC);
    run(TCP);
    run(WS);
    return 0;
}
