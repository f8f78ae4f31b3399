/* nanomsg: what happens to a socket, which upstream does not tell. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_RS_MONITOR_H_INCLUDED
#define NANOMSG_RS_MONITOR_H_INCLUDED

/*
 Level NN_SOL_SOCKET. 1: nn_recvmsg tells of each message which peer it came from, in a control message of this level and type
 whose data are the peer as a JSON object (see nn_monitor(7)); int. 0 unless set.
 */
#define NN_RECV_PEER 1006

/*
 Level NN_SOL_SOCKET. An address, where the socket publishes what happens to its endpoints and connections: it binds a PUB there.
 Text; empty, which it is unless set: nowhere. Reading it gives the address with the port that the system has chosen. See
 nn_monitor(7).
 */
#define NN_MONITOR 1007

/*
 Level NN_SOL_SOCKET; can only be read. What the socket has counted, and its endpoints and connections, as one JSON document. See
 nn_monitor(7).
 */
#define NN_STATISTICS 1008

#endif  /* NANOMSG_RS_MONITOR_H_INCLUDED */
