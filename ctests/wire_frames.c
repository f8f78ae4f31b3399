/* Messages on a tcp or ipc connection, byte for byte. */

#include "ctest.h"

/* Five messages, then the end of the stream: all of them arrive. */
static void last_words(const char *addr, int s, int fd, int half)
{
    char frames[200], buf[16];
    size_t n = 0;
    for (int i = 0; i < 5; i++)
        n += ct_frame(addr, 10, "last words", 10, frames + n);
    ct_raw_write(fd, frames, n);
    if (half)
        shutdown(fd, SHUT_WR);
    else
        close(fd);
    for (int i = 0; i < 5; i++)
        CHECK(nn_recv(s, buf, sizeof buf, 0) == 10);
    ALONE(s);
    CHECK(nn_recv(s, buf, sizeof buf, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
    if (half)
        printf("five messages before the stream ends: delivered\n");
    else if (!ct_quirk_id)
        printf("five messages before the peer closes: delivered\n");
}

static void run(enum ct_transport t)
{
    static char frame[200000], body[200000], buf[200000];
    char addr[NN_SOCKADDR_MAX];
    size_t head = t == IPC ? 9 : 8, n;
    int s = ct_socket(NN_PAIR);

    printf("-- %s, sent\n", ct_scheme[t]);
    MUST(nn_bind(s, ct_address(t, addr)));
    int fd = ct_raw_connect(addr);
    ct_raw_greet(fd, s);
    static const size_t sizes[] = {0, 1, 5, 255, 256, 65536, 100000};
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char) (i * 7 + i / 256);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(nn_send(s, body, sizes[i], 0) == (int) sizes[i]);
        CHECK(ct_raw_read(fd, buf, head + sizes[i]) == head + sizes[i]);
        CHECK(memcmp(buf + head, body, sizes[i]) == 0);
        printf("%zu bytes", sizes[i]);
        ct_print_hex("", buf, head);
    }
    MUST(nn_send(s, "hello", 5, 0));
    MUST(nn_send(s, "world", 5, 0));
    CHECK(ct_raw_read(fd, buf, 2 * (head + 5)) == 2 * (head + 5));
    ct_print_hex("two in a row", buf, 2 * (head + 5));

    printf("-- %s, received\n", ct_scheme[t]);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        n = ct_frame(addr, sizes[i], body, sizes[i], frame);
        ct_raw_write(fd, frame, n);
        memset(buf, 0, sizeof buf);
        CHECK(nn_recv(s, buf, sizeof buf, 0) == (int) sizes[i]);
        CHECK(memcmp(buf, body, sizes[i]) == 0);
    }
    printf("whole frames: done\n");
    n = ct_frame(addr, 11, "byte a byte", 11, frame);
    for (size_t i = 0; i < n; i++) {
        CHECK(nn_recv(s, buf, sizeof buf, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
        ct_raw_write(fd, frame + i, 1);
        ct_nap(1);
    }
    CHECK(nn_recv(s, buf, sizeof buf, 0) == 11 && memcmp(buf, "byte a byte", 11) == 0);
    printf("byte by byte: done\n");

    /* Many in one write, and cut anywhere. */
    n = 0;
    for (int i = 0; i < 100; i++)
        n += ct_frame(addr, (size_t) i, body, (size_t) i, frame + n);
    for (size_t at = 0; at < n; at += 997)
        ct_raw_write(fd, frame + at, n - at < 997 ? n - at : 997);
    for (int i = 0; i < 100; i++)
        CHECK(nn_recv(s, buf, sizeof buf, 0) == i && memcmp(buf, body, (size_t) i) == 0);
    printf("a hundred in a row: done\n");

    /* A peer that sends and says that this was all. */
    last_words(addr, s, fd, 1);
    close(fd);

    /* A peer that sends and is gone. */
    if (t == TCP) {
        fd = ct_raw_connect(addr);
        ct_raw_greet(fd, s);
        last_words(addr, s, fd, 0);
    } else {
        QUIRK("Q-E13", "ipc: what a peer sent before it closed is delivered") {
            fd = ct_raw_connect(addr);
            ct_raw_greet(fd, s);
            last_words(addr, s, fd, 0);
        }
    }

    /* Messages right behind the greeting. */
    fd = ct_raw_connect(addr);
    memcpy(frame, PAIR_HEADER, 8);
    n = 8 + ct_frame(addr, 5, "hasty", 5, frame + 8);
    n += ct_frame(addr, 6, "hasty2", 6, frame + n);
    ct_raw_write(fd, frame, n);
    CALL(nn_recv(s, buf, sizeof buf, 0));
    CALL(nn_recv(s, buf, sizeof buf, 0));
    printf("%.6s\n", buf);

    /* Half a message and gone: nothing is delivered, and the next peer starts anew. */
    n = ct_frame(addr, 100, body, 100, frame);
    ct_raw_write(fd, frame, n - 1);
    close(fd);
    ALONE(s);
    CALL(nn_recv(s, buf, sizeof buf, NN_DONTWAIT));
    fd = ct_raw_connect(addr);
    ct_raw_greet(fd, s);
    n = ct_frame(addr, 5, "fresh", 5, frame);
    ct_raw_write(fd, frame, n);
    CALL(nn_recv(s, buf, sizeof buf, 0));
    printf("%.5s\n", buf);

    /* Closing the socket closes the connection, with nothing said. */
    MUST(nn_close(s));
    CHECK(ct_raw_closed(fd, CT_PATIENCE));
    close(fd);

    printf("-- %s, as connector\n", ct_scheme[t]);
    int listener = ct_raw_listen(ct_address(t, addr));
    s = ct_socket(NN_PAIR);
    MUST(ct_set(s, NN_RECONNECT_IVL, 10));
    MUST(nn_connect(s, addr));
    for (int i = 0; i < 3; i++) {
        fd = ct_raw_accept(listener, CT_PATIENCE);
        ct_raw_greet(fd, s);
        MUST(nn_send(s, "hello", 5, 0));
        CHECK(ct_raw_read(fd, buf, head + 5) == head + 5);
        ct_print_hex("sent", buf, head + 5);
        n = ct_frame(addr, 5, "there", 5, frame);
        ct_raw_write(fd, frame, n);
        CALL(nn_recv(s, buf, sizeof buf, 0));
        close(fd);
        ALONE(s);
    }
    QUIRK("Q-R3", "bytes left over from one connection never reach the next") {
        fd = ct_raw_accept(listener, CT_PATIENCE);
        ct_raw_greet(fd, s);
        n = ct_frame(addr, UINT32_MAX, "", 0, frame);
        memcpy(frame + n, PAIR_HEADER, 8);
        n += 8;
        n += ct_frame(addr, 6, "forged", 6, frame + n);
        ct_raw_write(fd, frame, n);
        CHECK(ct_raw_closed(fd, CT_PATIENCE));
        close(fd);
        fd = ct_raw_accept(listener, CT_PATIENCE);
        ct_raw_greet(fd, s);
        CHECK(nn_recv(s, buf, sizeof buf, NN_DONTWAIT) == -1 && nn_errno() == EAGAIN);
        n = ct_frame(addr, 4, "real", 4, frame);
        ct_raw_write(fd, frame, n);
        CHECK(nn_recv(s, buf, sizeof buf, 0) == 4 && memcmp(buf, "real", 4) == 0);
        close(fd);
    }
    MUST(nn_close(s));
    close(listener);
}

int main(void)
{
    run(TCP);
    run(IPC);

    QUIRK("Q-R2", "ipc: a message type other than 1 closes the connection") {
        char addr[NN_SOCKADDR_MAX], frame[32];
        int s = ct_socket(NN_PAIR);
        MUST(nn_bind(s, ct_address(IPC, addr)));
        for (int type = 0; type < 256; type += type == 0 ? 2 : 1) {
            int fd = ct_raw_connect(addr);
            ct_raw_greet(fd, s);
            size_t n = ct_frame(addr, 4, "body", 4, frame);
            frame[0] = (char) type;
            ct_raw_write(fd, frame, n);
            CHECK(ct_raw_closed(fd, CT_PATIENCE));
            close(fd);
            ALONE(s);
            if (type > 8)
                type += 40;
        }
        char buf[8];
        CHECK(nn_recv(s, buf, sizeof buf, NN_DONTWAIT) == -1);
        MUST(nn_close(s));
    }
    return 0;
}
