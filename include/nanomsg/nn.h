/* nanomsg: what all sockets have in common. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_NN_H_INCLUDED
#define NANOMSG_NN_H_INCLUDED

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* How the functions are found: a program may define NN_EXPORT itself. */
#ifndef NN_EXPORT
#if defined(_WIN32) && !defined(NN_STATIC_LIB)
#ifdef NN_SHARED_LIB
#define NN_EXPORT __declspec(dllexport)
#else
#define NN_EXPORT __declspec(dllimport)
#endif
#else
#define NN_EXPORT extern
#endif
#endif

/* Error numbers for systems that lack some of them. */
#ifndef ENOTSUP
#define ENOTSUP (NN_HAUSNUMERO + 1)
#endif
#ifndef EPROTONOSUPPORT
#define EPROTONOSUPPORT (NN_HAUSNUMERO + 2)
#endif
#ifndef ENOBUFS
#define ENOBUFS (NN_HAUSNUMERO + 3)
#endif
#ifndef ENETDOWN
#define ENETDOWN (NN_HAUSNUMERO + 4)
#endif
#ifndef EADDRINUSE
#define EADDRINUSE (NN_HAUSNUMERO + 5)
#endif
#ifndef EADDRNOTAVAIL
#define EADDRNOTAVAIL (NN_HAUSNUMERO + 6)
#endif
#ifndef ECONNREFUSED
#define ECONNREFUSED (NN_HAUSNUMERO + 7)
#endif
#ifndef EINPROGRESS
#define EINPROGRESS (NN_HAUSNUMERO + 8)
#endif
#ifndef ENOTSOCK
#define ENOTSOCK (NN_HAUSNUMERO + 9)
#endif
#ifndef EAFNOSUPPORT
#define EAFNOSUPPORT (NN_HAUSNUMERO + 10)
#endif
#ifndef EPROTO
#define EPROTO (NN_HAUSNUMERO + 11)
#endif
#ifndef EAGAIN
#define EAGAIN (NN_HAUSNUMERO + 12)
#endif
#ifndef EBADF
#define EBADF (NN_HAUSNUMERO + 13)
#endif
#ifndef EINVAL
#define EINVAL (NN_HAUSNUMERO + 14)
#endif
#ifndef EMFILE
#define EMFILE (NN_HAUSNUMERO + 15)
#endif
#ifndef EFAULT
#define EFAULT (NN_HAUSNUMERO + 16)
#endif
#ifndef EACCES
#define EACCES (NN_HAUSNUMERO + 17)
#endif
#ifndef EACCESS
#define EACCESS (EACCES)
#endif
#ifndef ENETRESET
#define ENETRESET (NN_HAUSNUMERO + 18)
#endif
#ifndef ENETUNREACH
#define ENETUNREACH (NN_HAUSNUMERO + 19)
#endif
#ifndef EHOSTUNREACH
#define EHOSTUNREACH (NN_HAUSNUMERO + 20)
#endif
#ifndef ENOTCONN
#define ENOTCONN (NN_HAUSNUMERO + 21)
#endif
#ifndef EMSGSIZE
#define EMSGSIZE (NN_HAUSNUMERO + 22)
#endif
#ifndef ETIMEDOUT
#define ETIMEDOUT (NN_HAUSNUMERO + 23)
#endif
#ifndef ECONNABORTED
#define ECONNABORTED (NN_HAUSNUMERO + 24)
#endif
#ifndef ECONNRESET
#define ECONNRESET (NN_HAUSNUMERO + 25)
#endif
#ifndef ENOPROTOOPT
#define ENOPROTOOPT (NN_HAUSNUMERO + 26)
#endif
#ifndef EISCONN
#define EISCONN (NN_HAUSNUMERO + 27)
#define NN_EISCONN_DEFINED
#endif
#ifndef ESOCKTNOSUPPORT
#define ESOCKTNOSUPPORT (NN_HAUSNUMERO + 28)
#endif

/* The library was terminated. */
#ifndef ETERM
#define ETERM (NN_HAUSNUMERO + 53)
#endif
/* The socket cannot do this in its present state. */
#ifndef EFSM
#define EFSM (NN_HAUSNUMERO + 54)
#endif

/* In place of a length: the buffer is a variable with a pointer from nn_allocmsg, or for one. */
#define NN_MSG ((size_t) -1)

/* Control messages: a head, the data, padding up to a multiple of size_t; and so on. */

