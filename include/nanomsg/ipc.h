/* nanomsg: the ipc transport: unix or, on Windows, winpipe by its older name. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_IPC_H_INCLUDED
#define NANOMSG_IPC_H_INCLUDED

#include "unix.h"
#include "winpipe.h"

#if defined(_WIN32)
/* Level of the ipc transport, which is unix or, on Windows, winpipe: -2 everywhere. */
#define NN_IPC NN_WINPIPE
#endif

#if !defined(_WIN32)
/* Level of the ipc transport, which is unix or, on Windows, winpipe: -2 everywhere. */
#define NN_IPC NN_UNIX
#endif

/* Security attributes of a named pipe; a pointer, which has to stay valid. Of no effect but on Windows. */
#define NN_IPC_SEC_ATTR NN_WINPIPE_SEC_ATTR

/* Output buffer of a named pipe in bytes; int. Of no effect but on Windows. */
#define NN_IPC_OUTBUFSZ NN_WINPIPE_OUTBUFSZ

/* Input buffer of a named pipe in bytes; int. Of no effect but on Windows. */
#define NN_IPC_INBUFSZ NN_WINPIPE_INBUFSZ

#endif  /* NANOMSG_IPC_H_INCLUDED */
