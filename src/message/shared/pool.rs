//! The segments that this process has made, and the blocks that its program has pointers to.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Header;
use super::{Block, Hold, Origin};
use crate::sys;
use crate::sys::shared_memory::{self, PAGE, Segment};
use crate::sys::{Mutex, MutexGuard};

/// Bytes of all blocks that are in use at a time. What is beyond lives in memory of the process's own.
const HELD_MAX: usize = if cfg!(target_pointer_width = "64") { 1 << 30 } else { 128 << 20 };

/// Bytes of a segment, at least; and how many blocks it has, at least. Memory is found for those that are used.
const SEGMENT: usize = 8 << 20;
const BLOCKS: usize = 8;

/// Bytes of blocks that nobody uses and that are kept all the same, for the whole process.
const KEPT: usize = 16 << 20;

/// The least block.
const SMALLEST: usize = 4 * PAGE;

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// Bytes from which nn_allocmsg takes blocks: none, as long as there is no connection for them.
static FROM: AtomicUsize = AtomicUsize::new(usize::MAX);

struct Pool {
    generation: u32,
    segments: Vec<Own>,
    /// Bytes of blocks in use.
    held: usize,
    /// Bytes of blocks that have memory and are not in use.
    kept: usize,
}

struct Own {
    segment: Arc<Segment>,
    class: usize,
    /// Blocks that nobody has, the last ones last: a processor's cache may still have them.
    free: Vec<usize>,
    /// Blocks that were never used have no memory yet. They are the last ones.
    untouched: usize,
    blocks: usize,
    /// A reader has gone without giving a block back: none of it is used again.
    abandoned: bool,
}

impl Own {
    fn is_unused(&self) -> bool {
        self.free.len() == self.blocks - self.untouched
    }
}

impl Pool {
    fn take(&mut self, class: usize) -> Option<(Arc<Segment>, usize)> {
        if self.held + class > HELD_MAX {
            return None;
        }
        let fits = |own: &&mut Own| own.class == class && !own.abandoned;
        if let Some(own) = self.segments.iter_mut().filter(fits).find(|own| !own.free.is_empty()) {
            let offset = own.free.pop()?;
            self.held += class;
            self.kept -= class;
            return Some((Arc::clone(&own.segment), offset));
        }
        let own = match self.segments.iter().position(|own| own.class == class && !own.abandoned && own.untouched > 0) {
            Some(known) => &mut self.segments[known],
            None => {
                let blocks = (SEGMENT / class).max(BLOCKS);
                let segment = Segment::create(class.checked_mul(blocks)?).ok()?;
                let segment = Arc::new(segment);
                self.segments.push(Own {
                    segment,
                    class,
                    free: Vec::new(),
                    untouched: blocks,
                    blocks,
                    abandoned: false,
                });
                self.segments.last_mut()?
            }
        };
        let offset = (own.blocks - own.untouched) * class;
        own.segment.commit(offset, class).ok()?;
        own.untouched -= 1;
        self.held += class;
        Some((Arc::clone(&own.segment), offset))
    }

    /// What it returns is for the caller to drop without the lock.
    fn put_back(&mut self, segment: &Arc<Segment>, offset: usize) -> Vec<Own> {
        let Some(own) = self.segments.iter_mut().find(|own| Arc::ptr_eq(&own.segment, segment)) else {
            return Vec::new();
        };
        own.free.push(offset);
        self.held -= own.class;
        self.kept += own.class;
        self.shrink(KEPT)
    }

    /// Takes out segments that nobody uses, as long as more is kept than that.
    fn shrink(&mut self, most: usize) -> Vec<Own> {
        let mut gone = Vec::new();
        let mut at = 0;
        while at < self.segments.len() {
            let own = &self.segments[at];
            if own.is_unused() && (self.kept > most || own.abandoned) {
                self.kept -= own.free.len() * own.class;
                gone.push(self.segments.swap_remove(at));
            } else {
                at += 1;
            }
        }
        gone
    }
}

fn with<T>(action: impl FnOnce(&mut Pool) -> T) -> T {
    let mut pool = POOL.lock();
    let generation = sys::generation();
    if pool.as_ref().is_some_and(|pool| pool.generation != generation) {
        // A parent's, which goes on using it.
        std::mem::forget(pool.take());
    }
    action(pool.get_or_insert_with(|| Pool { generation, segments: Vec::new(), held: 0, kept: 0 }))
}

/// A block for so many bytes, which are not initialised. `None`: there is no room, or too little is asked for.
pub(crate) fn take(size: usize) -> Option<Block> {
    let class = size.max(SMALLEST).checked_next_power_of_two()?;
    let (segment, offset) = with(|pool| pool.take(class))?;
    Some(Block::new(Hold::new(segment, offset, class, Origin::Own), size, Header::new()))
}

