//! One TLS connection on a stream: the handshake, and what goes through it then.
//!
//! One thread reads at a time, and one writes, which may be another. They share the state of the connection, and its lock
//! also keeps the records that it has made in their order on the wire. No call waits for the peer.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io::{self, BufRead, ErrorKind, IoSlice, Write};
use std::net::Shutdown;

use rustls::Connection;

use super::certificate;
use super::failure::Failure;
use crate::peer::Certificate;
use crate::sys::{self, Mutex, Stream};

/// Bytes of the wire offered to one read, about four records of the largest size (RFC 8446, section 5.2).
const SCRATCH: usize = 64 * 1024;

/// Memory for messages that are only copied on, above which it is given back: bytes.
const KEPT: usize = 256;

thread_local! {
    /// It belongs to the thread, so that idle connections need no buffer.
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
pub(crate) struct Tls {
    stream: Stream,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    /// Bytes of the messages whose records have been made and are not all with the kernel: their writer was told that nothing was
    /// taken, and offers them again.
    owed: usize,
    /// What has been decrypted and found no room where it was wanted, and how much of it has been taken since.
    rest: Vec<u8>,
    taken: usize,
    /// How it ends behind that: in order, or because of this.
    end: Option<Option<Failure>>,
    finished: bool,
}

impl Tls {
    /// Nothing goes out before the first write or read.
    pub(super) fn new(stream: Stream, connection: Connection) -> Self {
        let state = State { connection, owed: 0, rest: Vec::new(), taken: 0, end: None, finished: false };
        Self { stream, state: Mutex::new(state) }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Nothing that a session has written is with the peer yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.state.lock().connection.is_handshaking()
    }

    /// The peer's certificate, if it has shown one.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        let state = self.state.lock();
        let shown = state.connection.peer_certificates()?.first()?;
        Some(certificate::describe(shown))
    }

    /// Reads once, as [`sys::recv`] does. 0 is the end of the stream, with a close_notify or without.
    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut into = Into { first: None, second: buffer, counts: (0, 0) };
        self.read(&mut into)?;
        Ok(into.counts.1)
    }

    /// Reads once, as [`sys::fill`] does.
    pub(crate) fn fill(&self, first: &mut Vec<u8>, limit: usize, second: &mut [u8]) -> io::Result<(usize, usize)> {
        let limit = limit.min(first.capacity() - first.len());
        let mut into = Into { first: Some((first, limit)), second, counts: (0, 0) };
        self.read(&mut into)?;
        Ok(into.counts)
    }

    /// Whether the next read has something without the kernel, which does not report it again.
    pub(crate) fn has_more(&self) -> bool {
        let state = self.state.lock();
        state.taken < state.rest.len() || state.end.is_some()
    }

    fn read(&self, into: &mut Into<'_>) -> io::Result<()> {
        if self.state.lock().take_rest(into)? {
            return Ok(());
        }
        with_scratch(|scratch| {
            let received = sys::recv(&self.stream, scratch)?;
            if received == 0 {
                return Ok(());
            }
            let mut state = self.state.lock();
            state.take_in(&scratch[..received], into);
            if state.connection.wants_write() {
                // What the handshake says next, or an alert that tells the peer why this ends. A kernel that is full takes it
                // later, if ever: nobody is there to be told that it does not.
                let _ = state.flush(&self.stream);
            }
            match (into.counts, state.end.take()) {
                ((0, 0), None) => Err(ErrorKind::WouldBlock.into()),
                ((0, 0), Some(None)) => Ok(()),
                ((0, 0), Some(Some(failure))) => Err(io::Error::new(ErrorKind::InvalidData, failure)),
                (_, end) => {
                    state.end = end;
                    Ok(())
                }
            }
        })
    }

    /// Writes as [`sys::send_vectored`] does, and likewise: what was not taken is to be offered again, and first.
    pub(crate) fn send_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut state = self.state.lock();
        if state.connection.is_handshaking() {
            // A greeting, which waits there for the end of the handshake.
            for part in parts {
                state.connection.writer().write_all(part)?;
            }
            state.flush(&self.stream)?;
            return Ok(total);
        }
        let mut sent = 0;
        loop {
            if !state.flush(&self.stream)? {
                return if sent > 0 { Ok(sent) } else { Err(ErrorKind::WouldBlock.into()) };
            }
            sent += std::mem::take(&mut state.owed);
            if sent >= total {
                return Ok(total);
            }
            state.owed = state.encrypt(parts, sent)?;
            if state.owed == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
    }

    /// Writes records that are waiting for the kernel. False: it does not take them all.
    pub(crate) fn flush(&self) -> io::Result<bool> {
        self.state.lock().flush(&self.stream)
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.state.lock().connection.wants_write()
    }

    /// Ends our side in order (close_notify; RFC 8446, section 6.1). False: the kernel does not take that yet.
    pub(crate) fn finish(&self) -> io::Result<bool> {
        let mut state = self.state.lock();
        state.say_farewell();
        let written = state.flush(&self.stream)?;
        if written {
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(written)
    }
}

