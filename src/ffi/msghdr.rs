//! Messages in C's shape: iovec gather and scatter, and who owns which chunk when.
//!
//! Everything is checked before the socket is asked, so that a wrong argument costs neither a message nor a chunk.

use std::ffi::{c_int, c_void};
use std::{ptr, slice};

use crate::error::{Error, Result};
use crate::ffi::cmsg::{self, Control};
use crate::ffi::symbols::NN_MSG;
use crate::ffi::{args, chunk};
use crate::message::{Body, Chunk, INLINE_MAX, Message, Outgoing};

/// One piece of a message's body.
#[allow(non_camel_case_types, reason = "the name is C's")]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct nn_iovec {
    /// The piece; or, where iov_len is NN_MSG, a variable that holds a pointer from nn_allocmsg.
    pub iov_base: *mut c_void,
    /// Its length in bytes.
    pub iov_len: usize,
}

/// A message for nn_sendmsg and nn_recvmsg.
#[allow(non_camel_case_types, reason = "the name is C's")]
#[repr(C)]
pub struct nn_msghdr {
    /// The pieces of the body, in order.
    pub msg_iov: *mut nn_iovec,
    /// How many pieces there are.
    pub msg_iovlen: c_int,
    /// Control messages, or NULL; where msg_controllen is NN_MSG, a variable that holds a pointer from nn_allocmsg.
    pub msg_control: *mut c_void,
    /// Bytes at msg_control. nn_recvmsg does not change it.
    pub msg_controllen: usize,
}

/// A message on its way out, with what is needed to keep the promises about its chunks: after success all are ours,
/// after a failure the body's is the caller's again. The control chunk is gone either way, as upstream has it: callers
/// that free it after a failed call would free it twice there.
pub(super) struct Sending<'a> {
    pub(super) message: Outgoing<'a>,
    lent: Option<*mut c_void>,
    control: Option<Chunk>,
}

impl<'a> Sending<'a> {
    /// # Safety
    /// The caller of C owns what `part` points to until its call returns.
    pub(super) unsafe fn part(part: &'a nn_iovec) -> Result<Self> {
        // SAFETY: the same promise.
        unsafe { Source::of(slice::from_ref(part))?.load(Control::none()) }
    }

    /// # Safety
    /// `msghdr` is null, or the caller of C owns it and what it points to until its call returns.
    pub(super) unsafe fn msghdr(msghdr: *const nn_msghdr) -> Result<Self> {
        // SAFETY: the same promise. Nothing is taken from the caller before `load`.
        unsafe {
            let msghdr = msghdr.as_ref().ok_or(Error::Invalid)?;
            let source = Source::of(parts(msghdr)?)?;
            let control = Control::of(msghdr)?;
            source.load(control)
        }
    }

    /// Ends the call: returns the body's length, or the body's chunk to the caller.
    pub(super) fn settle(self, sent: Result<usize>) -> Result<c_int> {
        drop(self.control);
        if sent.is_err()
            && let Some(lent) = self.lent
        {
            let back = self.message.into_body().and_then(|body| chunk::hand_over_body(body).ok());
            assert_eq!(back, Some(lent), "a failed send gives back the very chunk it was lent");
        }
        sent.map(args::length)
    }
}

/// Where the body comes from.
enum Source<'a> {
    Borrowed(&'a [u8]),
    Gathered(Body),
    Lent(*mut c_void),
}

impl<'a> Source<'a> {
    /// # Safety
    /// The caller of C owns what the parts point to until its call returns.
    unsafe fn of(parts: &'a [nn_iovec]) -> Result<Self> {
        if let [nn_iovec { iov_base, iov_len: NN_MSG }] = *parts {
            // SAFETY: the same promise, of a variable and of the chunk it names.
            return unsafe {
                let chunk = chunk_in(iov_base)?;
                chunk::bytes(chunk).map(|_| Self::Lent(chunk))
            };
        }
        let mut total = 0_usize;
        for part in parts {
            check(part)?;
            total = total.checked_add(part.iov_len).ok_or(Error::Invalid)?;
        }
        if let [part] = parts {
            // SAFETY: the same promise.
            return unsafe { args::bytes(part.iov_base, part.iov_len).map(Self::Borrowed) };
        }
        // SAFETY: the same promise.
        unsafe { gather(parts, total).map(Self::Gathered) }
    }

