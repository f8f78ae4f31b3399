/* What a process and its child choose at random after fork differs: request and
   survey ids, the keys and masks of WebSockets. */

#include "ctest.h"

struct drawn { unsigned char request[4], survey[4], key[24], mask[4]; };

/* The first frame of a socket: the id in front of its body. */
static void draw_id(int type, const char *peer, unsigned char id[4])
{
    char addr[NN_SOCKADDR_MAX], frame[8 + 8 + 5];
    int listener = ct_raw_listen(ct_address(TCP, addr)), fd, s = ct_socket(type);
    MUST(nn_connect(s, addr));
    fd = MUST(ct_raw_accept(listener, CT_PATIENCE));
    ct_raw_write(fd, peer, 8);
    CONNECTED(s);
    CHECK(nn_send(s, "q", 1, 0) == 1);
    CHECK(ct_raw_read(fd, frame, sizeof frame) == sizeof frame);
    memcpy(id, frame + 16, 4);
    close(fd);
    close(listener);
    MUST(nn_close(s));
}

/* The key that a WebSocket client asks with, and the mask of its first frame. */
static void draw_key(struct drawn *d)
{
    static const char head[] = "Sec-WebSocket-Key: ";
    char addr[NN_SOCKADDR_MAX], request[1024] = "";
    size_t n = 0;
    int listener = ct_raw_listen(ct_address(WS, addr)), fd, s = ct_socket(NN_PAIR);
    MUST(nn_connect(s, addr));
    fd = MUST(ct_raw_accept(listener, CT_PATIENCE));
    while (!strstr(request, "\r\n\r\n") && n < sizeof request - 1 && ct_raw_read(fd, request + n, 1) == 1)
        n++;
    char *key = strcasestr(request, head);
    CHECK(key != NULL);
    if (key)
        memcpy(d->key, key + strlen(head), sizeof d->key);
    close(fd);
    close(listener);
    MUST(nn_close(s));

    /* The rest with a server of ours, behind a peer that only passes bytes on. */
    int server = ct_socket(NN_PAIR), front, back;
    char inner[NN_SOCKADDR_MAX];
    unsigned char frame[2 + 4 + 1];
    MUST(nn_bind(server, ct_address(WS, inner)));
    listener = ct_raw_listen(ct_address(WS, addr));
    s = ct_socket(NN_PAIR);
    MUST(nn_connect(s, addr));
    front = MUST(ct_raw_accept(listener, CT_PATIENCE));
    back = ct_raw_connect(inner);
    for (n = 0; n < 4 || memcmp(request + n - 4, "\r\n\r\n", 4) != 0; n++)
        CHECK(n < sizeof request && ct_raw_read(front, request + n, 1) == 1);
    ct_raw_write(back, request, n);
    for (n = 0; n < 4 || memcmp(request + n - 4, "\r\n\r\n", 4) != 0; n++)
        CHECK(n < sizeof request && ct_raw_read(back, request + n, 1) == 1);
    ct_raw_write(front, request, n);
    CONNECTED(s);
    CHECK(nn_send(s, "x", 1, 0) == 1);
    CHECK(ct_raw_read(front, frame, sizeof frame) == sizeof frame);
    memcpy(d->mask, frame + 2, 4);
    close(front);
    close(back);
    close(listener);
    MUST(nn_close(s));
    MUST(nn_close(server));
}

static struct drawn draw(void)
{
    struct drawn d;
    draw_id(NN_REQ, "\0SP\0\0\x31\0\0", d.request);
    draw_id(NN_SURVEYOR, "\0SP\0\0\x63\0\0", d.survey);
    draw_key(&d);
    return d;
}

static void differ(const char *what, const void *a, const void *b, size_t size)
{
    if (memcmp(a, b, size) == 0)
        printf("the same %s\n", what);
}

int main(void)
{
    ct_dir();
    QUIRK("Q-E3", "a process and its children choose differently at random") {
        struct drawn drawn[3];
        int status, p[2];
        /* Something was chosen before. */
        MUST(nn_close(ct_socket(NN_PUSH)));
        for (int i = 0; i < 2; i++) {
            MUST(pipe(p));
            fflush(stdout);
            pid_t pid = MUST(fork());
            if (pid == 0) {
                alarm(30);
                drawn[i] = draw();
                _exit(write(p[1], &drawn[i], sizeof drawn[i]) != sizeof drawn[i]);
            }
            CHECK(read(p[0], &drawn[i], sizeof drawn[i]) == sizeof drawn[i]);
            MUST(waitpid(pid, &status, 0));
            CHECK(status == 0);
            close(p[0]);
            close(p[1]);
        }
        drawn[2] = draw();
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < i; k++) {
                differ("request id", drawn[i].request, drawn[k].request, 4);
                differ("survey id", drawn[i].survey, drawn[k].survey, 4);
                differ("key", drawn[i].key, drawn[k].key, 24);
                differ("mask", drawn[i].mask, drawn[k].mask, 4);
            }
    }
    return 0;
}
