//! One TLS connection on a stream: the handshake, and what goes through it then.
//!
//! One thread reads at a time, and one writes, which may be another. They share the state of the connection, and its lock
//! also keeps the records that it has made in their order on the wire. No call waits for the peer.
//!
//! rustls keeps no buffers between calls (its unbuffered API): what is read is decrypted where it was read, and a connection that
//! is idle has none.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::CommonState;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic};

use super::certificate;
use super::failure::Failure;
use crate::peer::Certificate;
use crate::scratch;
use crate::sys::{self, Mutex, Stream};

/// Bytes of messages in a record (RFC 8446, section 5.1), and of the largest record on the wire (section 5.2): at least so many are
/// read, as nothing less can be decrypted.
const PLAIN: usize = 16 * 1024;
const RECORD: usize = PLAIN + 256 + 5;

/// Bytes of messages that are written at a time, and what their records take: the memory of a connection whose peer does not read
/// is bounded by these. A rest of the tail's size goes with them: a message of 64 KiB and its prefix take two writes and not three.
const BATCH: usize = 2 * PLAIN;
const TAIL: usize = 1024;
const SEALED: usize = 3 * RECORD;

/// Bytes of the wire offered to one read, about four records of the largest size.
const READ: usize = 64 * 1024;

/// A record that is not complete yet stands before them.
const SCRATCH: usize = RECORD + READ;
const _: () = assert!(SCRATCH >= PLAIN + SEALED);

/// Bytes of a handshake that has not come to its end. It is about as much as rustls takes with buffers of its own.
const HANDSHAKE_MAX: usize = 64 * 1024;

