/* nanomsg: the tcp transport: between machines. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_TCP_H_INCLUDED
#define NANOMSG_TCP_H_INCLUDED

/* Level of the tcp transport. */
#define NN_TCP -3

/* 1 to set TCP_NODELAY on new connections; int. */
#define NN_TCP_NODELAY 1

#endif  /* NANOMSG_TCP_H_INCLUDED */
