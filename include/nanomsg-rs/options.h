/* nanomsg: options that upstream does not have. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_RS_OPTIONS_H_INCLUDED
#define NANOMSG_RS_OPTIONS_H_INCLUDED

/*
 Level of what nn_getsockopt tells of an endpoint; the option is the endpoint's id, as nn_bind or nn_connect returned it. Text:
 the address, with the port that the system has chosen where port 0 was bound. EINVAL: there is no such endpoint.
 */
#define NN_ENDPOINT -1001

/*
 Level NN_SOL_SOCKET. Milliseconds after which a connect that nobody answers has failed (ETIMEDOUT), and the next address or try
 has its turn; int. 0, which it is unless set: when the kernel gives up, after some two minutes with tcp.
 */
#define NN_CONNECT_TIMEOUT 1002

/*
 Level NN_TCP, for tcp and ws; these hold for connections made afterwards. Milliseconds of silence after which the kernel
 asks a peer whether it is there, up to the next whole second, at most 32,767,000; int. 0, which it is unless set: never.
 */
#define NN_TCP_KEEPALIVE_IDLE 1001

/* Milliseconds between two such questions, likewise; int. 0: the kernel's default. */
#define NN_TCP_KEEPALIVE_INTERVAL 1002

/* Questions without an answer that end the connection, at most 127; int. 0: the kernel's default. */
#define NN_TCP_KEEPALIVE_COUNT 1003

/*
 Milliseconds for which the peer may leave what was sent unacknowledged before the connection ends; int. 0: the kernel's
 default. On systems other than Linux it changes nothing.
 */
#define NN_TCP_USER_TIMEOUT 1004

/*
 Level NN_IPC. Permission bits of the file of sockets bound afterwards, 0 to 0777, which it has before anybody can connect;
 int. -1, which it is unless set: as the umask says.
 */
#define NN_IPC_MODE 1001

/*
 Level NN_REQ. 1: a request that no peer can take fails at once with EAGAIN, and NN_SNDFD is not readable then. 0, which it is
 unless set: the request waits for a peer; int.
 */
#define NN_REQ_FAIL_FAST 1001

/*
 Level NN_SOL_SOCKET, of SUB, PULL and PAIR. 1: an unread message is replaced by the next one, so that the newest is received and
 what was older is not; int. 0, which it is unless set: every message is kept.
 */
#define NN_CONFLATE 1003

/*
 Level NN_SOL_SOCKET, of the same. With NN_CONFLATE a message replaces only one whose first bytes, so many, are the same: the
 newest of each topic; int, 0 to 4,096. 0, which it is unless set: the newest of all.
 */
#define NN_CONFLATE_PREFIX 1004

/*
 Level NN_SOL_SOCKET, of PUB, BUS and SURVEYOR. What becomes of a message for a peer that has NN_SNDBUF bytes waiting already: one
 of the three below; int.
 */
#define NN_OVERFLOW 1005

/* The peer misses the message. So it is unless it was set. */
#define NN_OVERFLOW_DROP_NEW 0

/* The peer misses the oldest of up to NN_SNDBUF further bytes that wait for it. */
#define NN_OVERFLOW_DROP_OLD 1

/* No peer misses anything: nn_send waits until all of them take messages, for NN_SNDTIMEO at most. */
#define NN_OVERFLOW_WAIT 2

/*
 Level NN_SOL_SOCKET. Whether messages of at least NN_SHARED_MEMORY_MIN bytes go by reference, through memory that both processes
 map, on connections of ipc and abstract made afterwards, where both ends are of this library: 0: no; 1: to processes of the same
 user; 2: to all; int. 1, unless the environment variable NN_SHARED_MEMORY is 0. On systems other than Linux it changes nothing.
 */
#define NN_SHARED_MEMORY 1009

/* Level NN_SOL_SOCKET. Bytes from which messages go that way, 4,096 at least; int, 16,384 unless set. */
#define NN_SHARED_MEMORY_MIN 1010

/*
 Level NN_WS. Milliseconds after which a connection that brings nothing is asked for a sign of life (a WebSocket ping), and as
 many again after which it is ended if none came; int. 0, which it is unless set: never.
 */
#define NN_WS_PING 1001

/* Messages that a peer missed because it had no room, counted for each peer: of PUB, BUS and SURVEYOR. */
#define NN_STAT_MESSAGES_OVERFLOWED 1302

/* Messages that were replaced by newer ones before they were received (NN_CONFLATE). */
#define NN_STAT_MESSAGES_CONFLATED 1303

#endif  /* NANOMSG_RS_OPTIONS_H_INCLUDED */
