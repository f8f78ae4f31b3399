//! Dialers: names looked up, one address tried after the other, and redials.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::SockAddr;

use super::{Beginning, Command, Driver, EndpointIo, Source, StateGuard, Timer};
use crate::pattern;
use crate::socket::core::Happening;
use crate::sys::{self, Interest, Stream};
use crate::transport::backoff::Backoff;
use crate::transport::channel::Channel;
use crate::transport::session::{Cause, Greeting};
use crate::transport::{Dialer, Target};

pub(super) struct DialPoint {
    pub dialer: Box<dyn Dialer>,
    pub backoff: Backoff,
    /// Addresses to try, the one in front first or just now. Nothing is kept while there is a connection.
    pub addresses: VecDeque<SockAddr>,
    pub redial: Option<Instant>,
    /// The last connection was ended before the peer had agreed to it, which may have had the same in mind: two that dial
    /// each other in step would refuse each other for ever.
    pub contended: bool,
    manner: Forwarding,
}

/// How a dialer introduces itself, where it could offer that subscriptions travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forwarding {
    /// It offers that.
    Offering,
    /// It has offered that, the peer has declined, and it tries once without.
    Yielding,
    /// It has learned that without is right.
    Plain,
}

impl DialPoint {
    pub(super) fn new(dialer: Box<dyn Dialer>, backoff: Backoff) -> Self {
        Self {
            dialer,
            backoff,
            addresses: VecDeque::new(),
            redial: None,
            contended: false,
            manner: Forwarding::Offering,
        }
    }

    pub(super) fn offers_forwarding(&self) -> bool {
        self.manner == Forwarding::Offering
    }

    pub(super) fn opened(&mut self) {
        self.addresses = VecDeque::new();
        if self.manner == Forwarding::Yielding {
            self.manner = Forwarding::Plain;
        }
    }
}

