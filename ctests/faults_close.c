/* close(2) fails, with every errno that it may have on any system: the descriptor is
   gone all the same, so nothing is closed twice, nothing ends, and everything goes on.
   (Upstream aborted; in 1.2 for some of them still.) */

#include "ctest.h"
#include <dlfcn.h>

/* What close is to say when it has closed; 0: what it says by itself. */
static int says, failed, again;

__attribute__((visibility("default"))) int close(int fd)
{
    int error = __atomic_load_n(&says, __ATOMIC_SEQ_CST);
    int result = (int) syscall(SYS_close, fd);
    if (error == 0)
        return result;
    /* In between the number may be somebody else's already. */
    if (result < 0)
        __atomic_add_fetch(&again, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&failed, 1, __ATOMIC_SEQ_CST);
    errno = error;
    return -1;
}

static void talk(int a, int b)
{
    char buf[8];
    CONNECTED(a);
    CONNECTED(b);
    CHECK(nn_send(a, "there", 5, 0) == 5 && nn_recv(b, buf, sizeof buf, 0) == 5);
    CHECK(nn_send(b, "back", 4, 0) == 4 && nn_recv(a, buf, sizeof buf, 0) == 4);
}

static void all_that_closes(enum ct_transport t)
{
    char addr[NN_SOCKADDR_MAX];
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR), c = ct_socket(NN_PAIR), id;
    MUST(ct_set(b, NN_RECONNECT_IVL, 5));
    MUST(ct_set(c, NN_RECONNECT_IVL, 5));
    ct_address(t, addr);
    /* A dial that is refused, and a bind that is. */
    MUST(nn_connect(b, addr));
    EVENTUALLY(t == INPROC || ct_stat(b, NN_STAT_CONNECT_ERRORS) > 1);
    id = MUST(nn_bind(a, addr));
    CHECK(nn_bind(a, addr) == -1 && nn_errno() == EADDRINUSE);
    talk(a, b);
    /* A peer that there is no room for. */
    MUST(nn_connect(c, addr));
    CHECK(nn_close(c) == 0);
    /* Descriptors of the caller's. */
    CHECK(ct_get(a, NN_SOL_SOCKET, NN_RCVFD) >= 0 && ct_get(a, NN_SOL_SOCKET, NN_SNDFD) >= 0);
    /* A listener, a connection, and another one to the same place. */
    CHECK(nn_shutdown(a, id) == 0);
    ALONE(b);
    EVENTUALLY(nn_bind(a, addr) > 0);
    talk(a, b);
    CHECK(nn_close(a) == 0);
    ALONE(b);
    CHECK(nn_close(b) == 0);
}

int main(void)
{
    static const int errors[] = {EINTR, EIO, EBADF, ENOSPC, EDQUOT, ECONNRESET, ENOTCONN, EINPROGRESS, EAGAIN, EPIPE, EPERM, 12345};
    QUIRK("close(2)", "whatever close says, the descriptor is closed, once, and all goes on") {
        for (enum ct_transport t = INPROC; t <= WS; t++) {
            all_that_closes(t);
            int before = ct_open_fds();
            for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
                __atomic_store_n(&failed, 0, __ATOMIC_SEQ_CST);
                __atomic_store_n(&says, errors[i], __ATOMIC_SEQ_CST);
                all_that_closes(t);
                __atomic_store_n(&says, 0, __ATOMIC_SEQ_CST);
                CHECK(__atomic_load_n(&failed, __ATOMIC_SEQ_CST) >= (t == INPROC ? 1 : 4));
                CHECK(__atomic_load_n(&again, __ATOMIC_SEQ_CST) == 0);
                /* But for the port that the address was chosen by. */
                EVENTUALLY(ct_open_fds() <= before + (t >= TCP ? (int) i + 1 : 0));
            }
        }
        __atomic_store_n(&says, EIO, __ATOMIC_SEQ_CST);
        int s = ct_socket(NN_PAIR);
        CHECK(nn_bind(s, "inproc://last") == 1);
        nn_term();
        __atomic_store_n(&says, 0, __ATOMIC_SEQ_CST);
    }
    return 0;
}
