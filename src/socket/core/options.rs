//! Options of the socket itself and of the transports. Other levels belong to the pattern.
#![forbid(unsafe_code)]

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::pattern::{Pattern, Pipes, Policy};
use crate::transport::sharing::{Lending, TRANSIT, USUAL_MIN};
use crate::transport::tls::{self, Reading};
use crate::transport::{KeepAlive, NamedPipe, Settings};

/// An option's value as the caller passed it. `address` is where its bytes lie: NN_IPC_SEC_ATTR keeps the pointer
/// itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OptionInput<'a> {
    pub bytes: &'a [u8],
    pub address: usize,
}

/// An option's value on its way to the caller; the kinds differ in how a short buffer is treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// An int; a short buffer gets its leading bytes.
    Int(i32),
    /// An int; a short buffer is an error.
    WholeInt(i32),
    /// The number of a descriptor that the program can wait for, which is an int or what the system has in its place; a short buffer gets its leading bytes.
    Source(u64),
    /// Bytes, cut or padded with zeros to the caller's buffer.
    Text(Vec<u8>),
    /// A pointer.
    Pointer(usize),
}

const SOL_SOCKET: i32 = 0;
pub(in crate::socket) const IPC: i32 = -2;
const TCP: i32 = -3;
const WS: i32 = -4;
/// Far from upstream's levels, which are those of its transports (-1 to -5).
pub(in crate::socket) const TLS: i32 = -1002;

const NAME_MAX: usize = 63;

/// The numbers of options of our own, far from upstream's (1 to 17).
const NN_DIRECT_FD: i32 = 1001;
const NN_CONNECT_TIMEOUT: i32 = 1002;
const NN_CONFLATE: i32 = 1003;
const NN_CONFLATE_PREFIX: i32 = 1004;
pub(in crate::socket) const NN_OVERFLOW: i32 = 1005;
const NN_SHARED_MEMORY: i32 = 1009;
const NN_SHARED_MEMORY_MIN: i32 = 1010;

/// Likewise at the levels NN_TCP and NN_IPC. Names, units and ranges are in ffi/symbols.rs and nn_options(7).
const NN_TCP_KEEPALIVE_IDLE: i32 = 1001;
const NN_TCP_KEEPALIVE_INTERVAL: i32 = 1002;
const NN_TCP_KEEPALIVE_COUNT: i32 = 1003;
const NN_TCP_USER_TIMEOUT: i32 = 1004;
pub(in crate::socket) const NN_IPC_MODE: i32 = 1001;
const NN_WS_PING: i32 = 1001;
const NN_RECV_PEER: i32 = 1006;

/// The values of NN_OVERFLOW are NN_OVERFLOW_DROP_NEW, NN_OVERFLOW_DROP_OLD and NN_OVERFLOW_WAIT, in this order.
const POLICIES: [Policy; 3] = [Policy::DropNew, Policy::DropOld, Policy::Wait];

/// Bytes from which messages can go by reference: what is shorter has its place in a pipe's buffers, or in the message itself.
const SHARED_MEMORY_LEAST: i32 = 4096;

/// The permission bits that there are (chmod(2)).
const MODE_MAX: i32 = 0o777;

/// The longest topic that messages can be told apart by, in bytes: about what travels of one between PUB and SUB.
const PREFIX_MAX: i32 = 4096;

/// What the kernel takes (tcp(7)): seconds of TCP_KEEPIDLE and TCP_KEEPINTVL, as milliseconds, and TCP_KEEPCNT.
const KEEPALIVE_TIME_MAX: i32 = 32_767_000;
const KEEPALIVE_COUNT_MAX: i32 = 127;

/// NN_SNDBUF and NN_RCVBUF, unless they are set: bytes, as in the original.
const BUFFER: i32 = 128 * 1024;

