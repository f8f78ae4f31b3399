//! The C functions that nanocat calls, and an owner for a socket. All unsafe code is here.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::slice;

#[link(name = "nanomsg", kind = "dylib")]
unsafe extern "C" {
    safe fn nn_errno() -> c_int;
    safe fn nn_strerror(errnum: c_int) -> *const c_char;
    safe fn nn_socket(domain: c_int, protocol: c_int) -> c_int;
    safe fn nn_close(s: c_int) -> c_int;
    fn nn_setsockopt(s: c_int, level: c_int, option: c_int, optval: *const c_void, optvallen: usize) -> c_int;
    fn nn_getsockopt(s: c_int, level: c_int, option: c_int, optval: *mut c_void, optvallen: *mut usize) -> c_int;
    fn nn_bind(s: c_int, addr: *const c_char) -> c_int;
    fn nn_connect(s: c_int, addr: *const c_char) -> c_int;
    fn nn_send(s: c_int, buf: *const c_void, len: usize, flags: c_int) -> c_int;
    fn nn_recv(s: c_int, buf: *mut c_void, len: usize, flags: c_int) -> c_int;
    fn nn_freemsg(msg: *mut c_void) -> c_int;
    safe fn nn_get_statistic(s: c_int, stat: c_int) -> u64;
}

const AF_SP: c_int = 1;
const NN_MSG: usize = usize::MAX;
const NN_SOL_SOCKET: c_int = 0;
const NN_SNDTIMEO: c_int = 4;
const NN_RCVTIMEO: c_int = 5;
const NN_SOCKET_NAME: c_int = 15;
/// Of nanomsg-rs/monitor.h.
const NN_MONITOR: c_int = 1007;
/// The level of an endpoint's address, of nanomsg-rs/options.h.
const NN_ENDPOINT: c_int = -1001;
/// The level of the options of tls+tcp and wss, which are of nanomsg-rs/tls.h.
const NN_TLS: c_int = -1002;
pub(crate) const NN_TLS_CA: c_int = 1001;
pub(crate) const NN_TLS_CERT: c_int = 1002;
pub(crate) const NN_TLS_KEY: c_int = 1003;
const NN_TLS_VERIFY: c_int = 1004;
pub(crate) const NN_TLS_NAME: c_int = 1005;
/// Values of NN_TLS_VERIFY.
pub(crate) const VERIFY_NONE: c_int = 0;
pub(crate) const VERIFY_REQUIRED: c_int = 2;
const NN_SUB_SUBSCRIBE: c_int = 1;
const NN_SUB: c_int = 33;

/// What upstream adds to its own error numbers.
const NN_HAUSNUMERO: c_int = 156_384_712;
pub(crate) const EFSM: c_int = NN_HAUSNUMERO + 54;

/// An errno of the library, and the library's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    pub errno: c_int,
    words: String,
}

