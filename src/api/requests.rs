//! Several requests at once over one raw REQ socket, and over one raw REP socket several that are answered in any order.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::Result;
use super::message::Message;
use super::poll::{PollItem, poll};
use super::socket::{Socket, SocketType};
use crate::error::Error as Cause;
use crate::sys::random;

/// As NN_REQ_RESEND_IVL of a REQ.
const RESEND_INTERVAL: Duration = Duration::from_secs(60);
/// Before a request that no peer could take is sent again. Peers come back no sooner: it is what NN_RECONNECT_IVL is by default.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// The bit that marks the last word of a header, the request id.
const LAST_WORD: u32 = 0x8000_0000;

/// Asks any number of requests at once over one socket, from any threads, where a [`SocketType::Req`] has one under way.
///
/// The peers that answer are REPs, cooked or raw, also behind devices. A request without a reply is sent again after
/// [`Requests::set_resend_interval`], possibly to another peer: it should do no harm to answer one twice. That a peer has
/// gone is not noticed otherwise.
///
/// ```
/// use std::thread;
/// use nanomsg::{Replies, Requests};
///
/// let replies = Replies::bind("inproc://several")?;
/// let requests = Requests::connect("inproc://several")?;
/// thread::scope(|scope| -> nanomsg::Result<()> {
///     let asking = ["one", "two"].map(|body| {
///         let requests = &requests;
///         scope.spawn(move || requests.ask(body))
///     });
///     let (first, second) = (replies.recv()?, replies.recv()?);
///     for request in [second, first] {
///         let answer = [b"to ", request.body()].concat();
///         request.reply(answer)?;
///     }
///     let [one, two] = asking.map(|thread| thread.join().unwrap());
///     assert_eq!(one?, "to one");
///     assert_eq!(two?, "to two");
///     Ok(())
/// })?;
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub struct Requests {
    socket: Socket,
    state: Mutex<State>,
}

struct State {
    resend: Option<Duration>,
    /// By request id.
    under_way: HashMap<u32, Asked>,
    next: u32,
    /// One of the threads that wait reads for all. The others sleep, and one of them follows it.
    reading: bool,
}

#[derive(Default)]
struct Asked {
    reply: Option<Message>,
    asleep: bool,
    changed: Arc<Condvar>,
}

impl Requests {
    /// Asks over a raw REQ.
    ///
    /// # Errors
    ///
    /// EINVAL: the socket is not a raw REQ.
    pub fn new(socket: Socket) -> Result<Self> {
        let socket = raw(socket, SocketType::Req)?;
        let next = u32::from_ne_bytes(random());
        let state = State { resend: Some(RESEND_INTERVAL), under_way: HashMap::new(), next, reading: false };
        Ok(Self { socket, state: Mutex::new(state) })
    }

    /// Opens a raw REQ and connects it.
    ///
    /// # Errors
    ///
    /// As [`Socket::new`] and [`Socket::connect`].
    pub fn connect(address: &str) -> Result<Self> {
        let socket = Socket::raw(SocketType::Req)?;
        socket.connect(address)?;
        Self::new(socket)
    }

    /// The socket: for its options, endpoints and statistics, and not for sending or receiving.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// After which a request without a reply is sent again; a minute, unless it is set. `None`: never.
    #[must_use]
    pub fn resend_interval(&self) -> Option<Duration> {
        self.state().resend
    }

    /// Sets [`Requests::resend_interval`], for requests to come.
    ///
    /// # Errors
    ///
    /// EINVAL: the interval is zero.
    pub fn set_resend_interval(&self, interval: Option<Duration>) -> Result<()> {
        if interval == Some(Duration::ZERO) {
            return Err(Cause::Invalid.into());
        }
        self.state().resend = interval;
        Ok(())
    }