/// Everything that can be set at the levels NN_SOL_SOCKET and below.
#[derive(Debug)]
pub(in crate::socket) struct Options {
    pub linger: i32,
    /// Unless they are set the kernel's buffers are left to the kernel, which knows how fast a connection is.
    send_buffer: Option<i32>,
    recv_buffer: Option<i32>,
    pub send_timeout: i32,
    pub recv_timeout: i32,
    pub reconnect: i32,
    pub reconnect_max: i32,
    pub send_priority: i32,
    pub recv_priority: i32,
    pub ipv4_only: bool,
    pub name: Vec<u8>,
    pub recv_max: i32,
    pub max_ttl: i32,
    /// NN_SNDFD and NN_RCVFD show the connections themselves (NN_DIRECT_FD).
    pub direct_fd: bool,
    /// Unread messages are replaced by newer ones, of the same topic if that has any bytes. Not every type has this option,
    /// nor the next.
    conflates: bool,
    pub conflate: bool,
    conflate_prefix: i32,
    overflows: bool,
    overflow: Policy,
    /// Milliseconds. Zero: as long as the kernel tries.
    connect_timeout: i32,
    tcp_nodelay: i32,
    /// Times in milliseconds. Zero: off, or the kernel's.
    keepalive_idle: i32,
    keepalive_interval: i32,
    keepalive_count: i32,
    user_timeout: i32,
    ws_message_type: i32,
    /// Milliseconds. Zero: never.
    ws_ping: i32,
    /// Messages say which peer they came from.
    pub recv_peer: bool,
    /// Negative: as the umask says.
    ipc_mode: i32,
    /// Large messages go by reference: to nobody, to processes of the same user, or to all.
    shared_memory: i32,
    /// Bytes.
    shared_memory_min: i32,
    ipc_security: usize,
    ipc_out_buffer: i32,
    ipc_in_buffer: i32,
    pub tls: tls::Options,
}

impl Options {
    pub(in crate::socket) fn new(name: String, pattern: &dyn Pattern, shares: bool) -> Self {
        Self {
            conflates: pattern.conflates(),
            conflate: false,
            conflate_prefix: 0,
            overflows: pattern.overflows(),
            overflow: Policy::default(),
            linger: 1000,
            send_buffer: None,
            recv_buffer: None,
            send_timeout: -1,
            recv_timeout: -1,
            reconnect: 100,
            reconnect_max: 0,
            send_priority: 8,
            recv_priority: 8,
            ipv4_only: true,
            name: name.into_bytes(),
            recv_max: 1024 * 1024,
            max_ttl: 8,
            direct_fd: false,
            connect_timeout: 0,
            tcp_nodelay: 0,
            keepalive_idle: 0,
            keepalive_interval: 0,
            keepalive_count: 0,
            user_timeout: 0,
            ws_message_type: 2,
            ws_ping: 0,
            recv_peer: false,
            ipc_mode: -1,
            shared_memory: i32::from(shares),
            shared_memory_min: USUAL_MIN as i32,
            ipc_security: 0,
            ipc_out_buffer: 4096,
            ipc_in_buffer: 4096,
            tls: tls::Options::default(),
        }
    }

    pub(in crate::socket) fn settings(&self) -> Settings {
        Settings {
            ipv4_only: self.ipv4_only,
            send_buffer: self.send_buffer.map(|bytes| bytes as usize),
            recv_buffer: self.recv_buffer.map(|bytes| bytes as usize),
            // 1 or 2, as `set_stream` checks.
            ws_opcode: self.ws_message_type as u8,
            ws_ping: some_time(self.ws_ping),
            connect_timeout: some_time(self.connect_timeout),
            keepalive: self.keepalive(),
            ipc_mode: u32::try_from(self.ipc_mode).ok(),
            named_pipe: NamedPipe {
                security: self.ipc_security,
                out_buffer: self.ipc_out_buffer,
                in_buffer: self.ipc_in_buffer,
            },
        }
    }

    fn keepalive(&self) -> KeepAlive {
        // The kernel counts in seconds: up to the next whole one. What is negative was not let in.
        let seconds = |millis: i32| Duration::from_secs(u64::from(millis.unsigned_abs().div_ceil(1000)));
        let set = |value: i32| Some(value).filter(|&value| value > 0);
        KeepAlive {
            idle: seconds(self.keepalive_idle),
            interval: set(self.keepalive_interval).map(seconds),
            count: set(self.keepalive_count).map(i32::unsigned_abs),
            user_timeout: set(self.user_timeout).and_then(timeout),
        }
    }

    /// Whether large messages may go by reference to a peer that is this user's. `None`: it is not known.
    pub(in crate::socket) fn shares_with(&self, user: Option<u32>, own: u32) -> bool {
        match self.shared_memory {
            0 => false,
            1 => user == Some(own),
            _ => true,
        }
    }

    /// How that begins on a connection.
    pub(in crate::socket) fn lending(&self) -> Lending {
        Lending::new(self.shared_memory_min as usize, self.send_buffer.map_or(TRANSIT, |bytes| bytes as usize))
    }

    /// What waits in each pipe at most, in bytes, before it takes no more.
    pub(in crate::socket) fn send_buffer(&self) -> i32 {
        self.send_buffer.unwrap_or(BUFFER)
    }

    /// The same for what has come and was not received.
    pub(in crate::socket) fn recv_buffer(&self) -> i32 {
        self.recv_buffer.unwrap_or(BUFFER)
    }

