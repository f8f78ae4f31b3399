//! Memory a C caller holds: nn_allocmsg, nn_reallocmsg, nn_freemsg, and bodies lent or handed over as a bare pointer.
//!
//! The pointer is that of the data, aligned as malloc's are. What is needed to find the vector again stands in the headroom
//! directly in front of it. The tag, which is bound to the
//! address, tells our own pointers from foreign ones, and live ones from freed ones for as long as the memory can be
//! read at all; a check that is best effort, and never the end of the process.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr;

use crate::error::{Error, Result};
use crate::message::shared::pool;
use crate::message::{Body, Chunk, HEADROOM};

#[derive(Clone, Copy)]
#[repr(C)]
struct Prefix {
    capacity: usize,
    /// Bytes from the start of the allocation to the data.
    start: usize,
    length: usize,
    tag: usize,
}

const _: () = assert!(size_of::<Prefix>() <= HEADROOM);

/// What the tag differs from the address by: nothing that memory holds by chance.
const TAG: usize = 0x6e61_6e6f_6d73_6721_u64 as usize;

/// A fresh chunk of `size` bytes, uninitialised as malloc's are.
pub(super) fn allocate(size: usize) -> Result<*mut c_void> {
    if pool::serves(size)
        && let Some(pointer) = pool::take(size).and_then(|block| pool::expose(block).ok())
    {
        return Ok(pointer.cast());
    }
    let (bytes, start) = Chunk::with_capacity(size)?.into_parts();
    Ok(expose(bytes, start, size))
}

/// Gives a chunk to the caller, who frees it with nn_freemsg or sends it.
pub(super) fn hand_over(chunk: Chunk) -> *mut c_void {
    let length = chunk.len();
    let (bytes, start) = chunk.into_parts();
    expose(bytes, start, length)
}

/// Gives a body to the caller likewise: in shared memory where it lies, if nobody else has it.
pub(super) fn hand_over_body(body: Body) -> Result<*mut c_void> {
    let body = match body {
        Body::Block(block) if block.is_alone() && block.front().is_empty() => match pool::expose(block) {
            Ok(pointer) => return Ok(pointer.cast()),
            Err(block) => Body::Block(block),
        },
        other => other,
    };
    Ok(hand_over(body.into_chunk()?.aligned()?))
}

/// Takes a chunk back, wherever it lies. From here on the caller's pointer is known as dead.
///
/// # Safety
/// As for [`take`].
pub(super) unsafe fn take_body(data: *mut c_void) -> Result<Body> {
    // What stands in front of a block is not ours to trust: it is looked for first.
    match pool::recover(data.addr()) {
        Some(block) => Ok(Body::Block(block)),
        // SAFETY: the same promise.
        None => unsafe { take(data).map(Body::from) },
    }
}

/// Takes a chunk back. From here on the caller's pointer is known as dead.
///
/// # Safety
/// `data` is null, or the caller lets us read the few bytes in front of it; and if it is one of our chunks, nobody
/// else uses it now or later.
pub(super) unsafe fn take(data: *mut c_void) -> Result<Chunk> {
    // SAFETY: the same promise.
    let prefix = unsafe { prefix(data) }?;
    let data = data.cast::<u8>();
    // Written byte by byte because of the alignment, and volatile because memory that is freed next would otherwise
    // keep its tag: the compiler drops stores that nobody can see any more.
    for back in 1..=size_of::<usize>() {
        // SAFETY: the tag was just found there, in memory that is ours.
        unsafe { data.sub(back).write_volatile(0) };
    }
    // SAFETY: `expose` took these three apart, and the tag vouches that nobody else put them together since. Bytes
    // that the caller never wrote are read by nobody but the caller's own peer.
    let bytes = unsafe { Vec::from_raw_parts(data.sub(prefix.start), prefix.start + prefix.length, prefix.capacity) };
    Ok(Chunk::from_parts(bytes, prefix.start))
}

/// The bytes of a chunk that stays the caller's.
///
/// # Safety
/// As for [`take`], except that the caller only must not write to the chunk while the bytes are in use.
pub(super) unsafe fn bytes<'a>(data: *mut c_void) -> Result<&'a [u8]> {
    if let Some(length) = pool::look_at(data.addr(), |block| block.len()) {
        // SAFETY: the block stays the program's, as promised, and mapped.
        return Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) });
    }
    // SAFETY: the same promise; the tag vouches for the length.
    unsafe { prefix(data).map(|prefix| std::slice::from_raw_parts(data.cast(), prefix.length)) }
}

