/* nanomsg: request and reply. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_REQREP_H_INCLUDED
#define NANOMSG_REQREP_H_INCLUDED

#include "nn.h"

#define NN_PROTO_REQREP 3

/* Sends a request and receives its reply. */
#define NN_REQ (NN_PROTO_REQREP * 16)

/* Receives a request and sends its reply. */
#define NN_REP ((NN_PROTO_REQREP * 16) + 1)

/* Milliseconds after which a request without a reply is sent again; int. */
#define NN_REQ_RESEND_IVL 1

/* Something to remember a request by. No function takes it. */
typedef union nn_req_handle {
  int i;
  void *ptr;
} nn_req_handle;

#endif  /* NANOMSG_REQREP_H_INCLUDED */
