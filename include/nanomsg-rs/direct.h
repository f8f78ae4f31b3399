/* nanomsg: event loops that read connections themselves, which upstream does not have. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_RS_DIRECT_H_INCLUDED
#define NANOMSG_RS_DIRECT_H_INCLUDED

/*
 Level NN_SOL_SOCKET. 1 if NN_RCVFD, asked for from now on, shall let the program's own loop read the connections, without
 a second thread; int, 0 unless set. It may then be readable while nn_recv with NN_DONTWAIT says EAGAIN. Systems without
 epoll(7) take it and go on as ever.
 */
#define NN_DIRECT_FD 1001

#endif  /* NANOMSG_RS_DIRECT_H_INCLUDED */
