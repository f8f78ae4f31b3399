//! A thread that sleeps, and threads that wake it.

use std::sync::Arc;
use std::time::Instant;

use loom::sync::Mutex;
use loom::thread;

use super::check;
use super::sys::{Unparked, linux, portable};

/// What the two systems' parkers have in common.
trait Parker: Default + Send + Sync + 'static {
    fn prepare(&self) -> bool;
    fn park(&self, deadline: Option<Instant>) -> Unparked;
    fn wake(&self);
    /// As nn_poll sleeps.
    fn poll(&self);

    fn sleep(&self) {
        assert_eq!(self.park(None), Unparked::Woken);
    }
}

macro_rules! parker {
    ($system:ident) => {
        impl Parker for $system::Parker {
            fn prepare(&self) -> bool {
                self.prepare()
            }

            fn park(&self, deadline: Option<Instant>) -> Unparked {
                self.park(deadline)
            }

            fn wake(&self) {
                self.wake();
            }

            fn poll(&self) {
                $system::poll(self, || false);
            }
        }
    };
}

parker!(linux);
parker!(portable);

/// One thread waits for the count to reach each step; the others count and wake it without holding the lock.
fn a_count_is_reached<P: Parker>(preemptions: usize, sleep: fn(&P)) {
    check(preemptions, move || {
        let parker = Arc::new(P::default());
        let count = Arc::new(Mutex::new((0, false)));
        let wakers = [1, 2].map(|_| {
            let (parker, count) = (Arc::clone(&parker), Arc::clone(&count));
            thread::spawn(move || {
                let mut held = count.lock().unwrap();
                held.0 += 1;
                let asleep = std::mem::take(&mut held.1);
                drop(held);
                if asleep {
                    parker.wake();
                }
            })
        });
        loop {
            parker.prepare();
            let mut held = count.lock().unwrap();
            if held.0 == wakers.len() {
                break;
            }
            held.1 = true;
            drop(held);
            sleep(&parker);
            count.lock().unwrap().1 = false;
        }
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

#[test]
fn a_thread_that_was_told_is_woken() {
    a_count_is_reached(3, linux::Parker::sleep);
    a_count_is_reached(3, linux::Parker::poll);
    a_count_is_reached(2, portable::Parker::sleep);
    a_count_is_reached(2, portable::Parker::poll);
}

/// One thread wakes another.
fn one_wakeup<P: Parker>(sleeper: impl Fn(&P) + Send + Sync + 'static) {
    check(3, move || {
        let parker = Arc::new(P::default());
        let waker = Arc::clone(&parker);
        let waker = thread::spawn(move || waker.wake());
        sleeper(&parker);
        waker.join().unwrap();
    });
}

/// The wakeup ends a sleep that would end anyway, or the next one.
#[test]
fn a_wakeup_at_the_deadline_is_not_lost() {
    fn twice<P: Parker>(sleep: fn(&P)) -> impl Fn(&P) {
        move |parker| {
            if parker.park(Some(Instant::now())) != Unparked::Woken {
                sleep(parker);
            }
        }
    }
    one_wakeup(twice(linux::Parker::sleep));
    one_wakeup(twice(linux::Parker::poll));
    one_wakeup(twice(portable::Parker::sleep));
    one_wakeup(twice(portable::Parker::poll));
}

/// std does not tell of signals.
#[test]
fn a_wakeup_with_a_signal_is_not_lost() {
    one_wakeup(|parker: &linux::Parker| {
        linux::signal();
        if parker.park(None) != Unparked::Woken {
            parker.sleep();
        }
    });
}

/// nn_poll asks afterwards whether its parker was woken.
#[test]
fn a_wakeup_while_polling_is_told() {
    fn polled<P: Parker>(parker: &P) {
        parker.poll();
        assert!(parker.prepare());
    }
    one_wakeup(polled::<linux::Parker>);
    one_wakeup(polled::<portable::Parker>);
}

/// A poller of the set has something: first it says so, and then it rings. `linux` leaves both to the kernel.
#[test]
fn a_poller_that_rings_is_heard() {
    check(3, || {
        let parker = Arc::new(portable::Parker::default());
        let ready = Arc::new(Mutex::new(false));
        let (rung, set) = (Arc::clone(&parker), Arc::clone(&ready));
        let poller = thread::spawn(move || {
            *set.lock().unwrap() = true;
            portable::ring(&rung);
        });
        portable::poll(&parker, || *ready.lock().unwrap());
        assert!(*ready.lock().unwrap());
        poller.join().unwrap();
    });
}
