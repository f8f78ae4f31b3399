/* nanomsg: the ipc transport: between processes of one machine. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_IPC_H_INCLUDED
#define NANOMSG_IPC_H_INCLUDED

/* Level of the ipc transport. */
#define NN_IPC -2

/* Security attributes of a named pipe; a pointer, which has to stay valid. Of no effect but on Windows. */
#define NN_IPC_SEC_ATTR 1

/* Output buffer of a named pipe in bytes; int. Of no effect but on Windows. */
#define NN_IPC_OUTBUFSZ 2

/* Input buffer of a named pipe in bytes; int. Of no effect but on Windows. */
#define NN_IPC_INBUFSZ 3

#endif  /* NANOMSG_IPC_H_INCLUDED */
