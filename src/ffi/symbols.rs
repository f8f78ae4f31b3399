//! The constants of C, each defined once: the headers are generated from these lines, and nn_symbol and nn_symbol_info
//! read the table at the end.

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr;

use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EBADF, ECONNABORTED, ECONNREFUSED, ECONNRESET, EFAULT,
    EHOSTUNREACH, EINPROGRESS, EINTR, EINVAL, EMFILE, EMSGSIZE, ENAMETOOLONG, ENETDOWN, ENETRESET, ENETUNREACH,
    ENOBUFS, ENODEV, ENOMEM, ENOPROTOOPT, ENOTCONN, ENOTSOCK, ENOTSUP, EPROTO, EPROTONOSUPPORT, ETIMEDOUT,
};

/// The number of the interface. Everything of number 5 is in it.
pub const NN_VERSION_CURRENT: c_int = 6;
/// Its revision.
pub const NN_VERSION_REVISION: c_int = 0;
/// How many numbers before it are served as well.
pub const NN_VERSION_AGE: c_int = 1;

/// Where the error numbers start that the system does not have.
pub const NN_HAUSNUMERO: c_int = 156_384_712;
/// The library was terminated. (The header defines it only where the system does not.)
///
/// cbindgen:ignore
pub const ETERM: c_int = NN_HAUSNUMERO + 53;
/// The socket cannot do this in its present state.
///
/// cbindgen:ignore
pub const EFSM: c_int = NN_HAUSNUMERO + 54;

/// The length that stands for "a pointer to a chunk". (A cast, which cbindgen cannot write.)
///
/// cbindgen:ignore
pub const NN_MSG: usize = usize::MAX;

/// Domain of the sockets applications use.
pub const AF_SP: c_int = 1;
/// Domain of the sockets devices use: they route, and keep no state.
pub const AF_SP_RAW: c_int = 2;

/// Bytes an address may have, its NUL included.
pub const NN_SOCKADDR_MAX: c_int = 128;

/// Level of the options every socket has. Transports have negative levels, socket types positive ones.
pub const NN_SOL_SOCKET: c_int = 0;

/// Milliseconds that closing goes on writing what was accepted for sending; int, 1000 by default. Negative: no limit.
pub const NN_LINGER: c_int = 1;
/// Bytes to hold for sending; int.
pub const NN_SNDBUF: c_int = 2;
/// Bytes to hold of what was received; int.
pub const NN_RCVBUF: c_int = 3;
/// Time limit of a send in milliseconds, negative for none; int.
pub const NN_SNDTIMEO: c_int = 4;
/// Time limit of a receive in milliseconds, negative for none; int.
pub const NN_RCVTIMEO: c_int = 5;
/// Milliseconds before a broken connection is tried again; int.
pub const NN_RECONNECT_IVL: c_int = 6;
/// Milliseconds up to which that time doubles with each try, 0 to keep it; int.
pub const NN_RECONNECT_IVL_MAX: c_int = 7;
/// Priority for sending of the endpoints added next, 1 (first) to 16; int.
pub const NN_SNDPRIO: c_int = 8;
/// Priority for receiving of the endpoints added next, 1 (first) to 16; int.
pub const NN_RCVPRIO: c_int = 9;
/// A descriptor that polls as readable while a send would not wait; int, read only.
pub const NN_SNDFD: c_int = 10;
/// A descriptor that polls as readable while a receive would not wait; int, read only.
pub const NN_RCVFD: c_int = 11;
/// The socket's domain; int, read only.
pub const NN_DOMAIN: c_int = 12;
/// The socket's type; int, read only.
pub const NN_PROTOCOL: c_int = 13;
/// 1 to use IPv4 only, 0 for IPv6 as well; int.
pub const NN_IPV4ONLY: c_int = 14;
/// A name for error reports; a string of at most 63 bytes.
pub const NN_SOCKET_NAME: c_int = 15;
/// Bytes of the largest message to receive, -1 for any; int.
pub const NN_RCVMAXSIZE: c_int = 16;
/// Hops after which a message is dropped, 1 to 255; int.
pub const NN_MAXTTL: c_int = 17;

/// Flag of a send or receive: fail with EAGAIN rather than wait.
pub const NN_DONTWAIT: c_int = 1;

/// Level of the control messages of the protocols.
pub const PROTO_SP: c_int = 1;
/// Control message with the header of a message: its length as a size_t, then its bytes.
pub const SP_HDR: c_int = 1;

/// Event of nn_poll: a receive would not wait.
pub const NN_POLLIN: c_int = 1;
/// Event of nn_poll: a send would not wait.
pub const NN_POLLOUT: c_int = 2;