/* A length with its padding. */
#define NN_CMSG_ALIGN_(len) (((len) + sizeof (size_t) - 1) / sizeof (size_t) * sizeof (size_t))
/* The bytes that a control message with len bytes of data takes. */
#define NN_CMSG_SPACE(len) (NN_CMSG_ALIGN_ (sizeof (struct nn_cmsghdr)) + NN_CMSG_ALIGN_ (len))
/* Its cmsg_len. */
#define NN_CMSG_LEN(len) (NN_CMSG_ALIGN_ (sizeof (struct nn_cmsghdr)) + (len))
/* Its data. */
#define NN_CMSG_DATA(cmsg) ((unsigned char *) ((struct nn_cmsghdr *) (cmsg) + 1))
/* The first control message of a struct nn_msghdr, or NULL. */
#define NN_CMSG_FIRSTHDR(mhdr) NN_CMSG_NXTHDR ((mhdr), NULL)
/* The one behind another, or NULL. */
#define NN_CMSG_NXTHDR(mhdr, cmsg) \
    nn_cmsg_nxthdr_ ((const struct nn_msghdr *) (mhdr), (const struct nn_cmsghdr *) (cmsg))

/* The number of the interface. Everything of number 5 is in it. */
#define NN_VERSION_CURRENT 6

/* Its revision. */
#define NN_VERSION_REVISION 0

/* How many numbers before it are served as well. */
#define NN_VERSION_AGE 1

/* Where the error numbers start that the system does not have. */
#define NN_HAUSNUMERO 156384712

/* Domain of the sockets applications use. */
#define AF_SP 1

/* Domain of the sockets devices use: they route, and keep no state. */
#define AF_SP_RAW 2

/* Bytes an address may have, its NUL included. */
#define NN_SOCKADDR_MAX 128

/* Level of the options every socket has. Transports have negative levels, socket types positive ones. */
#define NN_SOL_SOCKET 0

/* Milliseconds that closing goes on writing what was accepted for sending; int, 1000 by default. Negative: no limit. */
#define NN_LINGER 1

/* Bytes to hold for sending; int. */
#define NN_SNDBUF 2

/* Bytes to hold of what was received; int. */
#define NN_RCVBUF 3

/* Time limit of a send in milliseconds, negative for none; int. */
#define NN_SNDTIMEO 4

/* Time limit of a receive in milliseconds, negative for none; int. */
#define NN_RCVTIMEO 5

/* Milliseconds before a broken connection is tried again; int. */
#define NN_RECONNECT_IVL 6

/* Milliseconds up to which that time doubles with each try, 0 to keep it; int. */
#define NN_RECONNECT_IVL_MAX 7

/* Priority for sending of the endpoints added next, 1 (first) to 16; int. */
#define NN_SNDPRIO 8

/* Priority for receiving of the endpoints added next, 1 (first) to 16; int. */
#define NN_RCVPRIO 9

/* A descriptor that polls as readable while a send would not wait; int, read only. */
#define NN_SNDFD 10

/* A descriptor that polls as readable while a receive would not wait; int, read only. */
#define NN_RCVFD 11

/* The socket's domain; int, read only. */
#define NN_DOMAIN 12

/* The socket's type; int, read only. */
#define NN_PROTOCOL 13

/* 1 to use IPv4 only, 0 for IPv6 as well; int. */
#define NN_IPV4ONLY 14

/* A name for error reports; a string of at most 63 bytes. */
#define NN_SOCKET_NAME 15

/* Bytes of the largest message to receive, -1 for any; int. */
#define NN_RCVMAXSIZE 16

/* Hops after which a message is dropped, 1 to 255; int. */
#define NN_MAXTTL 17

/* Flag of a send or receive: fail with EAGAIN rather than wait. */
#define NN_DONTWAIT 1

/* Level of the control messages of the protocols. */
#define PROTO_SP 1

/* Control message with the header of a message: its length as a size_t, then its bytes. */
#define SP_HDR 1

/* Event of nn_poll: a receive would not wait. */
#define NN_POLLIN 1

/* Event of nn_poll: a send would not wait. */
#define NN_POLLOUT 2

