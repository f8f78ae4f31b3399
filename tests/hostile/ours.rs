//! Sockets of our library, as the tests use them, and what a process holds.

use std::any::type_name;
use std::ffi::{CStr, CString, c_int, c_void};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use nanomsg::ffi;
use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;

use crate::PATIENCE;
use crate::peers::tls::pki;

pub(crate) const PAIR: c_int = 16;
pub(crate) const PUB: c_int = 32;
pub(crate) const SUB: c_int = 33;
pub(crate) const REQ: c_int = 48;
pub(crate) const REP: c_int = 49;
pub(crate) const PUSH: c_int = 80;
pub(crate) const PULL: c_int = 81;
pub(crate) const SURVEYOR: c_int = 98;
pub(crate) const RESPONDENT: c_int = 99;
pub(crate) const BUS: c_int = 112;

// Options of NN_SOL_SOCKET.
pub(crate) const SOL_SOCKET: c_int = 0;
pub(crate) const SNDBUF: c_int = 2;
pub(crate) const RCVBUF: c_int = 3;
const SNDTIMEO: c_int = 4;
const RCVTIMEO: c_int = 5;
const RECONNECT_IVL: c_int = 6;
pub(crate) const RCVMAXSIZE: c_int = 16;
pub(crate) const MONITOR: c_int = 1007;
pub(crate) const SUB_SUBSCRIBE: c_int = 1;
pub(crate) const REQ_RESEND_IVL: c_int = 1;
pub(crate) const SURVEYOR_DEADLINE: c_int = 1;

pub(crate) const TLS: c_int = -1002;
const TLS_CA: c_int = 1001;
pub(crate) const TLS_CERT: c_int = 1002;

pub(crate) const ACCEPTED: c_int = 102;
pub(crate) const BROKEN: c_int = 104;
pub(crate) const CURRENT: c_int = 201;
pub(crate) const DONTWAIT: c_int = 1;

/// NN_HAUSNUMERO + 54.
const EFSM: c_int = 156_384_766;

/// Longer than any message in these tests.
const LONGEST: usize = 2 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Ipc,
    Ws,
    Tls,
    Wss,
}

impl Over {
    pub(crate) fn is_secured(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }
}

/// An address that nobody else is given, as long as this lives.
pub(crate) struct Place {
    pub(crate) over: Over,
    pub(crate) at: SockAddr,
    _folder: Option<TempDir>,
    _port: Option<Socket>,
}

impl Place {
    pub(crate) fn new(over: Over) -> Self {
        if over == Over::Ipc {
            let folder = TempDir::new().expect("a folder");
            let at = SockAddr::unix(folder.path().join("s")).expect("a short path");
            return Self { over, at, _folder: Some(folder), _port: None };
        }
        // A port that is bound and not listened on can be taken by those who set SO_REUSEADDR, and is given to nobody else.
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        port.set_reuse_address(true).expect("an option");
        port.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        Self { over, at: port.local_addr().expect("an address"), _folder: None, _port: Some(port) }
    }

    fn url(&self, path: &str) -> CString {
        let url = match self.over {
            Over::Ipc => [b"ipc://", self.at.as_pathname().expect("a path").as_os_str().as_bytes()].concat(),
            over => {
                let (scheme, path) = match over {
                    Over::Ws => ("ws", path),
                    Over::Wss => ("wss", path),
                    Over::Tls => ("tls+tcp", ""),
                    _ => ("tcp", ""),
                };
                format!("{scheme}://{}{path}", self.at.as_socket().expect("of IP")).into_bytes()
            }
        };
        CString::new(url).expect("no NUL")
    }
}

/// A socket of our library; closed at the end.
pub(crate) struct Ours {
    pub(crate) socket: c_int,
    pub(crate) protocol: c_int,
    pub(crate) raw: bool,
    place: Option<Place>,
}

impl Ours {
    pub(crate) fn open(protocol: c_int, raw: bool) -> Self {
        let socket = ffi::nn_socket(if raw { 2 } else { 1 }, protocol);
        assert!(socket >= 0, "nn_socket: {}", error());
        let ours = Self { socket, protocol, raw, place: None };
        for option in [SNDTIMEO, RCVTIMEO] {
            ours.set(SOL_SOCKET, option, PATIENCE.as_millis() as c_int);
        }
        ours.set(SOL_SOCKET, RECONNECT_IVL, 5);
        if protocol == SUB {
            ours.set_bytes(SUB, SUB_SUBSCRIBE, b"");
        }
        ours
    }

    pub(crate) fn bind(mut self, over: Over) -> Self {
        let place = Place::new(over);
        self.bind_to(&place);
        self.place = Some(place);
        self
    }

    pub(crate) fn bind_to(&self, place: &Place) -> c_int {
        if place.over.is_secured() {
            self.set_bytes(TLS, TLS_CERT, pki().both.as_bytes());
        }
        self.bind_with(place)
    }

    /// With the certificate that it has.
    pub(crate) fn bind_with(&self, place: &Place) -> c_int {
        self.bind_at(&place.url(""))
    }

    pub(crate) fn bind_inproc(&self, name: &str) {
        self.bind_at(&CString::new(format!("inproc://{name}")).expect("no NUL"));
    }

    fn bind_at(&self, url: &CStr) -> c_int {
        // SAFETY: the address is a C string.
        let endpoint = unsafe { ffi::nn_bind(self.socket, url.as_ptr()) };
        assert!(endpoint > 0, "nn_bind: {}", error());
        endpoint
    }

    pub(crate) fn shutdown(&self, endpoint: c_int) {
        assert_eq!(ffi::nn_shutdown(self.socket, endpoint), 0, "nn_shutdown: {}", error());
    }