/// Namespaces of nn_symbol_properties: the namespaces themselves.
pub const NN_NS_NAMESPACE: c_int = 0;
pub const NN_NS_VERSION: c_int = 1;
pub const NN_NS_DOMAIN: c_int = 2;
pub const NN_NS_TRANSPORT: c_int = 3;
pub const NN_NS_PROTOCOL: c_int = 4;
pub const NN_NS_OPTION_LEVEL: c_int = 5;
pub const NN_NS_SOCKET_OPTION: c_int = 6;
pub const NN_NS_TRANSPORT_OPTION: c_int = 7;
pub const NN_NS_OPTION_TYPE: c_int = 8;
pub const NN_NS_OPTION_UNIT: c_int = 9;
pub const NN_NS_FLAG: c_int = 10;
pub const NN_NS_ERROR: c_int = 11;
pub const NN_NS_LIMIT: c_int = 12;
pub const NN_NS_EVENT: c_int = 13;
pub const NN_NS_STATISTIC: c_int = 14;

/// Types of an option's value: it is no option.
pub const NN_TYPE_NONE: c_int = 0;
pub const NN_TYPE_INT: c_int = 1;
pub const NN_TYPE_STR: c_int = 2;

/// Units of an option's value: it has none.
pub const NN_UNIT_NONE: c_int = 0;
pub const NN_UNIT_BYTES: c_int = 1;
pub const NN_UNIT_MILLISECONDS: c_int = 2;
pub const NN_UNIT_PRIORITY: c_int = 3;
pub const NN_UNIT_BOOLEAN: c_int = 4;
pub const NN_UNIT_MESSAGES: c_int = 5;
pub const NN_UNIT_COUNTER: c_int = 6;

/// Connections this side began and the other accepted.
pub const NN_STAT_ESTABLISHED_CONNECTIONS: c_int = 101;
/// Connections the other side began.
pub const NN_STAT_ACCEPTED_CONNECTIONS: c_int = 102;
/// Connections this side ended.
pub const NN_STAT_DROPPED_CONNECTIONS: c_int = 103;
/// Connections that ended otherwise.
pub const NN_STAT_BROKEN_CONNECTIONS: c_int = 104;
/// Tries to connect that failed.
pub const NN_STAT_CONNECT_ERRORS: c_int = 105;
/// Tries to bind that failed.
pub const NN_STAT_BIND_ERRORS: c_int = 106;
/// Tries to accept that failed.
pub const NN_STAT_ACCEPT_ERRORS: c_int = 107;
/// Connections in use now.
pub const NN_STAT_CURRENT_CONNECTIONS: c_int = 201;
/// Connections being tried now.
pub const NN_STAT_INPROGRESS_CONNECTIONS: c_int = 202;
/// Endpoints whose last try failed.
pub const NN_STAT_CURRENT_EP_ERRORS: c_int = 203;
/// Messages sent.
pub const NN_STAT_MESSAGES_SENT: c_int = 301;
/// Messages received.
pub const NN_STAT_MESSAGES_RECEIVED: c_int = 302;
/// Bytes of the bodies sent.
pub const NN_STAT_BYTES_SENT: c_int = 303;
/// Bytes of the bodies received.
pub const NN_STAT_BYTES_RECEIVED: c_int = 304;
/// Priority of the peers that sending goes to now.
pub const NN_STAT_CURRENT_SND_PRIORITY: c_int = 401;

/// Level of the inproc transport; it has no options.
pub const NN_INPROC: c_int = -1;

/// Level of the unix transport; it has no options of its own.
#[cfg(windows)]
pub const NN_UNIX: c_int = -5;
/// Level of the unix transport, which NN_IPC is another name of: the options are those of NN_IPC.
#[cfg(not(windows))]
pub const NN_UNIX: c_int = -2;

/// Level of the winpipe transport, which is Windows' alone: elsewhere winpipe:// is EPROTONOSUPPORT.
pub const NN_WINPIPE: c_int = -2;
/// Security attributes of a named pipe; a pointer, which has to stay valid. Of no effect but on Windows.
pub const NN_WINPIPE_SEC_ATTR: c_int = 1;
/// Output buffer of a named pipe in bytes; int. Of no effect but on Windows.
pub const NN_WINPIPE_OUTBUFSZ: c_int = 2;
/// Input buffer of a named pipe in bytes; int. Of no effect but on Windows.
pub const NN_WINPIPE_INBUFSZ: c_int = 3;

/// Level of the ipc transport, which is unix or, on Windows, winpipe: -2 everywhere.
#[cfg(windows)]
pub const NN_IPC: c_int = NN_WINPIPE;
/// Level of the ipc transport, which is unix or, on Windows, winpipe: -2 everywhere.
#[cfg(not(windows))]
pub const NN_IPC: c_int = NN_UNIX;
/// Security attributes of a named pipe; a pointer, which has to stay valid. Of no effect but on Windows.
pub const NN_IPC_SEC_ATTR: c_int = NN_WINPIPE_SEC_ATTR;
/// Output buffer of a named pipe in bytes; int. Of no effect but on Windows.
pub const NN_IPC_OUTBUFSZ: c_int = NN_WINPIPE_OUTBUFSZ;
/// Input buffer of a named pipe in bytes; int. Of no effect but on Windows.
pub const NN_IPC_INBUFSZ: c_int = NN_WINPIPE_INBUFSZ;

