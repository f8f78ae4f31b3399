//! Pointers, lengths and flags of C, checked once and turned into slices, durations and options; and the way back.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ffi::symbols::{NN_DONTWAIT, NN_SOCKADDR_MAX};
use crate::socket::Value;
use crate::sys::RawSource;

/// Memory of the caller, for reading. Null is fine where there is nothing to read.
///
/// # Safety
/// The caller of C owns `length` readable bytes at `base` until its call returns.
pub(super) unsafe fn bytes<'a>(base: *const c_void, length: usize) -> Result<&'a [u8]> {
    // SAFETY: the same promise.
    unsafe { array(base.cast(), length) }
}

/// An array of the caller, for reading: Fault if it is null but should not be, Invalid if no memory could hold it.
///
/// # Safety
/// The caller of C owns `count` readable entries at `base` until its call returns.
pub(super) unsafe fn array<'a, T>(base: *const T, count: usize) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if base.is_null() {
        return Err(Error::Fault);
    }
    if count > isize::MAX as usize / size_of::<T>() {
        return Err(Error::Invalid);
    }
    // SAFETY: not null, not too long, and the rest is promised.
    Ok(unsafe { slice::from_raw_parts(base, count) })
}

/// The same for writing.
///
/// # Safety
/// The caller of C owns `count` entries at `base`, and lets nobody else use them until its call returns.
pub(super) unsafe fn array_mut<'a, T>(base: *mut T, count: usize) -> Result<&'a mut [T]> {
    // SAFETY: the same promise; the check is the same for both.
    unsafe { array(base, count)? };
    if count == 0 {
        return Ok(&mut []);
    }
    // SAFETY: as above.
    Ok(unsafe { slice::from_raw_parts_mut(base, count) })
}

/// Memory that will be written: Fault if it is null but should not be.
pub(super) fn check(base: *mut c_void, length: usize) -> Result<()> {
    if base.is_null() && length > 0 { Err(Error::Fault) } else { Ok(()) }
}

/// Writes as much of `data` as there is room for.
///
/// # Safety
/// The caller of C owns `length` bytes at `base`, and lets nobody else use them until its call returns.
pub(super) unsafe fn fill(base: *mut c_void, length: usize, data: &[u8]) {
    // SAFETY: at most `length` bytes into memory that nothing of ours overlaps.
    unsafe { ptr::copy_nonoverlapping(data.as_ptr(), base.cast(), data.len().min(length)) };
}

/// An address without its NUL. One that is too long is cut where that can be seen already, so that text without an end
/// is not followed for ever.
///
/// # Safety
/// `text` is null or ends with a NUL, or is readable for NN_SOCKADDR_MAX bytes.
pub(super) unsafe fn address<'a>(text: *const c_char) -> Result<&'a [u8]> {
    if text.is_null() {
        return Err(Error::Invalid);
    }
    // SAFETY: the same promise.
    unsafe {
        let length = libc::strnlen(text, NN_SOCKADDR_MAX as usize);
        bytes(text.cast(), length)
    }
}

pub(super) fn dont_wait(flags: c_int) -> bool {
    flags & NN_DONTWAIT != 0
}

/// Milliseconds, where any negative number means without end.
pub(super) fn timeout(milliseconds: c_int) -> Option<Duration> {
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}

/// A count in C's type. A message longer than INT_MAX is reported as INT_MAX: sent or received it is, and a negative
/// number would read as a failure.
pub(super) fn length(count: usize) -> c_int {
    c_int::try_from(count).unwrap_or(c_int::MAX)
}

