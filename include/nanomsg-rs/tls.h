/* nanomsg: the tls+tcp and wss transports, which upstream does not have. Generated from src/ffi by tests/headers.rs; not to be edited. */

#ifndef NANOMSG_RS_TLS_H_INCLUDED
#define NANOMSG_RS_TLS_H_INCLUDED

#include "../nanomsg/nn.h"

/*
 Level of the options of tls+tcp and wss. They hold for endpoints made afterwards. Where a certificate or key is asked for, the
 value is PEM text (RFC 7468) or the path of a file of it; with no bytes it is unset. See nn_tls(7).
 */
#define NN_TLS -1002

/* Certificates that are trusted. The system's, which they are unless set. */
#define NN_TLS_CA 1001

/* Our own certificate, and those it is signed with. A bound endpoint needs one. */
#define NN_TLS_CERT 1002

/* The private key of that certificate, unless it stands beside it: PKCS#8, PKCS#1 or SEC1. It cannot be read (EACCES). */
#define NN_TLS_KEY 1003

/*
 Which peers have to show a certificate that is trusted and, when connecting, for the right name: 0 none, 1 those that show a
 certificate (optional), 2 all (required); int. -1, which it is unless set: 2 when connecting, 0 when bound.
 */
#define NN_TLS_VERIFY 1004

/*
 The name that the peer's certificate has to be for, and that it is asked for (SNI), in place of the host of the address: a DNS
 name or an IP address.
 */
#define NN_TLS_NAME 1005

/* The oldest version of TLS that is spoken, 12 or 13; int. 12 unless set. */
#define NN_TLS_MIN_VERSION 1006

/*
 No trusted authority (NN_TLS_CA) has signed the peer's certificate. Events, NN_STATISTICS and NN_PRINT_ERRORS report this number
 and those below, and nn_strerror describes them; no call fails with them.
 */
#define NN_ETLS_UNKNOWN_CA (NN_HAUSNUMERO + 1001)

/* It has expired. */
#define NN_ETLS_EXPIRED (NN_HAUSNUMERO + 1002)

/* It is not valid yet. */
#define NN_ETLS_NOT_YET_VALID (NN_HAUSNUMERO + 1003)

/* It is for another name (NN_TLS_NAME). */
#define NN_ETLS_NAME (NN_HAUSNUMERO + 1004)

/* It cannot be used: it is broken, or meant for something else. */
#define NN_ETLS_CERT (NN_HAUSNUMERO + 1005)

/* The peer has shown none, and has to (NN_TLS_VERIFY). */
#define NN_ETLS_NO_CERT (NN_HAUSNUMERO + 1006)

/* There is no version of TLS that both sides allow (NN_TLS_MIN_VERSION). */
#define NN_ETLS_VERSION (NN_HAUSNUMERO + 1007)

/* There is no cipher suite, or another parameter, that both sides have. */
#define NN_ETLS_NO_COMMON (NN_HAUSNUMERO + 1008)

/* What the peer sends is not TLS. */
#define NN_ETLS_NOT_TLS (NN_HAUSNUMERO + 1009)

/* The peer broke the protocol. */
#define NN_ETLS_PROTOCOL (NN_HAUSNUMERO + 1010)

/* The peer does not accept our certificate (NN_TLS_CERT). */
#define NN_ETLS_DISTRUSTED (NN_HAUSNUMERO + 1011)

/* The peer wants to see a certificate, and we have none (NN_TLS_CERT). */
#define NN_ETLS_CERT_WANTED (NN_HAUSNUMERO + 1012)

/* The peer does not know the name that it was asked for (NN_TLS_NAME). */
#define NN_ETLS_NAME_UNKNOWN (NN_HAUSNUMERO + 1013)

/* The peer has ended the handshake. */
#define NN_ETLS_REFUSED (NN_HAUSNUMERO + 1014)

#endif  /* NANOMSG_RS_TLS_H_INCLUDED */
