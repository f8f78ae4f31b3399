//! C above us: the functions of nn.h in its order. Each turns its arguments into ours, makes one call into the engine,
//! and turns the result into C's. No panic gets past them (see `errno::guard`), and errno is all they write to.
//!
//! This module and `sys` are the only ones with unsafe code. What the pointers of a function must point to is stated in
//! each text in C's words: the promise behind "the caller of C owns" wherever it is leaned on.
#![allow(clippy::missing_safety_doc, reason = "the texts go into the header, and say it in C's words")]

mod args;
mod chunk;
pub(crate) mod cmsg;
pub(crate) mod errno;
mod msghdr;
#[cfg(test)]
mod panicking;
pub mod symbols;

use std::ffi::{c_char, c_int, c_short, c_void};
use std::ptr;

use smallvec::SmallVec;

pub use self::cmsg::nn_cmsghdr;
pub use self::msghdr::{nn_iovec, nn_msghdr};
pub use self::symbols::nn_symbol_properties;

use self::errno::{guard, guard_quick};
use self::msghdr::{Receiving, Sending};
use self::symbols::{NN_MSG, NN_POLLIN, NN_POLLOUT};
use crate::error::Error;
use crate::message::{Message, Outgoing};
use crate::socket::poll::{self, Item};
use crate::socket::{OptionInput, device, table};

/// One socket in a call of nn_poll.
#[allow(non_camel_case_types, reason = "the name is C's")]
#[repr(C)]
pub struct nn_pollfd {
    /// The socket.
    pub fd: c_int,
    /// What to wait for: NN_POLLIN, NN_POLLOUT, or both. With neither the entry is passed over.
    pub events: c_short,
    /// Which of them there are: written by nn_poll.
    pub revents: c_short,
}

/// Something to remember a request by. No function takes it.
#[allow(non_camel_case_types, reason = "the name is C's")]
#[derive(Clone, Copy)]
#[repr(C)]
pub union nn_req_handle {
    pub i: c_int,
    pub ptr: *mut c_void,
}

/// Returns the calling thread's errno, as the library sees it. See nn_errno(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_errno() -> c_int {
    guard(|| Ok(errno::get()))
}

/// Returns words for an errno, also for ETERM and EFSM. The text may change with the next call; it is not the caller's
/// to free. See nn_strerror(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_strerror(errnum: c_int) -> *const c_char {
    guard(|| Ok(errno::text(errnum)))
}

/// Returns the name of constant number i, counted from 0, and stores its value unless value is NULL. Behind the last
/// one: NULL, EINVAL. See nn_symbol(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_symbol(i: c_int, value: *mut c_int) -> *const c_char {
    guard(|| {
        let (name, number) = symbols::symbol(i).ok_or(Error::Invalid)?;
        if !value.is_null() {
            // SAFETY: the caller of C owns the int.
            unsafe { value.write(number) };
        }
        Ok(name.as_ptr())
    })
}

/// Stores the properties of constant number i in buf, or as many of their first bytes as buflen says, and returns how
/// many. Behind the last one: 0. A NULL buf: 0, EFAULT. See nn_symbol_info(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_symbol_info(i: c_int, buf: *mut nn_symbol_properties, buflen: c_int) -> c_int {
    if buf.is_null() {
        let known = guard(|| Ok(c_int::from(symbols::properties(i).is_some())));
        if known > 0 {
            errno::set(libc::EFAULT);
        }
        return known.min(0);
    }
    guard(|| {
        let Some(properties) = symbols::properties(i) else { return Ok(0) };
        let size = usize::try_from(buflen).unwrap_or(0).min(size_of::<nn_symbol_properties>());
        // SAFETY: the caller of C owns buflen bytes at buf.
        unsafe { ptr::copy_nonoverlapping(properties.as_ptr().cast::<u8>(), buf.cast(), size) };
        Ok(args::length(size))
    })
}

/// Closes all sockets. From then on nn_socket fails with ETERM and every other call with EBADF, also the calls that
/// are waiting. Before the first nn_socket it does nothing. See nn_term(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_term() {
    guard(|| {
        table::term();
        Ok(())
    });
}

/// Takes an nn_term back: nn_socket works again. Waits for an nn_term that is still at work. As upstream has it, the
/// function is there, but no header declares it.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn nn_init() {
    guard(|| {
        table::init();
        Ok(())
    });
}