    /// Sends a request and returns the reply to it, waiting as [`Socket::set_recv_timeout`] says; also for a peer to send
    /// to.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT, EINTR, EBADF or ENOMEM, as [`Socket::recv`]; a reply that comes later is dropped.
    pub fn ask(&self, body: impl AsRef<[u8]>) -> Result<Message> {
        self.ask_within(body, self.socket.recv_timeout()?)
    }

    /// The same with a time limit of its own; `None` for none.
    ///
    /// # Errors
    ///
    /// As [`Requests::ask`].
    pub fn ask_within(&self, body: impl AsRef<[u8]>, limit: Option<Duration>) -> Result<Message> {
        let body = body.as_ref();
        let deadline = after(limit);
        let mine = UnderWay::new(self);
        while !self.sent(mine.id, body)? {
            if is_past(deadline) {
                return Err(Cause::TimedOut.into());
            }
            poll(&mut [PollItem::sendable(&self.socket)], left(deadline))?;
        }
        let resend = self.resend_interval();
        let mut again = after(resend);
        loop {
            let until = [deadline, again].into_iter().flatten().min();
            if let Some(reply) = mine.wait(until)? {
                return Ok(reply);
            }
            if is_past(deadline) {
                return Err(Cause::TimedOut.into());
            }
            if is_past(again) {
                again = after(if self.sent(mine.id, body)? { resend } else { Some(RETRY_INTERVAL) });
            }
        }
    }

    /// Closes the socket: those who wait get EBADF, and so does everybody later.
    ///
    /// # Errors
    ///
    /// EBADF: it is closed already.
    pub fn close(&self) -> Result<()> {
        self.socket.close()
    }

    fn sent(&self, id: u32, body: &[u8]) -> Result<bool> {
        let mut message = Message::copy_of(body)?;
        message.set_header(&id.to_be_bytes());
        match self.socket.try_send_message(&mut message) {
            Ok(()) => Ok(true),
            Err(error) if error.is_would_block() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Requests({:?}, {} under way)", self.socket, self.state().under_way.len())
    }
}

impl State {
    /// What came late, twice or unasked is nobody's.
    fn hand_out(&mut self, reply: Message) {
        let id = reply.header().try_into().map(u32::from_be_bytes);
        if let Some(asked) = id.ok().and_then(|id| self.under_way.get_mut(&id)) {
            // The first of two.
            asked.reply.get_or_insert(reply);
            asked.changed.notify_one();
        }
    }
}

/// A request, for as long as its thread is in [`Requests::ask_within`].
struct UnderWay<'a> {
    requests: &'a Requests,
    id: u32,
    /// This thread reads for all.
    reads: Cell<bool>,
}

impl<'a> UnderWay<'a> {
    fn new(requests: &'a Requests) -> Self {
        let mut state = requests.state();
        loop {
            let id = state.next | LAST_WORD;
            state.next = state.next.wrapping_add(1);
            if let Entry::Vacant(place) = state.under_way.entry(id) {
                place.insert(Asked::default());
                return Self { requests, id, reads: Cell::new(false) };
            }
        }
    }

    /// The reply, or nothing once the time has come.
    fn wait(&self, until: Option<Instant>) -> Result<Option<Message>> {
        let mut state = self.requests.state();
        loop {
            let reads = self.reads.get() || !state.reading;
            let asked = state.under_way.entry(self.id).or_default();
            if asked.reply.is_some() || is_past(until) {
                return Ok(asked.reply.take());
            }
            if reads {
                state.reading = true;
                self.reads.set(true);
                drop(state);
                let received = self.receive(until)?;
                state = self.requests.state();
                if let Some(reply) = received {
                    state.hand_out(reply);
                }
                continue;
            }
            asked.asleep = true;
            let changed = Arc::clone(&asked.changed);
            state = match left(until) {
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(time) => changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.under_way.entry(self.id).or_default().asleep = false;
        }
    }

    /// Somebody's reply; perhaps none even before the time has come.
    fn receive(&self, until: Option<Instant>) -> Result<Option<Message>> {
        let socket = &self.requests.socket;
        match socket.try_recv() {
            Ok(message) => return Ok(Some(message)),
            Err(error) if error.is_would_block() => {}
            Err(error) => return Err(error),
        }
        poll(&mut [PollItem::receivable(socket)], left(until))?;
        Ok(None)
    }
}

impl Drop for UnderWay<'_> {
    /// A thread that leaves lets another one read.
    fn drop(&mut self) {
        let mut state = self.requests.state();
        state.under_way.remove(&self.id);
        if self.reads.get() {
            state.reading = false;
        }
        if !state.reading
            && let Some(asked) = state.under_way.values().find(|asked| asked.asleep)
        {
            asked.changed.notify_one();
        }
    }
}

