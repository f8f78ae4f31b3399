//! The futex under a sleeping thread.

use std::sync::Arc;

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::check;

const AWAKE: u32 = 0;
const WOKEN: u32 = 1;
const ASLEEP: u32 = 2;
const POLLING: u32 = 3;

#[derive(Default)]
struct Parker {
    state: AtomicU32,
    /// The kernel's side of the futex.
    queue: Mutex<()>,
    woken: Condvar,
    /// The eventfd.
    event: Mutex<bool>,
    signalled: Condvar,
}

impl Parker {
    fn prepare(&self) {
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    fn park(&self) {
        if self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        loop {
            let queue = self.queue.lock().unwrap();
            if self.state.load(Ordering::Relaxed) == ASLEEP {
                drop(self.woken.wait(queue).unwrap());
            }
            if self.state.load(Ordering::Acquire) == WOKEN {
                break;
            }
        }
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    /// As nn_poll sleeps.
    fn poll(&self) {
        if self.state.compare_exchange(AWAKE, POLLING, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let mut event = self.event.lock().unwrap();
        while !*event {
            event = self.signalled.wait(event).unwrap();
        }
        self.state.store(AWAKE, Ordering::Release);
        *event = false;
    }

    fn wake(&self) {
        match self.state.swap(WOKEN, Ordering::AcqRel) {
            ASLEEP => {
                drop(self.queue.lock().unwrap());
                self.woken.notify_one();
            }
            POLLING => {
                *self.event.lock().unwrap() = true;
                self.signalled.notify_one();
            }
            _ => {}
        }
    }
}

/// One thread waits for the count to reach each step; the others count and wake it without holding the lock.
#[test]
fn a_thread_that_was_told_is_woken() {
    for sleep in [Parker::park, Parker::poll] {
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