impl State {
    /// True: there was something, or the end.
    fn take_rest(&mut self, into: &mut Into<'_>) -> io::Result<bool> {
        if self.taken < self.rest.len() {
            self.taken += into.put(&self.rest[self.taken..]);
            if self.taken == self.rest.len() {
                self.taken = 0;
                self.rest.clear();
                if self.rest.capacity() > KEPT {
                    self.rest = Vec::new();
                }
            }
            return Ok(true);
        }
        match self.end.take() {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(failure)) => Err(io::Error::new(ErrorKind::InvalidData, failure)),
        }
    }

    /// Decrypts what has come.
    fn take_in(&mut self, mut bytes: &[u8], into: &mut Into<'_>) {
        while !bytes.is_empty() && self.end.is_none() {
            let read = self.connection.read_tls(&mut bytes);
            if !read.is_ok_and(|read| read > 0) {
                self.end = Some(Some(Failure::Violation));
                return;
            }
            match self.connection.process_new_packets() {
                Ok(state) if state.peer_has_closed() => self.end = Some(None),
                Ok(_) => {}
                Err(error) => self.end = Some(Some(Failure::from(&error))),
            }
            self.hand_on(into);
        }
        if matches!(self.end, Some(None)) {
            self.say_farewell();
        }
        self.give_back();
    }

    /// Once, and to a peer that has said it, too (RFC 5246, section 7.2.1).
    fn say_farewell(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            self.connection.send_close_notify();
        }
    }

    /// What is decrypted goes where it is wanted, and what finds no room there waits here.
    fn hand_on(&mut self, into: &mut Into<'_>) {
        let mut reader = self.connection.reader();
        while let Ok(chunk) = reader.fill_buf() {
            let length = chunk.len();
            if length == 0 {
                return;
            }
            let put = if self.rest.is_empty() { into.put(chunk) } else { 0 };
            self.rest.extend_from_slice(&chunk[put..]);
            reader.consume(length);
        }
    }

    /// The buffer of a record that has been decrypted is larger than one for the next read has to be: a connection that was busy
    /// would keep it.
    fn give_back(&mut self) {
        // It is looked at whenever more is to be read.
        let _ = self.connection.read_tls(&mut Nothing);
    }

    fn flush(&mut self, stream: &Stream) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Raw(stream)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Makes records of what stands behind the first `skip` bytes, as many as may wait at a time.
    fn encrypt(&mut self, parts: &[IoSlice<'_>], mut skip: usize) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for part in parts {
            let skipped = skip.min(part.len());
            skip -= skipped;
            if skipped < part.len() && used < SLICES {
                slices[used] = IoSlice::new(&part[skipped..]);
                used += 1;
            }
        }
        self.connection.writer().write_vectored(&slices[..used])
    }
}

/// Pieces of one write.
const SLICES: usize = 32;

/// Where decrypted bytes are wanted.
struct Into<'a> {
    /// And how many at most.
    first: Option<(&'a mut Vec<u8>, usize)>,
    second: &'a mut [u8],
    counts: (usize, usize),
}

impl Into<'_> {
    fn put(&mut self, bytes: &[u8]) -> usize {
        let mut put = 0;
        if let Some((first, limit)) = &mut self.first {
            put = bytes.len().min(*limit - self.counts.0);
            first.extend_from_slice(&bytes[..put]);
            self.counts.0 += put;
        }
        let room = &mut self.second[self.counts.1..];
        let more = (bytes.len() - put).min(room.len());
        room[..more].copy_from_slice(&bytes[put..put + more]);
        self.counts.1 += more;
        put + more
    }
}

/// The stream below.
struct Raw<'a>(&'a Stream);

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sys::send(self.0, bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if let [one] = parts { sys::send(self.0, one) } else { sys::send_vectored(self.0, parts) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has nothing to read for now.
struct Nothing;

impl io::Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

fn with_scratch<T>(action: impl FnOnce(&mut [u8]) -> T) -> T {
    // At the end of the process the thread may have lost its buffer already.
    let kept = SCRATCH_BUFFER.try_with(RefCell::take);
    let mut buffer = kept.unwrap_or_default();
    if buffer.is_empty() {
        buffer.resize(SCRATCH, 0);
    }
    let result = action(&mut buffer);
    let _ = SCRATCH_BUFFER.try_with(|kept| kept.replace(buffer));
    result
}