/// Writes the value of an option, or as much of it as there is room for, and its full length.
///
/// # Safety
/// The caller of C owns `*room` writable bytes at `to`, and `*room` itself; neither is null.
pub(super) unsafe fn store(value: &Value, to: *mut c_void, room: *mut usize) -> Result<()> {
    // SAFETY: `room` is the caller's, as promised.
    let size = unsafe { *room };
    let (int, source, pointer);
    let value: &[u8] = match value {
        Value::WholeInt(_) if size < size_of::<c_int>() => return Err(Error::Invalid),
        Value::Int(value) | Value::WholeInt(value) => {
            int = value.to_ne_bytes();
            &int
        }
        Value::Source(value) => {
            source = (*value as RawSource).to_ne_bytes();
            &source
        }
        Value::Pointer(value) => {
            pointer = value.to_ne_bytes();
            &pointer
        }
        Value::Text(text) => {
            // As strncpy does: what is left of the buffer is zeroed, and a text that fills it has no NUL.
            if let Some(rest) = size.checked_sub(text.len()) {
                // SAFETY: the last `rest` of the caller's `size` bytes.
                unsafe { ptr::write_bytes(to.cast::<u8>().add(text.len()), 0, rest) };
            }
            text
        }
    };
    // SAFETY: at most `size` bytes, and the source is memory of our own.
    unsafe {
        ptr::copy_nonoverlapping(value.as_ptr(), to.cast(), value.len().min(size));
        *room = value.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `store` makes of a buffer of 0xEE and a given size, and the size it reports.
    fn stored(value: &Value, mut size: usize) -> Result<([u8; 8], usize)> {
        let mut buffer = [0xEE; 8];
        // SAFETY: no test gives more than the buffer's eight bytes.
        unsafe { store(value, buffer.as_mut_ptr().cast(), &raw mut size) }?;
        Ok((buffer, size))
    }

    #[test]
    fn an_int_is_cut_to_the_room_and_reports_four_bytes() {
        let int = 0x0102_0304_i32;
        for room in 0..=8 {
            let mut expected = [0xEE; 8];
            let shown = room.min(4);
            expected[..shown].copy_from_slice(&int.to_ne_bytes()[..shown]);
            assert_eq!(stored(&Value::Int(int), room), Ok((expected, 4)));
        }
    }

    #[test]
    fn a_whole_int_refuses_less_than_its_room() {
        assert_eq!(stored(&Value::WholeInt(1), 3), Err(Error::Invalid));
        assert_eq!(stored(&Value::WholeInt(1), 8).map(|(_, size)| size), Ok(4));
    }

    #[test]
    fn text_is_padded_or_cut_and_reports_its_full_length() {
        let text = Value::Text(b"abc".to_vec());
        assert_eq!(stored(&text, 2), Ok((*b"ab\xEE\xEE\xEE\xEE\xEE\xEE", 3)));
        assert_eq!(stored(&text, 3), Ok((*b"abc\xEE\xEE\xEE\xEE\xEE", 3)));
        assert_eq!(stored(&text, 6), Ok((*b"abc\0\0\0\xEE\xEE", 3)));
    }

    #[test]
    fn null_is_a_fault_only_where_something_should_be() {
        // SAFETY: nothing is read.
        unsafe {
            assert_eq!(bytes(ptr::null(), 0), Ok(&[][..]));
            assert_eq!(bytes(ptr::null(), 1), Err(Error::Fault));
            assert_eq!(address(ptr::null()), Err(Error::Invalid));
            assert_eq!(bytes(ptr::dangling(), usize::MAX), Err(Error::Invalid));
        }
    }

    #[test]
    fn an_address_is_read_up_to_its_limit() {
        let long = [b'a' as c_char; 200];
        // SAFETY: longer than the limit, or with a NUL.
        unsafe {
            assert_eq!(address(long.as_ptr()).unwrap().len(), 128);
            assert_eq!(address(c"inproc://x".as_ptr()), Ok(&b"inproc://x"[..]));
        }
    }

    #[test]
    fn numbers_become_lengths_and_times() {
        assert_eq!(length(5), 5);
        assert_eq!(length(usize::MAX), c_int::MAX);
        assert_eq!(timeout(-7), None);
        assert_eq!(timeout(0), Some(Duration::ZERO));
        assert!(dont_wait(0x101) && !dont_wait(0x100));
    }
}