/// Returns size bytes for a message, not initialised. They go to the library with NN_MSG or back with nn_freemsg, and
/// never to free. type must be 0.
///
/// Errors (NULL): EINVAL for another type, ENOMEM. See nn_allocmsg(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_allocmsg(size: usize, r#type: c_int) -> *mut c_void {
    guard(|| {
        // A size that cannot be is told before a type that cannot be, as upstream does.
        size.checked_add(size_of::<[usize; 4]>()).ok_or(Error::NoMemory)?;
        if r#type != 0 {
            return Err(Error::Invalid);
        }
        chunk::allocate(size)
    })
}

/// Changes the size of a message from nn_allocmsg or a receive, and returns where it is now: a smaller one stays in
/// place, a larger one moves.
///
/// Errors (NULL, and msg stays as it is): ENOMEM; EFAULT for NULL and, as far as it can be told, for what is no such
/// message. See nn_reallocmsg(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_reallocmsg(msg: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller of C owns the message.
    guard(|| unsafe { chunk::resize(msg, size) })
}

/// Frees a message from nn_allocmsg or a receive, and returns 0.
///
/// Errors (-1): EFAULT for NULL and, as far as it can be told, for what is no such message or no longer one. See
/// nn_freemsg(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_freemsg(msg: *mut c_void) -> c_int {
    // SAFETY: the caller of C owns the message and gives it up.
    guard(|| unsafe { chunk::take_body(msg).map(|_| 0) })
}

/// Serves NN_CMSG_FIRSTHDR and NN_CMSG_NXTHDR: returns the control message behind cmsg, or the first one if cmsg is
/// NULL. NULL at the end: where the buffer has no room for another one, or the next says of itself that it is shorter
/// than its head. See nn_cmsg(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_cmsg_nxthdr_(mhdr: *const nn_msghdr, cmsg: *const nn_cmsghdr) -> *mut nn_cmsghdr {
    // SAFETY: the caller of C owns the message header and its control buffer.
    guard(|| Ok(unsafe { cmsg::next_header(mhdr, cmsg) }.unwrap_or(ptr::null_mut())))
}

/// Opens a socket and returns its handle. domain is AF_SP or AF_SP_RAW, protocol a socket type such as NN_PAIR.
///
/// Errors (-1), looked for in this order: ETERM, EAFNOSUPPORT (domain), EMFILE, EINVAL (protocol), ENOMEM. See
/// nn_socket(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_socket(domain: c_int, protocol: c_int) -> c_int {
    guard(|| table::open(domain, protocol))
}

/// Closes a socket and returns 0. Calls that wait on it in other threads end with EBADF.
///
/// Errors (-1): EBADF. See nn_close(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_close(s: c_int) -> c_int {
    guard(|| table::close(s).map(|()| 0))
}

/// Sets an option to the optvallen bytes at optval, and returns 0.
///
/// Errors (-1): EBADF, EFAULT (a NULL optval with a length), EINVAL (length or value), ENOPROTOOPT (no such option, or
/// one that can only be read). See nn_setsockopt(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_setsockopt(
    s: c_int,
    level: c_int,
    option: c_int,
    optval: *const c_void,
    optvallen: usize,
) -> c_int {
    guard(|| {
        let socket = table::find(s)?;
        // SAFETY: the caller of C owns optvallen bytes at optval.
        let bytes = unsafe { args::bytes(optval, optvallen) }?;
        socket.set_option(level, option, OptionInput { bytes, address: optval.addr() })?;
        Ok(0)
    })
}

/// Stores an option's value at optval, where there is room for *optvallen bytes, and its full size in *optvallen.
/// Returns 0. A value is cut if there is less room; a string is then without its NUL.
///
/// Errors (-1): EBADF, EFAULT (NULL), ENOPROTOOPT (no such option, or one that can only be set), EINVAL (no room for an
/// int of NN_REQ or NN_SURVEYOR). See nn_getsockopt(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_getsockopt(
    s: c_int,
    level: c_int,
    option: c_int,
    optval: *mut c_void,
    optvallen: *mut usize,
) -> c_int {
    guard(|| {
        let socket = table::find(s)?;
        if optval.is_null() || optvallen.is_null() {
            return Err(Error::Fault);
        }
        let value = socket.option(level, option)?;
        // SAFETY: the caller of C owns both, and *optvallen is the size of the first; neither is NULL.
        unsafe { args::store(&value, optval, optvallen) }?;
        Ok(0)
    })
}

