/* Calls of the operating system that fail when they are told to. The program
   defines them itself: a library it uses finds these before libc's, as the
   runner links with -rdynamic. Include it behind ctest.h.

   fail_next(&fault_accept4, EPROTO, 3): the next three calls fail.
   fail_next(&fault_accept4, EMFILE, -1): all, until it is set to 0. */

#ifndef FAULTS_H
#define FAULTS_H

#include <dlfcn.h>
#include <netdb.h>
#include <sys/epoll.h>

struct fault { int error, times, hits; };

static struct fault fault_accept4, fault_pthread_create, fault_epoll_ctl, fault_socket, fault_connect, fault_listen;

/* getaddrinfo does not return while this is set. */
static int fault_dns_hangs;

static inline void fail_next(struct fault *fault, int error, int times)
{
    __atomic_store_n(&fault->error, error, __ATOMIC_SEQ_CST);
    __atomic_store_n(&fault->hits, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&fault->times, times, __ATOMIC_SEQ_CST);
}

/* How often it has struck. */
static inline int fault_hits(struct fault *fault)
{
    return __atomic_load_n(&fault->hits, __ATOMIC_SEQ_CST);
}

static inline int fault_strikes(struct fault *fault)
{
    int left = __atomic_load_n(&fault->times, __ATOMIC_SEQ_CST);
    do
        if (left == 0)
            return 0;
    while (left > 0 && !__atomic_compare_exchange_n(&fault->times, &left, left - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    __atomic_fetch_add(&fault->hits, 1, __ATOMIC_SEQ_CST);
    return 1;
}

#define FAULT(name, arguments, ...) \
    __attribute__((visibility("default"))) int name arguments \
    { \
        if (fault_strikes(&fault_##name)) { \
            errno = fault_##name.error; \
            return -1; \
        } \
        return ((int (*) arguments) dlsym(RTLD_NEXT, #name))(__VA_ARGS__); \
    }

FAULT(accept4, (int fd, __SOCKADDR_ARG addr, socklen_t *restrict size, int flags), fd, addr, size, flags)
FAULT(socket, (int domain, int type, int protocol), domain, type, protocol)
FAULT(connect, (int fd, __CONST_SOCKADDR_ARG addr, socklen_t size), fd, addr, size)
FAULT(listen, (int fd, int backlog), fd, backlog)

/* Only what is added: taking away and changing needs no memory. */
__attribute__((visibility("default"))) int epoll_ctl(int set, int what, int fd, struct epoll_event *event)
{
    static int (*real)(int, int, int, struct epoll_event *);
    if (!real)
        real = (int (*)(int, int, int, struct epoll_event *)) dlsym(RTLD_NEXT, "epoll_ctl");
    if (what == EPOLL_CTL_ADD && fault_strikes(&fault_epoll_ctl)) {
        errno = fault_epoll_ctl.error;
        return -1;
    }
    return real(set, what, fd, event);
}

__attribute__((visibility("default"))) int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr, void *(*run)(void *), void *restrict arg)
{
    typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (fault_strikes(&fault_pthread_create))
        return fault_pthread_create.error;
    return ((create *) dlsym(RTLD_NEXT, "pthread_create"))(thread, attr, run, arg);
}

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    while (__atomic_load_n(&fault_dns_hangs, __ATOMIC_SEQ_CST))
        ct_nap(5);
    return ((look_up *) dlsym(RTLD_NEXT, "getaddrinfo"))(host, service, hints, found);
}

/* Milliseconds of processor time that the process has used. */
static inline int fault_cpu(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (int) ((use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000);
}

/* Waiting for so long takes hardly any of the processor. */
#define IDLES(ms) \
    do { \
        int ct_before = fault_cpu(); \
        ct_nap(ms); \
        int ct_used = fault_cpu() - ct_before; \
        CHECK(ct_used < (ms) / 4); \
    } while (0)

static inline void fault_talk(int a, int b)
{
    char buf[8];
    CONNECTED(a);
    CONNECTED(b);
    CHECK(nn_send(a, "there", 5, 0) == 5 && nn_recv(b, buf, sizeof buf, 0) == 5);
    CHECK(nn_send(b, "back", 4, 0) == 4 && nn_recv(a, buf, sizeof buf, 0) == 4);
}

#endif
