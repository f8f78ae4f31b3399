/* What the programs of ctests/ take from POSIX, by what Windows has: enough for those that tests/cross/windows/ctests.txt chooses. */
#ifndef CT_POSIX_H
#define CT_POSIX_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A type of Windows' that programs have as a name of their own. */
#define SIZE ct_size

/* ---- sockets: a SOCKET fits into an int --------------------------------- */

#define SOCK_CLOEXEC 0
#define MSG_NOSIGNAL 0
#define SHUT_RD SD_RECEIVE
#define SHUT_WR SD_SEND
#define SHUT_RDWR SD_BOTH
typedef unsigned long nfds_t;
struct sockaddr_un { unsigned short sun_family; char sun_path[108]; };


static inline int ct_posix_socket(int family, int type, int protocol)
{
    SOCKET made = socket(family, type, protocol);
    return made == INVALID_SOCKET ? -1 : (int) made;
}
#define socket(family, type, protocol) ct_posix_socket(family, type, protocol)

static inline int ct_posix_accept(int fd, struct sockaddr *from, int *size)
{
    SOCKET made = accept((SOCKET) fd, from, size);
    return made == INVALID_SOCKET ? -1 : (int) made;
}
#define accept(fd, from, size) ct_posix_accept(fd, from, size)
#define accept4(fd, from, size, flags) ct_posix_accept(fd, from, size)

/* Sockets and files have numbers of different kinds: what is no socket is a file. */
static inline int ct_posix_close(int fd)
{
    return closesocket((SOCKET) fd) == 0 ? 0 : _close(fd);
}
#define close(fd) ct_posix_close(fd)

/* On Windows SO_REUSEADDR lets others take a port that is in use: nobody here means that. */
static inline int ct_posix_setsockopt(int fd, int level, int option, const void *value, int size)
{
    if (level == SOL_SOCKET && option == SO_REUSEADDR)
        return 0;
    return setsockopt((SOCKET) fd, level, option, value, size);
}
#define setsockopt(fd, level, option, value, size) ct_posix_setsockopt(fd, level, option, value, size)

static inline int ct_posix_getsockopt(int fd, int level, int option, void *value, int *size)
{
    return getsockopt((SOCKET) fd, level, option, value, size);
}
#define getsockopt(fd, level, option, value, size) ct_posix_getsockopt(fd, level, option, value, size)

static inline ssize_t ct_posix_send(int fd, const void *data, size_t size, int flags)
{
    return send((SOCKET) fd, data, (int) size, flags);
}
#define send(fd, data, size, flags) ct_posix_send(fd, data, size, flags)

static inline ssize_t ct_posix_recv(int fd, void *data, size_t size, int flags)
{
    return recv((SOCKET) fd, data, (int) size, flags);
}
#define recv(fd, data, size, flags) ct_posix_recv(fd, data, size, flags)

#define poll(entries, count, ms) WSAPoll(entries, count, ms)

/* A blocking socket, unless the program makes it another. */
#define F_GETFD 1
#define FD_CLOEXEC 1
#define F_GETFL 3
#define F_SETFL 4
#define O_NONBLOCK 0x4000
static inline int ct_posix_fcntl(int fd, int what, int flags)
{
    u_long on = (flags & O_NONBLOCK) != 0;
    if (what == F_GETFD)
        return FD_CLOEXEC; /* no program that is started gets it */
    return what == F_SETFL ? ioctlsocket((SOCKET) fd, FIONBIO, &on) : 0;
}
#define fcntl(fd, what, ...) ct_posix_fcntl(fd, what, 0 __VA_OPT__(| (__VA_ARGS__)))

/* ---- processes: there is no fork. Programs that need one are not chosen. --- */

#define WIFSIGNALED(status) 0
#define WIFEXITED(status) 1
#define WTERMSIG(status) 0
#define WEXITSTATUS(status) (status)
static inline int fork(void)
{
    errno = ENOSYS;
    return -1;
}
static inline pid_t waitpid(pid_t pid, int *status, int options)
{
    (void) pid; (void) options;
    *status = 1;
    return -1;
}
#define SYS_gettid 0
#define syscall(number) ((long) GetCurrentThreadId())
static inline int getuid(void)
{
    return 0;
}
struct rlimit { unsigned long rlim_cur, rlim_max; };

/* ---- time, and the watchdog -------------------------------------------------- */

#define SIGALRM 14
static void ct_watchdog(int sig);
static inline void *ct_posix_alarm(void *seconds)
{
    Sleep(1000 * (DWORD) (uintptr_t) seconds);
    ct_watchdog(SIGALRM);
    return NULL;
}
static inline unsigned alarm(unsigned seconds)
{
    pthread_t thread;
    if (seconds > 0 && pthread_create(&thread, NULL, ct_posix_alarm, (void *) (uintptr_t) seconds) == 0)
        pthread_detach(thread);
    return 0;
}
/* SIGALRM and the like are none of the runtime's. */
#define signal(number, handler) ((void) (handler))
#define SIGPIPE 13

/* Lines are not buffered one by one here, so nothing is. */
#define setvbuf(file, buffer, mode, size) setvbuf(file, NULL, _IONBF, 0)

static inline int setenv(const char *name, const char *value, int replace)
{
    (void) replace;
    return _putenv_s(name, value);
}
static inline int unsetenv(const char *name)
{
    return _putenv_s(name, "");
}

/* ---- files ---------------------------------------------------------------------- */

static inline char *mkdtemp(char *path)
{
    return _mktemp(path) && _mkdir(path) == 0 ? path : NULL;
}
struct FTW { int base, level; };
#define FTW_DEPTH 8
#define FTW_PHYS 1
/* The folder of a program here is empty: the names of its pipes are no files. */
static inline int nftw(const char *path, int (*each)(const char *, const struct stat *, int, struct FTW *), int fds, int flags)
{
    (void) each; (void) fds; (void) flags;
    return _rmdir(path);
}

__attribute__((constructor(101))) static void ct_posix_start(void)
{
    WSADATA data;
    WSAStartup(MAKEWORD(2, 2), &data);
    _fmode = _O_BINARY;
    _setmode(_fileno(stdout), _O_BINARY);
}

#endif
