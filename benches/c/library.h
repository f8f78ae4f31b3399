/* The nanomsg ABI: the public header, and whichever library is named when the program runs. For drivers, after common.h. */

#include <dlfcn.h>
#include <nanomsg-rs/tls.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>

#define FUNCTIONS(f)                                                                                                   \
    f (nn_errno) f (nn_strerror) f (nn_symbol) f (nn_socket) f (nn_close) f (nn_setsockopt) f (nn_bind) f (nn_connect) \
        f (nn_send) f (nn_recv) f (nn_allocmsg) f (nn_freemsg) f (nn_device) f (nn_get_statistic) f (nn_getsockopt)      \
        f (nn_poll)

static struct {
#define MEMBER(name) __typeof__ (name) *name;
    FUNCTIONS (MEMBER)
} lib;

static void library_load (const char *path)
{
    void *so = dlopen (path, RTLD_NOW | RTLD_LOCAL);
    if (!so)
        fail ("error", "%s", dlerror ());
#define LOAD(name)                                                                                                     \
    if (!(lib.name = (__typeof__ (lib.name)) dlsym (so, #name)))                                                       \
        fail ("error", "the library lacks " #name);
    FUNCTIONS (LOAD)
}

/* The library tells its ABI version only: the numbers behind its file name. */
static void library_version (void)
{
    int value, version[3] = {-1, -1, -1};
    const char *name;
    for (int i = 0; (name = lib.nn_symbol (i, &value)) != NULL; i++) {
        if (!strcmp (name, "NN_VERSION_CURRENT"))
            version[0] = value;
        else if (!strcmp (name, "NN_VERSION_REVISION"))
            version[1] = value;
        else if (!strcmp (name, "NN_VERSION_AGE"))
            version[2] = value;
    }
    printf ("ABI %d:%d:%d\n", version[0], version[1], version[2]);
}

/* nn_socket says EINVAL to a pattern it does not know, nn_bind and nn_connect EPROTONOSUPPORT to a transport. */
static _Noreturn void refused (const char *call, int says)
{
    int e = lib.nn_errno ();
    int unknown = e == says || e == EPROTONOSUPPORT || e == EAFNOSUPPORT || e == ENOTSUP || e == ENOSYS;
    fail (unknown ? "unsupported" : "error", "%s: %s", call, lib.nn_strerror (e));
}

static _Noreturn void broken (const char *call)
{
    fail ("error", "%s: %s", call, lib.nn_strerror (lib.nn_errno ()));
}
