/* Walking control messages: NN_CMSG_FIRSTHDR and NN_CMSG_NXTHDR over buffers of
   every length, and over a chunk. */

#include "ctest.h"

static _Alignas(size_t) unsigned char buf[256];

static size_t put(size_t at, size_t payload, int level, int type)
{
    struct nn_cmsghdr *c = (struct nn_cmsghdr *) (buf + at);
    c->cmsg_len = NN_CMSG_LEN(payload);
    c->cmsg_level = level;
    c->cmsg_type = type;
    return at + NN_CMSG_SPACE(payload);
}

static void walk(const char *what, const struct nn_msghdr *hdr, const void *start)
{
    struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR(hdr);
    printf("%s:", what);
    for (int n = 0; c && n < 10; n++) {
        printf(" [at %td len %zu level %d type %d]", (unsigned char *) c - (unsigned char *) start,
               c->cmsg_len, c->cmsg_level, c->cmsg_type);
        c = NN_CMSG_NXTHDR(hdr, c);
    }
    printf("\n");
}

static void walk_buf(const char *what, size_t length)
{
    char text[64];
    struct nn_msghdr hdr = {NULL, 0, buf, length};
    snprintf(text, sizeof text, "%s, %zu bytes", what, length);
    walk(text, &hdr, buf);
}

int main(void)
{
    size_t end;

    printf("no msghdr: %s\n", NN_CMSG_FIRSTHDR((struct nn_msghdr *) NULL) ? "a header" : "NULL");

    end = put(0, 8, 1, 1);
    end = put(end, 1, 2, 22);
    end = put(end, 0, -4, 33);
    printf("three properties take %zu bytes\n", end);
    for (size_t n = 0; n <= end; n++)
        walk_buf("three", n);

    /* A property longer than the buffer ends the walk. */
    put(0, 8, 1, 1);
    put(24, 1000, 2, 2);
    walk_buf("long second", 64);
    put(0, 1000, 1, 1);
    walk_buf("long first", 64);

    /* Lengths that are no multiple of the alignment. */
    for (size_t payload = 0; payload <= 9; payload++) {
        memset(buf, 0, sizeof buf);
        end = put(0, payload, 7, (int) payload);
        end = put(end, 0, 8, 8);
        walk_buf("odd", end);
    }

    /* The same in a chunk: its own length counts. */
    void *chunk = nn_allocmsg(40, 0);
    memset(buf, 0, sizeof buf);
    put(put(0, 8, 3, 4), 0, 5, 6);
    memcpy(chunk, buf, 40);
    struct nn_msghdr hdr = {NULL, 0, &chunk, NN_MSG};
    walk("chunk of 40", &hdr, chunk);
    chunk = nn_reallocmsg(chunk, 39);
    walk("chunk of 39", &hdr, chunk);
    chunk = nn_reallocmsg(chunk, 0);
    walk("empty chunk", &hdr, chunk);
    MUST(nn_freemsg(chunk));

    QUIRK("Q-B14", "a property shorter than its own header ends the walk") {
        struct nn_msghdr h = {NULL, 0, buf, 64};
        memset(buf, 0, sizeof buf);
        CHECK(NN_CMSG_FIRSTHDR(&h) == NULL || NN_CMSG_NXTHDR(&h, NN_CMSG_FIRSTHDR(&h)) == NULL);
        put(0, 8, 1, 1); /* and zeros behind it */
        struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR(&h);
        CHECK(c == (void *) buf);
        int steps = 0;
        while (c && steps < 10) {
            c = NN_CMSG_NXTHDR(&h, c);
            steps++;
        }
        CHECK(steps <= 2);
    }
    return 0;
}
