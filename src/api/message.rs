//! A message that a program owns: what `nn_allocmsg` and NN_MSG are in C.
#![forbid(unsafe_code)]

use std::fmt;
use std::ops::Deref;

use super::error::Result;
use super::monitor::Peer;
use crate::message::{Body, Chunk, INLINE_MAX, Message as Inner, Outgoing};

/// A message: received by [`Socket::recv`](crate::Socket::recv), or made to be sent. It is a slice of bytes to the program that
/// reads it.
///
/// What was received can be sent on as it is, without a copy, and so can what was written into a message.
///
/// ```
/// use nanomsg::Message;
///
/// let mut message = Message::with_capacity(1000)?;
/// message.push(b"temperature ")?;
/// message.push(b"21")?;
/// assert_eq!(&message[..], b"temperature 21");
/// assert_eq!(message.to_vec(), b"temperature 21"); // a copy of its own
/// # Ok::<(), nanomsg::Error>(())
/// ```
#[derive(Default)]
pub struct Message {
    inner: Inner,
}

/// How a message travels over WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WsMessageType {
    /// A text message; its body has to be UTF-8.
    Text,
    /// A binary message.
    Binary,
}

impl WsMessageType {
    pub(super) fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
        }
    }

    pub(super) fn of(opcode: i32) -> Option<Self> {
        match opcode {
            1 => Some(Self::Text),
            2 => Some(Self::Binary),
            _ => None,
        }
    }
}

impl Message {
    /// An empty message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty message with room for so many bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM: there is no memory.
    pub fn with_capacity(capacity: usize) -> Result<Self> {
        let body = if capacity <= INLINE_MAX { Body::empty() } else { Body::from(Chunk::with_capacity(capacity)?) };
        Ok(Self { inner: Inner { body, ..Inner::default() } })
    }

    /// A message with a copy of these bytes.
    ///
    /// # Errors
    ///
    /// ENOMEM: there is no memory.
    pub fn copy_of(bytes: impl AsRef<[u8]>) -> Result<Self> {
        Ok(Self { inner: Inner { body: Body::copy_of(bytes.as_ref())?, ..Inner::default() } })
    }

    /// Puts bytes behind those that are there.
    ///
    /// # Errors
    ///
    /// ENOMEM: there is no memory; the message is then as it was.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let body = &mut self.inner.body;
        if let Body::Chunk(chunk) = body {
            return Ok(chunk.append(bytes)?);
        }
        *body = Body::joined(body.as_slice(), bytes)?;
        Ok(())
    }

    /// The header: what raw sockets route by, and empty on all others.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.inner.header
    }

    /// Gives the message a header, for a raw socket to send.
    pub fn set_header(&mut self, header: &[u8]) {
        self.inner.header.clear();
        self.inner.header.extend_from_slice(header);
    }

    /// The type with which it came over WebSocket, or is to be sent there. `None` on every other transport, and for what the socket's
    /// option says.
    #[must_use]
    pub fn ws_message_type(&self) -> Option<WsMessageType> {
        WsMessageType::of(self.inner.opcode.into())
    }

    /// Sets the type with which it is sent over WebSocket.
    pub fn set_ws_message_type(&mut self, kind: Option<WsMessageType>) {
        self.inner.opcode = kind.map_or(0, WsMessageType::opcode);
    }

    /// Its sender, if [`Socket::recv_peer`](crate::Socket::recv_peer) was set when it was received.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.inner.peer.as_deref().map(Peer::from)
    }

    pub(super) fn inner(&mut self) -> &mut Inner {
        &mut self.inner
    }

    /// Lends the message to a call that sends it, which leaves it empty when it succeeds, and as it was when not.
    pub(super) fn send_by<T>(
        &mut self,
        call: impl FnOnce(&mut Outgoing<'_>) -> crate::error::Result<T>,
    ) -> crate::error::Result<T> {
        let Inner { header, body, opcode, peer } = std::mem::take(&mut self.inner);
        let mut outgoing = Outgoing::owned(body);
        outgoing.header.clone_from(&header);
        outgoing.opcode = opcode;
        let result = call(&mut outgoing);
        if result.is_err() {
            let body = outgoing.into_body().unwrap_or_else(Body::empty);
            self.inner = Inner { header, body, opcode, peer };
        }
        result
    }
}

impl Deref for Message {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.inner.body.as_slice()
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Message {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { header, opcode, .. } = &self.inner;
        write!(to, "Message({} bytes: \"", self.len())?;
        write!(to, "{}", self[..self.len().min(64)].escape_ascii())?;
        to.write_str(if self.len() > 64 { "\"..." } else { "\"" })?;
        if !header.is_empty() {
            write!(to, ", header {:02x?}", &header[..])?;
        }
        if let Some(kind) = WsMessageType::of((*opcode).into()) {
            write!(to, ", {kind:?}")?;
        }
        to.write_str(")")
    }
}