/// Level of the tcp transport.
pub const NN_TCP: c_int = -3;
/// 1 to set TCP_NODELAY on new connections; int.
pub const NN_TCP_NODELAY: c_int = 1;

/// Level of the ws transport.
pub const NN_WS: c_int = -4;
/// Opcode of the messages sent, int; and the type of the control message that carries one message's opcode.
pub const NN_WS_MSG_TYPE: c_int = 1;
/// A text message (RFC 6455, section 5.6), which has to be UTF-8.
pub const NN_WS_MSG_TYPE_TEXT: c_int = 1;
/// A binary message.
pub const NN_WS_MSG_TYPE_BINARY: c_int = 2;

pub const NN_PROTO_PAIR: c_int = 1;
/// Talks to one other pair socket.
pub const NN_PAIR: c_int = NN_PROTO_PAIR * 16;

pub const NN_PROTO_PUBSUB: c_int = 2;
/// Sends to every subscriber.
pub const NN_PUB: c_int = NN_PROTO_PUBSUB * 16;
/// Receives what it subscribed to.
pub const NN_SUB: c_int = NN_PROTO_PUBSUB * 16 + 1;
/// Adds a prefix of messages to receive; any bytes, write only.
pub const NN_SUB_SUBSCRIBE: c_int = 1;
/// Takes a prefix back; any bytes, write only.
pub const NN_SUB_UNSUBSCRIBE: c_int = 2;

/// Level NN_SUB. 1 if connections to come shall carry subscriptions to publishers that take them, which then send only
/// what is wanted, 0 if not; int. 1 unless set.
pub const NN_SUB_FORWARD: c_int = 1001;
/// Level NN_PUB. The same at the other end: 1 if subscriptions are taken.
pub const NN_PUB_FORWARD: c_int = 1001;
/// Messages not sent to a subscriber that had not asked for them, counted for each subscriber.
pub const NN_STAT_MESSAGES_FILTERED: c_int = 1301;

/// Level NN_SOL_SOCKET. 1, set before the first of NN_SNDFD and NN_RCVFD is read: the program's own loop reads the connections,
/// and no second thread does; int, 0 unless set. A descriptor may then be readable although the call with NN_DONTWAIT returns
/// EAGAIN. On systems other than Linux it changes nothing.
pub const NN_DIRECT_FD: c_int = 1001;

/// Level of what nn_getsockopt tells of an endpoint; the option is the endpoint's id, as nn_bind or nn_connect returned it. Text:
/// the address, with the port that the system has chosen where port 0 was bound. EINVAL: there is no such endpoint.
pub const NN_ENDPOINT: c_int = -1001;

/// Level NN_SOL_SOCKET. Milliseconds after which a connect that nobody answers has failed (ETIMEDOUT), and the next address or try
/// has its turn; int. 0, which it is unless set: when the kernel gives up, after some two minutes with tcp.
pub const NN_CONNECT_TIMEOUT: c_int = 1002;

/// Level NN_TCP, for tcp and ws; these hold for connections made afterwards. Milliseconds of silence after which the kernel
/// asks a peer whether it is there, up to the next whole second, at most 32,767,000; int. 0, which it is unless set: never.
pub const NN_TCP_KEEPALIVE_IDLE: c_int = 1001;
/// Milliseconds between two such questions, likewise; int. 0: the kernel's default.
pub const NN_TCP_KEEPALIVE_INTERVAL: c_int = 1002;
/// Questions without an answer that end the connection, at most 127; int. 0: the kernel's default.
pub const NN_TCP_KEEPALIVE_COUNT: c_int = 1003;
/// Milliseconds for which the peer may leave what was sent unacknowledged before the connection ends; int. 0: the kernel's
/// default. On systems other than Linux it changes nothing.
pub const NN_TCP_USER_TIMEOUT: c_int = 1004;

/// Level NN_IPC. Permission bits of the file of sockets bound afterwards, 0 to 0777, which it has before anybody can connect;
/// int. -1, which it is unless set: as the umask says.
pub const NN_IPC_MODE: c_int = 1001;

/// Level NN_REQ. 1: a request that no peer can take fails at once with EAGAIN, and NN_SNDFD is not readable then. 0, which it is
/// unless set: the request waits for a peer; int.
pub const NN_REQ_FAIL_FAST: c_int = 1001;

/// Level NN_SOL_SOCKET, of SUB, PULL and PAIR. 1: an unread message is replaced by the next one, so that the newest is received and
/// what was older is not; int. 0, which it is unless set: every message is kept.
pub const NN_CONFLATE: c_int = 1003;
/// Level NN_SOL_SOCKET, of the same. With NN_CONFLATE a message replaces only one whose first bytes, so many, are the same: the
/// newest of each topic; int, 0 to 4,096. 0, which it is unless set: the newest of all.
pub const NN_CONFLATE_PREFIX: c_int = 1004;