    /// Takes what is lent, all of it or nothing.
    ///
    /// # Safety
    /// Both chunks were just found to be ours, and nobody else uses them.
    unsafe fn load(self, control: Control<'_>) -> Result<Sending<'a>> {
        let header = control.sp_header()?;
        let opcode = control.opcode();
        let lent = if let Self::Lent(body) = self { Some(body) } else { None };
        if lent.is_some() && lent == control.chunk {
            return Err(Error::Invalid);
        }
        // SAFETY: they are ours, as promised, and two different ones.
        let (control, mut message) = unsafe {
            let control = control.chunk.map(|control| chunk::take_body(control)?.into_chunk()).transpose()?;
            let message = match self {
                Self::Borrowed(bytes) => Outgoing::borrowed(bytes),
                Self::Gathered(body) => Outgoing::owned(body),
                Self::Lent(body) => Outgoing::owned(chunk::take_body(body)?),
            };
            (control, message)
        };
        message.header = header;
        message.opcode = opcode;
        Ok(Sending { message, lent, control })
    }
}

/// One body from several parts, of `total` bytes together.
///
/// # Safety
/// The caller of C owns what the parts point to until its call returns.
unsafe fn gather(parts: &[nn_iovec], total: usize) -> Result<Body> {
    let mut small = [0; INLINE_MAX];
    if let Some(small) = small.get_mut(..total) {
        let mut rest = &mut *small;
        for part in parts {
            // SAFETY: the same promise.
            let bytes = unsafe { args::bytes(part.iov_base, part.iov_len) }?;
            let (front, back) = rest.split_at_mut(bytes.len());
            front.copy_from_slice(bytes);
            rest = back;
        }
        return Body::copy_of(small);
    }
    let mut chunk = Chunk::with_capacity(total)?;
    for part in parts {
        // SAFETY: the same promise.
        chunk.extend(unsafe { args::bytes(part.iov_base, part.iov_len) }?);
    }
    Ok(chunk.into())
}

/// Where a message will go, checked before there is one.
pub(super) struct Receiving<'a> {
    body: Target<'a>,
    control: ControlTarget,
}

enum Target<'a> {
    Chunk(*mut *mut c_void),
    Scattered(&'a [nn_iovec]),
}

enum ControlTarget {
    None,
    Chunk(*mut *mut c_void),
    Buffer { start: *mut u8, room: usize },
}

impl<'a> Receiving<'a> {
    pub(super) fn part(part: &'a nn_iovec) -> Result<Self> {
        Ok(Self { body: Target::of(slice::from_ref(part))?, control: ControlTarget::None })
    }

    /// # Safety
    /// `msghdr` is null, or the caller of C owns it and its array of parts until its call returns.
    pub(super) unsafe fn msghdr(msghdr: *const nn_msghdr) -> Result<Self> {
        // SAFETY: the same promise.
        let (msghdr, parts) = unsafe {
            let msghdr = msghdr.as_ref().ok_or(Error::Invalid)?;
            (msghdr, parts(msghdr)?)
        };
        let control = match (msghdr.msg_control, msghdr.msg_controllen) {
            (start, _) if start.is_null() => ControlTarget::None,
            (start, NN_MSG) => ControlTarget::Chunk(start.cast()),
            (start, room) => ControlTarget::Buffer { start: start.cast(), room },
        };
        Ok(Self { body: Target::of(parts)?, control })
    }

    /// Gives the message to the caller and returns its full length, however much of it there was room for. If memory
    /// for a chunk is short, the message is lost and nothing is written: it has left the socket already.
    ///
    /// # Safety
    /// The caller of C owns the buffers and variables that this was made from, and lets nobody else use them.
    pub(super) unsafe fn deliver(self, message: Message) -> Result<c_int> {
        let length = args::length(message.body.len());
        // The only steps that can fail come first.
        let control = match self.control {
            ControlTarget::None => cmsg::Block::new(),
            _ => cmsg::block(&message)?,
        };
        let control_chunk = match self.control {
            ControlTarget::Chunk(variable) => Some((variable, Chunk::copy_of(&control)?)),
            _ => None,
        };
        match self.body {
            Target::Chunk(variable) => {
                let body = chunk::hand_over_body(message.body)?;
                // SAFETY: the caller's variable, as promised.
                unsafe { variable.write_unaligned(body) };
            }
            // SAFETY: the caller's buffers, as promised.
            Target::Scattered(parts) => unsafe { scatter(message.body.as_slice(), parts) },
        }
        if let Some((variable, control)) = control_chunk {
            // SAFETY: as above.
            unsafe { variable.write_unaligned(chunk::hand_over(control)) };
        }
        if let ControlTarget::Buffer { start, room } = self.control
            && room >= cmsg::sp_header_space(message.header.len())
        {
            // SAFETY: as above. No more than there is room for; the last property may be cut.
            unsafe { ptr::copy_nonoverlapping(control.as_ptr(), start, control.len().min(room)) };
        }
        Ok(length)
    }
}

