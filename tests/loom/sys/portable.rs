//! The other system's parker.

#[path = "../../../src/sys/portable/park.rs"]
#[allow(dead_code, reason = "the models do not spin")]
mod park;

pub(crate) use park::Parker;

/// `WaitSet::wait`: sleeps until the parker is woken, or rung by a poller of the set. One may be `ready` already.
pub(crate) fn poll(parker: &Parker, ready: impl Fn() -> bool) {
    let bed = parker.bed();
    bed.forget_rings();
    if !ready() {
        bed.sleep_for_either(None);
    }
}

/// A poller of the set has something.
pub(crate) fn ring(parker: &Parker) {
    parker.bed().ring();
}
