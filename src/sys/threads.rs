//! The calling thread's parker, and how its sleep ends.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::Arc;

use super::Parker;
use super::process::generation;

thread_local! {
    /// With the generation of processes that it belongs to.
    static PARKER: RefCell<Option<(u32, Arc<Parker>)>> = const { RefCell::new(None) };
}

/// The calling thread's parker.
pub(crate) fn current_parker() -> Arc<Parker> {
    // The event descriptor of a parent's is the parent's: a child that read it would take wakeups away.
    if PARKER.try_with(|cell| cell.borrow().as_ref().is_some_and(|(of, _)| *of != generation())) == Ok(true) {
        forget_parker();
    }
    // A destructor that runs after this thread's own storage is gone gets a parker for one use.
    PARKER
        .try_with(|cell| Arc::clone(&cell.borrow_mut().get_or_insert_with(|| (generation(), Arc::default())).1))
        .unwrap_or_default()
}

/// The calling thread gets a new parker. The old one's descriptor is left alone: where the program has closed it, its
/// number may be another file's by now.
pub(crate) fn forget_parker() {
    std::mem::forget(PARKER.try_with(|cell| cell.borrow_mut().take()));
}