/// Level NN_SOL_SOCKET, of PUB, BUS and SURVEYOR. What becomes of a message for a peer that has NN_SNDBUF bytes waiting already: one
/// of the three below; int.
pub const NN_OVERFLOW: c_int = 1005;
/// The peer misses the message. So it is unless it was set.
pub const NN_OVERFLOW_DROP_NEW: c_int = 0;
/// The peer misses the oldest of up to NN_SNDBUF further bytes that wait for it.
pub const NN_OVERFLOW_DROP_OLD: c_int = 1;
/// No peer misses anything: nn_send waits until all of them take messages, for NN_SNDTIMEO at most.
pub const NN_OVERFLOW_WAIT: c_int = 2;

/// Level NN_SOL_SOCKET. 1: nn_recvmsg tells of each message which peer it came from, in a control message of this level and type
/// whose data are the peer as a JSON object (see nn_monitor(7)); int. 0 unless set.
pub const NN_RECV_PEER: c_int = 1006;

/// Level NN_SOL_SOCKET. An address, where the socket publishes what happens to its endpoints and connections: it binds a PUB there.
/// Text; empty, which it is unless set: nowhere. Reading it gives the address with the port that the system has chosen. See
/// nn_monitor(7).
pub const NN_MONITOR: c_int = 1007;

/// Level NN_SOL_SOCKET; can only be read. What the socket has counted, and its endpoints and connections, as one JSON document. See
/// nn_monitor(7).
pub const NN_STATISTICS: c_int = 1008;

/// Level NN_SOL_SOCKET. Whether messages of at least NN_SHARED_MEMORY_MIN bytes go by reference, through memory that both processes
/// map, on connections of ipc and abstract made afterwards, where both ends are of this library: 0: no; 1: to processes of the same
/// user; 2: to all; int. 1, unless the environment variable NN_SHARED_MEMORY is 0. On systems other than Linux it changes nothing.
pub const NN_SHARED_MEMORY: c_int = 1009;
/// Level NN_SOL_SOCKET. Bytes from which messages go that way, 4,096 at least; int, 16,384 unless set.
pub const NN_SHARED_MEMORY_MIN: c_int = 1010;

/// Level NN_WS. Milliseconds after which a connection that brings nothing is asked for a sign of life (a WebSocket ping), and as
/// many again after which it is ended if none came; int. 0, which it is unless set: never.
pub const NN_WS_PING: c_int = 1001;

/// Level of the options of tls+tcp and wss. They hold for endpoints made afterwards. Where a certificate or key is asked for, the
/// value is PEM text (RFC 7468) or the path of a file of it; with no bytes it is unset. See nn_tls(7).
pub const NN_TLS: c_int = -1002;
/// Certificates that are trusted. The system's, which they are unless set.
pub const NN_TLS_CA: c_int = 1001;
/// Our own certificate, and those it is signed with. A bound endpoint needs one.
pub const NN_TLS_CERT: c_int = 1002;
/// The private key of that certificate, unless it stands beside it: PKCS#8, PKCS#1 or SEC1. It cannot be read (EACCES).
pub const NN_TLS_KEY: c_int = 1003;
/// Which peers have to show a certificate that is trusted and, when connecting, for the right name: 0 none, 1 those that show a
/// certificate (optional), 2 all (required); int. -1, which it is unless set: 2 when connecting, 0 when bound.
pub const NN_TLS_VERIFY: c_int = 1004;
/// The name that the peer's certificate has to be for, and that it is asked for (SNI), in place of the host of the address: a DNS
/// name or an IP address.
pub const NN_TLS_NAME: c_int = 1005;
/// The oldest version of TLS that is spoken, 12 or 13; int. 12 unless set.
pub const NN_TLS_MIN_VERSION: c_int = 1006;

/// No trusted authority (NN_TLS_CA) has signed the peer's certificate. Events, NN_STATISTICS and NN_PRINT_ERRORS report this number
/// and those below, and nn_strerror describes them; no call fails with them.
pub const NN_ETLS_UNKNOWN_CA: c_int = NN_HAUSNUMERO + 1001;
/// It has expired.
pub const NN_ETLS_EXPIRED: c_int = NN_HAUSNUMERO + 1002;
/// It is not valid yet.
pub const NN_ETLS_NOT_YET_VALID: c_int = NN_HAUSNUMERO + 1003;
/// It is for another name (NN_TLS_NAME).
pub const NN_ETLS_NAME: c_int = NN_HAUSNUMERO + 1004;
/// It cannot be used: it is broken, or meant for something else.
pub const NN_ETLS_CERT: c_int = NN_HAUSNUMERO + 1005;
/// The peer has shown none, and has to (NN_TLS_VERIFY).
pub const NN_ETLS_NO_CERT: c_int = NN_HAUSNUMERO + 1006;
/// There is no version of TLS that both sides allow (NN_TLS_MIN_VERSION).
pub const NN_ETLS_VERSION: c_int = NN_HAUSNUMERO + 1007;
/// There is no cipher suite, or another parameter, that both sides have.
pub const NN_ETLS_NO_COMMON: c_int = NN_HAUSNUMERO + 1008;
/// What the peer sends is not TLS.
pub const NN_ETLS_NOT_TLS: c_int = NN_HAUSNUMERO + 1009;
/// The peer broke the protocol.
pub const NN_ETLS_PROTOCOL: c_int = NN_HAUSNUMERO + 1010;
/// The peer does not accept our certificate (NN_TLS_CERT).
pub const NN_ETLS_DISTRUSTED: c_int = NN_HAUSNUMERO + 1011;
/// The peer wants to see a certificate, and we have none (NN_TLS_CERT).
pub const NN_ETLS_CERT_WANTED: c_int = NN_HAUSNUMERO + 1012;
/// The peer does not know the name that it was asked for (NN_TLS_NAME).
pub const NN_ETLS_NAME_UNKNOWN: c_int = NN_HAUSNUMERO + 1013;
/// The peer has ended the handshake.
pub const NN_ETLS_REFUSED: c_int = NN_HAUSNUMERO + 1014;