/* Namespaces of nn_symbol_properties: the namespaces themselves. */
#define NN_NS_NAMESPACE 0
#define NN_NS_VERSION 1
#define NN_NS_DOMAIN 2
#define NN_NS_TRANSPORT 3
#define NN_NS_PROTOCOL 4
#define NN_NS_OPTION_LEVEL 5
#define NN_NS_SOCKET_OPTION 6
#define NN_NS_TRANSPORT_OPTION 7
#define NN_NS_OPTION_TYPE 8
#define NN_NS_OPTION_UNIT 9
#define NN_NS_FLAG 10
#define NN_NS_ERROR 11
#define NN_NS_LIMIT 12
#define NN_NS_EVENT 13
#define NN_NS_STATISTIC 14

/* Types of an option's value: it is no option. */
#define NN_TYPE_NONE 0
#define NN_TYPE_INT 1
#define NN_TYPE_STR 2

/* Units of an option's value: it has none. */
#define NN_UNIT_NONE 0
#define NN_UNIT_BYTES 1
#define NN_UNIT_MILLISECONDS 2
#define NN_UNIT_PRIORITY 3
#define NN_UNIT_BOOLEAN 4
#define NN_UNIT_MESSAGES 5
#define NN_UNIT_COUNTER 6

/* Connections this side began and the other accepted. */
#define NN_STAT_ESTABLISHED_CONNECTIONS 101

/* Connections the other side began. */
#define NN_STAT_ACCEPTED_CONNECTIONS 102

/* Connections this side ended. */
#define NN_STAT_DROPPED_CONNECTIONS 103

/* Connections that ended otherwise. */
#define NN_STAT_BROKEN_CONNECTIONS 104

/* Tries to connect that failed. */
#define NN_STAT_CONNECT_ERRORS 105

/* Tries to bind that failed. */
#define NN_STAT_BIND_ERRORS 106

/* Tries to accept that failed. */
#define NN_STAT_ACCEPT_ERRORS 107

/* Connections in use now. */
#define NN_STAT_CURRENT_CONNECTIONS 201

/* Connections being tried now. */
#define NN_STAT_INPROGRESS_CONNECTIONS 202

/* Endpoints whose last try failed. */
#define NN_STAT_CURRENT_EP_ERRORS 203

/* Messages sent. */
#define NN_STAT_MESSAGES_SENT 301

/* Messages received. */
#define NN_STAT_MESSAGES_RECEIVED 302

/* Bytes of the bodies sent. */
#define NN_STAT_BYTES_SENT 303

/* Bytes of the bodies received. */
#define NN_STAT_BYTES_RECEIVED 304

/* Priority of the peers that sending goes to now. */
#define NN_STAT_CURRENT_SND_PRIORITY 401

/* One constant, as nn_symbol_info tells it. */
struct nn_symbol_properties {
  /* The constant's value. */
  int value;
  /* Its name. */
  const char *name;
  /* What it is: one of NN_NS_*. */
  int ns;
  /* The type of the value an option has: one of NN_TYPE_*. */
  int type;
  /* The unit of that value: one of NN_UNIT_*. */
  int unit;
};

/* The head of one control message. Its data follow, and padding up to the alignment of size_t. */
struct nn_cmsghdr {
  /* Bytes of head and data: NN_CMSG_LEN of the data's length. In what nn_recvmsg writes the padding counts too. */
  size_t cmsg_len;
  /* PROTO_SP, or the level of a transport. */
  int cmsg_level;
  /* SP_HDR, or a number of the transport's. */
  int cmsg_type;
};

/* One piece of a message's body. */
struct nn_iovec {
  /* The piece; or, where iov_len is NN_MSG, a variable that holds a pointer from nn_allocmsg. */
  void *iov_base;
  /* Its length in bytes. */
  size_t iov_len;
};

/* A message for nn_sendmsg and nn_recvmsg. */
struct nn_msghdr {
  /* The pieces of the body, in order. */
  struct nn_iovec *msg_iov;
  /* How many pieces there are. */
  int msg_iovlen;
  /* Control messages, or NULL; where msg_controllen is NN_MSG, a variable that holds a pointer from nn_allocmsg. */
  void *msg_control;
  /* Bytes at msg_control. nn_recvmsg does not change it. */
  size_t msg_controllen;
};

/* One socket in a call of nn_poll. */
struct nn_pollfd {
  /* The socket. */
  int fd;
  /* What to wait for: NN_POLLIN, NN_POLLOUT, or both. With neither the entry is passed over. */
  short events;
  /* Which of them there are: written by nn_poll. */
  short revents;
};

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/* Returns the calling thread's errno, as the library sees it. See nn_errno(3). */
NN_EXPORT int nn_errno(void);

/*
 Returns words for an errno, also for ETERM and EFSM. The text may change with the next call; it is not the caller's
 to free. See nn_strerror(3).
 */
