/* NN_SOCKET_NAME: a string of at most 63 bytes. */

#include "ctest.h"

static void show(int s, size_t n)
{
    char buf[80];
    size_t size = n;
    memset(buf, '#', sizeof buf);
    int rc = nn_getsockopt(s, NN_SOL_SOCKET, NN_SOCKET_NAME, buf, &size);
    printf("get into %zu bytes = %d, size becomes %zu: ", n, rc, size);
    for (size_t i = 0; i < n + 2 && i < sizeof buf; i++)
        putchar(buf[i] == 0 ? '.' : buf[i]);
    printf("\n");
}

static void set(int s, const char *name, size_t size)
{
    char what[128];
    snprintf(what, sizeof what, "set \"%s\", %zu bytes", name, size);
    CALL_AS(what, nn_setsockopt(s, NN_SOL_SOCKET, NN_SOCKET_NAME, name, size));
}

int main(void)
{
    char buf[100];
    int a = MUST(nn_socket(AF_SP, NN_PAIR)), b = MUST(nn_socket(AF_SP, NN_PAIR));

    /* Named after its number. */
    show(a, 8);
    show(b, 8);
    for (int i = 0; i < 9; i++)
        MUST(nn_socket(AF_SP, NN_PAIR));
    show(10, 8);

    set(a, "hello", 5);
    for (size_t n = 0; n <= 8; n++)
        show(a, n);
    show(a, 64);
    set(a, "hello", 3);
    show(a, 8);
    set(a, "hello", 6);
    show(a, 8);
    set(a, "he\0lo", 5);
    show(a, 8);
    set(a, "", 0);
    show(a, 8);
    show(a, 0);

    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (char) ('A' + i % 26);
    static const size_t sizes[] = {62, 63, 64, 65, 100};
    for (size_t i = 0; i < 5; i++) {
        printf("set %zu letters = %d\n", sizes[i], nn_setsockopt(a, NN_SOL_SOCKET, NN_SOCKET_NAME, buf, sizes[i]));
        show(a, 70);
    }
    show(a, 63);
    show(a, 64);
    show(a, 10);
    show(b, 8);
    for (int s = 0; s < 11; s++)
        MUST(nn_close(s));
    return 0;
}
