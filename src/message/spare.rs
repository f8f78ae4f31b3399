//! Memory of large messages that are no more, kept for the next ones.
//!
//! An allocator returns large blocks to the kernel soon after they are freed, and the kernel has to clear every page of the
//! next one: for a message of 1 MiB that takes longer than all the rest of its way between two threads.
#![forbid(unsafe_code)]

use crate::sys::Mutex;

/// Smaller blocks stay with the allocator anyway.
const SMALLEST: usize = 128 * 1024;

/// Bytes that are kept altogether, for the whole process.
const MOST: usize = 4 * 1024 * 1024 + 4 * 1024;

/// Never waited for: in a child of `fork` nobody may be there to let it go.
static SPARE: Mutex<Spare> = Mutex::new(Spare { blocks: Vec::new(), bytes: 0 });

struct Spare {
    /// The last ones come last: the kernel or a processor's cache may still have them at hand.
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

impl Spare {
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fits = |block: &Vec<u8>| (capacity..=capacity.saturating_mul(2)).contains(&block.capacity());
        let block = self.blocks.swap_remove(self.blocks.iter().rposition(fits)?);
        self.bytes -= block.capacity();
        Some(block)
    }

    /// Keeps a block, in place of older ones. What is too much is for the caller to free.
    fn keep(&mut self, mut block: Vec<u8>) -> Vec<Vec<u8>> {
        block.clear();
        self.bytes += block.capacity();
        self.blocks.push(block);
        let mut freed = 0;
        while self.bytes > MOST {
            self.bytes -= self.blocks[freed].capacity();
            freed += 1;
        }
        self.blocks.drain(..freed).collect()
    }
}

/// An empty block for at least `capacity` bytes, and not for more than twice as many.
pub(super) fn take(capacity: usize) -> Option<Vec<u8>> {
    if capacity < SMALLEST {
        return None;
    }
    SPARE.try_lock()?.take(capacity)
}

/// A block that nobody needs.
pub(super) fn keep(block: Vec<u8>) {
    if (SMALLEST..=MOST).contains(&block.capacity())
        && let Some(mut spare) = SPARE.try_lock()
    {
        let freed = spare.keep(block);
        drop(spare);
        drop(freed);
    }
}

/// Frees all of them.
pub(crate) fn clear() {
    let Some(mut spare) = SPARE.try_lock() else { return };
    let freed = std::mem::replace(&mut *spare, Spare { blocks: Vec::new(), bytes: 0 });
    drop(spare);
    drop(freed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spare() -> Spare {
        Spare { blocks: Vec::new(), bytes: 0 }
    }

    #[test]
    fn a_block_is_used_again_if_it_fits() {
        let mut spare = spare();
        assert!(spare.keep(Vec::with_capacity(1000)).is_empty());
        assert!(spare.take(1001).is_none() && spare.take(499).is_none() && spare.take(usize::MAX).is_none());
        let block = spare.take(600).unwrap();
        assert!(block.is_empty() && block.capacity() >= 600);
        assert!(spare.take(600).is_none() && spare.bytes == 0);
    }

    #[test]
    fn no_more_is_kept_than_allowed() {
        let mut spare = spare();
        for round in 1..100 {
            let freed = spare.keep(vec![0; 1024 * 1024]);
            assert_eq!(freed.len(), usize::from(round > 4));
            assert!(spare.bytes <= MOST && spare.bytes == spare.blocks.iter().map(Vec::capacity).sum::<usize>());
        }
        assert_eq!(spare.keep(vec![0; MOST]).len(), 4, "the older ones go");
    }
}