/// The same, filled.
pub(crate) fn copy_of(data: &[u8]) -> Option<Block> {
    let block = take(data.len())?;
    block.write(data);
    Some(block)
}

pub(crate) fn put_back(segment: &Arc<Segment>, offset: usize) {
    let gone = with(|pool| pool.put_back(segment, offset));
    drop(gone);
}

/// A reader has gone that had a block of this segment: it may go on reading.
pub(crate) fn abandon(hold: &Hold) {
    with(|pool| {
        if let Some(own) = pool.segments.iter_mut().find(|own| Arc::ptr_eq(&own.segment, &hold.segment)) {
            own.abandoned = true;
        }
    });
}

/// There is a connection for messages of at least so many bytes.
pub(crate) fn serve(min: usize) {
    FROM.fetch_min(min, Ordering::Relaxed);
}

/// Whether messages of this size had better lie in a block.
#[inline]
pub(crate) fn serves(size: usize) -> bool {
    size >= FROM.load(Ordering::Relaxed)
}

/// The last socket has gone.
pub(crate) fn clear() {
    FROM.store(usize::MAX, Ordering::Relaxed);
    let gone = POOL.try_lock().and_then(|mut pool| {
        let pool = pool.as_mut().filter(|pool| pool.generation == sys::generation())?;
        Some(pool.shrink(0))
    });
    drop(gone);
    shared_memory::forget_pagemap();
}

/// Blocks that the program has, by their addresses.
static EXPOSED: Mutex<Option<Exposed>> = Mutex::new(None);

type Exposed = HashMap<usize, Block>;

/// What the thread that forks holds meanwhile, so that the child finds both whole: the pool, what the program has, and what it has
/// of our own blocks.
type Forking =
    (MutexGuard<'static, Option<Pool>>, MutexGuard<'static, Option<Exposed>>, Vec<(Arc<Segment>, usize, Vec<u8>)>);

thread_local! {
    static FORKING: RefCell<Option<Forking>> = const { RefCell::new(None) };
}

extern "C" fn before_fork() {
    let (exposed, pool) = (EXPOSED.lock(), POOL.lock());
    let copies = exposed.iter().flat_map(HashMap::values).filter_map(Block::prepare_fork).collect();
    let _ = FORKING.try_with(|forking| forking.replace(Some((pool, exposed, copies))));
}

extern "C" fn after_fork() {
    let _ = FORKING.try_with(RefCell::take);
}

/// The child keeps the bytes of messages that its program has, and nothing else.
extern "C" fn in_child() {
    let Ok(Some((mut pool, exposed, copies))) = FORKING.try_with(RefCell::take) else { return };
    FROM.store(usize::MAX, Ordering::Relaxed);
    for own in pool.iter().flat_map(|pool| &pool.segments) {
        own.segment.leave_to_parent();
    }
    for (segment, offset, bytes) in &copies {
        segment.write(*offset, bytes);
    }
    // Their memory is the parent's to give back.
    std::mem::forget(pool.take());
    drop((pool, exposed));
}

/// Where they all lie: other memory needs no look.
static LOWEST: AtomicUsize = AtomicUsize::new(usize::MAX);
static HIGHEST: AtomicUsize = AtomicUsize::new(0);

/// Gives a block to the program: it is alone, and has no header. The same block again, if the program has one there already.
pub(crate) fn expose(block: Block) -> Result<*mut u8, Block> {
    shared_memory::at_fork(before_fork, after_fork, in_child);
    let pointer = block.expose();
    LOWEST.fetch_min(pointer.addr(), Ordering::Relaxed);
    HIGHEST.fetch_max(pointer.addr(), Ordering::Relaxed);
    match EXPOSED.lock().get_or_insert_default().entry(pointer.addr()) {
        Entry::Occupied(_) => Err(block),
        Entry::Vacant(place) => {
            place.insert(block);
            Ok(pointer)
        }
    }
}

/// Whether the program may have a block there.
#[inline]
fn is_within(address: usize) -> bool {
    address <= HIGHEST.load(Ordering::Relaxed) && address >= LOWEST.load(Ordering::Relaxed)
}

/// The block at this address, if there is one.
#[inline]
pub(crate) fn recover(address: usize) -> Option<Block> {
    if is_within(address) { EXPOSED.lock().as_mut()?.remove(&address) } else { None }
}

/// Looks at it, or changes it.
#[inline]
pub(crate) fn look_at<T>(address: usize, look: impl FnOnce(&mut Block) -> T) -> Option<T> {
    if is_within(address) { EXPOSED.lock().as_mut()?.get_mut(&address).map(look) } else { None }
}