impl Driver<'_> {
    pub(super) fn dial(&mut self, endpoint: i32) {
        let _whole = sys::CancelGuard::new();
        let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        match point.dialer.target() {
            Target::Known(addresses) => {
                point.addresses = addresses.into();
                self.dial_next(endpoint);
            }
            Target::Name(host, port) => {
                let ipv4_only = self.settings().ipv4_only;
                let me = self.socket.me.clone();
                let answer = move |addresses| {
                    if let Some(socket) = me.upgrade() {
                        socket.with(|state| {
                            if !state.is_closing() {
                                state.commands.push(Command::Begin(endpoint, Beginning::Resolved(addresses)));
                            }
                        });
                    }
                };
                self.socket.library.resolver.look_up(host, port, ipv4_only, Box::new(answer));
            }
        }
    }

    pub(super) fn resolved(&mut self, endpoint: i32, addresses: Vec<SocketAddr>) {
        let _whole = sys::CancelGuard::new();
        let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        point.addresses = addresses.into_iter().map(Into::into).collect();
        if point.addresses.is_empty() {
            let pause = self.redial_later(endpoint);
            let code = sys::code_of(&sys::unreachable(), &sys::refused());
            return self.with(|state| {
                // Not an error in a counter: in the original it is none.
                state.count_failure(endpoint);
                state.happened(endpoint, None, Happening::ConnectFailed(code, pause));
            });
        }
        self.dial_next(endpoint);
    }

    /// Tries the address in front, and those behind it.
    fn dial_next(&mut self, endpoint: i32) {
        let _whole = sys::CancelGuard::new();
        let settings = self.settings();
        loop {
            let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
            let Some(address) = point.addresses.front() else { return };
            let dialled = point.dialer.dial(address, settings);
            self.with(|state| state.happened(endpoint, None, Happening::Connecting));
            match dialled {
                Ok(stream) => {
                    let source = self.io.sources.vacant_entry().key();
                    match self.poller.add(&stream, Interest::WRITE, source as u64) {
                        Ok(()) => {
                            self.io.sources.insert(Source::Connecting(endpoint, stream, None));
                            self.set_deadline(source, settings.connect_timeout.map(|limit| sys::now() + limit));
                            self.io.in_transition += 1;
                            self.with(|state| state.stats.inprogress_connections += 1);
                            return;
                        }
                        Err(error) => self.connect_failed(endpoint, &error),
                    };
                }
                Err(error) => self.connect_failed(endpoint, &error),
            }
        }
    }

    /// The peer does not take our offer: it is dialled again without, at once, as if nothing had happened. Declining that
    /// too is not possible.
    pub(super) fn declined(&mut self, source: usize) {
        let _whole = sys::CancelGuard::new();
        let Some(Source::Session(connection)) = self.remove(source) else { return };
        self.with(|state| state.stats.established_connections -= 1);
        let endpoint = connection.endpoint;
        drop(connection);
        let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        point.manner = Forwarding::Yielding;
        self.dial_next(endpoint);
    }

    /// The address in front was tried in vain. Behind the last one there is a pause.
    fn connect_failed(&mut self, endpoint: i32, error: &io::Error) {
        let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return };
        point.addresses.pop_front();
        let pause = if point.addresses.is_empty() { self.redial_later(endpoint) } else { Duration::ZERO };
        let code = sys::code_of(error, &sys::refused());
        self.with(|state| {
            state.stats.connect_errors += 1;
            state.endpoint_error(endpoint, code);
            state.count_failure(endpoint);
            state.happened(endpoint, None, Happening::ConnectFailed(code, pause));
        });
    }

    /// Dials again after a pause, which it returns.
    pub(super) fn redial_later(&mut self, endpoint: i32) -> Duration {
        let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get_mut(&endpoint) else { return Duration::ZERO };
        if point.manner == Forwarding::Yielding {
            // It was not our offer that was wrong.
            point.manner = Forwarding::Offering;
        }
        let mut delay = point.backoff.next_delay();
        if std::mem::take(&mut point.contended) {
            let [fraction] = sys::random();
            delay += delay * u32::from(fraction) / 512;
        }
        let at = sys::now() + delay;
        if let Some(old) = point.redial.replace(at) {
            self.io.timers.stop(old, Timer::Redial(endpoint));
        }
        self.io.timers.start(at, Timer::Redial(endpoint));
        delay
    }

    /// A connect has taken longer than it may.
    pub(super) fn connect_expired(&mut self, source: usize) {
        let Some(Source::Connecting(endpoint, ..)) = self.remove(source) else { return };
        self.connect_failed(endpoint, &sys::timed_out());
        self.dial_next(endpoint);
    }

    /// A connect has succeeded or failed.
    pub(super) fn connected(&mut self, source: usize) {
        let _whole = sys::CancelGuard::new();
        self.set_deadline(source, None);
        let Some(Source::Connecting(endpoint, stream, _)) = self.io.sources.try_remove(source) else { return };
        self.io.in_transition -= 1;
        let _ = self.poller.remove(&stream);
        let failed = stream.take_error().unwrap_or_else(Some).or_else(|| refused_by_itself(&stream));
        let mut held = super::lock(self.socket, self.awake);
        held.stats.inprogress_connections -= 1;
        match failed {
            Some(error) => {
                held.release();
                drop(stream);
                self.connect_failed(endpoint, &error);
                self.dial_next(endpoint);
            }
            None => {
                // Present: closing an endpoint ends what it has under way.
                let Some(EndpointIo::Dialer(point)) = self.io.endpoints.get(&endpoint) else { return held.release() };
                let greeting = point.dialer.greeting();
                match point.dialer.secure(stream) {
                    Ok(channel) => self.established(endpoint, channel, greeting, held),
                    Err(error) => {
                        held.release();
                        self.connect_failed(endpoint, &error);
                        self.dial_next(endpoint);
                    }
                }
            }
        }
    }

    /// There is a connection.
    pub(super) fn established(
        &mut self,
        endpoint: i32,
        channel: Channel,
        greeting: Greeting,
        mut held: StateGuard<'_>,
    ) {
        held.stats.established_connections += 1;
        if !channel.is_tls() {
            held.endpoint_works(endpoint);
        }
        let room = held.has_room();
        let promised = room && pattern::is_limited(self.socket.protocol);
        held.promised |= promised;
        held.release();
        if !room {
            // Not greeted, so the peer takes nothing for sent.
            drop(channel);
            self.with(|state| state.handshake_failed(endpoint, None, Cause::Refused));
            return self.lost(endpoint, sys::now());
        }
        self.start(endpoint, channel, greeting, promised);
    }
}

