/* nanomsg: subscriptions that travel to the publisher, which upstream does not have. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_RS_FORWARD_H_INCLUDED
#define NANOMSG_RS_FORWARD_H_INCLUDED

/*
 Level NN_SUB. 1 if connections to come shall carry subscriptions to publishers that take them, which then send only
 what is wanted, 0 if not; int. 1 unless set.
 */
#define NN_SUB_FORWARD 1001

/* Level NN_PUB. The same at the other end: 1 if subscriptions are taken. */
#define NN_PUB_FORWARD 1001

/* Messages not sent to a subscriber that had not asked for them, counted for each subscriber. */
#define NN_STAT_MESSAGES_FILTERED 1301

#endif  /* NANOMSG_RS_FORWARD_H_INCLUDED */