/// Messages that a peer missed because it had no room, counted for each peer: of PUB, BUS and SURVEYOR.
pub const NN_STAT_MESSAGES_OVERFLOWED: c_int = 1302;
/// Messages that were replaced by newer ones before they were received (NN_CONFLATE).
pub const NN_STAT_MESSAGES_CONFLATED: c_int = 1303;

pub const NN_PROTO_REQREP: c_int = 3;
/// Sends a request and receives its reply.
pub const NN_REQ: c_int = NN_PROTO_REQREP * 16;
/// Receives a request and sends its reply.
pub const NN_REP: c_int = NN_PROTO_REQREP * 16 + 1;
/// Milliseconds after which a request without a reply is sent again; int.
pub const NN_REQ_RESEND_IVL: c_int = 1;

pub const NN_PROTO_PIPELINE: c_int = 5;
/// Sends each message to one of its peers.
pub const NN_PUSH: c_int = NN_PROTO_PIPELINE * 16;
/// Receives from all its peers in turn.
pub const NN_PULL: c_int = NN_PROTO_PIPELINE * 16 + 1;

pub const NN_PROTO_SURVEY: c_int = 6;
/// Asks every respondent, and receives answers for a while. (Numbers 0 and 1 were an earlier protocol.)
pub const NN_SURVEYOR: c_int = NN_PROTO_SURVEY * 16 + 2;
/// Receives a survey and sends its answer.
pub const NN_RESPONDENT: c_int = NN_PROTO_SURVEY * 16 + 3;
/// Milliseconds a survey lasts; int.
pub const NN_SURVEYOR_DEADLINE: c_int = 1;

pub const NN_PROTO_BUS: c_int = 7;
/// Sends to, and receives from, all its peers.
pub const NN_BUS: c_int = NN_PROTO_BUS * 16;

/// One constant, as nn_symbol_info tells it.
#[allow(non_camel_case_types, reason = "the name is C's")]
#[repr(C)]
pub struct nn_symbol_properties {
    /// The constant's value.
    pub value: c_int,
    /// Its name.
    pub name: *const c_char,
    /// What it is: one of NN_NS_*.
    pub ns: c_int,
    /// The type of the value an option has: one of NN_TYPE_*.
    pub r#type: c_int,
    /// The unit of that value: one of NN_UNIT_*.
    pub unit: c_int,
}

struct Symbol {
    name: &'static CStr,
    value: c_int,
    namespace: c_int,
    kind: c_int,
    unit: c_int,
}

/// The name and the value at an index.
pub(super) fn symbol(index: c_int) -> Option<(&'static CStr, c_int)> {
    at(index).map(|symbol| (symbol.name, symbol.value))
}

/// The bytes of the properties at an index. Padding is zero, so that the caller's memory shows nothing of ours.
pub(super) fn properties(index: c_int) -> Option<MaybeUninit<nn_symbol_properties>> {
    let Symbol { name, value, namespace, kind, unit } = *at(index)?;
    let mut properties = MaybeUninit::<nn_symbol_properties>::zeroed();
    let to = properties.as_mut_ptr();
    // SAFETY: places inside our own memory. Written one by one, because a move of the whole leaves padding undefined.
    unsafe {
        ptr::write(&raw mut (*to).value, value);
        ptr::write(&raw mut (*to).name, name.as_ptr());
        ptr::write(&raw mut (*to).ns, namespace);
        ptr::write(&raw mut (*to).r#type, kind);
        ptr::write(&raw mut (*to).unit, unit);
    }
    Some(properties)
}

fn at(index: c_int) -> Option<&'static Symbol> {
    SYMBOLS.get(usize::try_from(index).ok()?)
}

macro_rules! symbol {
    ($name:ident, $namespace:ident) => {
        symbol!($name, $namespace, NN_TYPE_NONE, NN_UNIT_NONE)
    };
    ($name:ident, $namespace:ident, $kind:ident, $unit:ident) => {
        Symbol {
            name: name(concat!(stringify!($name), "\0")),
            value: $name,
            namespace: $namespace,
            kind: $kind,
            unit: $unit,
        }
    };
}

const fn name(with_nul: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(with_nul.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a NUL at the end and nowhere else"),
    }
}

