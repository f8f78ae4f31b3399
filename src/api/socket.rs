//! A socket with an owner.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::{Arc, Weak};

use super::error::{Error, Result};
use super::message::Message;
use super::statistic::Statistic;
use crate::error::Error as Cause;
use crate::ffi::symbols::{self, NN_ENDPOINT};
use crate::message::Outgoing;
use crate::socket::Socket as Engine;
use crate::socket::table::{self, Found};

/// What a socket is in its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketType {
    /// Talks to one other pair socket.
    Pair,
    /// Sends to every subscriber.
    Pub,
    /// Receives what it subscribed to.
    Sub,
    /// Sends a request and receives its reply.
    Req,
    /// Receives a request and sends its reply.
    Rep,
    /// Sends each message to one of its peers.
    Push,
    /// Receives from all its peers in turn.
    Pull,
    /// Asks every respondent, and receives answers for a while.
    Surveyor,
    /// Receives a survey and sends its answer.
    Respondent,
    /// Sends to, and receives from, all its peers.
    Bus,
}

impl SocketType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Pair,
        Self::Pub,
        Self::Sub,
        Self::Req,
        Self::Rep,
        Self::Push,
        Self::Pull,
        Self::Surveyor,
        Self::Respondent,
        Self::Bus,
    ];

    /// The one with this number.
    pub(super) fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == i32::from(number))
    }

    pub(super) fn number(self) -> i32 {
        match self {
            Self::Pair => symbols::NN_PAIR,
            Self::Pub => symbols::NN_PUB,
            Self::Sub => symbols::NN_SUB,
            Self::Req => symbols::NN_REQ,
            Self::Rep => symbols::NN_REP,
            Self::Push => symbols::NN_PUSH,
            Self::Pull => symbols::NN_PULL,
            Self::Surveyor => symbols::NN_SURVEYOR,
            Self::Respondent => symbols::NN_RESPONDENT,
            Self::Bus => symbols::NN_BUS,
        }
    }
}

/// One bind or connect of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    id: i32,
}

impl Endpoint {
    /// The number that C knows it by.
    #[must_use]
    pub fn id(self) -> i32 {
        self.id
    }
}

/// One end of a pattern. It may be used by several threads at once, and is closed when it is dropped.
///
/// ```
/// use std::time::Duration;
/// use nanomsg::{Socket, SocketType};
///
/// let server = Socket::new(SocketType::Rep)?;
/// server.bind("inproc://time")?;
/// let client = Socket::new(SocketType::Req)?;
/// client.connect("inproc://time")?;
/// client.set_recv_timeout(Some(Duration::from_secs(1)))?;
///
/// client.send("what time is it?")?;
/// assert_eq!(server.recv()?, "what time is it?");
/// server.send("time for tea")?;
/// assert_eq!(client.recv()?, "time for tea");
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub struct Socket {
    handle: i32,
    kind: SocketType,
    raw: bool,
    /// The handle is used again once the socket is closed, which C can do too; this says whether it is still ours.
    /// Weak, so that it keeps nothing but the address.
    engine: Weak<Engine>,
}

impl Socket {
    /// Opens a socket.
    ///
    /// # Errors
    ///
    /// ETERM: the library was terminated. EMFILE: there are too many sockets. ENOMEM: there is no memory.
    pub fn new(kind: SocketType) -> Result<Self> {
        Self::open(symbols::AF_SP, kind)
    }

    /// Opens a raw socket: it keeps no state and shows the header of each message. Made for
    /// [`device`](crate::device), [`Requests`](crate::Requests) and [`Replies`](crate::Replies).
    ///
    /// # Errors
    ///
    /// As [`Socket::new`].
    pub fn raw(kind: SocketType) -> Result<Self> {
        Self::open(symbols::AF_SP_RAW, kind)
    }

    fn open(domain: i32, kind: SocketType) -> Result<Self> {
        let handle = table::open(domain, kind.number())?;
        let engine = Arc::downgrade(&*table::find(handle)?);
        Ok(Self { handle, kind, raw: domain == symbols::AF_SP_RAW, engine })
    }

    /// What it is in its pattern.
    #[must_use]
    pub fn socket_type(&self) -> SocketType {
        self.kind
    }

