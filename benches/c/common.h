/* What every driver shares, those of bench.h and those of shape.h: how a run fails, time, and addresses. */

#ifndef COMMON_H
#define COMMON_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* 1 when a process or thread of the run has failed first, 2 when it has said why; NULL until there are several. */
static _Atomic int *failed;

static void remove_files (void);

static void nap (void)
{
    nanosleep (&(struct timespec){0, 100000}, NULL);
}

/* Ends the run. The first to fail says why, in one line; the others let it. `key` is "error", or "unsupported" where the
   library has no such pattern or transport. */
static _Noreturn void fail (const char *key, const char *format, ...)
{
    char text[400], line[512];
    va_list list;
    va_start (list, format);
    vsnprintf (text, sizeof text, format, list);
    va_end (list);
    for (char *c = text; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char) *c < ' ')
            *c = '\'';
    int none = 0;
    if (!failed || atomic_compare_exchange_strong (failed, &none, 1)) {
        int length = snprintf (line, sizeof line, "{\"%s\": \"%s\"}\n", key, text);
        if (write (STDOUT_FILENO, line, (size_t) length) < 0)
            _exit (2);
        if (failed)
            atomic_store (failed, 2);
    }
    for (int i = 0; failed && i < 1000 && atomic_load (failed) < 2; i++)
        nap ();
    remove_files ();
    _exit (1);
}

static inline uint64_t now_ns (void)
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

/* Endpoints share a port, each at an address of its own: all of 127.0.0.0/8 is this machine. */
static struct in_addr endpoint_address (int endpoint)
{
    return (struct in_addr){htonl (INADDR_LOOPBACK + (uint32_t) (endpoint / 250 << 8 | endpoint % 250))};
}

/* Asks the kernel for a port that is free now. */
static int free_port (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int s = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || bind (s, (struct sockaddr *) &address, length) ||
        getsockname (s, (struct sockaddr *) &address, &length))
        fail ("error", "no free port: %s", strerror (errno));
    close (s);
    return ntohs (address.sin_port);
}

#endif
