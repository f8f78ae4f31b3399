//! The options of a socket, by name: times as `Option<Duration>`, sizes as `usize`.
#![forbid(unsafe_code)]

use crate::sys::RawSource;
use std::time::Duration;

use super::error::{Error, Result};
use super::message::WsMessageType;
use super::socket::{Socket, SocketType};
use crate::error::Error as Cause;
use crate::ffi::symbols::{
    NN_CONFLATE, NN_CONFLATE_PREFIX, NN_CONNECT_TIMEOUT, NN_DIRECT_FD, NN_IPC, NN_IPC_MODE, NN_IPV4ONLY, NN_LINGER,
    NN_MAXTTL, NN_OVERFLOW, NN_OVERFLOW_DROP_NEW, NN_OVERFLOW_DROP_OLD, NN_OVERFLOW_WAIT, NN_PUB_FORWARD, NN_RCVBUF,
    NN_RCVFD, NN_RCVMAXSIZE, NN_RCVPRIO, NN_RCVTIMEO, NN_RECONNECT_IVL, NN_RECONNECT_IVL_MAX, NN_REQ_FAIL_FAST,
    NN_REQ_RESEND_IVL, NN_SHARED_MEMORY, NN_SHARED_MEMORY_MIN, NN_SNDBUF, NN_SNDFD, NN_SNDPRIO, NN_SNDTIMEO,
    NN_SOCKET_NAME, NN_SOL_SOCKET, NN_SUB_FORWARD, NN_SUB_SUBSCRIBE, NN_SUB_UNSUBSCRIBE, NN_SURVEYOR_DEADLINE, NN_TCP,
    NN_TCP_KEEPALIVE_COUNT, NN_TCP_KEEPALIVE_IDLE, NN_TCP_KEEPALIVE_INTERVAL, NN_TCP_NODELAY, NN_TCP_USER_TIMEOUT,
    NN_WS, NN_WS_MSG_TYPE, NN_WS_PING,
};
use crate::socket::{OptionInput, Value};

/// How the kernel finds out that a TCP peer has gone without a word ([`Socket::set_tcp_keepalive`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// Silence before the peer is asked whether it is there, rounded up to whole seconds. `None`: it is not asked.
    pub idle: Option<Duration>,
    /// The time between two questions, likewise. `None`: the kernel's default.
    pub interval: Option<Duration>,
    /// Questions without an answer that end the connection. `None`: the kernel's default.
    pub count: Option<u32>,
}

/// What becomes of a message for a peer that has [`Socket::send_buffer`] bytes waiting already ([`Socket::set_overflow`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// The peer misses it.
    #[default]
    DropNew,
    /// The peer misses the oldest of what waits for it, of which there are up to so many bytes more.
    DropOld,
    /// Nobody gets it before that peer has room: a send waits for as long as [`Socket::send_timeout`] says.
    Wait,
}

impl Overflow {
    fn number(self) -> i32 {
        match self {
            Self::DropNew => NN_OVERFLOW_DROP_NEW,
            Self::DropOld => NN_OVERFLOW_DROP_OLD,
            Self::Wait => NN_OVERFLOW_WAIT,
        }
    }
}