thread_local! {
    /// What one read can bring, and what one write makes.
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(super) enum Connection {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

pub(crate) struct Tls {
    stream: Stream,
    state: Mutex<State>,
    /// There is something for the next read. Only the reader looks at it.
    more: AtomicBool,
    /// Records wait for the kernel.
    unwritten: AtomicBool,
}

struct State {
    connection: Connection,
    /// The beginning of a record that has not come to its end, or of a handshake message.
    begun: Vec<u8>,
    /// What has been decrypted and found no room where it was wanted, and how much of it has been taken since.
    rest: Vec<u8>,
    taken: usize,
    /// How it ends behind that: in order, or because of this.
    end: Option<Option<Failure>>,
    /// Written during the handshake: it waits for its end.
    early: Vec<u8>,
    /// Records that wait for the kernel, and how much of them it has taken.
    sealed: Vec<u8>,
    gone: usize,
    /// Bytes of the messages in them: the writer got WouldBlock, and offers them again.
    owed: usize,
    /// A close_notify was sent, or is of no use any more.
    finished: bool,
    /// It has failed: rustls is not called again.
    broken: bool,
}

impl Tls {
    pub(super) fn new(stream: Stream, connection: Connection) -> Self {
        let mut state = State {
            connection,
            begun: Vec::new(),
            rest: Vec::new(),
            taken: 0,
            end: None,
            early: Vec::new(),
            sealed: Vec::new(),
            gone: 0,
            owed: 0,
            finished: false,
            broken: false,
        };
        // A client has something to say at once.
        state.go_on(&mut [], &mut Into::nowhere());
        let unwritten = AtomicBool::new(!state.sealed.is_empty());
        Self { stream, state: Mutex::new(state), more: AtomicBool::default(), unwritten }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// What is written before that is over waits for it here.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.state.lock().connection.common().is_handshaking()
    }

    /// The peer's certificate, if it has shown one.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        let state = self.state.lock();
        let shown = state.connection.common().peer_certificates()?.first()?;
        Some(certificate::describe(shown))
    }

    /// Reads once, as [`sys::recv`] does: about `wanted` bytes, and what is in the same record. 0 is the end of the stream, with a
    /// close_notify or without.
    pub(crate) fn recv(&self, buffer: &mut [u8], wanted: usize) -> io::Result<usize> {
        let mut into = Into { first: None, second: buffer, counts: (0, 0) };
        self.read(&mut into, wanted)?;
        Ok(into.counts.1)
    }

    /// Reads once, as [`sys::fill`] does.
    pub(crate) fn fill(&self, first: &mut Vec<u8>, limit: usize, second: &mut [u8]) -> io::Result<(usize, usize)> {
        let limit = limit.min(first.capacity() - first.len());
        let mut into = Into { first: Some((first, limit)), second, counts: (0, 0) };
        self.read(&mut into, limit)?;
        Ok(into.counts)
    }

    /// Whether the next read has something without the kernel, which does not report it again.
    pub(crate) fn has_more(&self) -> bool {
        self.more.load(Ordering::Relaxed)
    }

    fn read(&self, into: &mut Into<'_>, wanted: usize) -> io::Result<()> {
        let mut waited = false;
        if self.has_more() {
            let mut state = self.state.lock();
            waited = state.take_rest(into)?;
            self.more.store(state.has_more(), Ordering::Relaxed);
            // A large body is read on. Other reads are one look each: who floods us would keep us looking.
            if waited && into.first_room() == 0 {
                return Ok(());
            }
        }
        scratch::with(&SCRATCH_BUFFER, SCRATCH, |scratch| {
            let begun = self.state.lock().take_begun(scratch);
            let length = (wanted + RECORD).min(READ);
            let received = match sys::recv(&self.stream, &mut scratch[begun..begun + length]) {
                Err(_) if waited => return Ok(()),
                received => received?,
            };
            let mut state = self.state.lock();
            if received == 0 {
                state.end.get_or_insert(None);
            } else {
                state.take_in(&mut scratch[..begun + received], into);
            }
            if !state.sealed.is_empty() {
                // The next part of the handshake, or an alert. If the kernel is full, the driver waits for room (`wants_write`).
                let _ = self.write(&mut state);
            }
            let found = into.counts != (0, 0) || state.take_rest(into)?;
            self.more.store(state.has_more(), Ordering::Relaxed);
            if found { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
        })
    }

    /// Writes as [`sys::send_vectored`] does, and likewise: what was not taken is to be offered again, and first.
    pub(crate) fn send_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut state = self.state.lock();
        if state.connection.common().is_handshaking() {
            // A greeting, which waits for the end of the handshake.
            parts.iter().for_each(|part| state.early.extend_from_slice(part));
            self.write(&mut state)?;
            return Ok(total);
        }
        let mut sent = 0;
        loop {
            if !self.write(&mut state)? {
                return if sent > 0 { Ok(sent) } else { Err(ErrorKind::WouldBlock.into()) };
            }
            sent += std::mem::take(&mut state.owed);
            if sent >= total {
                return Ok(total);
            }
            scratch::with(&SCRATCH_BUFFER, SCRATCH, |scratch| {
                let (plain, sealed) = scratch.split_at_mut(PLAIN);
                let (taken, length) = state.seal(parts, sent, plain, sealed)?;
                // Records that the kernel does not take wait here, and their messages with the writer.
                let written = match sys::send(&self.stream, &sealed[..length]) {
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                    written => written.unwrap_or(0),
                };
                if written == length {
                    sent += taken;
                } else {
                    state.sealed.extend_from_slice(&sealed[written..length]);
                    state.owed = taken;
                }
                Ok(())
            })?;
        }
    }

    /// Writes records that are waiting for the kernel. False: it does not take them all.
    pub(crate) fn flush(&self) -> io::Result<bool> {
        self.write(&mut self.state.lock())
    }

    fn write(&self, state: &mut State) -> io::Result<bool> {
        let mut outcome = Ok(true);
        while outcome.is_ok() && state.gone < state.sealed.len() {
            match sys::send(&self.stream, &state.sealed[state.gone..]) {
                Ok(0) => outcome = Err(ErrorKind::WriteZero.into()),
                Ok(written) => state.gone += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unwritten.store(true, Ordering::Relaxed);
                    return Ok(false);
                }
                Err(error) => outcome = Err(error),
            }
        }
        // Nothing waits for a stream that takes no more, either.
        if !state.sealed.is_empty() {
            state.gone = 0;
            state.sealed = Vec::new();
        }
        self.unwritten.store(false, Ordering::Relaxed);
        outcome
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Ends our side in order (close_notify; RFC 8446, section 6.1). False: the kernel does not take that yet.
    pub(crate) fn finish(&self) -> io::Result<bool> {
        let mut state = self.state.lock();
        state.queue_close_notify();
        let written = self.write(&mut state)?;
        if written {
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(written)
    }
}

/// How far a connection has got with what it was given.
enum Step {
    /// There may be more to do.
    Again,
    /// It waits for more to come.
    Waits,
    /// The peer has sent a close_notify.
    Closed,
}

impl Connection {
    fn common(&self) -> &CommonState {
        match self {
            Self::Client(client) => client,
            Self::Server(server) => server,
        }
    }

    /// Processes `bytes`, and returns how many of them need not be shown again.
    fn process(
        &mut self,
        bytes: &mut [u8],
        sealed: &mut Vec<u8>,
        decrypted: &mut dyn FnMut(&[u8]),
    ) -> (usize, Result<Step, rustls::Error>) {
        match self {
            Self::Client(client) => advance(client.process_tls_records(bytes), sealed, decrypted),
            Self::Server(server) => advance(server.process_tls_records(bytes), sealed, decrypted),
        }
    }

    /// Makes a close_notify, if it is the time for that.
    fn close(&mut self, begun: &mut [u8], sealed: &mut Vec<u8>) -> bool {
        match self {
            Self::Client(client) => close(client.process_tls_records(begun), sealed),
            Self::Server(server) => close(server.process_tls_records(begun), sealed),
        }
    }

    /// Makes records of `plain`. `begun` is what the last look has left.
    fn seal(&mut self, begun: &mut [u8], plain: &[u8], sealed: &mut [u8]) -> Result<usize, EncryptError> {
        match self {
            Self::Client(client) => seal(client.process_tls_records(begun), plain, sealed),
            Self::Server(server) => seal(server.process_tls_records(begun), plain, sealed),
        }
    }
}

fn advance<D>(
    status: UnbufferedStatus<'_, '_, D>,
    sealed: &mut Vec<u8>,
    decrypted: &mut dyn FnMut(&[u8]),
) -> (usize, Result<Step, rustls::Error>) {
    let step = status.state.map(|state| match state {
        ConnectionState::ReadTraffic(mut records) => {
            while let Some(Ok(record)) = records.next_record() {
                decrypted(record.payload);
            }
            Step::Again
        }
        ConnectionState::EncodeTlsData(mut records) => {
            let start = sealed.len();
            if let Err(EncodeError::InsufficientSize(size)) = records.encode(&mut []) {
                sealed.resize(start + size.required_size, 0);
                let written = records.encode(&mut sealed[start..]).unwrap_or(0);
                sealed.truncate(start + written);
            }
            Step::Again
        }
        ConnectionState::TransmitTlsData(records) => {
            // They go out in their order, behind whatever waits.
            records.done();
            Step::Again
        }
        ConnectionState::PeerClosed | ConnectionState::Closed => Step::Closed,
        _ => Step::Waits,
    });
    (status.discard, step)
}

fn seal<D>(status: UnbufferedStatus<'_, '_, D>, plain: &[u8], sealed: &mut [u8]) -> Result<usize, EncryptError> {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => WriteTraffic::encrypt(&mut traffic, plain, sealed),
        // It has failed, or the peer has closed it.
        _ => Err(EncryptError::EncryptExhausted),
    }
}

fn close<D>(status: UnbufferedStatus<'_, '_, D>, sealed: &mut Vec<u8>) -> bool {
    let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state else { return false };
    let start = sealed.len();
    sealed.resize(start + RECORD, 0);
    let written = traffic.queue_close_notify(&mut sealed[start..]).unwrap_or(0);
    sealed.truncate(start + written);
    true
}

impl State {
    fn has_more(&self) -> bool {
        self.taken < self.rest.len() || self.end.is_some()
    }

    /// Takes what has been decrypted before. True: there was something, or the end.
    fn take_rest(&mut self, into: &mut Into<'_>) -> io::Result<bool> {
        if self.taken < self.rest.len() {
            self.taken += into.put(&self.rest[self.taken..]);
            if self.taken == self.rest.len() {
                self.taken = 0;
                self.rest = Vec::new();
            }
            return Ok(true);
        }
        match self.end.take() {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(failure)) => Err(io::Error::new(ErrorKind::InvalidData, failure)),
        }
    }

    /// Copies what has begun to the front of the scratch, and returns its length.
    fn take_begun(&self, scratch: &mut Vec<u8>) -> usize {
        let length = self.begun.len();
        if scratch.len() < length + READ {
            scratch.resize(length + READ, 0);
        }
        scratch[..length].copy_from_slice(&self.begun);
        length
    }

    fn keep(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.begun = Vec::new();
        } else {
            self.begun.clear();
            self.begun.extend_from_slice(bytes);
        }
    }

    /// Decrypts what has come.
    fn take_in(&mut self, bytes: &mut [u8], into: &mut Into<'_>) {
        let seen = self.go_on(bytes, into);
        if self.end.is_some() || bytes.len() - seen > HANDSHAKE_MAX {
            if self.end.is_none() {
                self.end = Some(Some(Failure::Violation));
                (self.finished, self.broken) = (true, true);
            }
            self.begun = Vec::new();
        } else {
            self.keep(&bytes[seen..]);
            self.send_early();
        }
        if matches!(self.end, Some(None)) {
            self.queue_close_notify();
        }
    }

    /// Returns how many of the bytes need not be shown again.
    fn go_on(&mut self, bytes: &mut [u8], into: &mut Into<'_>) -> usize {
        let Self { connection, sealed, rest, .. } = self;
        let mut decrypted = |bytes: &[u8]| {
            let put = if rest.is_empty() { into.put(bytes) } else { 0 };
            rest.extend_from_slice(&bytes[put..]);
        };
        let mut seen = 0;
        loop {
            let (discard, step) = connection.process(&mut bytes[seen..], sealed, &mut decrypted);
            seen += discard;
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Waits) => return seen,
                Ok(Step::Closed) => {
                    self.end = Some(None);
                    return seen;
                }
                Err(error) => {
                    // The alert that tells the peer, if there is one, behind what was to go before.
                    while connection.common().wants_write() {
                        let _ = connection.process(&mut bytes[seen..], sealed, &mut decrypted);
                    }
                    self.end = Some(Some(Failure::from(&error)));
                    (self.finished, self.broken) = (true, true);
                    return seen;
                }
            }
        }
    }

    /// The handshake may be over.
    fn send_early(&mut self) {
        if self.early.is_empty() || self.connection.common().is_handshaking() {
            return;
        }
        let early = std::mem::take(&mut self.early);
        let start = self.sealed.len();
        // A greeting is one small record.
        self.sealed.resize(start + early.len() + RECORD, 0);
        let length = self.connection.seal(&mut self.begun, &early, &mut self.sealed[start..]).unwrap_or(0);
        self.sealed.truncate(start + length);
    }

    /// Queues a close_notify, once; also in answer to the peer's (RFC 5246, section 7.2.1).
    fn queue_close_notify(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            let Self { connection, sealed, begun, .. } = self;
            // The first look may find that the peer has closed. Before the end of the handshake there is nothing to be said.
            let _ = connection.close(begun, sealed) || connection.close(begun, sealed);
        }
    }

    /// Makes records of what stands behind the first `skip` bytes, as many as are written at a time. Returns the bytes of
    /// messages and of records.
    fn seal(
        &mut self,
        parts: &[IoSlice<'_>],
        skip: usize,
        plain: &mut [u8],
        sealed: &mut [u8],
    ) -> io::Result<(usize, usize)> {
        if self.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let (mut taken, mut length) = (0, 0);
        let rest = parts.iter().map(|part| part.len()).sum::<usize>() - skip;
        while taken < BATCH || (taken == BATCH && rest - taken <= TAIL) {
            let piece = piece(parts, skip + taken, plain);
            if piece.is_empty() {
                break;
            }
            // No more messages go through a connection that has ended or has used up its keys (TLS 1.2).
            let made = self.connection.seal(&mut self.begun, piece, &mut sealed[length..]);
            length += made.map_err(|_| ErrorKind::BrokenPipe)?;
            taken += piece.len();
        }
        Ok((taken, length))
    }
}

