//! A thread that sleeps, and threads that wake it.

use std::sync::Arc;
use std::time::Instant;

use loom::sync::Mutex;
use loom::thread;

use super::check;
use super::sys::Parker;
use super::sys::linux::{self, Unparked, signal};

fn park(parker: &Parker) {
    assert_eq!(parker.park(None), Unparked::Woken);
}

fn poll(parker: &Parker) {
    linux::poll(parker, || false);
}

/// One thread waits for the count to reach each step; the others count and wake it without holding the lock.
#[test]
fn a_thread_that_was_told_is_woken() {
    for sleep in [park, poll] {
        check(3, move || {
            let parker = Arc::new(Parker::default());
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
}

/// A sleep that ends early, and then one that does not: the wakeup ends one of them.
fn a_wakeup_ends(early: impl Fn(&Parker) -> Unparked + Copy + Send + Sync + 'static) {
    for sleep in [park, poll] {
        check(3, move || {
            let parker = Arc::new(Parker::default());
            let waker = Arc::clone(&parker);
            let waker = thread::spawn(move || waker.wake());
            if early(&parker) != Unparked::Woken {
                sleep(&parker);
            }
            waker.join().unwrap();
        });
    }
}

#[test]
fn a_wakeup_at_the_deadline_is_not_lost() {
    a_wakeup_ends(|parker| parker.park(Some(Instant::now())));
}

#[test]
fn a_wakeup_with_a_signal_is_not_lost() {
    a_wakeup_ends(|parker| {
        signal();
        parker.park(None)
    });
}

/// nn_poll asks afterwards whether its parker was woken.
#[test]
fn a_wakeup_while_polling_is_told() {
    check(3, || {
        let parker = Arc::new(Parker::default());
        let waker = Arc::clone(&parker);
        let waker = thread::spawn(move || waker.wake());
        poll(&parker);
        assert!(parker.prepare());
        waker.join().unwrap();
    });
}
