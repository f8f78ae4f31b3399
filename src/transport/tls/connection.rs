//! One TLS connection on a stream: the handshake, and what goes through it then.
//!
//! One thread reads at a time, and one writes, which may be another. They share the state of the connection, and its lock
//! also keeps the records that it has made in their order on the wire. No call waits for the peer.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io::{self, BufRead, ErrorKind, IoSlice, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::Connection;

use super::certificate;
use super::failure::Failure;
use crate::peer::Certificate;
use crate::sys::{self, Mutex, Stream};

/// Bytes of the wire offered to one read, about four records of the largest size (RFC 8446, section 5.2).
const SCRATCH: usize = 64 * 1024;

/// Decrypted bytes that rustls keeps at most before it has to read on (its limit is not public).
const KEPT: usize = 16 * 1024;

/// Bytes of the largest record (RFC 8446, section 5.2): at least so many are read, as nothing less can be decrypted.
const RECORD: usize = 16 * 1024 + 256 + 5;

thread_local! {
    /// It belongs to the thread, so that idle connections need no buffer.
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
pub(crate) struct Tls {
    stream: Stream,
    state: Mutex<State>,
    /// There is something for the next read. Only who reads looks at it.
    more: AtomicBool,
    /// Records wait for the kernel.
    unwritten: AtomicBool,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    /// Bytes of the messages whose records have been made and are not all with the kernel: their writer was told that nothing was
    /// taken, and offers them again.
    owed: usize,
    /// Bytes that have been decrypted, found no room where they were wanted, and wait within rustls.
    waiting: usize,
    /// What came before them and is more than waits there, and how much of it has been taken since.
    rest: Vec<u8>,
    taken: usize,
    /// How it ends behind that: in order, or because of this.
    end: Option<Option<Failure>>,
    finished: bool,
}

impl Tls {
    /// Nothing goes out before the first write or read.
    pub(super) fn new(stream: Stream, connection: Connection) -> Self {
        let (more, unwritten) = (AtomicBool::new(false), AtomicBool::new(connection.wants_write()));
        let state = State { connection, owed: 0, waiting: 0, rest: Vec::new(), taken: 0, end: None, finished: false };
        Self { stream, state: Mutex::new(state), more, unwritten }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// What is written before that is over waits for it here.
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
        self.more.load(Ordering::Relaxed)
    }

    fn read(&self, into: &mut Into<'_>) -> io::Result<()> {
        let mut waited = false;
        if self.has_more() {
            let mut state = self.state.lock();
            waited = state.take_rest(into)?;
            self.more.store(state.has_more(), Ordering::Relaxed);
            if waited && into.room() == 0 {
                return Ok(());
            }
        }
        let length = (into.room() + RECORD).min(SCRATCH);
        with_scratch(|scratch| {
            let received = match sys::recv(&self.stream, &mut scratch[..length]) {
                Err(_) if waited => return Ok(()),
                result => result?,
            };
            let mut state = self.state.lock();
            if received == 0 {
                state.end.get_or_insert(None);
            } else {
                state.take_in(&scratch[..received], into);
                if received < length {
                    state.give_back();
                }
            }
            if state.connection.wants_write() {
                // What the handshake says next, or an alert that tells the peer why this ends. A kernel that is full takes it
                // later, if ever: nobody is there to be told that it does not.
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
        if state.connection.is_handshaking() {
            // A greeting, which waits there for the end of the handshake.
            for part in parts {
                state.connection.writer().write_all(part)?;
            }
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
            state.owed = state.encrypt(parts, sent)?;
            if state.owed == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
    }

    /// Writes records that are waiting for the kernel. False: it does not take them all.
    pub(crate) fn flush(&self) -> io::Result<bool> {
        self.write(&mut self.state.lock())
    }

    fn write(&self, state: &mut State) -> io::Result<bool> {
        let connection = &mut state.connection;
        while connection.wants_write() {
            match connection.write_tls(&mut Raw(&self.stream)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unwritten.store(true, Ordering::Relaxed);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.unwritten.store(false, Ordering::Relaxed);
        Ok(true)
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Ends our side in order (close_notify; RFC 8446, section 6.1). False: the kernel does not take that yet.
    pub(crate) fn finish(&self) -> io::Result<bool> {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.finished, true) {
            state.connection.send_close_notify();
        }
        let written = self.write(&mut state)?;
        if written {
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(written)
    }
}

impl State {
    fn has_more(&self) -> bool {
        self.taken < self.rest.len() || self.waiting > 0 || self.end.is_some()
    }

    /// Takes what has been decrypted before. True: there was something, or the end.
    fn take_rest(&mut self, into: &mut Into<'_>) -> io::Result<bool> {
        if self.taken < self.rest.len() {
            self.taken += into.put(&self.rest[self.taken..]);
            if self.taken < self.rest.len() {
                return Ok(true);
            }
            self.taken = 0;
            self.rest = Vec::new();
        }
        if self.waiting > 0 {
            self.hand_on(into);
        }
        if into.counts != (0, 0) {
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
            if self.waiting > KEPT {
                self.put_aside();
            }
            let read = self.connection.read_tls(&mut bytes);
            if !read.is_ok_and(|read| read > 0) {
                self.end = Some(Some(Failure::Violation));
                return;
            }
            match self.connection.process_new_packets() {
                Ok(state) => {
                    self.waiting = state.plaintext_bytes_to_read();
                    if state.peer_has_closed() {
                        self.end = Some(None);
                    }
                }
                Err(error) => {
                    self.end = Some(Some(Failure::from(&error)));
                    // What came before is good, and rustls does not tell how much that is.
                    self.put_aside();
                }
            }
            if self.rest.is_empty() {
                self.hand_on(into);
            }
        }
    }

    /// What is decrypted goes where it is wanted, as far as there is room.
    fn hand_on(&mut self, into: &mut Into<'_>) {
        let mut reader = self.connection.reader();
        while into.room() > 0
            && let Ok(chunk) = reader.fill_buf()
            && !chunk.is_empty()
        {
            let put = into.put(chunk);
            reader.consume(put);
            self.waiting -= put;
        }
    }

    /// Rustls reads no more while more than [`KEPT`] wait there.
    fn put_aside(&mut self) {
        let mut reader = self.connection.reader();
        while let Ok(chunk) = reader.fill_buf()
            && !chunk.is_empty()
        {
            let length = chunk.len();
            self.rest.extend_from_slice(chunk);
            reader.consume(length);
        }
        self.waiting = 0;
    }

    /// The buffer of a record that has been decrypted is larger than one for the next read has to be: a connection that was busy
    /// would keep it.
    fn give_back(&mut self) {
        // It is looked at whenever more is to be read.
        let _ = self.connection.read_tls(&mut Nothing);
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
    fn room(&self) -> usize {
        self.first.as_ref().map_or(0, |(_, limit)| limit - self.counts.0) + self.second.len() - self.counts.1
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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;
    use rustls::{ClientConnection, ServerConnection};
    use socket2::{Domain, Socket, Type};

    use super::super::options::{self, Options, server_name};
    use super::*;

    /// Both ends of a connection, whose handshake is still to come, and through which little fits at a time.
    fn pair(min_version: i32) -> (Tls, Tls) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let both = [made.cert.pem(), made.signing_key.serialize_pem()].concat();
        let mut given = Options::default();
        for (option, value) in [
            (options::CERT, both.as_bytes()),
            (options::CA, made.cert.pem().as_bytes()),
            (options::MIN_VERSION, &min_version.to_ne_bytes()),
        ] {
            Options::change(option, value).unwrap()(&mut given);
        }
        let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        for socket in [&near, &far] {
            socket.set_nonblocking(true).unwrap();
            socket.set_send_buffer_size(1).unwrap();
        }
        let (config, name) = given.client(server_name("localhost").unwrap()).unwrap();
        let client = ClientConnection::new(config, name).unwrap();
        let server = ServerConnection::new(given.server().unwrap()).unwrap();
        (Tls::new(near.into(), client.into()), Tls::new(far.into(), server.into()))
    }

    /// What `to` reads now: at most so much at a time.
    fn read(to: &Tls, room: usize, got: &mut Vec<u8>) {
        let mut buffer = vec![0; room];
        loop {
            match to.recv(&mut buffer) {
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
            prop_assert_eq!(far.recv(&mut [0; 9]).unwrap(), 0);
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
        let length = {
            let (tapped, tap) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
            let mut state = near.state.lock();
            state.connection.writer().write_all(b"changed").unwrap();
            state.connection.write_tls(&mut Raw(&tapped.into())).unwrap();
            (&tap).read(&mut record).unwrap()
        };
        record[length - 1] ^= 1;
        sys::send(&near.stream, &record[..length]).unwrap();
        let mut buffer = [0; 100];
        assert_eq!(far.recv(&mut buffer).unwrap(), 4);
        let error = far.recv(&mut buffer).unwrap_err();
        let failure = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>());
        assert_eq!(failure, Some(&Failure::Violation));
        // The peer is told.
        let failure = near.recv(&mut buffer).unwrap_err();
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
        assert_eq!(far.recv(&mut [0; 100]).unwrap(), 30);
        assert!(!far.has_more());
    }

    #[test]
    fn certificates_tell_their_holder() {
        let (near, far) = pair(13);
        shake_hands(&near, &far);
        let shown = near.certificate().unwrap();
        assert_eq!((&*shown.subject, shown.sha256.len()), ("CN=rcgen self signed cert", 64));
        assert_eq!(far.certificate(), None);
    }
}
