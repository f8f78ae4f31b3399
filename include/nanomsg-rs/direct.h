/* nanomsg: event loops that read connections themselves, which upstream does not have. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_RS_DIRECT_H_INCLUDED
#define NANOMSG_RS_DIRECT_H_INCLUDED

/*
 Level NN_SOL_SOCKET. 1, set before the first of NN_SNDFD and NN_RCVFD is read: the program's own loop reads the connections,
 and no second thread does; int, 0 unless set. A descriptor may then be readable although the call with NN_DONTWAIT returns
 EAGAIN. On systems other than Linux it changes nothing.
 */
#define NN_DIRECT_FD 1001

#endif  /* NANOMSG_RS_DIRECT_H_INCLUDED */
