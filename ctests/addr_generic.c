/* What nn_bind and nn_connect say to an address before any transport sees it. */

#include "ctest.h"

static void both(int s, const char *addr)
{
    char what[256];
    snprintf(what, sizeof what, "nn_bind(\"%s\")", addr);
    CALL_AS(what, nn_bind(s, addr));
    snprintf(what, sizeof what, "nn_connect(\"%s\")", addr);
    CALL_AS(what, nn_connect(s, addr));
}

static void long_address(int s, const char *scheme, size_t length)
{
    char addr[300], what[64];
    snprintf(addr, sizeof addr, "%s", scheme);
    memset(addr + strlen(scheme), 'a', length - strlen(scheme));
    addr[length] = 0;
    snprintf(what, sizeof what, "nn_bind(%s..., %zu characters)", scheme, length);
    int id = CALL_AS(what, nn_bind(s, addr));
    if (id > 0)
        MUST(nn_shutdown(s, id));
    snprintf(what, sizeof what, "nn_connect(%s..., %zu characters)", scheme, length);
    id = CALL_AS(what, nn_connect(s, addr));
    if (id > 0)
        MUST(nn_shutdown(s, id));
}

int main(void)
{
    int s = ct_socket(NN_PAIR);

    CALL(nn_bind(s, NULL));
    CALL(nn_connect(s, NULL));

    static const char *const wrong[] = {
        "", ":", "/", "//", "://", "a", "abc", "tcp", "tcp:", "tcp:/", "tcp//", "tcp:/127.0.0.1:5555",
        "inproc", "inproc:", "inproc:/a", "ipc:/a", ":tcp://a", "tcp :// a",
        "://a", "x://", "foo://bar", "foo:bar://x", "TCP://127.0.0.1:5555", "Inproc://a", "INPROC://a",
        "tcp4://127.0.0.1:5555", "tc://127.0.0.1:5555", "tcpp://127.0.0.1:5555", " tcp://127.0.0.1:5555",
        "inproc2://a", "inpro://a", "ip://a", "ipcs://a", "udp://127.0.0.1:5555", "tls+udp://127.0.0.1:5555",
        "tcp://", "127.0.0.1:5555", "/tmp/somewhere", "tcp:127.0.0.1://",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        both(s, wrong[i]);

    /* 127 characters are fine, 128 are not, whatever the scheme. */
    static const size_t lengths[] = {100, 126, 127, 128, 129, 255, 299};
    for (size_t i = 0; i < 7; i++)
        long_address(s, "inproc://", lengths[i]);
    for (size_t i = 3; i < 7; i++) {
        long_address(s, "ipc://", lengths[i]);
        long_address(s, "tcp://", lengths[i]);
        long_address(s, "foo://", lengths[i]);
        long_address(s, "", lengths[i]);
    }
    long_address(s, "foo://", 127);
    long_address(s, "", 127);

    /* Nothing of the above is left behind. */
    CALL(nn_close(s));
    return 0;
}