    /// Whether it was opened by [`Socket::raw`].
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.raw
    }

    /// The number that C functions know it by. It stays this socket's.
    #[must_use]
    pub fn handle(&self) -> i32 {
        self.handle
    }

    /// Listens at an address: `tcp://127.0.0.1:5555`, `unix:///tmp/x`, `inproc://x`, `ws://*:80/path`.
    ///
    /// With `fd://3` the socket becomes the owner of that descriptor, and closes it: nothing else in the program may own it
    /// (`std::os::fd::IntoRawFd` gives one away).
    ///
    /// # Errors
    ///
    /// EINVAL, ENAMETOOLONG, EPROTONOSUPPORT, EADDRINUSE, EADDRNOTAVAIL, ENODEV, EBADF, or what the system says; nn_bind(3) says when.
    pub fn bind(&self, address: &str) -> Result<Endpoint> {
        let id = self.engine()?.bind(c_text(address)?)?;
        Ok(Endpoint { id })
    }

    /// Connects to an address, now or whenever there is somebody.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`], but only for the address as such.
    pub fn connect(&self, address: &str) -> Result<Endpoint> {
        let id = self.engine()?.connect(c_text(address)?)?;
        Ok(Endpoint { id })
    }

    /// The address of an endpoint, with the port that the system has chosen where port 0 was bound.
    ///
    /// # Errors
    ///
    /// EINVAL: the endpoint is gone. EBADF: the socket is closed.
    pub fn endpoint_address(&self, endpoint: Endpoint) -> Result<String> {
        self.text(NN_ENDPOINT, endpoint.id)
    }

    /// Takes an endpoint away again.
    ///
    /// # Errors
    ///
    /// EINVAL: the endpoint is gone. EBADF: the socket is closed.
    pub fn shutdown(&self, endpoint: Endpoint) -> Result<()> {
        self.engine()?.shutdown(endpoint.id)?;
        Ok(())
    }

    /// Sends bytes as one message, straight from where they are, waiting for room as [`Socket::set_send_timeout`] says.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT: the time limit has passed. ENOTSUP: sockets of this type do not send. EFSM: not in this state. EINTR: a signal handler
    /// ran. EBADF: the socket is closed. ENOMEM: there is no memory.
    pub fn send(&self, body: impl AsRef<[u8]>) -> Result<()> {
        self.engine()?.send(&mut Outgoing::borrowed(body.as_ref()), false)?;
        Ok(())
    }

    /// Sends without waiting.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`], and EAGAIN where it would wait.
    pub fn try_send(&self, body: impl AsRef<[u8]>) -> Result<()> {
        self.engine()?.send(&mut Outgoing::borrowed(body.as_ref()), true)?;
        Ok(())
    }

    /// Sends a message with its header and without a copy, and leaves an empty one behind. After an error it is as it
    /// was.
    ///
    /// ```
    /// use nanomsg::{Socket, SocketType};
    ///
    /// let (a, b) = (Socket::new(SocketType::Pair)?, Socket::new(SocketType::Pair)?);
    /// a.bind("inproc://forth-and-back")?;
    /// b.connect("inproc://forth-and-back")?;
    /// a.send([7; 1_000_000])?;
    /// let mut message = b.recv()?;
    /// b.send_message(&mut message)?;
    /// assert!(message.is_empty());
    /// assert_eq!(a.recv()?.len(), 1_000_000);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Socket::send`]; the message is then as it was.
    pub fn send_message(&self, message: &mut Message) -> Result<()> {
        let engine = self.engine()?;
        message.send_by(|outgoing| engine.send(outgoing, false))?;
        Ok(())
    }

    /// The same without waiting.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_message`], and EAGAIN where it would wait.
    pub fn try_send_message(&self, message: &mut Message) -> Result<()> {
        let engine = self.engine()?;
        message.send_by(|outgoing| engine.send(outgoing, true))?;
        Ok(())
    }

    /// Receives one message, waiting as [`Socket::set_recv_timeout`] says.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT: the time limit has passed, or the survey has ended. ENOTSUP: sockets of this type do not receive. EFSM: not in this
    /// state. EINTR: a signal handler ran. EBADF: the socket is closed.
    pub fn recv(&self) -> Result<Message> {
        self.receive(false)
    }

    /// Receives without waiting.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], and EAGAIN where it would wait.
    pub fn try_recv(&self) -> Result<Message> {
        self.receive(true)
    }

    /// Receives one message into this memory and returns its length, which may be more: what does not fit is lost.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`].
    pub fn recv_into(&self, memory: &mut [u8]) -> Result<usize> {
        let message = self.recv()?;
        let fits = message.len().min(memory.len());
        memory[..fits].copy_from_slice(&message[..fits]);
        Ok(message.len())
    }

    fn receive(&self, dont_wait: bool) -> Result<Message> {
        let mut message = Message::new();
        self.engine()?.recv(message.inner(), dont_wait)?;
        Ok(message)
    }

    /// A counter of this socket.
    ///
    /// ```
    /// use nanomsg::{Socket, SocketType, Statistic};
    ///
    /// let socket = Socket::new(SocketType::Bus)?;
    /// socket.send("nobody is there")?;
    /// assert_eq!(socket.statistic(Statistic::MessagesSent)?, 1);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn statistic(&self, which: Statistic) -> Result<u64> {
        Ok(self.engine()?.statistic(which.number())?)
    }

    /// The priority of the peers that sending goes to now; `None` while there are none, and for patterns that choose
    /// nobody.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed.
    pub fn current_send_priority(&self) -> Result<Option<u8>> {
        let priority = self.engine()?.statistic(symbols::NN_STAT_CURRENT_SND_PRIORITY)?;
        Ok(u8::try_from(priority).ok().filter(|&priority| priority > 0))
    }

    /// Closes the socket for all its owners: calls that wait in other threads end with EBADF, and so do later ones.
    /// What was accepted for sending is written first, for as long as [`Socket::set_linger`] says.
    ///
    /// # Errors
    ///
    /// EBADF: it is closed already.
    pub fn close(&self) -> Result<()> {
        let handle = self.checked_handle()?;
        Ok(table::close(handle)?)
    }

    /// The handle, if it is still ours.
    pub(super) fn checked_handle(&self) -> Result<i32> {
        self.engine()?;
        Ok(self.handle)
    }

    pub(super) fn engine(&self) -> Result<Found> {
        let found = table::find(self.handle)?;
        if Arc::as_ptr(&found) == self.engine.as_ptr() { Ok(found) } else { Err(Error::from(Cause::BadSocket)) }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Closed already: fine.
        let _ = self.close();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Socket({:?}, {})", self.kind, self.handle)
    }
}

/// An address, which C could not give with a NUL in it.
pub(super) fn c_text(address: &str) -> Result<&[u8]> {
    if address.contains('\0') { Err(Cause::Invalid.into()) } else { Ok(address.as_bytes()) }
}
