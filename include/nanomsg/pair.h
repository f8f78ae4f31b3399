/* nanomsg: one to one. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_PAIR_H_INCLUDED
#define NANOMSG_PAIR_H_INCLUDED

#define NN_PROTO_PAIR 1

/* Talks to one other pair socket. */
#define NN_PAIR (NN_PROTO_PAIR * 16)

#endif  /* NANOMSG_PAIR_H_INCLUDED */