/// In the order of upstream 1.3.0, which programs see that list the symbols: 122 rows, NN_UNIX at index 32 being the one that
/// 1.1.5 does not have. Our own come behind all of upstream's.
#[rustfmt::skip]
static SYMBOLS: &[Symbol] = &[
    symbol!(NN_NS_NAMESPACE, NN_NS_NAMESPACE),
    symbol!(NN_NS_VERSION, NN_NS_NAMESPACE),
    symbol!(NN_NS_DOMAIN, NN_NS_NAMESPACE),
    symbol!(NN_NS_TRANSPORT, NN_NS_NAMESPACE),
    symbol!(NN_NS_PROTOCOL, NN_NS_NAMESPACE),
    symbol!(NN_NS_OPTION_LEVEL, NN_NS_NAMESPACE),
    symbol!(NN_NS_SOCKET_OPTION, NN_NS_NAMESPACE),
    symbol!(NN_NS_TRANSPORT_OPTION, NN_NS_NAMESPACE),
    symbol!(NN_NS_OPTION_TYPE, NN_NS_NAMESPACE),
    symbol!(NN_NS_OPTION_UNIT, NN_NS_NAMESPACE),
    symbol!(NN_NS_FLAG, NN_NS_NAMESPACE),
    symbol!(NN_NS_ERROR, NN_NS_NAMESPACE),
    symbol!(NN_NS_LIMIT, NN_NS_NAMESPACE),
    symbol!(NN_NS_EVENT, NN_NS_NAMESPACE),
    symbol!(NN_NS_STATISTIC, NN_NS_NAMESPACE),
    symbol!(NN_TYPE_NONE, NN_NS_OPTION_TYPE),
    symbol!(NN_TYPE_INT, NN_NS_OPTION_TYPE),
    symbol!(NN_TYPE_STR, NN_NS_OPTION_TYPE),
    symbol!(NN_UNIT_NONE, NN_NS_OPTION_UNIT),
    symbol!(NN_UNIT_BYTES, NN_NS_OPTION_UNIT),
    symbol!(NN_UNIT_MILLISECONDS, NN_NS_OPTION_UNIT),
    symbol!(NN_UNIT_PRIORITY, NN_NS_OPTION_UNIT),
    symbol!(NN_UNIT_BOOLEAN, NN_NS_OPTION_UNIT),
    symbol!(NN_UNIT_COUNTER, NN_NS_OPTION_UNIT),
    symbol!(NN_UNIT_MESSAGES, NN_NS_OPTION_UNIT),
    symbol!(NN_VERSION_CURRENT, NN_NS_VERSION),
    symbol!(NN_VERSION_REVISION, NN_NS_VERSION),
    symbol!(NN_VERSION_AGE, NN_NS_VERSION),
    symbol!(AF_SP, NN_NS_DOMAIN),
    symbol!(AF_SP_RAW, NN_NS_DOMAIN),
    symbol!(NN_INPROC, NN_NS_TRANSPORT),
    symbol!(NN_IPC, NN_NS_TRANSPORT),
    symbol!(NN_UNIX, NN_NS_TRANSPORT),
    symbol!(NN_TCP, NN_NS_TRANSPORT),
    symbol!(NN_WS, NN_NS_TRANSPORT),
    symbol!(NN_PAIR, NN_NS_PROTOCOL),
    symbol!(NN_PUB, NN_NS_PROTOCOL),
    symbol!(NN_SUB, NN_NS_PROTOCOL),
    symbol!(NN_REP, NN_NS_PROTOCOL),
    symbol!(NN_REQ, NN_NS_PROTOCOL),
    symbol!(NN_PUSH, NN_NS_PROTOCOL),
    symbol!(NN_PULL, NN_NS_PROTOCOL),
    symbol!(NN_SURVEYOR, NN_NS_PROTOCOL),
    symbol!(NN_RESPONDENT, NN_NS_PROTOCOL),
    symbol!(NN_BUS, NN_NS_PROTOCOL),
    symbol!(NN_SOCKADDR_MAX, NN_NS_LIMIT),
    symbol!(NN_SOL_SOCKET, NN_NS_OPTION_LEVEL),
    symbol!(NN_LINGER, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_SNDBUF, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BYTES),
    symbol!(NN_RCVBUF, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BYTES),
    symbol!(NN_RCVMAXSIZE, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BYTES),
    symbol!(NN_SNDTIMEO, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_RCVTIMEO, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_RECONNECT_IVL, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_RECONNECT_IVL_MAX, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_SNDPRIO, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_PRIORITY),
    symbol!(NN_RCVPRIO, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_PRIORITY),
    symbol!(NN_SNDFD, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_RCVFD, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_DOMAIN, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_PROTOCOL, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_IPV4ONLY, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BOOLEAN),
    symbol!(NN_SOCKET_NAME, NN_NS_SOCKET_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    symbol!(NN_MAXTTL, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_SUB_SUBSCRIBE, NN_NS_TRANSPORT_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    symbol!(NN_SUB_UNSUBSCRIBE, NN_NS_TRANSPORT_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    symbol!(NN_REQ_RESEND_IVL, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_SURVEYOR_DEADLINE, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_TCP_NODELAY, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_BOOLEAN),
    symbol!(NN_WS_MSG_TYPE, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_DONTWAIT, NN_NS_FLAG),
    symbol!(NN_WS_MSG_TYPE_TEXT, NN_NS_FLAG),
    symbol!(NN_WS_MSG_TYPE_BINARY, NN_NS_FLAG),
    symbol!(NN_POLLIN, NN_NS_EVENT),
    symbol!(NN_POLLOUT, NN_NS_EVENT),
    symbol!(EADDRINUSE, NN_NS_ERROR),
    symbol!(EADDRNOTAVAIL, NN_NS_ERROR),
    symbol!(EAFNOSUPPORT, NN_NS_ERROR),
    symbol!(EAGAIN, NN_NS_ERROR),
    symbol!(EBADF, NN_NS_ERROR),
    symbol!(ECONNREFUSED, NN_NS_ERROR),
    symbol!(EFAULT, NN_NS_ERROR),
    symbol!(EFSM, NN_NS_ERROR),
    symbol!(EINPROGRESS, NN_NS_ERROR),
    symbol!(EINTR, NN_NS_ERROR),
    symbol!(EINVAL, NN_NS_ERROR),
    symbol!(EMFILE, NN_NS_ERROR),
    symbol!(ENAMETOOLONG, NN_NS_ERROR),
    symbol!(ENETDOWN, NN_NS_ERROR),
    symbol!(ENOBUFS, NN_NS_ERROR),
    symbol!(ENODEV, NN_NS_ERROR),
    symbol!(ENOMEM, NN_NS_ERROR),
    symbol!(ENOPROTOOPT, NN_NS_ERROR),
    symbol!(ENOTSOCK, NN_NS_ERROR),
    symbol!(ENOTSUP, NN_NS_ERROR),
    symbol!(EPROTO, NN_NS_ERROR),
    symbol!(EPROTONOSUPPORT, NN_NS_ERROR),
    symbol!(ETERM, NN_NS_ERROR),
    symbol!(ETIMEDOUT, NN_NS_ERROR),
    symbol!(EACCES, NN_NS_ERROR),
    symbol!(ECONNABORTED, NN_NS_ERROR),
    symbol!(ECONNRESET, NN_NS_ERROR),
    symbol!(EHOSTUNREACH, NN_NS_ERROR),
    symbol!(EMSGSIZE, NN_NS_ERROR),
    symbol!(ENETRESET, NN_NS_ERROR),
    symbol!(ENETUNREACH, NN_NS_ERROR),
    symbol!(ENOTCONN, NN_NS_ERROR),
    symbol!(NN_STAT_ESTABLISHED_CONNECTIONS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_COUNTER),
    symbol!(NN_STAT_ACCEPTED_CONNECTIONS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_COUNTER),
    symbol!(NN_STAT_DROPPED_CONNECTIONS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_COUNTER),
    symbol!(NN_STAT_BROKEN_CONNECTIONS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_COUNTER),
    symbol!(NN_STAT_CONNECT_ERRORS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_COUNTER),
    symbol!(NN_STAT_BIND_ERRORS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_COUNTER),
    symbol!(NN_STAT_ACCEPT_ERRORS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_COUNTER),
    symbol!(NN_STAT_MESSAGES_SENT, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_MESSAGES),
    symbol!(NN_STAT_MESSAGES_RECEIVED, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_MESSAGES),
    symbol!(NN_STAT_BYTES_SENT, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_BYTES),
    symbol!(NN_STAT_BYTES_RECEIVED, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_BYTES),
    symbol!(NN_STAT_CURRENT_CONNECTIONS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_STAT_INPROGRESS_CONNECTIONS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_STAT_CURRENT_SND_PRIORITY, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_PRIORITY),
    symbol!(NN_STAT_CURRENT_EP_ERRORS, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_SUB_FORWARD, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_BOOLEAN),
    symbol!(NN_PUB_FORWARD, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_BOOLEAN),
    symbol!(NN_STAT_MESSAGES_FILTERED, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_MESSAGES),
    symbol!(NN_DIRECT_FD, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BOOLEAN),
    symbol!(NN_ENDPOINT, NN_NS_OPTION_LEVEL, NN_TYPE_NONE, NN_UNIT_NONE),
    symbol!(NN_TCP_KEEPALIVE_IDLE, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_TCP_KEEPALIVE_INTERVAL, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_TCP_KEEPALIVE_COUNT, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_TCP_USER_TIMEOUT, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_IPC_MODE, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_REQ_FAIL_FAST, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_BOOLEAN),
    symbol!(NN_CONNECT_TIMEOUT, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_CONFLATE, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BOOLEAN),
    symbol!(NN_CONFLATE_PREFIX, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BYTES),
    symbol!(NN_OVERFLOW, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_OVERFLOW_DROP_NEW, NN_NS_FLAG),
    symbol!(NN_OVERFLOW_DROP_OLD, NN_NS_FLAG),
    symbol!(NN_OVERFLOW_WAIT, NN_NS_FLAG),
    symbol!(NN_RECV_PEER, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BOOLEAN),
    symbol!(NN_MONITOR, NN_NS_SOCKET_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    symbol!(NN_STATISTICS, NN_NS_SOCKET_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    symbol!(NN_WS_PING, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_MILLISECONDS),
    symbol!(NN_STAT_MESSAGES_OVERFLOWED, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_MESSAGES),
    symbol!(NN_STAT_MESSAGES_CONFLATED, NN_NS_STATISTIC, NN_TYPE_INT, NN_UNIT_MESSAGES),
    #[cfg(tls)]
    symbol!(NN_TLS, NN_NS_OPTION_LEVEL, NN_TYPE_NONE, NN_UNIT_NONE),
    #[cfg(tls)]
    symbol!(NN_TLS_CA, NN_NS_TRANSPORT_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    #[cfg(tls)]
    symbol!(NN_TLS_CERT, NN_NS_TRANSPORT_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    #[cfg(tls)]
    symbol!(NN_TLS_KEY, NN_NS_TRANSPORT_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    #[cfg(tls)]
    symbol!(NN_TLS_VERIFY, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    #[cfg(tls)]
    symbol!(NN_TLS_NAME, NN_NS_TRANSPORT_OPTION, NN_TYPE_STR, NN_UNIT_NONE),
    #[cfg(tls)]
    symbol!(NN_TLS_MIN_VERSION, NN_NS_TRANSPORT_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    #[cfg(tls)]
    symbol!(NN_ETLS_UNKNOWN_CA, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_EXPIRED, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_NOT_YET_VALID, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_NAME, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_CERT, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_NO_CERT, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_VERSION, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_NO_COMMON, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_NOT_TLS, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_PROTOCOL, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_DISTRUSTED, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_CERT_WANTED, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_NAME_UNKNOWN, NN_NS_ERROR),
    #[cfg(tls)]
    symbol!(NN_ETLS_REFUSED, NN_NS_ERROR),
    symbol!(NN_SHARED_MEMORY, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_NONE),
    symbol!(NN_SHARED_MEMORY_MIN, NN_NS_SOCKET_OPTION, NN_TYPE_INT, NN_UNIT_BYTES),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_upstream_has_them() {
        for (index, name, value) in [
            (0, c"NN_NS_NAMESPACE", 0),
            (23, c"NN_UNIT_COUNTER", 6),
            (25, c"NN_VERSION_CURRENT", 6),
            (31, c"NN_IPC", -2),
            (32, c"NN_UNIX", -2),
            (33, c"NN_TCP", -3),
            (38, c"NN_REP", 49),
            (42, c"NN_SURVEYOR", 98),
            (50, c"NN_RCVMAXSIZE", 16),
            (82, c"EFSM", 156_384_766),
            (113, c"NN_STAT_ACCEPT_ERRORS", 107),
            (121, c"NN_STAT_CURRENT_EP_ERRORS", 203),
            (122, c"NN_SUB_FORWARD", 1001),
            (125, c"NN_DIRECT_FD", 1001),
            (126, c"NN_ENDPOINT", -1001),
            (132, c"NN_REQ_FAIL_FAST", 1001),
            (133, c"NN_CONNECT_TIMEOUT", 1002),
            (143, c"NN_WS_PING", 1001),
            (145, c"NN_STAT_MESSAGES_CONFLATED", 1303),
            #[cfg(tls)]
            (146, c"NN_TLS", -1002),
            #[cfg(tls)]
            (166, c"NN_ETLS_REFUSED", NN_HAUSNUMERO + 1014),
            #[cfg(tls)]
            (168, c"NN_SHARED_MEMORY_MIN", 1010),
        ] {
            assert_eq!(symbol(index), Some((name, value)));
        }
    }

    #[test]
    fn properties_say_what_an_option_is() {
        let whole = |index| {
            // SAFETY: every field was written.
            unsafe { properties(index).unwrap().assume_init() }
        };
        let linger = whole(47);
        assert_eq!((linger.value, linger.ns), (NN_LINGER, NN_NS_SOCKET_OPTION));
        assert_eq!((linger.r#type, linger.unit), (NN_TYPE_INT, NN_UNIT_MILLISECONDS));
        let unix = whole(32);
        assert_eq!((unix.value, unix.ns, unix.r#type, unix.unit), (-2, NN_NS_TRANSPORT, NN_TYPE_NONE, NN_UNIT_NONE));
        let bus = whole(44);
        assert_eq!((bus.value, bus.ns), (112, NN_NS_PROTOCOL));
        assert_eq!((bus.r#type, bus.unit), (NN_TYPE_NONE, NN_UNIT_NONE));
    }

    #[test]
    fn outside_of_the_table_is_nothing() {
        for index in [-1, c_int::MIN, 169, 2000, c_int::MAX] {
            assert!(symbol(index).is_none() && properties(index).is_none());
        }
    }
}
