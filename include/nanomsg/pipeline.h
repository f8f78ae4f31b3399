/* nanomsg: push and pull. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_PIPELINE_H_INCLUDED
#define NANOMSG_PIPELINE_H_INCLUDED

#define NN_PROTO_PIPELINE 5

/* Sends each message to one of its peers. */
#define NN_PUSH (NN_PROTO_PIPELINE * 16)

/* Receives from all its peers in turn. */
#define NN_PULL ((NN_PROTO_PIPELINE * 16) + 1)

#endif  /* NANOMSG_PIPELINE_H_INCLUDED */