/// Receives requests, any number before the first is answered, where a [`SocketType::Rep`] answers the one that it
/// received last. Its peers are REQs, cooked or raw, also behind devices. Any threads may use it, and answer. The socket is
/// closed when this is dropped, also while a [`Request`] is left.
pub struct Replies {
    socket: Arc<Socket>,
}

impl Replies {
    /// Receives from a raw REP.
    ///
    /// # Errors
    ///
    /// EINVAL: the socket is not a raw REP.
    pub fn new(socket: Socket) -> Result<Self> {
        Ok(Self { socket: Arc::new(raw(socket, SocketType::Rep)?) })
    }

    /// Opens a raw REP and binds it.
    ///
    /// # Errors
    ///
    /// As [`Socket::new`] and [`Socket::bind`].
    pub fn bind(address: &str) -> Result<Self> {
        let socket = Socket::raw(SocketType::Rep)?;
        socket.bind(address)?;
        Self::new(socket)
    }

    /// The socket: for its options, endpoints and statistics, and not for sending or receiving.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Receives one request.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`].
    pub fn recv(&self) -> Result<Request> {
        Ok(self.request(self.socket.recv()?))
    }

    /// The same without waiting.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`], and EAGAIN where it would wait.
    pub fn try_recv(&self) -> Result<Request> {
        Ok(self.request(self.socket.try_recv()?))
    }

    /// Closes the socket: those who wait get EBADF, and so does everybody later.
    ///
    /// # Errors
    ///
    /// EBADF: it is closed already.
    pub fn close(&self) -> Result<()> {
        self.socket.close()
    }

    fn request(&self, message: Message) -> Request {
        Request { socket: Arc::clone(&self.socket), message }
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        // Closed already: fine.
        let _ = self.close();
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Replies({:?})", self.socket)
    }
}

/// A request that was received by [`Replies::recv`], to be answered from any thread, or not at all.
#[derive(Debug)]
pub struct Request {
    socket: Arc<Socket>,
    message: Message,
}

impl Request {
    /// Its bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.message
    }

    /// The way back (the backtrace): the connection that it came by, the hops before it, its id.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.message.header()
    }

    /// Sends the reply, without waiting: it is dropped if the requester has gone, or if there is no room for it: what can be on
    /// its way to one peer is what [`Socket::set_send_buffer`] says, over inproc [`Socket::set_recv_buffer`] of the peer's.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOMEM: there is no memory.
    pub fn reply(self, body: impl AsRef<[u8]>) -> Result<()> {
        let mut message = Message::copy_of(body)?;
        message.set_header(self.header());
        self.socket.send_message(&mut message)
    }
}

fn raw(socket: Socket, kind: SocketType) -> Result<Socket> {
    if socket.socket_type() == kind && socket.is_raw() { Ok(socket) } else { Err(Cause::Invalid.into()) }
}

/// The end of a time limit; `None` for never.
fn after(limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| Instant::now().checked_add(limit))
}

fn left(until: Option<Instant>) -> Option<Duration> {
    until.map(|until| until.saturating_duration_since(Instant::now()))
}

fn is_past(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}
