//! A device: one thread that has the leases of two sockets and waits for both at once.

use std::sync::Arc;

use loom::sync::{Condvar, Mutex};
use loom::thread::{self, JoinHandle};

use super::check;
use super::socket::{Patience, Scene, Socket};

/// What two pollers watch. As in the kernel it is ready for as long as one of them is.
#[derive(Default)]
pub(super) struct Set {
    changes: Mutex<usize>,
    bed: Condvar,
}

impl Set {
    pub(super) fn changed(&self) {
        *self.changes.lock().unwrap() += 1;
        self.bed.notify_all();
    }

    fn wait(&self, sockets: [&Socket; 2], patience: Patience<'_>) {
        loop {
            let seen = *self.changes.lock().unwrap();
            let ready = |socket: &Socket| socket.kernel.inner.lock().unwrap().is_ready();
            if sockets.into_iter().any(ready) || patience.is_over() {
                return;
            }
            let mut changes = self.changes.lock().unwrap();
            while *changes == seen {
                changes = self.bed.wait(changes).unwrap();
            }
        }
    }
}

/// Both leases are ours.
struct Joint {
    sockets: [Arc<Socket>; 2],
    set: Arc<Set>,
}

fn take(socket: &Socket) -> bool {
    let mut held = socket.lock();
    let taken = !held.closing && held.lease.take();
    held.inside += usize::from(taken);
    taken
}

fn leave(socket: &Socket) {
    let mut held = socket.lock();
    held.inside -= 1;
    held.leave_lease();
    held.pass_on();
}

impl Joint {
    fn of(first: &Arc<Socket>, second: &Arc<Socket>) -> Option<Self> {
        if !take(first) {
            return None;
        }
        if !take(second) {
            leave(first);
            return None;
        }
        let joint = Self { sockets: [Arc::clone(first), Arc::clone(second)], set: Arc::default() };
        for socket in &joint.sockets {
            socket.kernel.inner.lock().unwrap().joint = Some(Arc::clone(&joint.set));
        }
        Some(joint)
    }

    /// Waits unless there is something to receive. False: one of them is closing.
    fn turn(&self) -> bool {
        let mut patience = Patience::Never;
        let mut closing = false;
        let mut orders = [0; 2];
        for (socket, orders) in self.sockets.iter().zip(&mut orders) {
            let mut held = socket.lock();
            if held.gathered > 0 {
                held.flush_gathered();
                drop(held);
                held = socket.lock();
            }
            closing |= held.closing;
            *orders = std::mem::take(&mut held.commands);
            if held.closing || held.inbox > 0 || *orders > 0 {
                patience = Patience::Once;
            }
            if !matches!(patience, Patience::Once) {
                held.lease.sleep();
            }
        }
        for (socket, commands) in self.sockets.iter().zip(orders) {
            socket.kernel.change(|inner| inner.obeyed += commands);
        }
        let [first, second] = &self.sockets;
        self.set.wait([first, second], patience);
        for (socket, commands) in self.sockets.iter().zip(orders) {
            let (mut notified, mut messages) = (false, 0);
            socket.kernel.change(|inner| {
                notified = std::mem::take(&mut inner.notified);
                messages = std::mem::take(&mut inner.arrived);
            });
            // One that nothing has happened to may be taken for asleep until its next turn.
            if commands > 0 || notified || messages > 0 {
                let mut held = socket.lock();
                held.lease.wake();
                held.inbox += messages;
                if messages > 0 {
                    held.changed();
                }
                closing |= held.closing;
            }
        }
        !closing
    }
}

impl Drop for Joint {
    fn drop(&mut self) {
        for socket in &self.sockets {
            socket.kernel.inner.lock().unwrap().joint = None;
            leave(socket);
        }
    }
}

/// Forwards so many messages from one socket to the other, or until one of them is closed; tells how many it has.
fn device(from: &Arc<Socket>, to: &Arc<Socket>, messages: usize) -> JoinHandle<usize> {
    let (from, to) = (Arc::clone(from), Arc::clone(to));
    thread::spawn(move || {
        let mut joint = None;
        let mut forwarded = 0;
        while forwarded < messages {
            let received = from.lock().take_message();
            if received.is_ok() {
                to.kernel.change(|inner| inner.written += 1);
                forwarded += 1;
                continue;
            }
            if joint.is_none() {
                joint = Joint::of(&from, &to);
            }
            let goes_on = match &joint {
                Some(joint) => joint.turn(),
                // Somebody else drives one of them: as any other caller.
                None => !to.lock().closing && from.poll(&Arc::default()),
            };
            if !goes_on {
                break;
            }
        }
        forwarded
    })
}

#[test]
fn a_device_forwards_what_arrives() {
    check(2, || {
        let sockets = [Socket::new(), Socket::new()];
        let device = device(&sockets[0], &sockets[1], 2);
        sockets[0].kernel.arrive(1);
        sockets[0].kernel.arrive(1);
        assert_eq!(device.join().unwrap(), 2);
        assert_eq!(sockets[1].kernel.inner.lock().unwrap().written, 2);
    });
}

#[test]
fn a_device_sees_what_comes_from_outside() {
    check(2, || {
        let sockets = [Socket::new(), Socket::new()];
        let device = device(&sockets[0], &sockets[1], 2);
        sockets[0].deliver_from_outside();
        sockets[0].deliver_from_outside();
        assert_eq!(device.join().unwrap(), 2);
    });
}

#[test]
fn a_device_obeys_for_both_sockets() {
    for which in [0, 1] {
        check(2, move || {
            let sockets = [Socket::new(), Socket::new()];
            let device = device(&sockets[0], &sockets[1], 1);
            sockets[which].command();
            sockets[which].kernel.wait_for(|inner| inner.obeyed == 1);
            sockets[0].kernel.arrive(1);
            assert_eq!(device.join().unwrap(), 1);
        });
    }
}

#[test]
fn closing_either_socket_ends_a_device() {
    for which in [0, 1] {
        check(2, move || {
            let sockets = [Socket::new(), Socket::new()];
            let device = device(&sockets[0], &sockets[1], 2);
            sockets[0].kernel.arrive(1);
            sockets[which].close();
            assert!(device.join().unwrap() <= 1);
            assert_eq!((sockets[0].lock().inside, sockets[1].lock().inside), (0, 0));
        });
    }
}

#[test]
fn a_caller_that_looks_in_loses_nothing_for_the_device() {
    check(2, || {
        let sockets = [Socket::new(), Socket::new()];
        let device = device(&sockets[0], &sockets[1], 1);
        sockets[0].kernel.arrive(1);
        if sockets[0].recv(&Arc::default(), Patience::Once).is_ok() {
            sockets[0].kernel.arrive(1);
        }
        assert_eq!(device.join().unwrap(), 1);
    });
}

#[test]
fn a_device_and_the_worker_leave_nothing_behind() {
    check(2, || {
        let (scene, other) = (Scene::new(false), Socket::new());
        let device = device(&scene.socket, &other, 1);
        scene.socket.kernel.arrive(1);
        assert_eq!(device.join().unwrap(), 1);
        scene.end();
    });
}

#[test]
fn what_was_gathered_for_a_device_is_written() {
    check(2, || {
        let (from, scene) = (Socket::new(), Scene::new(false));
        let device = device(&from, &scene.socket, 1);
        scene.socket.gather();
        scene.socket.kernel.wait_for(|inner| inner.written > 0);
        from.kernel.arrive(1);
        assert_eq!(device.join().unwrap(), 1);
        scene.end();
    });
}
