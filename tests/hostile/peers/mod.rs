//! Bare peers: streams of the operating system that speak to a socket of ours.

pub(crate) mod sp;
pub(crate) mod tls;
pub(crate) mod ws;

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::PATIENCE;
use crate::ours::{
    BUS, CURRENT, Ours, Over, PAIR, PUB, PULL, PUSH, Place, REP, REQ, RESPONDENT, SUB, SURVEYOR, eventually,
};
use crate::peers::tls::Wire;

/// Every socket type, and the one it talks to.
pub(crate) const TYPES: [(i32, i32); 10] = [
    (PAIR, PAIR),
    (PUB, SUB),
    (SUB, PUB),
    (REQ, REP),
    (REP, REQ),
    (PUSH, PULL),
    (PULL, PUSH),
    (SURVEYOR, RESPONDENT),
    (RESPONDENT, SURVEYOR),
    (BUS, BUS),
];

/// A peer that has been let in, whatever it speaks.
pub(crate) trait Speaks {
    fn send(&mut self, header: &[u8], body: &[u8]);
    fn recv(&mut self) -> Vec<u8>;

    /// What a socket of this type is for, both ways, with a peer that knows how. What else there is to receive is passed
    /// over.
    fn exchange(&mut self, ours: &Ours, what: &str) {
        let what = what.as_bytes();
        let id = [0x80, 0x12, 0x34, 0x56];
        let hears = || while ours.recv(0).expect("a message") != what {};
        eventually("a peer", || ours.statistic(CURRENT) > 0);
        match ours.protocol {
            PUB | PUSH => {
                ours.send(what);
                assert_eq!(self.recv(), what);
            }
            SUB | PULL => {
                self.send(b"", what);
                hears();
            }
            PAIR | BUS => {
                self.send(b"", what);
                hears();
                ours.send(what);
                assert_eq!(self.recv(), what);
            }
            REQ | SURVEYOR => {
                ours.send(what);
                let asked = self.recv();
                let (header, body) = asked.split_at(asked.len() - what.len());
                assert_eq!(body, what);
                // A raw socket leaves the header to its user, who has put none.
                self.send(if ours.raw { &id } else { header }, what);
                hears();
            }
            REP | RESPONDENT => {
                self.send(&id, what);
                hears();
                // A raw one would have to be told by a header where to.
                if !ours.raw {
                    ours.send(what);
                    assert_eq!(self.recv(), [&id[..], what].concat());
                }
            }
            other => unreachable!("type {other}"),
        }
    }
}

pub(crate) struct Bare(pub(crate) Wire);

impl Bare {
    fn over(stream: Socket) -> Socket {
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        if stream.domain().is_ok_and(|domain| domain != Domain::UNIX) {
            stream.set_tcp_nodelay(true).expect("an option");
        }
        stream
    }

    /// Through the handshake, where there is one.
    pub(crate) fn to(place: &Place) -> Self {
        let Self(Wire { socket, .. }) = Self::raw(place);
        Self(place.over.wire(socket, false))
    }

    /// A stream on which nothing was said, TLS or not.
    pub(crate) fn raw(place: &Place) -> Self {
        Self::by(Self::socket(place), place)
    }

    pub(crate) fn socket(place: &Place) -> Socket {
        Socket::new(place.at.domain(), Type::STREAM, None).expect("a socket")
    }

    /// The same, by a socket that is there.
    pub(crate) fn by(stream: Socket, place: &Place) -> Self {
        stream.connect(&place.at).expect("somebody listens");
        Self(Self::over(stream).into())
    }

    /// The other side may have gone already: what it has said is looked at, not whether it has heard this.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    pub(crate) fn say_in_pieces(&mut self, bytes: &[u8], size: usize) {
        for piece in bytes.chunks(size) {
            self.say(piece);
        }
    }

    pub(crate) fn read(&mut self, size: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Everything up to the end of the stream. A reset is an end: the other side did not want to hear the rest.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match self.0.read(&mut piece) {
                Ok(0) => return rest,
                Ok(size) => rest.extend(&piece[..size]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return rest,
                Err(error) => panic!("it is not closed: {error}"),
            }
        }
    }

    /// Ends without a word, by FIN or RST.
    pub(crate) fn vanish(self, reset: bool) {
        if reset {
            self.0.set_linger(Some(Duration::ZERO)).expect("an option");
        } else {
            let _ = self.0.shutdown(Shutdown::Both);
        }
    }
}

/// A bare listener that our sockets connect to.
pub(crate) struct Server {
    listener: Socket,
    place: Place,
}

impl Server {
    pub(crate) fn listen(over: Over) -> Self {
        let place = Place::new(over);
        let listener = Socket::new(place.at.domain(), Type::STREAM, None).expect("a socket");
        listener.set_reuse_address(true).expect("an option");
        listener.bind(&place.at).expect("a free address");
        listener.listen(128).expect("a listener");
        listener.set_read_timeout(Some(PATIENCE)).expect("an option");
        Self { listener, place }
    }

    pub(crate) fn connecting(&self, protocol: i32) -> Ours {
        let ours = Ours::open(protocol, false);
        ours.connect(&self.place);
        ours
    }

    pub(crate) fn accept(&self) -> Bare {
        Bare(self.place.over.wire(self.accept_raw(), true))
    }

    /// A stream on which nothing was said, TLS or not.
    pub(crate) fn accept_raw(&self) -> Socket {
        Bare::over(self.listener.accept().expect("it connects").0)
    }
}