/// Binds a socket to an address and returns the endpoint's id, which is positive.
///
/// Errors (-1): EBADF, EINVAL (NULL, or no address), ENAMETOOLONG (NN_SOCKADDR_MAX), EPROTONOSUPPORT (no such
/// transport), EADDRINUSE, EADDRNOTAVAIL, ENODEV, and others of the operating system. See nn_bind(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_bind(s: c_int, addr: *const c_char) -> c_int {
    guard(|| {
        let socket = table::find(s)?;
        // SAFETY: the caller of C owns the text. NULL is as wrong as no text at all, and counts like it.
        socket.bind(unsafe { args::address(addr) }.unwrap_or_default())
    })
}

/// Connects a socket to an address, now or whenever there is somebody, and returns the endpoint's id, which is
/// positive.
///
/// Errors (-1): as of nn_bind, but only for the address as such. See nn_connect(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_connect(s: c_int, addr: *const c_char) -> c_int {
    guard(|| {
        let socket = table::find(s)?;
        // SAFETY: the caller of C owns the text.
        socket.connect(unsafe { args::address(addr) }?)
    })
}

/// Removes the endpoint with the id how from a socket, and returns 0.
///
/// Errors (-1): EBADF, EINVAL (no such endpoint). See nn_shutdown(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_shutdown(s: c_int, how: c_int) -> c_int {
    guard(|| {
        table::find(s)?.shutdown(how)?;
        Ok(0)
    })
}

/// Sends len bytes as one message and returns len, or INT_MAX if that is less. With a len of NN_MSG, buf points to a
/// variable that holds a pointer from nn_allocmsg or a receive: after success the message is the library's, after an
/// error it is still the caller's.
///
/// Flags: NN_DONTWAIT. Errors (-1): EBADF, EFAULT (NULL), ENOTSUP (sockets of this type never send), EFSM (not now),
/// EAGAIN (it would wait), ETIMEDOUT (NN_SNDTIMEO), EINTR, ENOMEM. See nn_send(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_send(s: c_int, buf: *const c_void, len: usize, flags: c_int) -> c_int {
    guard_quick(|| {
        let socket = table::find(s)?;
        if len != NN_MSG {
            // SAFETY: the caller of C owns len bytes at buf.
            let body = unsafe { args::bytes(buf, len) }?;
            return socket.send(&mut Outgoing::borrowed(body), args::dont_wait(flags)).map(args::length);
        }
        let part = nn_iovec { iov_base: buf.cast_mut(), iov_len: len };
        // SAFETY: the caller of C owns len bytes at buf, or the variable and the message it names.
        let mut sending = unsafe { Sending::part(&part) }?;
        let sent = socket.send(&mut sending.message, args::dont_wait(flags));
        sending.settle(sent)
    })
}

/// Receives a message into the len bytes at buf and returns its length, which may be more than len: what does not fit
/// is lost. With a len of NN_MSG, buf points to a variable for a pointer: it receives the message itself, which the
/// caller frees with nn_freemsg or sends.
///
/// Flags: NN_DONTWAIT. Errors (-1): EBADF, EFAULT (NULL; nothing is received), ENOTSUP (sockets of this type never
/// receive), EFSM (not now), EAGAIN (it would wait), ETIMEDOUT (NN_RCVTIMEO, or the end of a survey), EINTR, ENOMEM (the
/// message is lost). See nn_recv(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_recv(s: c_int, buf: *mut c_void, len: usize, flags: c_int) -> c_int {
    guard_quick(|| {
        let socket = table::find(s)?;
        if len != NN_MSG {
            args::check(buf, len)?;
            let mut message = Message::default();
            socket.recv(&mut message, args::dont_wait(flags))?;
            // SAFETY: the caller of C owns len bytes at buf, and lets nobody else use them.
            unsafe { args::fill(buf, len, message.body.as_slice()) };
            let length = args::length(message.body.len());
            message.discard();
            return Ok(length);
        }
        let part = nn_iovec { iov_base: buf, iov_len: len };
        let receiving = Receiving::part(&part)?;
        let mut message = Message::default();
        socket.recv(&mut message, args::dont_wait(flags))?;
        // SAFETY: the caller of C owns len bytes at buf, or the variable.
        unsafe { receiving.deliver(message) }
    })
}

