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