impl<'a> Target<'a> {
    fn of(parts: &'a [nn_iovec]) -> Result<Self> {
        if let [nn_iovec { iov_base, iov_len: NN_MSG }] = *parts {
            return if iov_base.is_null() { Err(Error::Fault) } else { Ok(Self::Chunk(iov_base.cast())) };
        }
        parts.iter().try_for_each(check)?;
        Ok(Self::Scattered(parts))
    }
}

/// Fills the parts in order; what does not fit is left out.
///
/// # Safety
/// The caller of C owns the parts' memory and lets nobody else use it.
unsafe fn scatter(mut body: &[u8], parts: &[nn_iovec]) {
    for part in parts {
        let (front, back) = body.split_at(part.iov_len.min(body.len()));
        // SAFETY: at most `iov_len` bytes into the caller's memory, which a body of ours does not overlap.
        unsafe { ptr::copy_nonoverlapping(front.as_ptr(), part.iov_base.cast(), front.len()) };
        body = back;
    }
}

/// The array of parts.
///
/// # Safety
/// The caller of C owns the array until its call returns.
unsafe fn parts<'a>(msghdr: &nn_msghdr) -> Result<&'a [nn_iovec]> {
    let count = usize::try_from(msghdr.msg_iovlen).map_err(|_| Error::MessageSize)?;
    // SAFETY: the same promise.
    unsafe { args::array(msghdr.msg_iov, count) }
}

/// What every part must be that is memory of the caller's.
fn check(part: &nn_iovec) -> Result<()> {
    if part.iov_len == NN_MSG {
        return Err(Error::Invalid);
    }
    if part.iov_base.is_null() && part.iov_len != 0 {
        return Err(Error::Fault);
    }
    Ok(())
}