    /// The same for what lies in memory of a peer's.
    pub(in crate::socket) fn recv_shared(&self) -> usize {
        self.recv_buffer.map_or(TRANSIT, |bytes| bytes as usize)
    }

    /// Tells the pattern what it has to know of these options.
    pub(in crate::socket) fn tell(&self, pattern: &mut dyn Pattern, pipes: &mut dyn Pipes) {
        pattern.set_max_hops(self.max_hops());
        if self.conflates {
            let prefix = self.conflate.then_some(self.conflate_prefix as usize);
            pattern.set_conflation(prefix, self.recv_buffer() as usize, pipes);
        }
        if self.overflows {
            pattern.set_overflow(self.overflow, self.send_buffer() as usize);
        }
    }

    pub(in crate::socket) fn max_hops(&self) -> u8 {
        // 1 to 255, as `set_socket` checks.
        self.max_ttl as u8
    }

    pub(in crate::socket) fn linger(&self) -> Option<Duration> {
        timeout(self.linger)
    }

    pub(in crate::socket) fn set(&mut self, level: i32, option: i32, given: OptionInput<'_>) -> Result<()> {
        match level {
            SOL_SOCKET => self.set_socket(option, given.bytes),
            IPC => self.set_ipc(option, given),
            TCP | WS => self.set_stream(level, option, given.bytes),
            _ => Err(Error::NoSuchOption),
        }
    }

    fn set_socket(&mut self, option: i32, bytes: &[u8]) -> Result<()> {
        if option == 15 {
            if bytes.len() > NAME_MAX {
                return Err(Error::Invalid);
            }
            // A C string, for whoever has counted its NUL.
            self.name = bytes.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
            return Ok(());
        }
        // The size is tested before the option's number.
        let value = exact_int(bytes)?;
        let (field, accepted) = match option {
            1 => (&mut self.linger, true),
            2 | 3 if value >= 1 => {
                let buffer = if option == 2 { &mut self.send_buffer } else { &mut self.recv_buffer };
                *buffer = Some(value);
                return Ok(());
            }
            2 | 3 => return Err(Error::Invalid),
            4 => (&mut self.send_timeout, true),
            5 => (&mut self.recv_timeout, true),
            6 => (&mut self.reconnect, value >= 0),
            7 => (&mut self.reconnect_max, value >= 0),
            8 => (&mut self.send_priority, (1..=16).contains(&value)),
            9 => (&mut self.recv_priority, (1..=16).contains(&value)),
            14 => {
                self.ipv4_only = boolean(value)?;
                return Ok(());
            }
            NN_DIRECT_FD => {
                self.direct_fd = boolean(value)?;
                return Ok(());
            }
            NN_RECV_PEER => {
                self.recv_peer = boolean(value)?;
                return Ok(());
            }
            NN_SHARED_MEMORY => (&mut self.shared_memory, (0..=2).contains(&value)),
            NN_SHARED_MEMORY_MIN => (&mut self.shared_memory_min, value >= SHARED_MEMORY_LEAST),
            NN_CONNECT_TIMEOUT => (&mut self.connect_timeout, value >= 0),
            NN_CONFLATE if self.conflates => {
                self.conflate = boolean(value)?;
                return Ok(());
            }
            NN_CONFLATE_PREFIX if self.conflates => (&mut self.conflate_prefix, (0..=PREFIX_MAX).contains(&value)),
            NN_OVERFLOW if self.overflows => {
                let policy = POLICIES.into_iter().find(|policy| *policy as i32 == value);
                self.overflow = policy.ok_or(Error::Invalid)?;
                return Ok(());
            }
            16 => (&mut self.recv_max, value >= -1),
            17 => (&mut self.max_ttl, (1..=255).contains(&value)),
            _ => return Err(Error::NoSuchOption),
        };
        if !accepted {
            return Err(Error::Invalid);
        }
        *field = value;
        Ok(())
    }

    fn set_stream(&mut self, level: i32, option: i32, bytes: &[u8]) -> Result<()> {
        let value = exact_int(bytes)?;
        match (level, option) {
            (TCP, 1) => self.tcp_nodelay = i32::from(boolean(value)?),
            (TCP, NN_TCP_KEEPALIVE_IDLE) => self.keepalive_idle = within(value, 0..=KEEPALIVE_TIME_MAX)?,
            (TCP, NN_TCP_KEEPALIVE_INTERVAL) => self.keepalive_interval = within(value, 0..=KEEPALIVE_TIME_MAX)?,
            (TCP, NN_TCP_KEEPALIVE_COUNT) => self.keepalive_count = within(value, 0..=KEEPALIVE_COUNT_MAX)?,
            (TCP, NN_TCP_USER_TIMEOUT) => self.user_timeout = within(value, 0..=i32::MAX)?,
            (WS, NN_WS_PING) => self.ws_ping = within(value, 0..=i32::MAX)?,
            (WS, 1) if (1..=2).contains(&value) => self.ws_message_type = value,
            (WS, 1) => return Err(Error::Invalid),
            _ => return Err(Error::NoSuchOption),
        }
        Ok(())
    }