    pub(crate) fn listening(over: Over, protocol: c_int) -> Self {
        Self::open(protocol, false).bind(over)
    }

    pub(crate) fn place(&self) -> &Place {
        self.place.as_ref().expect("it is bound")
    }

    pub(crate) fn connect(&self, place: &Place) {
        if place.over.is_secured() {
            self.set_bytes(TLS, TLS_CA, pki().authority.as_bytes());
        }
        self.connect_again(place);
    }

    /// To the place that it is connected to, with the options that it has.
    pub(crate) fn connect_again(&self, place: &Place) {
        self.connect_to(&place.url("/some/where"));
    }

    pub(crate) fn connect_inproc(&self, name: &str) {
        self.connect_to(&CString::new(format!("inproc://{name}")).expect("no NUL"));
    }

    fn connect_to(&self, url: &CStr) {
        // SAFETY: the address is a C string.
        let endpoint = unsafe { ffi::nn_connect(self.socket, url.as_ptr()) };
        assert!(endpoint > 0, "nn_connect: {}", error());
    }

    pub(crate) fn set(&self, level: c_int, option: c_int, value: c_int) {
        self.set_bytes(level, option, &value.to_ne_bytes());
    }

    pub(crate) fn set_bytes(&self, level: c_int, option: c_int, value: &[u8]) {
        // SAFETY: the value has its length.
        let result = unsafe { ffi::nn_setsockopt(self.socket, level, option, value.as_ptr().cast(), value.len()) };
        assert_eq!(result, 0, "nn_setsockopt: {}", error());
    }

    pub(crate) fn send(&self, body: &[u8]) {
        // SAFETY: the body has its length.
        let sent = unsafe { ffi::nn_send(self.socket, body.as_ptr().cast::<c_void>(), body.len(), 0) };
        assert_eq!(sent, body.len() as c_int, "nn_send: {}", error());
    }

    /// Without patience.
    pub(crate) fn try_send(&self, body: &[u8]) -> bool {
        // SAFETY: the body has its length.
        let sent = unsafe { ffi::nn_send(self.socket, body.as_ptr().cast::<c_void>(), body.len(), DONTWAIT) };
        assert!(sent >= 0 || ffi::nn_errno() == libc::EAGAIN, "nn_send: {}", error());
        sent >= 0
    }

    /// `None` when there is nothing, and DONTWAIT asks for no patience.
    pub(crate) fn recv(&self, flags: c_int) -> Option<Vec<u8>> {
        let mut body = vec![0; LONGEST];
        let size = self.recv_into(&mut body, flags)?;
        body.truncate(size);
        Some(body)
    }

    fn recv_into(&self, body: &mut [u8], flags: c_int) -> Option<usize> {
        // SAFETY: the body has its length.
        let size = unsafe { ffi::nn_recv(self.socket, body.as_mut_ptr().cast::<c_void>(), body.len(), flags) };
        if size < 0
            && flags == DONTWAIT
            && [libc::EAGAIN, libc::ETIMEDOUT, libc::ENOTSUP, EFSM].contains(&ffi::nn_errno())
        {
            return None;
        }
        assert!(size >= 0, "nn_recv: {}", error());
        Some(size as usize)
    }

    /// Receives everything that waits.
    pub(crate) fn drain(&self) {
        let mut body = vec![0; LONGEST];
        while self.recv_into(&mut body, DONTWAIT).is_some() {}
    }

    pub(crate) fn statistic(&self, number: c_int) -> u64 {
        ffi::nn_get_statistic(self.socket, number)
    }

    pub(crate) fn has_peers(&self, count: u64) {
        eventually(&format!("{count} peers"), || self.statistic(CURRENT) == count);
    }

    pub(crate) fn is_alone(&self) {
        self.has_peers(0);
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let closed = ffi::nn_close(self.socket);
        if !thread::panicking() {
            assert_eq!(closed, 0, "nn_close: {}", error());
        }
    }
}

pub(crate) fn error() -> io::Error {
    io::Error::from_raw_os_error(ffi::nn_errno())
}

pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Bytes of memory that the process has.
pub(crate) struct Memory {
    pub(crate) reserved: usize,
    pub(crate) resident: usize,
}

pub(crate) fn memory() -> Memory {
    let statm = fs::read_to_string("/proc/self/statm").expect("procfs");
    let mut pages = statm.split(' ').map(|pages| pages.parse::<usize>().expect("pages") * 4096);
    Memory { reserved: pages.next().expect("a first field"), resident: pages.next().expect("a second") }
}

/// Bytes that are allocated. How much more the allocator keeps depends on what came in which order.
#[cfg(target_env = "gnu")]
pub(crate) fn allocated() -> usize {
    // SAFETY: it has no conditions.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

pub(crate) fn descriptors() -> usize {
    // One of them reads the folder.
    fs::read_dir("/proc/self/fd").expect("procfs").count() - 1
}

/// Runs a test in a process of its own, where descriptors and memory are its alone. Named by the closure's place: it has to
/// stand directly in the test function.
pub(crate) fn alone<F: FnOnce()>(body: F) {
    const MARK: &str = "HOSTILE_ALONE";
    let path = type_name::<F>();
    let name = path.trim_end_matches("::{{closure}}").split_once("::").expect("a path").1;
    if env::var_os(MARK).is_some() {
        return body();
    }
    let this = env::current_exe().expect("a name");
    let output = Command::new(this)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        // The peers here greet and publish as those of other makes do.
        .env("NN_SUBSCRIPTIONS_FORWARD", "0")
        .output()
        .expect("it can be started");
    let (told, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("running 1 test"), "{name} is not the test's name");
    assert!(output.status.success(), "{}\n{told}\n{complained}", output.status);
}
