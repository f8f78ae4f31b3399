/* nanomsg: publish and subscribe. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_PUBSUB_H_INCLUDED
#define NANOMSG_PUBSUB_H_INCLUDED

#define NN_PROTO_PUBSUB 2

/* Sends to every subscriber. */
#define NN_PUB (NN_PROTO_PUBSUB * 16)

/* Receives what it subscribed to. */
#define NN_SUB ((NN_PROTO_PUBSUB * 16) + 1)

/* Adds a prefix of messages to receive; any bytes, write only. */
#define NN_SUB_SUBSCRIBE 1

/* Takes a prefix back; any bytes, write only. */
#define NN_SUB_UNSUBSCRIBE 2

#endif  /* NANOMSG_PUBSUB_H_INCLUDED */