impl Error {
    fn last() -> Self {
        let errno = nn_errno();
        Self { errno, words: describe(errno) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// An open socket, closed when dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    handle: c_int,
}

impl Socket {
    pub(crate) fn open(kind: c_int) -> Result<Self, Error> {
        Ok(Self { handle: checked(nn_socket(AF_SP, kind))? })
    }

    pub(crate) fn set_recv_timeout(&self, milliseconds: c_int) -> Result<(), Error> {
        self.set(NN_SOL_SOCKET, NN_RCVTIMEO, &milliseconds.to_ne_bytes())
    }

    pub(crate) fn set_send_timeout(&self, milliseconds: c_int) -> Result<(), Error> {
        self.set(NN_SOL_SOCKET, NN_SNDTIMEO, &milliseconds.to_ne_bytes())
    }

    pub(crate) fn set_name(&self, name: &[u8]) -> Result<(), Error> {
        self.set(NN_SOL_SOCKET, NN_SOCKET_NAME, name)
    }

    pub(crate) fn subscribe(&self, prefix: &[u8]) -> Result<(), Error> {
        self.set(NN_SUB, NN_SUB_SUBSCRIBE, prefix)
    }

    /// Sets one of NN_TLS_* whose value is text: a name, or the path of a file.
    pub(crate) fn set_tls(&self, option: c_int, value: &[u8]) -> Result<(), Error> {
        self.set(NN_TLS, option, value)
    }

    pub(crate) fn set_tls_verify(&self, whom: c_int) -> Result<(), Error> {
        self.set(NN_TLS, NN_TLS_VERIFY, &whom.to_ne_bytes())
    }

    /// Publishes the socket's events at this address.
    pub(crate) fn set_monitor(&self, address: &[u8]) -> Result<(), Error> {
        self.set(NN_SOL_SOCKET, NN_MONITOR, address)
    }

    /// Where events are published, with the port that the system has chosen.
    pub(crate) fn monitor_address(&self) -> Result<String, Error> {
        self.text(NN_SOL_SOCKET, NN_MONITOR)
    }

    /// Returns the endpoint's id.
    pub(crate) fn bind(&self, address: &CString) -> Result<c_int, Error> {
        // SAFETY: The address ends with a NUL and outlives the call.
        checked(unsafe { nn_bind(self.handle, address.as_ptr()) })
    }

    /// The address of an endpoint, with the port that the system has chosen where port 0 was bound.
    pub(crate) fn endpoint_address(&self, endpoint: c_int) -> Result<String, Error> {
        self.text(NN_ENDPOINT, endpoint)
    }

    pub(crate) fn connect(&self, address: &CString) -> Result<(), Error> {
        // SAFETY: As for bind.
        checked(unsafe { nn_connect(self.handle, address.as_ptr()) }).map(drop)
    }

    pub(crate) fn send(&self, body: &[u8]) -> Result<(), Error> {
        // SAFETY: The library reads that many bytes, before it returns.
        checked(unsafe { nn_send(self.handle, body.as_ptr().cast(), body.len(), 0) }).map(drop)
    }

    pub(crate) fn recv(&self) -> Result<Message, Error> {
        let mut start: *mut c_void = std::ptr::null_mut();
        // SAFETY: With NN_MSG the library stores one pointer, in the variable given.
        let len = checked(unsafe { nn_recv(self.handle, (&raw mut start).cast(), NN_MSG, 0) })?;
        Ok(Message { start, len: len as usize })
    }

    pub(crate) fn statistic(&self, number: c_int) -> u64 {
        nn_get_statistic(self.handle, number)
    }

    /// An option whose value is an address.
    fn text(&self, level: c_int, option: c_int) -> Result<String, Error> {
        let mut text = [0u8; 256];
        let mut length = text.len();
        let (to, room) = (text.as_mut_ptr().cast(), &raw mut length);
        // SAFETY: The library writes at most `length` bytes, and the length.
        checked(unsafe { nn_getsockopt(self.handle, level, option, to, room) })?;
        Ok(String::from_utf8_lossy(&text[..length.min(text.len())]).into_owned())
    }

    fn set(&self, level: c_int, option: c_int, value: &[u8]) -> Result<(), Error> {
        // SAFETY: The library reads that many bytes, before it returns.
        checked(unsafe { nn_setsockopt(self.handle, level, option, value.as_ptr().cast(), value.len()) }).map(drop)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        nn_close(self.handle);
    }
}

/// A message in the library's memory.
#[derive(Debug)]
pub(crate) struct Message {
    start: *mut c_void,
    len: usize,
}

impl Message {
    pub(crate) fn body(&self) -> &[u8] {
        // SAFETY: nn_recv has stored the start of a message of this length; it is freed in drop and not before.
        unsafe { slice::from_raw_parts(self.start.cast(), self.len) }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: It comes from nn_recv, and nobody else frees it.
        unsafe { nn_freemsg(self.start) };
    }
}

/// The library's words for an errno.
pub(crate) fn describe(errno: c_int) -> String {
    // SAFETY: The library returns a text that ends, and it is copied before the next call.
    unsafe { CStr::from_ptr(nn_strerror(errno)) }.to_string_lossy().into_owned()
}

/// The number that all of `text` stands for, as C's strtof reads it: with blanks in front, or hexadecimal, or inf.
pub(crate) fn number(text: &CStr) -> Option<f32> {
    let mut end = std::ptr::null_mut();
    // SAFETY: The text ends with a NUL; `end` is stored and points into it.
    let (number, rest) = unsafe {
        let number = libc::strtof(text.as_ptr(), &raw mut end);
        (number, *end)
    };
    (rest == 0 && !text.is_empty()).then_some(number)
}

/// As every C program, and unlike Rust's, nanocat ends when nobody reads its output any more.
/// Windows has no signal for that: there a write fails.
pub(crate) fn end_at_broken_pipes() {
    // SAFETY: No handler is installed, and no other thread runs yet.
    #[cfg(unix)]
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL)
    };
}

fn checked(result: c_int) -> Result<c_int, Error> {
    if result < 0 { Err(Error::last()) } else { Ok(result) }
}
