//! Buffers that belong to a thread, so that idle connections need none.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::thread::LocalKey;

pub(crate) type Scratch = LocalKey<RefCell<Vec<u8>>>;

/// Lends the thread's buffer, of at least `length` bytes. An `action` that borrows it once more gets another one.
pub(crate) fn with<T>(kept: &'static Scratch, length: usize, action: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    // At the end of the process the thread may have lost its buffer already.
    let mut buffer = kept.try_with(RefCell::take).unwrap_or_default();
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let result = action(&mut buffer);
    let _ = kept.try_with(|kept| kept.replace(buffer));
    result
}
