//! Bytes that nobody can guess.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

/// Taken from the system at once: a system call for each few bytes would cost more than what they are for.
const POOL: usize = 1024;

struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

thread_local! {
    static RANDOM: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL }) };
}

/// At most [`POOL`] bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut taken = [0; N];
    let pooled = RANDOM.try_with(|pool| {
        let pool = &mut *pool.borrow_mut();
        if pool.used + N > POOL {
            fill(&mut pool.bytes);
            pool.used = 0;
        }
        taken.copy_from_slice(&pool.bytes[pool.used..pool.used + N]);
        pool.used += N;
    });
    if pooled.is_err() {
        // The thread is ending.
        fill(&mut taken);
    }
    taken
}

fn fill(bytes: &mut [u8]) {
    if getrandom::fill(bytes).is_err() {
        // A system without its random source still has what std keys its hash maps with.
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = RandomState::new().hash_one(at) as u8;
        }
    }
}