    fn set_ipc(&mut self, option: i32, given: OptionInput<'_>) -> Result<()> {
        if option == NN_IPC_MODE {
            self.ipc_mode = within(exact_int(given.bytes)?, -1..=MODE_MAX)?;
            return Ok(());
        }
        let value = given.bytes.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)).ok_or(Error::Invalid)?;
        match option {
            1 => self.ipc_security = given.address,
            2 => self.ipc_out_buffer = value,
            3 => self.ipc_in_buffer = value,
            _ => return Err(Error::NoSuchOption),
        }
        Ok(())
    }

    pub(in crate::socket) fn value(&self, level: i32, option: i32) -> Result<Value> {
        let value = match (level, option) {
            (SOL_SOCKET, 1) => self.linger,
            (SOL_SOCKET, 2) => self.send_buffer(),
            (SOL_SOCKET, 3) => self.recv_buffer(),
            (SOL_SOCKET, 4) => self.send_timeout,
            (SOL_SOCKET, 5) => self.recv_timeout,
            (SOL_SOCKET, 6) => self.reconnect,
            (SOL_SOCKET, 7) => self.reconnect_max,
            (SOL_SOCKET, 8) => self.send_priority,
            (SOL_SOCKET, 9) => self.recv_priority,
            (SOL_SOCKET, 14) => i32::from(self.ipv4_only),
            (SOL_SOCKET, 15) => return Ok(Value::Text(self.name.clone())),
            (SOL_SOCKET, 16) => self.recv_max,
            (SOL_SOCKET, 17) => self.max_ttl,
            (SOL_SOCKET, NN_DIRECT_FD) => i32::from(self.direct_fd),
            (SOL_SOCKET, NN_RECV_PEER) => i32::from(self.recv_peer),
            (SOL_SOCKET, NN_CONNECT_TIMEOUT) => self.connect_timeout,
            (SOL_SOCKET, NN_CONFLATE) if self.conflates => i32::from(self.conflate),
            (SOL_SOCKET, NN_CONFLATE_PREFIX) if self.conflates => self.conflate_prefix,
            (SOL_SOCKET, NN_OVERFLOW) if self.overflows => self.overflow as i32,
            (SOL_SOCKET, NN_SHARED_MEMORY) => self.shared_memory,
            (SOL_SOCKET, NN_SHARED_MEMORY_MIN) => self.shared_memory_min,
            (IPC, 1) => return Ok(Value::Pointer(self.ipc_security)),
            (IPC, 2) => self.ipc_out_buffer,
            (IPC, 3) => self.ipc_in_buffer,
            (TCP, 1) => self.tcp_nodelay,
            (TCP, NN_TCP_KEEPALIVE_IDLE) => self.keepalive_idle,
            (TCP, NN_TCP_KEEPALIVE_INTERVAL) => self.keepalive_interval,
            (TCP, NN_TCP_KEEPALIVE_COUNT) => self.keepalive_count,
            (TCP, NN_TCP_USER_TIMEOUT) => self.user_timeout,
            (IPC, NN_IPC_MODE) => self.ipc_mode,
            (TLS, _) => {
                return Ok(match self.tls.value(option)? {
                    Reading::Int(value) => Value::Int(value),
                    Reading::Text(text) => Value::Text(text),
                });
            }
            (WS, 1) => self.ws_message_type,
            (WS, NN_WS_PING) => self.ws_ping,
            _ => return Err(Error::NoSuchOption),
        };
        Ok(Value::Int(value))
    }
}

/// A time in milliseconds; zero is none.
fn some_time(millis: i32) -> Option<Duration> {
    timeout(millis).filter(|time| !time.is_zero())
}

/// A time limit in milliseconds; every negative value is none.
pub(in crate::socket) fn timeout(millis: i32) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn exact_int(bytes: &[u8]) -> Result<i32> {
    bytes.try_into().map(i32::from_ne_bytes).map_err(|_| Error::Invalid)
}

fn within(value: i32, allowed: RangeInclusive<i32>) -> Result<i32> {
    if allowed.contains(&value) { Ok(value) } else { Err(Error::Invalid) }
}

fn boolean(value: i32) -> Result<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::Invalid),
    }
}
