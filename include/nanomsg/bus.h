/* nanomsg: everyone to everyone. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_BUS_H_INCLUDED
#define NANOMSG_BUS_H_INCLUDED

#define NN_PROTO_BUS 7

/* Sends to, and receives from, all its peers. */
#define NN_BUS (NN_PROTO_BUS * 16)

#endif  /* NANOMSG_BUS_H_INCLUDED */
