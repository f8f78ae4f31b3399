//! The first synthesiser, in Rust: moving averages.
//!
//! usage: average FEED PUBLISH
//!
//! After every tenth tick of an instrument it publishes the mean price of the last twenty:
//! "avg/AAPL.017 N MEAN TICK", where TICK is the number of the tick it follows.

use std::collections::{HashMap, VecDeque};
use std::ffi::{c_char, c_int, c_void, CString};
use std::time::{Duration, Instant};

const WINDOW: usize = 20;
const EVERY: u64 = 10;
const ROOM: c_int = 4 << 20;

/// What this program needs of the library's C interface; numbers as in nn.h, pubsub.h and tls.h.
mod nn {
    use super::{c_char, c_int, c_void};
    pub const AF_SP: c_int = 1;
    pub const PUB: c_int = 32;
    pub const SUB: c_int = 33;
    pub const SOL_SOCKET: c_int = 0;
    pub const SNDBUF: c_int = 2;
    pub const RCVBUF: c_int = 3;
    pub const RCVTIMEO: c_int = 5;
    pub const SOCKET_NAME: c_int = 15;
    pub const SUB_SUBSCRIBE: c_int = 1;
    pub const TLS: c_int = -1002;
    pub const TLS_CA: c_int = 1001;
    pub const TLS_CERT: c_int = 1002;
    pub const TLS_VERIFY: c_int = 1004;

    #[link(name = "nanomsg")]
    extern "C" {
        pub fn nn_socket(domain: c_int, protocol: c_int) -> c_int;
        pub fn nn_setsockopt(s: c_int, level: c_int, option: c_int, value: *const c_void, size: usize) -> c_int;
        pub fn nn_bind(s: c_int, address: *const c_char) -> c_int;
        pub fn nn_connect(s: c_int, address: *const c_char) -> c_int;
        pub fn nn_send(s: c_int, data: *const c_void, size: usize, flags: c_int) -> c_int;
        pub fn nn_recv(s: c_int, data: *mut c_void, size: usize, flags: c_int) -> c_int;
    }

    extern "C" {
        /// examples/monitor/reporter.c
        pub fn reporter_start(sockets: *const c_int, count: c_int, addresses: *const c_char) -> c_int;
    }
}

struct Socket(c_int);

impl Socket {
    fn open(protocol: c_int, name: &str) -> Self {
        let socket = Self(unsafe { nn::nn_socket(nn::AF_SP, protocol) });
        assert!(socket.0 >= 0, "nn_socket failed");
        socket.set(nn::SOL_SOCKET, nn::SNDBUF, &ROOM.to_ne_bytes());
        socket.set(nn::SOL_SOCKET, nn::RCVBUF, &ROOM.to_ne_bytes());
        socket.set(nn::SOL_SOCKET, nn::SOCKET_NAME, name.as_bytes());
        socket.identify();
        socket
    }

    /// Who the program is and whom it trusts, where addresses are of TLS. Whoever connects has to show a certificate.
    fn identify(&self) {
        let (Ok(ca), Ok(certificate)) = (std::env::var("TICKS_CA"), std::env::var("TICKS_CERTIFICATE")) else { return };
        self.set(nn::TLS, nn::TLS_CA, ca.as_bytes());
        self.set(nn::TLS, nn::TLS_CERT, certificate.as_bytes());
        self.set(nn::TLS, nn::TLS_VERIFY, &2_i32.to_ne_bytes());
    }

    fn set(&self, level: c_int, option: c_int, value: &[u8]) {
        let done = unsafe { nn::nn_setsockopt(self.0, level, option, value.as_ptr().cast(), value.len()) };
        assert!(done == 0, "nn_setsockopt failed");
    }

    fn bind(&self, address: &str) {
        let text = CString::new(address).expect("an address without a zero byte");
        assert!(unsafe { nn::nn_bind(self.0, text.as_ptr()) } > 0, "nn_bind {address} failed");
    }

    fn connect(&self, address: &str) {
        let text = CString::new(address).expect("an address without a zero byte");
        assert!(unsafe { nn::nn_connect(self.0, text.as_ptr()) } > 0, "nn_connect {address} failed");
    }

    fn send(&self, text: &str) {
        unsafe { nn::nn_send(self.0, text.as_ptr().cast(), text.len(), 0) };
    }

    /// The next message, or none within the receive timeout.
    fn recv<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a str> {
        let size = unsafe { nn::nn_recv(self.0, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        std::str::from_utf8(buffer.get(..usize::try_from(size).ok()?)?).ok()
    }
}

/// Lets these sockets be watched, if the network is to be.
fn report_on(sockets: &[c_int]) {
    let Ok(addresses) = std::env::var("TICKS_MONITOR") else { return };
    let text = CString::new(addresses).expect("addresses without a zero byte");
    let done = unsafe { nn::reporter_start(sockets.as_ptr(), sockets.len() as c_int, text.as_ptr()) };
    assert!(done == 0, "reporter_start failed");
}

#[derive(Default)]
struct Instrument {
    n: u64,
    seen: u64,
    last: VecDeque<u64>,
    sum: u64,
}

/// "tick/NAME N UNITS.CENTS VOLUME" as name, number and cents.
fn parse(tick: &str) -> Option<(&str, u64, u64)> {
    let mut words = tick.strip_prefix("tick/")?.split(' ');
    let (name, n) = (words.next()?, words.next()?.parse().ok()?);
    let (units, cents) = words.next()?.split_once('.')?;
    Some((name, n, units.parse::<u64>().ok()? * 100 + cents.parse::<u64>().ok()?))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [feed, publish] = &arguments[..] else {
        eprintln!("usage: average FEED PUBLISH");
        std::process::exit(2);
    };
    let output = Socket::open(nn::PUB, "average.out");
    let input = Socket::open(nn::SUB, "average.in");
    report_on(&[output.0, input.0]);
    output.bind(publish);
    input.set(nn::SUB, nn::SUB_SUBSCRIBE, b"tick/");
    input.set(nn::SOL_SOCKET, nn::RCVTIMEO, &1000_i32.to_ne_bytes());
    input.connect(feed);

    let mut instruments: HashMap<String, Instrument> = HashMap::new();
    let (mut seen, mut lost, mut sent) = (0_u64, 0_u64, 0_u64);
    let mut report = Instant::now();
    let mut buffer = [0; 128];
    loop {
        if let Some((name, n, cents)) = input.recv(&mut buffer).and_then(parse) {
            if !instruments.contains_key(name) {
                instruments.insert(name.to_owned(), Instrument::default());
            }
            let instrument = instruments.get_mut(name).expect("inserted just now");
            // A smaller number than before is a feed that has started anew.
            lost += n.saturating_sub(instrument.n + 1);
            instrument.n = n;
            instrument.seen += 1;
            seen += 1;
            instrument.sum += cents;
            instrument.last.push_back(cents);
            if instrument.last.len() > WINDOW {
                instrument.sum -= instrument.last.pop_front().expect("more than a window");
            }
            if instrument.seen % EVERY == 0 {
                let mean = instrument.sum * 100 / instrument.last.len() as u64;
                let number = instrument.seen / EVERY;
                output.send(&format!("avg/{name} {number} {}.{:04} {n}", mean / 10_000, mean % 10_000));
                sent += 1;
            }
        }
        if Instant::now() >= report {
            println!("seen {seen} lost {lost} sent {sent}");
            report = Instant::now() + Duration::from_secs(1);
        }
    }
}