/// Options. Times are whole milliseconds inside: a part of one counts as one, and what no `i32` holds is EINVAL. Setting
/// a value outside of its range is EINVAL, an option that sockets of this type do not have ENOPROTOOPT.
///
/// ```
/// use std::time::Duration;
/// use nanomsg::{Socket, SocketType};
///
/// let socket = Socket::new(SocketType::Sub)?;
/// assert_eq!(socket.recv_timeout()?, None);
/// socket.set_recv_timeout(Some(Duration::from_millis(20)))?;
/// socket.subscribe("weather")?;
/// assert!(socket.recv().unwrap_err().is_timed_out());
/// # Ok::<(), nanomsg::Error>(())
/// ```
impl Socket {
    /// How long closing goes on writing what was accepted; `None` for as long as it takes.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn linger(&self) -> Result<Option<Duration>> {
        self.time(NN_SOL_SOCKET, NN_LINGER)
    }

    /// Sets [`Socket::linger`]; a second, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_linger(&self, limit: Option<Duration>) -> Result<()> {
        self.set_time(NN_SOL_SOCKET, NN_LINGER, limit)
    }

    /// Bytes to hold for sending.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn send_buffer(&self) -> Result<usize> {
        self.size(NN_SNDBUF)
    }

    /// Sets [`Socket::send_buffer`]; 128 KiB, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_send_buffer(&self, bytes: usize) -> Result<()> {
        self.set_size(NN_SNDBUF, bytes)
    }

    /// Bytes to hold of what was received.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn recv_buffer(&self) -> Result<usize> {
        self.size(NN_RCVBUF)
    }

    /// Sets [`Socket::recv_buffer`]; 128 KiB, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_recv_buffer(&self, bytes: usize) -> Result<()> {
        self.set_size(NN_RCVBUF, bytes)
    }

    /// Bytes of the largest message to receive; `None` for any.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn recv_max_size(&self) -> Result<Option<usize>> {
        Ok(usize::try_from(self.int(NN_SOL_SOCKET, NN_RCVMAXSIZE)?).ok())
    }

    /// Sets [`Socket::recv_max_size`]; 1 MiB, unless it is set. A connection that brings more is ended.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_recv_max_size(&self, bytes: Option<usize>) -> Result<()> {
        match bytes {
            Some(bytes) => self.set_size(NN_RCVMAXSIZE, bytes),
            None => self.set_int(NN_SOL_SOCKET, NN_RCVMAXSIZE, -1),
        }
    }

    /// How long a send may wait; `None` for ever.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn send_timeout(&self) -> Result<Option<Duration>> {
        self.time(NN_SOL_SOCKET, NN_SNDTIMEO)
    }

    /// Sets [`Socket::send_timeout`].
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_send_timeout(&self, limit: Option<Duration>) -> Result<()> {
        self.set_time(NN_SOL_SOCKET, NN_SNDTIMEO, limit)
    }

    /// How long a receive may wait; `None` for ever.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn recv_timeout(&self) -> Result<Option<Duration>> {
        self.time(NN_SOL_SOCKET, NN_RCVTIMEO)
    }

    /// Sets [`Socket::recv_timeout`].
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_recv_timeout(&self, limit: Option<Duration>) -> Result<()> {
        self.set_time(NN_SOL_SOCKET, NN_RCVTIMEO, limit)
    }

    /// The wait before a broken connection is tried again.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn reconnect_interval(&self) -> Result<Duration> {
        Ok(self.time(NN_SOL_SOCKET, NN_RECONNECT_IVL)?.unwrap_or_default())
    }

    /// Sets [`Socket::reconnect_interval`]; 100 ms, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_reconnect_interval(&self, wait: Duration) -> Result<()> {
        self.set_time(NN_SOL_SOCKET, NN_RECONNECT_IVL, Some(wait))
    }

    /// Up to what that wait doubles with each try; zero to keep it.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn reconnect_interval_max(&self) -> Result<Duration> {
        Ok(self.time(NN_SOL_SOCKET, NN_RECONNECT_IVL_MAX)?.unwrap_or_default())
    }

    /// Sets [`Socket::reconnect_interval_max`].
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_reconnect_interval_max(&self, wait: Duration) -> Result<()> {
        self.set_time(NN_SOL_SOCKET, NN_RECONNECT_IVL_MAX, Some(wait))
    }

    /// The priority for sending of endpoints added from now on, 1 (first) to 16.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn send_priority(&self) -> Result<u8> {
        Ok(self.int(NN_SOL_SOCKET, NN_SNDPRIO)? as u8)
    }

    /// Sets [`Socket::send_priority`]; 8, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_send_priority(&self, priority: u8) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_SNDPRIO, priority.into())
    }

    /// The priority for receiving of endpoints added from now on, 1 (first) to 16.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn recv_priority(&self) -> Result<u8> {
        Ok(self.int(NN_SOL_SOCKET, NN_RCVPRIO)? as u8)
    }

    /// Sets [`Socket::recv_priority`]; 8, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_recv_priority(&self, priority: u8) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_RCVPRIO, priority.into())
    }

    /// Whether endpoints added from now on leave IPv6 aside.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn ipv4_only(&self) -> Result<bool> {
        Ok(self.int(NN_SOL_SOCKET, NN_IPV4ONLY)? != 0)
    }

    /// Sets [`Socket::ipv4_only`]; they do, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn set_ipv4_only(&self, only: bool) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_IPV4ONLY, only.into())
    }

    /// What error reports call the socket.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn name(&self) -> Result<String> {
        self.text(NN_SOL_SOCKET, NN_SOCKET_NAME)
    }

    /// Sets [`Socket::name`], of at most 63 bytes.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_name(&self, name: &str) -> Result<()> {
        self.set_bytes(NN_SOL_SOCKET, NN_SOCKET_NAME, name.as_bytes())
    }

    /// Hops after which a message is dropped, 1 to 255.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn max_ttl(&self) -> Result<u8> {
        Ok(self.int(NN_SOL_SOCKET, NN_MAXTTL)? as u8)
    }

    /// Sets [`Socket::max_ttl`]; 8, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_max_ttl(&self, hops: u8) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_MAXTTL, hops.into())
    }

    /// A descriptor that is *readable* while a send would not wait. For polling only; the socket closes it.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn send_fd(&self) -> Result<RawSource> {
        self.source(NN_SOL_SOCKET, NN_SNDFD)
    }

    /// A descriptor that is readable while a receive would not wait. For polling only; the socket closes it.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn recv_fd(&self) -> Result<RawSource> {
        self.source(NN_SOL_SOCKET, NN_RCVFD)
    }

    /// Whether [`Socket::send_fd`] and [`Socket::recv_fd`] are readable also for what the calls themselves have to read.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn direct_fd(&self) -> Result<bool> {
        Ok(self.int(NN_SOL_SOCKET, NN_DIRECT_FD)? != 0)
    }

    /// Sets [`Socket::direct_fd`], before the first of the two is asked for; `false`, unless it is set. The loop that waits
    /// for them reads the connections then, in [`Socket::try_recv`], and no other thread.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn set_direct_fd(&self, direct: bool) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_DIRECT_FD, direct.into())
    }

    /// Whether large messages go by reference on connections of ipc made from now on: 0, to nobody; 1, to processes of the same
    /// user; 2, to all.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn shared_memory(&self) -> Result<i32> {
        self.int(NN_SOL_SOCKET, NN_SHARED_MEMORY)
    }

    /// Sets [`Socket::shared_memory`]; 1, unless it or NN_SHARED_MEMORY is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_shared_memory(&self, with: i32) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_SHARED_MEMORY, with)
    }

    /// Bytes from which messages go that way.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn shared_memory_min(&self) -> Result<usize> {
        Ok(usize::try_from(self.int(NN_SOL_SOCKET, NN_SHARED_MEMORY_MIN)?).unwrap_or_default())
    }

    /// Sets [`Socket::shared_memory_min`]; 16,384 unless it is set, and never below 4,096.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_shared_memory_min(&self, bytes: usize) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_SHARED_MEMORY_MIN, i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    /// Whether an unread message is replaced by the next of the same topic ([`Socket::conflate_prefix`]).
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn conflate(&self) -> Result<bool> {
        Ok(self.int(NN_SOL_SOCKET, NN_CONFLATE)? != 0)
    }

    /// Sets [`Socket::conflate`] of a [`SocketType::Sub`], [`SocketType::Pull`] or [`SocketType::Pair`]; it is not, unless this is
    /// set. Then the newest of each topic is received, in the order in which the topics had something unread.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn set_conflate(&self, conflate: bool) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_CONFLATE, conflate.into())
    }

    /// How many of a message's first bytes are its topic.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn conflate_prefix(&self) -> Result<usize> {
        self.size(NN_CONFLATE_PREFIX)
    }

    /// Sets [`Socket::conflate_prefix`], up to 4,096; 0, unless it is set: all messages are of one topic.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range. ENOPROTOOPT: sockets of this type do not have it.
    pub fn set_conflate_prefix(&self, bytes: usize) -> Result<()> {
        self.set_size(NN_CONFLATE_PREFIX, bytes)
    }

    /// What becomes of a message for a peer that is too slow.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn overflow(&self) -> Result<Overflow> {
        let number = self.int(NN_SOL_SOCKET, NN_OVERFLOW)?;
        let known = [Overflow::DropOld, Overflow::Wait].into_iter().find(|it| it.number() == number);
        Ok(known.unwrap_or_default())
    }

    /// Sets [`Socket::overflow`] of a [`SocketType::Pub`], [`SocketType::Bus`] or [`SocketType::Surveyor`].
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn set_overflow(&self, overflow: Overflow) -> Result<()> {
        self.set_int(NN_SOL_SOCKET, NN_OVERFLOW, overflow.number())
    }

    /// Whether new TCP connections send small messages at once (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn tcp_nodelay(&self) -> Result<bool> {
        Ok(self.int(NN_TCP, NN_TCP_NODELAY)? != 0)
    }

    /// Sets [`Socket::tcp_nodelay`].
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn set_tcp_nodelay(&self, at_once: bool) -> Result<()> {
        self.set_int(NN_TCP, NN_TCP_NODELAY, at_once.into())
    }

    /// How long a connect that nobody answers may take. `None`: until the kernel gives up.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn connect_timeout(&self) -> Result<Option<Duration>> {
        self.some_time(NN_SOL_SOCKET, NN_CONNECT_TIMEOUT)
    }

    /// Sets [`Socket::connect_timeout`]. Then the next address of the name is tried, or all of them again, as after any failure.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_connect_timeout(&self, limit: Option<Duration>) -> Result<()> {
        self.set_some_time(NN_SOL_SOCKET, NN_CONNECT_TIMEOUT, limit)
    }

    /// How new TCP and WebSocket connections find out that a peer has gone without a word.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn tcp_keepalive(&self) -> Result<TcpKeepalive> {
        let count = self.int(NN_TCP, NN_TCP_KEEPALIVE_COUNT)?;
        Ok(TcpKeepalive {
            idle: self.some_time(NN_TCP, NN_TCP_KEEPALIVE_IDLE)?,
            interval: self.some_time(NN_TCP, NN_TCP_KEEPALIVE_INTERVAL)?,
            count: u32::try_from(count).ok().filter(|&count| count > 0),
        })
    }

    /// Sets [`Socket::tcp_keepalive`]; off, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: an `idle` or `interval` above 32,767 seconds, or a `count` above 127.
    pub fn set_tcp_keepalive(&self, keepalive: TcpKeepalive) -> Result<()> {
        let before = self.tcp_keepalive()?;
        let set = self.try_set_tcp_keepalive(keepalive);
        if set.is_err() {
            self.try_set_tcp_keepalive(before)?;
        }
        set
    }

    fn try_set_tcp_keepalive(&self, keepalive: TcpKeepalive) -> Result<()> {
        self.set_some_time(NN_TCP, NN_TCP_KEEPALIVE_IDLE, keepalive.idle)?;
        self.set_some_time(NN_TCP, NN_TCP_KEEPALIVE_INTERVAL, keepalive.interval)?;
        let count = keepalive.count.map_or(0, |count| i32::try_from(count).unwrap_or(i32::MAX));
        self.set_int(NN_TCP, NN_TCP_KEEPALIVE_COUNT, count)
    }

    /// How long a peer may leave what new TCP and WebSocket connections send unacknowledged. `None`: the system's default.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn tcp_user_timeout(&self) -> Result<Option<Duration>> {
        self.some_time(NN_TCP, NN_TCP_USER_TIMEOUT)
    }

    /// Sets [`Socket::tcp_user_timeout`]. On systems other than Linux it changes nothing.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_tcp_user_timeout(&self, limit: Option<Duration>) -> Result<()> {
        self.set_some_time(NN_TCP, NN_TCP_USER_TIMEOUT, limit)
    }

    /// Permission bits of the files of Unix sockets bound from now on. `None`: as the umask says.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn ipc_mode(&self) -> Result<Option<u32>> {
        Ok(u32::try_from(self.int(NN_IPC, NN_IPC_MODE)?).ok())
    }

    /// Sets [`Socket::ipc_mode`].
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: a mode above 0o777.
    pub fn set_ipc_mode(&self, mode: Option<u32>) -> Result<()> {
        self.set_int(NN_IPC, NN_IPC_MODE, mode.map_or(-1, |mode| i32::try_from(mode).unwrap_or(i32::MAX)))
    }

    /// How long a WebSocket connection may be silent before the peer is asked for a sign of life, and after that before it is
    /// ended. `None`: for ever.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn ws_ping(&self) -> Result<Option<Duration>> {
        self.some_time(NN_WS, NN_WS_PING)
    }

    /// Sets [`Socket::ws_ping`].
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range.
    pub fn set_ws_ping(&self, silence: Option<Duration>) -> Result<()> {
        self.set_some_time(NN_WS, NN_WS_PING, silence)
    }

    /// How new WebSocket connections send messages that say nothing else.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn ws_message_type(&self) -> Result<WsMessageType> {
        Ok(WsMessageType::of(self.int(NN_WS, NN_WS_MSG_TYPE)?).unwrap_or(WsMessageType::Binary))
    }

    /// Sets [`Socket::ws_message_type`]; binary, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn set_ws_message_type(&self, kind: WsMessageType) -> Result<()> {
        self.set_int(NN_WS, NN_WS_MSG_TYPE, kind.opcode().into())
    }

    /// Lets a [`SocketType::Sub`] receive the messages that start with the topic; the empty one is all of them.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: it is no [`SocketType::Sub`]. ENOMEM: there is no memory.
    pub fn subscribe(&self, topic: impl AsRef<[u8]>) -> Result<()> {
        self.set_bytes(SocketType::Sub.number(), NN_SUB_SUBSCRIBE, topic.as_ref())
    }

    /// Takes one [`Socket::subscribe`] of that topic back.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: it is no [`SocketType::Sub`]. EINVAL: there is no such subscription.
    pub fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> Result<()> {
        self.set_bytes(SocketType::Sub.number(), NN_SUB_UNSUBSCRIBE, topic.as_ref())
    }

    /// Whether connections to come carry subscriptions, if the other end likes that too: a [`SocketType::Pub`] then sends a
    /// [`SocketType::Sub`] only what it has subscribed to.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn forward_subscriptions(&self) -> Result<bool> {
        let (level, option) = self.forward_option();
        Ok(self.int(level, option)? != 0)
    }

    /// Sets [`Socket::forward_subscriptions`]; they do, unless it or NN_SUBSCRIPTIONS_FORWARD is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn set_forward_subscriptions(&self, forward: bool) -> Result<()> {
        let (level, option) = self.forward_option();
        self.set_int(level, option, forward.into())
    }

    /// On every other type of socket there is none.
    fn forward_option(&self) -> (i32, i32) {
        match self.socket_type() {
            SocketType::Pub => (SocketType::Pub.number(), NN_PUB_FORWARD),
            _ => (SocketType::Sub.number(), NN_SUB_FORWARD),
        }
    }

    /// When a [`SocketType::Req`] sends a request again that has no reply.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn resend_interval(&self) -> Result<Option<Duration>> {
        self.time(SocketType::Req.number(), NN_REQ_RESEND_IVL)
    }

    /// Sets [`Socket::resend_interval`]; a minute, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range. ENOPROTOOPT: sockets of this type do not have it.
    pub fn set_resend_interval(&self, wait: Option<Duration>) -> Result<()> {
        self.set_time(SocketType::Req.number(), NN_REQ_RESEND_IVL, wait)
    }

    /// Whether a request of a [`SocketType::Req`] that no peer can take fails at once (EAGAIN).
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn req_fail_fast(&self) -> Result<bool> {
        Ok(self.int(SocketType::Req.number(), NN_REQ_FAIL_FAST)? != 0)
    }

    /// Sets [`Socket::req_fail_fast`]; it waits for a peer, unless this is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn set_req_fail_fast(&self, fail: bool) -> Result<()> {
        self.set_int(SocketType::Req.number(), NN_REQ_FAIL_FAST, fail.into())
    }

    /// How long a survey of a [`SocketType::Surveyor`] lasts.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: sockets of this type do not have it.
    pub fn survey_deadline(&self) -> Result<Option<Duration>> {
        self.time(SocketType::Surveyor.number(), NN_SURVEYOR_DEADLINE)
    }

    /// Sets [`Socket::survey_deadline`]; a second, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the value is out of its range. ENOPROTOOPT: sockets of this type do not have it.
    pub fn set_survey_deadline(&self, limit: Option<Duration>) -> Result<()> {
        self.set_time(SocketType::Surveyor.number(), NN_SURVEYOR_DEADLINE, limit)
    }

    pub(super) fn int(&self, level: i32, option: i32) -> Result<i32> {
        match self.engine()?.option(level, option)? {
            Value::Int(value) | Value::WholeInt(value) => Ok(value),
            Value::Source(_) | Value::Text(_) | Value::Pointer(_) => Err(Cause::NoSuchOption.into()),
        }
    }

    fn source(&self, level: i32, option: i32) -> Result<RawSource> {
        match self.engine()?.option(level, option)? {
            Value::Source(source) => Ok(source as RawSource),
            _ => Err(Cause::NoSuchOption.into()),
        }
    }

    pub(super) fn set_int(&self, level: i32, option: i32, value: i32) -> Result<()> {
        self.set_bytes(level, option, &value.to_ne_bytes())
    }

    pub(super) fn set_bytes(&self, level: i32, option: i32, bytes: &[u8]) -> Result<()> {
        // The address matters only to an option that is a pointer, and that one is not here.
        Ok(self.engine()?.set_option(level, option, OptionInput { bytes, address: 0 })?)
    }

    pub(super) fn text(&self, level: i32, option: i32) -> Result<String> {
        match self.engine()?.option(level, option)? {
            Value::Text(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            _ => Err(Cause::NoSuchOption.into()),
        }
    }

    /// A time of which zero is none.
    fn some_time(&self, level: i32, option: i32) -> Result<Option<Duration>> {
        Ok(self.time(level, option)?.filter(|time| !time.is_zero()))
    }

    fn set_some_time(&self, level: i32, option: i32, time: Option<Duration>) -> Result<()> {
        self.set_int(level, option, time.map_or(Ok(0), |time| millis(Some(time)).map(|millis| millis.max(1)))?)
    }

    fn size(&self, option: i32) -> Result<usize> {
        // Never negative, as setting it checks.
        Ok(self.int(NN_SOL_SOCKET, option)? as usize)
    }

    fn set_size(&self, option: i32, bytes: usize) -> Result<()> {
        let bytes = i32::try_from(bytes).map_err(|_| Error::from(Cause::Invalid))?;
        self.set_int(NN_SOL_SOCKET, option, bytes)
    }

    fn time(&self, level: i32, option: i32) -> Result<Option<Duration>> {
        Ok(u64::try_from(self.int(level, option)?).ok().map(Duration::from_millis))
    }

    fn set_time(&self, level: i32, option: i32, time: Option<Duration>) -> Result<()> {
        self.set_int(level, option, millis(time)?)
    }
}

/// Milliseconds as C has them. A wait is never shorter than asked for.
fn millis(time: Option<Duration>) -> Result<i32> {
    let Some(time) = time else { return Ok(-1) };
    i32::try_from(time.as_nanos().div_ceil(1_000_000)).map_err(|_| Cause::Invalid.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_up_and_must_fit() {
        assert_eq!(millis(None), Ok(-1));
        assert_eq!(millis(Some(Duration::ZERO)), Ok(0));
        assert_eq!(millis(Some(Duration::from_nanos(1))), Ok(1));
        assert_eq!(millis(Some(Duration::from_micros(2001))), Ok(3));
        assert_eq!(millis(Some(Duration::from_millis(i32::MAX as u64))), Ok(i32::MAX));
        assert_eq!(millis(Some(Duration::MAX)).unwrap_err().errno(), libc::EINVAL);
    }
}