/// Where nobody listens on a port of this machine, the kernel may choose that very port for the dialling socket, which
/// then meets itself (RFC 9293, 3.5: both sides open at once). Nobody took the connection, and as long as it lasted whoever
/// is to listen there could not bind. It is aborted: closed in order, it would hold the port for a minute more.
fn refused_by_itself(stream: &Stream) -> Option<io::Error> {
    let local = stream.local_addr().ok()?.as_socket()?;
    if stream.peer_addr().ok()?.as_socket()? != local {
        return None;
    }
    let _ = stream.set_linger(Some(Duration::ZERO));
    Some(sys::refused())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::mpsc;

    use crate::sys::Mutex;

    use super::*;
    use crate::message::{Message, Outgoing};
    use crate::socket::library::Library;
    use crate::socket::{OptionInput, Socket};
    use crate::transport::resolver::Resolver;

    const PAIR: u16 = 16;
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Option numbers at NN_SOL_SOCKET.
    const RECONNECT_IVL: i32 = 6;
    const IPV4ONLY: i32 = 14;

    fn library(find: impl Fn(&str, u16) -> Vec<SocketAddr> + Send + Sync + 'static) -> Arc<Library> {
        Arc::new(Library::new(sys::generation(), Arc::new(Resolver::new(Box::new(find)))))
    }

    /// A socket whose calls give up after a minute instead of hanging, and that redials later than that.
    fn socket(library: &Arc<Library>) -> Arc<Socket> {
        let socket = Socket::new(Arc::clone(library), sys::generation(), PAIR, false, "test".to_owned()).unwrap();
        let patience = PATIENCE.as_millis() as i32;
        for (option, value) in [(4, patience), (5, patience), (RECONNECT_IVL, 10 * patience)] {
            set(&socket, option, value);
        }
        socket
    }

    fn set(socket: &Socket, option: i32, value: i32) {
        socket.set_option(0, option, OptionInput { bytes: &value.to_ne_bytes(), address: 0 }).unwrap();
    }

    /// A socket that is bound, and where.
    fn bound(library: &Arc<Library>, ip: &str) -> (Arc<Socket>, SocketAddr) {
        let socket = socket(library);
        set(&socket, IPV4ONLY, 0);
        // Another test may take the port in between.
        loop {
            let at = TcpListener::bind(format!("{ip}:0")).unwrap().local_addr().unwrap();
            if socket.bind(format!("tcp://{at}").as_bytes()).is_ok() {
                return (socket, at);
            }
        }
    }

    /// Where nobody listens; the port stays taken as long as the socket lives.
    fn deaf(ip: &str) -> (socket2::Socket, SocketAddr) {
        let address: SocketAddr = format!("{ip}:0").parse().unwrap();
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        let at = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, at)
    }

    fn talk(from: &Socket, to: &Socket) {
        assert_eq!(from.send(&mut Outgoing::borrowed(b"hello"), false), Ok(5));
        let mut message = Message::default();
        to.recv(&mut message, false).unwrap();
        assert_eq!(message.body.as_slice(), b"hello");
    }

    /// Dials a name that stands for these addresses and sends something; says how often the name was looked up.
    fn dial_one_of(addresses: Vec<SocketAddr>, binder: &Socket) -> (Arc<Socket>, u64) {
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        let library = library(move |_, _| {
            *count.lock() += 1;
            addresses.clone()
        });
        let dialer = socket(&library);
        set(&dialer, IPV4ONLY, 0);
        dialer.connect(b"tcp://somewhere:1").unwrap();
        talk(&dialer, binder);
        let asked = *asked.lock();
        (dialer, asked)
    }

    #[test]
    fn the_addresses_of_a_name_are_tried_in_turn() {
        let (binder, at) = bound(&library(|_, _| Vec::new()), "127.0.0.1");
        let (_one, first) = deaf("127.0.0.1");
        let (_other, second) = deaf("127.0.0.1");
        let (dialer, asked) = dial_one_of(vec![first, second, at], &binder);
        assert_eq!(asked, 1);
        assert_eq!(dialer.with(|state| state.stats.connect_errors), 2);
        dialer.close(Instant::now()).unwrap();
        binder.close(Instant::now()).unwrap();
    }

    #[test]
    fn a_name_with_both_families_is_reached_where_somebody_listens() {
        if let Err(error) = TcpListener::bind("[::1]:0") {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no IPv6 here: {error}");
            // Not eprintln: what a passing test prints by that is not shown.
            let _ = io::Write::write_all(&mut io::stderr(), b"skipped: there is no IPv6 here\n");
            return;
        }
        for (listens, refuses) in [("127.0.0.1", "[::1]"), ("[::1]", "127.0.0.1")] {
            let (binder, at) = bound(&library(|_, _| Vec::new()), listens);
            let (_deaf, nobody) = deaf(refuses);
            let (dialer, asked) = dial_one_of(vec![nobody, at], &binder);
            assert_eq!((asked, dialer.with(|state| state.stats.connect_errors)), (1, 1), "{listens}");
            dialer.close(Instant::now()).unwrap();
            binder.close(Instant::now()).unwrap();
        }
    }

    /// While a name server is silent: connecting to its name returns, other names are found, and closing ends. Had one of
    /// them waited for it, the lookup would have given up.
    #[test]
    fn a_lookup_that_hangs_delays_nobody() {
        let (binder, at) = bound(&library(|_, _| Vec::new()), "127.0.0.1");
        let (open, gate) = mpsc::channel::<()>();
        let (result, outcome) = mpsc::channel();
        let (gate, result) = (Mutex::new(gate), Mutex::new(result));
        let library = library(move |host, _| {
            if host == "silent" {
                let opened = gate.lock().recv_timeout(PATIENCE / 2);
                result.lock().send(opened == Err(mpsc::RecvTimeoutError::Disconnected)).unwrap();
            }
            vec![at]
        });
        let write_blocked = socket(&library);
        write_blocked.connect(b"tcp://silent:1").unwrap();
        let dialer = socket(&library);
        dialer.connect(b"tcp://other:1").unwrap();
        talk(&dialer, &binder);
        // The same socket as well.
        let shut = write_blocked.connect(b"tcp://silent:2").unwrap();
        write_blocked.shutdown(shut).unwrap();
        write_blocked.close(Instant::now()).unwrap();
        dialer.close(Instant::now()).unwrap();
        binder.close(Instant::now()).unwrap();
        assert!(outcome.try_recv().is_err(), "no lookup has ended before the gate was opened");
        drop(open);
        for _ in 0..2 {
            assert!(outcome.recv_timeout(PATIENCE).unwrap());
        }
    }
}