/// Sends the parts of msghdr as one message, with control messages, and returns the length of its body. Either of the
/// body and the control buffer may be a message from nn_allocmsg (NN_MSG). The body's is the caller's again after any
/// error. The control buffer's is the caller's after EINVAL, EMSGSIZE and EFAULT about the arguments and EBADF about
/// the handle, and gone after an error of the sending itself; nn_freemsg, called all the same, says EFAULT as far as
/// that can be told.
///
/// Errors (-1): as of nn_send; EINVAL (a NULL msghdr, NN_MSG among several parts, too many bytes for any memory, or an
/// SP_HDR that this socket cannot send), EMSGSIZE (a negative count of parts). See nn_sendmsg(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_sendmsg(s: c_int, msghdr: *const nn_msghdr, flags: c_int) -> c_int {
    guard_quick(|| {
        let socket = table::find(s)?;
        // SAFETY: the caller of C owns msghdr and everything it points to.
        let mut sending = unsafe { Sending::msghdr(msghdr) }?;
        let sent = socket.send(&mut sending.message, args::dont_wait(flags));
        sending.settle(sent)
    })
}

/// Receives a message into the parts of msghdr, in order, and returns the length of its body, which may be more than
/// they hold. The control buffer receives an SP_HDR and, from a WebSocket, an NN_WS_MSG_TYPE; nothing, if there is no
/// room for the SP_HDR. msg_controllen stays as it is, so that msghdr can be sent back: zero the buffer first, and
/// NN_CMSG_NXTHDR finds the end.
///
/// Errors (-1): as of nn_recv; EINVAL (a NULL msghdr, or NN_MSG among several parts), EMSGSIZE (a negative count of
/// parts). None of those costs a message. See nn_recvmsg(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_recvmsg(s: c_int, msghdr: *mut nn_msghdr, flags: c_int) -> c_int {
    guard_quick(|| {
        let socket = table::find(s)?;
        // SAFETY: the caller of C owns msghdr and everything it points to.
        let receiving = unsafe { Receiving::msghdr(msghdr) }?;
        let mut message = Message::default();
        socket.recv(&mut message, args::dont_wait(flags))?;
        // SAFETY: as above.
        unsafe { receiving.deliver(message) }
    })
}

/// Waits until one of nfds sockets is ready, at most timeout milliseconds (without end, if negative), and returns how
/// many are. revents is written for every entry unless there is an error.
///
/// Errors (-1): EBADF, ENOPROTOOPT (sockets of this type never do what is asked for), EINVAL (a negative nfds), EFAULT
/// (NULL), EINTR, ENOMEM. See nn_poll(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_poll(fds: *mut nn_pollfd, nfds: c_int, timeout: c_int) -> c_int {
    guard(|| {
        let count = usize::try_from(nfds).map_err(|_| Error::Invalid)?;
        // SAFETY: the caller of C owns nfds entries at fds.
        let fds = unsafe { args::array_mut(fds, count) }?;
        let mut items = SmallVec::<[Item; 16]>::new();
        items.try_reserve_exact(count).map_err(|_| Error::NoMemory)?;
        items.extend(fds.iter().map(|entry| {
            let wants = |event| c_int::from(entry.events) & event != 0;
            Item {
                handle: entry.fd,
                want_recv: wants(NN_POLLIN),
                want_send: wants(NN_POLLOUT),
                can_recv: false,
                can_send: false,
            }
        }));
        let ready = poll::poll(&mut items, args::timeout(timeout))?;
        for (entry, item) in fds.iter_mut().zip(&items) {
            let event = |is, event| if is { event as c_short } else { 0 };
            entry.revents = event(item.can_recv, NN_POLLIN) | event(item.can_send, NN_POLLOUT);
        }
        Ok(args::length(ready))
    })
}

/// Forwards messages between two raw sockets until one fails; with one handle negative, from the other one back to
/// itself. It only ever returns -1.
///
/// Errors: EBADF (no such socket, or closed meanwhile), EINVAL (not raw, or not a pair that fits), ETIMEDOUT, EINTR. See
/// nn_device(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_device(s1: c_int, s2: c_int) -> c_int {
    guard(|| device::device(s1, s2).map(|()| 0))
}

/// Returns a counter of a socket: stat is one of NN_STAT_*.
///
/// Errors ((uint64_t) -1): EBADF, EINVAL (no such counter). See nn_get_statistic(3).
#[unsafe(no_mangle)]
pub extern "C" fn nn_get_statistic(s: c_int, stat: c_int) -> u64 {
    guard(|| table::find(s)?.statistic(stat))
}
