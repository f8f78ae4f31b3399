//! The other system's parker.

#[path = "../../../src/sys/portable/park.rs"]
#[allow(dead_code, reason = "the models do not spin")]
mod park;

pub(crate) use park::Parker;

/// `WaitSet::wait`: sleeps until the parker is woken, or rung by a poller of the set. One may be `ready` already.
pub(crate) fn poll(parker: &Parker, ready: impl Fn() -> bool) {
    let parking = parker.parking();
    parking.forget_rings();
    if !ready() {
        parking.sleep_for_either(None);
    }
}

/// A poller of the set has something.
pub(crate) fn ring(parker: &Parker) {
    parker.parking().ring();
}