NN_EXPORT const char *nn_strerror(int errnum);

/*
 Returns the name of constant number i, counted from 0, and stores its value unless value is NULL. Behind the last
 one: NULL, EINVAL. See nn_symbol(3).
 */
NN_EXPORT const char *nn_symbol(int i, int *value);

/*
 Stores the properties of constant number i in buf, or as many of their first bytes as buflen says, and returns how
 many. Behind the last one: 0. A NULL buf: 0, EFAULT. See nn_symbol_info(3).
 */
NN_EXPORT int nn_symbol_info(int i, struct nn_symbol_properties *buf, int buflen);

/*
 Closes all sockets. From then on nn_socket fails with ETERM and every other call with EBADF, also the calls that
 are waiting. Before the first nn_socket it does nothing. See nn_term(3).
 */
NN_EXPORT void nn_term(void);

/*
 Returns size bytes for a message, not initialised. They go to the library with NN_MSG or back with nn_freemsg, and
 never to free. type must be 0.

 Errors (NULL): EINVAL for another type, ENOMEM. See nn_allocmsg(3).
 */
NN_EXPORT void *nn_allocmsg(size_t size, int type);

/*
 Changes the size of a message from nn_allocmsg or a receive, and returns where it is now: a smaller one stays in
 place, a larger one moves.

 Errors (NULL, and msg stays as it is): ENOMEM; EFAULT for NULL and, as far as it can be told, for what is no such
 message. See nn_reallocmsg(3).
 */
NN_EXPORT void *nn_reallocmsg(void *msg, size_t size);

/*
 Frees a message from nn_allocmsg or a receive, and returns 0.

 Errors (-1): EFAULT for NULL and, as far as it can be told, for what is no such message or no longer one. See
 nn_freemsg(3).
 */
NN_EXPORT int nn_freemsg(void *msg);

/*
 Serves NN_CMSG_FIRSTHDR and NN_CMSG_NXTHDR: returns the control message behind cmsg, or the first one if cmsg is
 NULL. NULL at the end: where the buffer has no room for another one, or the next says of itself that it is shorter
 than its head. See nn_cmsg(3).
 */
NN_EXPORT struct nn_cmsghdr *nn_cmsg_nxthdr_(const struct nn_msghdr *mhdr, const struct nn_cmsghdr *cmsg);

/*
 Opens a socket and returns its handle. domain is AF_SP or AF_SP_RAW, protocol a socket type such as NN_PAIR.

 Errors (-1), looked for in this order: ETERM, EAFNOSUPPORT (domain), EMFILE, EINVAL (protocol), ENOMEM. See
 nn_socket(3).
 */
NN_EXPORT int nn_socket(int domain, int protocol);

/*
 Closes a socket and returns 0. Calls that wait on it in other threads end with EBADF.

 Errors (-1): EBADF. See nn_close(3).
 */
NN_EXPORT int nn_close(int s);

/*
 Sets an option to the optvallen bytes at optval, and returns 0.

 Errors (-1): EBADF, EFAULT (a NULL optval with a length), EINVAL (length or value), ENOPROTOOPT (no such option, or
 one that can only be read). See nn_setsockopt(3).
 */
NN_EXPORT int nn_setsockopt(int s, int level, int option, const void *optval, size_t optvallen);

/*
 Stores an option's value at optval, where there is room for *optvallen bytes, and its full size in *optvallen.
 Returns 0. A value is cut if there is less room; a string is then without its NUL.

 Errors (-1): EBADF, EFAULT (NULL), ENOPROTOOPT (no such option, or one that can only be set), EINVAL (no room for an
 int of NN_REQ or NN_SURVEYOR). See nn_getsockopt(3).
 */
NN_EXPORT int nn_getsockopt(int s, int level, int option, void *optval, size_t *optvallen);

/*
 Binds a socket to an address and returns the endpoint's id, which is positive.

 Errors (-1): EBADF, EINVAL (NULL, or no address), ENAMETOOLONG (NN_SOCKADDR_MAX), EPROTONOSUPPORT (no such
 transport), EADDRINUSE, EADDRNOTAVAIL, ENODEV, and others of the operating system. See nn_bind(3).
 */
NN_EXPORT int nn_bind(int s, const char *addr);

/*
 Connects a socket to an address, now or whenever there is somebody, and returns the endpoint's id, which is
 positive.

 Errors (-1): as of nn_bind, but only for the address as such. See nn_connect(3).
 */
