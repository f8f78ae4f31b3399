//! Waiting for several sockets, and forwarding between two.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::error::{Error, Result};
use super::socket::Socket;
use crate::socket::{device as engine_device, poll as engine};

/// A socket for [`poll`], and what to wait for.
#[derive(Debug, Clone, Copy)]
pub struct PollItem<'a> {
    socket: &'a Socket,
    want: (bool, bool),
    can: (bool, bool),
}

impl<'a> PollItem<'a> {
    /// Waits until something can be received.
    #[must_use]
    pub fn receivable(socket: &'a Socket) -> Self {
        Self { socket, want: (true, false), can: (false, false) }
    }

    /// Waits until something can be sent.
    #[must_use]
    pub fn sendable(socket: &'a Socket) -> Self {
        Self { socket, want: (false, true), can: (false, false) }
    }

    /// Waits until either can be done.
    #[must_use]
    pub fn either(socket: &'a Socket) -> Self {
        Self { socket, want: (true, true), can: (false, false) }
    }

    /// The socket it is about.
    #[must_use]
    pub fn socket(&self) -> &'a Socket {
        self.socket
    }

    /// Whether the last [`poll`] has found that a receive would not wait.
    #[must_use]
    pub fn can_recv(&self) -> bool {
        self.can.0
    }

    /// Whether the last [`poll`] has found that a send would not wait.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.can.1
    }
}

/// Waits until one of the sockets is ready, or the time is over (`None`: without limit), and returns how many are.
///
/// ```
/// use std::time::Duration;
/// use nanomsg::{PollItem, Socket, SocketType, poll};
///
/// let (a, b) = (Socket::new(SocketType::Pair)?, Socket::new(SocketType::Pair)?);
/// a.bind("inproc://poll")?;
/// b.connect("inproc://poll")?;
/// b.send("hello")?;
///
/// let mut items = [PollItem::receivable(&a), PollItem::receivable(&b)];
/// assert_eq!(poll(&mut items, Some(Duration::from_secs(1)))?, 1);
/// assert!(items[0].can_recv() && !items[1].can_recv());
/// # Ok::<(), nanomsg::Error>(())
/// ```
///
/// # Errors
///
/// EBADF: a socket was closed before the call. ENOPROTOOPT: a socket never does what its item waits for. EINTR: a signal handler ran.
/// ENOMEM: there is no memory.
pub fn poll(items: &mut [PollItem<'_>], timeout: Option<Duration>) -> Result<usize> {
    let mut asked = Vec::with_capacity(items.len());
    for item in &*items {
        let (want_recv, want_send) = item.want;
        let handle = item.socket.checked_handle()?;
        asked.push(engine::Item { handle, want_recv, want_send, can_recv: false, can_send: false });
    }
    let ready = engine::poll(&mut asked, timeout)?;
    for (item, answer) in items.iter_mut().zip(&asked) {
        item.can = (answer.can_recv, answer.can_send);
    }
    Ok(ready)
}

/// Forwards messages between two raw sockets, both ways if they go both ways, until one of them fails or is closed;
/// returns what ended it.
///
/// ```
/// use std::thread;
/// use nanomsg::{Socket, SocketType, device};
///
/// let front = Socket::raw(SocketType::Pull)?;
/// let back = Socket::raw(SocketType::Push)?;
/// front.bind("inproc://front")?;
/// back.bind("inproc://back")?;
///
/// let (push, pull) = (Socket::new(SocketType::Push)?, Socket::new(SocketType::Pull)?);
/// push.connect("inproc://front")?;
/// pull.connect("inproc://back")?;
/// thread::scope(|scope| -> nanomsg::Result<()> {
///     let forwarding = scope.spawn(|| device(&front, &back));
///     push.send("through both")?;
///     assert_eq!(pull.recv()?, "through both");
///     front.close()?;
///     assert!(forwarding.join().unwrap().is_closed());
///     Ok(())
/// })?;
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub fn device(first: &Socket, second: &Socket) -> Error {
    let handles = || Ok((first.checked_handle()?, second.checked_handle()?));
    match handles() {
        Ok((first, second)) => ended(engine_device::device(first, second)),
        Err(error) => error,
    }
}

/// Sends back what a raw socket receives, until it fails or is closed; returns what ended it.
pub fn loopback(socket: &Socket) -> Error {
    match socket.checked_handle() {
        Ok(handle) => ended(engine_device::device(handle, -1)),
        Err(error) => error,
    }
}

fn ended(result: crate::error::Result<()>) -> Error {
    // A device only ever ends with an error.
    result.err().unwrap_or(crate::error::Error::BadSocket).into()
}
