/* nanomsg: the ws transport: WebSocket, RFC 6455. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_WS_H_INCLUDED
#define NANOMSG_WS_H_INCLUDED

#include "nn.h"

/* Level of the ws transport. */
#define NN_WS -4

/* Opcode of the messages sent, int; and the type of the control message that carries one message's opcode. */
#define NN_WS_MSG_TYPE 1

/* A text message (RFC 6455, section 5.6), which has to be UTF-8. */
#define NN_WS_MSG_TYPE_TEXT 1

/* A binary message. */
#define NN_WS_MSG_TYPE_BINARY 2

#endif  /* NANOMSG_WS_H_INCLUDED */
