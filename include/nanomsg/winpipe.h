/* nanomsg: the winpipe transport: named pipes of Windows. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NN_WINPIPE_H_INCLUDED
#define NN_WINPIPE_H_INCLUDED

/* Level of the winpipe transport, which is Windows' alone: elsewhere winpipe:// is EPROTONOSUPPORT. */
#define NN_WINPIPE -2

/* Security attributes of a named pipe; a pointer, which has to stay valid. Of no effect but on Windows. */
#define NN_WINPIPE_SEC_ATTR 1

/* Output buffer of a named pipe in bytes; int. Of no effect but on Windows. */
#define NN_WINPIPE_OUTBUFSZ 2

/* Input buffer of a named pipe in bytes; int. Of no effect but on Windows. */
#define NN_WINPIPE_INBUFSZ 3

#endif  /* NN_WINPIPE_H_INCLUDED */