/// Another length for a chunk: less is cut off in place, more is a copy at a new address. After an error the chunk is
/// as it was.
///
/// # Safety
/// As for [`take`].
pub(super) unsafe fn resize(data: *mut c_void, size: usize) -> Result<*mut c_void> {
    if let Some((fits, length)) = pool::look_at(data.addr(), |block| (block.cut(size), block.len())) {
        if fits {
            return Ok(data);
        }
        let grown = allocate(size)?;
        // SAFETY: both have at least `length` bytes, and the new one is nobody else's.
        unsafe { ptr::copy_nonoverlapping(data.cast::<u8>(), grown.cast::<u8>(), length) };
        drop(pool::recover(data.addr()));
        return Ok(grown);
    }
    // SAFETY: the same promise.
    let mut prefix = unsafe { prefix(data) }?;
    if size <= prefix.length {
        prefix.length = size;
        // SAFETY: the prefix was just found there, in memory that is ours.
        unsafe { data.cast::<Prefix>().sub(1).write_unaligned(prefix) };
        return Ok(data);
    }
    let grown = allocate(size)?;
    // SAFETY: both have at least `length` bytes, and the new one is nobody else's. The old one goes as promised.
    unsafe {
        ptr::copy_nonoverlapping(data.cast::<u8>(), grown.cast::<u8>(), prefix.length);
        drop(take(data)?);
    }
    Ok(grown)
}

fn expose(bytes: Vec<u8>, start: usize, length: usize) -> *mut c_void {
    debug_assert!(start >= HEADROOM && length <= bytes.capacity() - start);
    let mut bytes = ManuallyDrop::new(bytes);
    let capacity = bytes.capacity();
    // SAFETY: the data start inside the allocation, with room for the prefix before them.
    unsafe {
        let data = bytes.as_mut_ptr().add(start);
        let prefix = Prefix { capacity, start, length, tag: TAG ^ data.addr() };
        data.cast::<Prefix>().sub(1).write_unaligned(prefix);
        data.cast()
    }
}

/// What stands in front of the data, if the tag says that they are ours. Null and foreign pointers are `Fault`.
///
/// # Safety
/// `data` is null, or the bytes in front of it can be read.
unsafe fn prefix(data: *mut c_void) -> Result<Prefix> {
    if data.is_null() {
        return Err(Error::Fault);
    }
    // SAFETY: the caller's promise; no alignment is asked for.
    let prefix = unsafe { data.cast::<Prefix>().sub(1).read_unaligned() };
    if prefix.tag == TAG ^ data.addr() { Ok(prefix) } else { Err(Error::Fault) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fresh_chunks_are_aligned_for_any_c_type() {
        for size in [0, 1, 15, 16, 17, 100, 4096, 1 << 20] {
            let data = allocate(size).unwrap();
            assert_eq!(data.addr() % 16, 0, "{size} bytes");
            // SAFETY: just allocated, used nowhere else.
            unsafe { take(data).unwrap() };
        }
    }

    #[test]
    fn sizes_no_machine_has_are_out_of_memory() {
        for size in [usize::MAX, usize::MAX - 31, usize::MAX - 32, usize::MAX / 2, isize::MAX as usize - 32] {
            assert_eq!(allocate(size), Err(Error::NoMemory));
        }
    }

    #[test]
    fn shrinking_keeps_the_pointer_and_growing_changes_it() {
        let first = hand_over(Chunk::copy_of(b"0123456789").unwrap());
        // SAFETY: only pointers that are live are used, each by this test alone.
        unsafe {
            assert_eq!(resize(first, 10), Ok(first));
            assert_eq!(resize(first, 4), Ok(first));
            assert_eq!(bytes(first).unwrap(), b"0123");
            assert_eq!(resize(first, usize::MAX - 2), Err(Error::NoMemory));
            assert_eq!(bytes(first).unwrap(), b"0123");
            let second = resize(first, 5).unwrap();
            assert_ne!(second, first);
            assert_eq!(&bytes(second).unwrap()[..4], b"0123");
            assert_eq!(resize(second, 0), Ok(second));
            assert_eq!(take(second).unwrap().len(), 0);
        }
    }

    #[test]
    fn foreign_and_dead_pointers_are_faults() {
        let mut foreign = [0_u8; 64];
        let live = hand_over(Chunk::copy_of(b"live").unwrap());
        // SAFETY: everything read is memory of this test; `kept` keeps the taken chunk's memory readable.
        unsafe {
            assert_eq!(bytes(ptr::null_mut()), Err(Error::Fault));
            assert_eq!(bytes(foreign.as_mut_ptr().add(HEADROOM).cast()), Err(Error::Fault));
            // A true copy of chunk and prefix is still somebody else's memory.
            ptr::copy_nonoverlapping(live.cast::<u8>().sub(HEADROOM), foreign.as_mut_ptr(), HEADROOM + 4);
            assert_eq!(bytes(foreign.as_mut_ptr().add(HEADROOM).cast()), Err(Error::Fault));
            let kept = take(live).unwrap();
            assert!(take(live).is_err());
            drop(kept);
        }
    }

    proptest! {
        #[test]
        fn a_chunk_comes_back_as_it_went(data: Vec<u8>, before in 0_usize..40) {
            let mut whole = vec![7; HEADROOM + before];
            whole.extend_from_slice(&data);
            let pointer = hand_over(Chunk::from_parts(whole, HEADROOM + before));
            // SAFETY: the pointer is live and this test's alone.
            unsafe {
                prop_assert_eq!(bytes(pointer).unwrap(), &data[..]);
                let back = take(pointer).unwrap();
                prop_assert_eq!(back.as_slice(), &data[..]);
                prop_assert_eq!(hand_over(back), pointer);
                drop(take(pointer));
            }
        }
    }
}