NN_EXPORT int nn_connect(int s, const char *addr);

/*
 Removes the endpoint with the id how from a socket, and returns 0.

 Errors (-1): EBADF, EINVAL (no such endpoint). See nn_shutdown(3).
 */
NN_EXPORT int nn_shutdown(int s, int how);

/*
 Sends len bytes as one message and returns len, or INT_MAX if that is less. With a len of NN_MSG, buf points to a
 variable that holds a pointer from nn_allocmsg or a receive: after success the message is the library's, after an
 error it is still the caller's.

 Flags: NN_DONTWAIT. Errors (-1): EBADF, EFAULT (NULL), ENOTSUP (sockets of this type never send), EFSM (not now),
 EAGAIN (it would wait), ETIMEDOUT (NN_SNDTIMEO), EINTR, ENOMEM. See nn_send(3).
 */
NN_EXPORT int nn_send(int s, const void *buf, size_t len, int flags);

/*
 Receives a message into the len bytes at buf and returns its length, which may be more than len: what does not fit
 is lost. With a len of NN_MSG, buf points to a variable for a pointer: it receives the message itself, which the
 caller frees with nn_freemsg or sends.

 Flags: NN_DONTWAIT. Errors (-1): EBADF, EFAULT (NULL; nothing is received), ENOTSUP (sockets of this type never
 receive), EFSM (not now), EAGAIN (it would wait), ETIMEDOUT (NN_RCVTIMEO, or the end of a survey), EINTR, ENOMEM (the
 message is lost). See nn_recv(3).
 */
NN_EXPORT int nn_recv(int s, void *buf, size_t len, int flags);

/*
 Sends the parts of msghdr as one message, with control messages, and returns the length of its body. Either of the
 body and the control buffer may be a message from nn_allocmsg (NN_MSG). The body's is the caller's again after any
 error. The control buffer's is the caller's after EINVAL, EMSGSIZE and EFAULT about the arguments and EBADF about
 the handle, and gone after an error of the sending itself; nn_freemsg, called all the same, says EFAULT as far as
 that can be told.

 Errors (-1): as of nn_send; EINVAL (a NULL msghdr, NN_MSG among several parts, too many bytes for any memory, or an
 SP_HDR that this socket cannot send), EMSGSIZE (a negative count of parts). See nn_sendmsg(3).
 */
NN_EXPORT int nn_sendmsg(int s, const struct nn_msghdr *msghdr, int flags);

/*
 Receives a message into the parts of msghdr, in order, and returns the length of its body, which may be more than
 they hold. The control buffer receives an SP_HDR and, from a WebSocket, an NN_WS_MSG_TYPE; nothing, if there is no
 room for the SP_HDR. msg_controllen stays as it is, so that msghdr can be sent back: zero the buffer first, and
 NN_CMSG_NXTHDR finds the end.

 Errors (-1): as of nn_recv; EINVAL (a NULL msghdr, or NN_MSG among several parts), EMSGSIZE (a negative count of
 parts). None of those costs a message. See nn_recvmsg(3).
 */
NN_EXPORT int nn_recvmsg(int s, struct nn_msghdr *msghdr, int flags);

/*
 Waits until one of nfds sockets is ready, at most timeout milliseconds (without end, if negative), and returns how
 many are. revents is written for every entry unless there is an error.

 Errors (-1): EBADF, ENOPROTOOPT (sockets of this type never do what is asked for), EINVAL (a negative nfds), EFAULT
 (NULL), EINTR, ENOMEM. See nn_poll(3).
 */
NN_EXPORT int nn_poll(struct nn_pollfd *fds, int nfds, int timeout);

/*
 Forwards messages between two raw sockets until one fails; with one handle negative, from the other one back to
 itself. It only ever returns -1.

 Errors: EBADF (no such socket, or closed meanwhile), EINVAL (not raw, or not a pair that fits), ETIMEDOUT, EINTR. See
 nn_device(3).
 */
NN_EXPORT int nn_device(int s1, int s2);

/*
 Returns a counter of a socket: stat is one of NN_STAT_*.

 Errors ((uint64_t) -1): EBADF, EINVAL (no such counter). See nn_get_statistic(3).
 */
NN_EXPORT uint64_t nn_get_statistic(int s, int stat);

#ifdef __cplusplus
}  /* extern "C" */
#endif  /* __cplusplus */

#endif  /* NANOMSG_NN_H_INCLUDED */
