/* nanomsg: the inproc transport: within one process. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_INPROC_H_INCLUDED
#define NANOMSG_INPROC_H_INCLUDED

/* Level of the inproc transport; it has no options. */
#define NN_INPROC -1

#endif  /* NANOMSG_INPROC_H_INCLUDED */