/// The chunk named by a variable of the caller's.
///
/// # Safety
/// `variable` is null or holds a pointer.
pub(super) unsafe fn chunk_in(variable: *const c_void) -> Result<*mut c_void> {
    if variable.is_null() {
        return Err(Error::Fault);
    }
    // SAFETY: the same promise.
    Ok(unsafe { variable.cast::<*mut c_void>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Header;

    fn message(header: &[u8], body: &[u8], opcode: u8) -> Message {
        Message { header: Header::from_slice(header), body: Body::copy_of(body).unwrap(), opcode, peer: None }
    }

    fn iovec(bytes: &mut [u8]) -> nn_iovec {
        nn_iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
    }

    #[test]
    fn a_buffer_too_small_for_the_sp_header_is_left_alone_and_the_rest_is_cut() {
        // One property of a head, a size and four bytes, one of a head and a byte, both padded.
        let (first, all) = if size_of::<usize>() == 8 { (32, 56) } else { (20, 36) };
        for (room, written) in [(first - 1, 0), (first, first), (first + 8, first + 8), (all, all), (all + 8, all)] {
            let mut body = [0; 4];
            let mut buffer = [0xEE; 64];
            let mut part = iovec(&mut body);
            let msghdr = nn_msghdr {
                msg_iov: &raw mut part,
                msg_iovlen: 1,
                msg_control: buffer.as_mut_ptr().cast(),
                msg_controllen: room,
            };
            let message = message(b"head", b"body and more", 1);
            let block = cmsg::block(&message).unwrap();
            // SAFETY: all of it lives on this stack.
            let length = unsafe { Receiving::msghdr(&raw const msghdr).and_then(|to| to.deliver(message)) };
            assert_eq!(length, Ok(13));
            assert_eq!(body, *b"body");
            assert_eq!(buffer[..written], block[..written]);
            assert!(buffer[written..].iter().all(|&byte| byte == 0xEE));
        }
    }

    #[test]
    fn several_parts_become_one_body_and_back() {
        for size in [3, INLINE_MAX, INLINE_MAX + 1, 5000] {
            let mut bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let expected = bytes.clone();
            let (front, back) = bytes.split_at_mut(size / 3);
            let mut parts = [iovec(front), nn_iovec { iov_base: ptr::null_mut(), iov_len: 0 }, iovec(back)];
            // SAFETY: all of it is memory of this test.
            unsafe {
                let Ok(Source::Gathered(body)) = Source::of(&parts) else { panic!("not gathered") };
                assert_eq!(body.as_slice(), expected);
                // The other way round, into parts of the other order.
                parts.reverse();
                scatter(&expected, &parts);
            }
            assert_eq!(bytes[size / 3..], expected[..size - size / 3]);
        }
    }

    #[test]
    fn wrong_parts_are_told_before_anything_is_taken() {
        let mut chunk = chunk::hand_over(Chunk::copy_of(b"mine").unwrap());
        let lent = nn_iovec { iov_base: (&raw mut chunk).cast(), iov_len: NN_MSG };
        let null = nn_iovec { iov_base: ptr::null_mut(), iov_len: 1 };
        let huge = nn_iovec { iov_base: ptr::dangling_mut::<u8>().cast(), iov_len: NN_MSG - 1 };
        let mut none = ptr::null_mut::<c_void>();
        let no_chunk = nn_iovec { iov_base: (&raw mut none).cast(), iov_len: NN_MSG };
        // SAFETY: the pointers are live or null; the bytes of `huge` are never read.
        unsafe {
            for (parts, error) in [
                (&[null, lent][..], Error::Fault),
                (&[lent, null], Error::Invalid),
                (&[huge, huge], Error::Invalid),
                (&[huge], Error::Invalid),
                (&[nn_iovec { iov_base: ptr::null_mut(), iov_len: NN_MSG }], Error::Fault),
                (&[no_chunk], Error::Fault),
            ] {
                assert_eq!(Source::of(parts).err(), Some(error));
            }
            assert_eq!(Target::of(&[lent, lent]).err(), Some(Error::Invalid));
            assert_eq!(Target::of(&[null]).err(), Some(Error::Fault));
            // One chunk cannot be both.
            let msghdr = nn_msghdr {
                msg_iov: (&raw const lent).cast_mut(),
                msg_iovlen: 1,
                msg_control: (&raw mut chunk).cast(),
                msg_controllen: NN_MSG,
            };
            assert_eq!(Sending::msghdr(&raw const msghdr).err(), Some(Error::Invalid));
            assert_eq!(chunk::bytes(chunk).unwrap(), b"mine");
            chunk::take(chunk).unwrap();
        }
    }

    #[test]
    fn a_failed_send_returns_the_body_but_not_the_control_chunk() {
        let mut body = chunk::hand_over(Chunk::copy_of(b"mine").unwrap());
        let mut control = chunk::hand_over(Chunk::copy_of(&[0; 64]).unwrap());
        let mut part = nn_iovec { iov_base: (&raw mut body).cast(), iov_len: NN_MSG };
        let msghdr = nn_msghdr {
            msg_iov: &raw mut part,
            msg_iovlen: 1,
            msg_control: (&raw mut control).cast(),
            msg_controllen: NN_MSG,
        };
        // SAFETY: live pointers of this test.
        unsafe {
            let sending = Sending::msghdr(&raw const msghdr).unwrap();
            assert!(sending.control.is_some());
            assert_eq!(sending.settle(Err(Error::WouldBlock)), Err(Error::WouldBlock));
            assert_eq!(chunk::bytes(body).unwrap(), b"mine");
            chunk::take(body).unwrap();
        }
    }

    #[test]
    fn a_received_chunk_is_the_callers() {
        for size in [0, 5, INLINE_MAX + 1] {
            let mut body = ptr::null_mut::<c_void>();
            let part = nn_iovec { iov_base: (&raw mut body).cast(), iov_len: NN_MSG };
            // SAFETY: a variable of this test, and the pointer written to it.
            unsafe {
                let message = message(b"", &vec![3; size], 0);
                assert_eq!(Receiving::part(&part).and_then(|to| to.deliver(message)), Ok(size as c_int));
                assert_eq!(chunk::take(body).unwrap().as_slice(), vec![3; size]);
            }
        }
    }
}