/// What one record takes of what stands behind the first `skip` bytes: where it is, if it is in one place, or gathered in `plain`.
fn piece<'a>(parts: &'a [IoSlice<'_>], mut skip: usize, plain: &'a mut [u8]) -> &'a [u8] {
    let mut rest = parts.iter().map(|part| &**part).filter_map(|part: &[u8]| {
        let skipped = skip.min(part.len());
        skip -= skipped;
        (skipped < part.len()).then(|| &part[skipped..])
    });
    let Some(first) = rest.next() else { return &[] };
    let Some(second) = (if first.len() < PLAIN { rest.next() } else { None }) else {
        return &first[..first.len().min(PLAIN)];
    };
    let mut length = 0;
    for part in [first, second].into_iter().chain(rest) {
        let taken = part.len().min(PLAIN - length);
        plain[length..length + taken].copy_from_slice(&part[..taken]);
        length += taken;
        if length == PLAIN {
            break;
        }
    }
    &plain[..length]
}

/// Where decrypted bytes are wanted.
struct Into<'a> {
    /// And how many at most.
    first: Option<(&'a mut Vec<u8>, usize)>,
    second: &'a mut [u8],
    counts: (usize, usize),
}

impl Into<'_> {
    fn nowhere() -> Self {
        Self { first: None, second: &mut [], counts: (0, 0) }
    }

    fn first_room(&self) -> usize {
        self.first.as_ref().map_or(0, |(_, limit)| limit - self.counts.0)
    }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use socket2::Socket;

    use super::super::fuzzing::certificate_and_key;
    use super::super::options::{self, Options, server_name};
    use super::*;

    /// Both ends of a connection, whose handshake is still to come, and through which little fits at a time.
    fn pair(min_version: i32) -> (Tls, Tls) {
        let mut given = Options::default();
        for (option, value) in [
            (options::CERT, &certificate_and_key()[..]),
            (options::VERIFY, &0_i32.to_ne_bytes()),
            (options::MIN_VERSION, &min_version.to_ne_bytes()),
        ] {
            Options::change(option, value).unwrap()(&mut given);
        }
        let (near, far) = sys::pair().unwrap();
        let (near, far) = (Socket::from(near), Socket::from(far));
        for socket in [&near, &far] {
            socket.set_nonblocking(true).unwrap();
            socket.set_send_buffer_size(1).unwrap();
        }
        let (config, name) = given.client(server_name("localhost").unwrap()).unwrap();
        let client = Connection::Client(UnbufferedClientConnection::new(config, name).unwrap());
        let server = Connection::Server(UnbufferedServerConnection::new(given.server().unwrap()).unwrap());
        (Tls::new(near.into(), client), Tls::new(far.into(), server))
    }

    /// What `to` reads now: at most so much at a time.
    fn read(to: &Tls, room: usize, got: &mut Vec<u8>) {
        let mut buffer = vec![0; room];
        loop {
            match to.recv(&mut buffer, room) {
                Ok(read) => got.extend_from_slice(&buffer[..read]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            if !to.has_more() {
                return;
            }
        }
    }

    fn shake_hands(near: &Tls, far: &Tls) {
        let mut nothing = Vec::new();
        for _ in 0..100 {
            for end in [near, far] {
                end.flush().unwrap();
                read(end, 1, &mut nothing);
            }
        }
        assert!(!near.is_handshaking() && !far.is_handshaking() && nothing.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        /// What is not taken is offered again, and arrives once, whatever is offered and read at a time.
        #[test]
        fn everything_arrives_once_and_in_order(
            min_version in 12..14,
            sizes in proptest::collection::vec(1..100_000_usize, 1..5),
            parts in 1..5_usize,
            room in prop_oneof![1..40_usize, 1000..100_000_usize],
        ) {
            let (near, far) = pair(min_version);
            shake_hands(&near, &far);
            let sent: Vec<u8> = (0..sizes.iter().sum()).map(|at: usize| (at * 31 % 251) as u8).collect();
            let (mut got, mut end, mut done, mut waits) = (Vec::new(), 0, 0, 0);
            for size in sizes {
                end += size;
                while done < end {
                    let rest = &sent[done..end];
                    let each = rest.len().div_ceil(parts);
                    let slices: Vec<IoSlice<'_>> = rest.chunks(each).map(IoSlice::new).collect();
                    match near.send_vectored(&slices) {
                        Ok(taken) => done += taken,
                        Err(error) => {
                            prop_assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            prop_assert!(near.wants_write());
                            read(&far, room, &mut got);
                            waits += 1;
                            prop_assert!(waits < 10_000, "nothing goes on");
                        }
                    }
                }
            }
            prop_assert!(near.flush().unwrap(), "what was taken is with the kernel");
            read(&far, room, &mut got);
            prop_assert!(got == sent);
            prop_assert!(near.finish().unwrap());
            prop_assert_eq!(far.recv(&mut [0; 9], 9).unwrap(), 0);
        }
    }

    #[test]
    fn what_is_written_during_the_handshake_waits_for_its_end() {
        let (near, far) = pair(12);
        assert_eq!(near.send_vectored(&[IoSlice::new(b"hello")]).unwrap(), 5);
        assert_eq!(far.send_vectored(&[IoSlice::new(b"and welcome")]).unwrap(), 11);
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            for (end, got) in [(&near, &mut here), (&far, &mut there)] {
                end.flush().unwrap();
                read(end, 100, got);
            }
        }
        assert_eq!((&here[..], &there[..]), (&b"and welcome"[..], &b"hello"[..]));
    }

    /// And what came before it is good.
    #[test]
    fn a_record_that_was_changed_ends_the_connection() {
        let (near, far) = pair(13);
        shake_hands(&near, &far);
        near.send_vectored(&[IoSlice::new(b"good")]).unwrap();
        let mut record = [0; 100];
        let length = near.state.lock().connection.seal(&mut [], b"changed", &mut record).unwrap();
        record[length - 1] ^= 1;
        sys::send(&near.stream, &record[..length]).unwrap();
        let mut buffer = [0; 100];
        assert_eq!(far.recv(&mut buffer, 100).unwrap(), 4);
        let error = far.recv(&mut buffer, 100).unwrap_err();
        let failure = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>());
        assert_eq!(failure, Some(&Failure::Violation));
        // The peer is told.
        let failure = near.recv(&mut buffer, 100).unwrap_err();
        assert_eq!(failure.get_ref().unwrap().to_string(), Failure::Refused.text());
    }

    /// Bytes are put where a message of that size is to be, and no further.
    #[test]
    fn a_large_body_is_filled_before_what_follows_it() {
        let (near, far) = pair(13);
        shake_hands(&near, &far);
        near.send_vectored(&[IoSlice::new(&[7; 1000]), IoSlice::new(&[8; 50])]).unwrap();
        let (mut body, mut behind) = (Vec::with_capacity(2000), [0; 20]);
        assert_eq!(far.fill(&mut body, 1000, &mut behind).unwrap(), (1000, 20));
        assert!(body == [7; 1000] && behind == [8; 20] && far.has_more());
        assert_eq!(far.recv(&mut [0; 100], 100).unwrap(), 30);
        assert!(!far.has_more());
    }

    #[test]
    fn certificates_tell_their_holder() {
        let (near, far) = pair(13);
        shake_hands(&near, &far);
        let shown = near.certificate().unwrap();
        assert_eq!((&*shown.subject, shown.sha256.len()), ("CN=fuzz", 64));
        assert_eq!(far.certificate(), None);
    }
}
