//! Names to addresses, off the calling thread: a lookup may take half a minute.
#![forbid(unsafe_code)]

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;

use crate::sys::without_signals;

/// Lookups at the same time; more wait their turn.
const THREADS: usize = 4;

/// Called with every address found, best first; empty if there is none.
pub(crate) type Answer = Box<dyn FnOnce(Vec<SocketAddr>) + Send>;

struct Lookup {
    host: String,
    port: u16,
    ipv4_only: bool,
    answer: Answer,
}

/// Threads that exist only while there is something to look up.
pub(crate) struct Resolver {
    requests: Sender<Lookup>,
    inbox: Receiver<Lookup>,
    running: Mutex<usize>,
}

impl Default for Resolver {
    fn default() -> Self {
        let (requests, inbox) = crossbeam_channel::unbounded();
        Self { requests, inbox, running: Mutex::new(0) }
    }
}

impl Resolver {
    pub(crate) fn look_up(self: &Arc<Self>, host: String, port: u16, ipv4_only: bool, answer: Answer) {
        let mut running = self.running.lock();
        // Both ends live in `self`, so the channel is open.
        let _ = self.requests.send(Lookup { host, port, ipv4_only, answer });
        if *running < THREADS {
            let resolver = Arc::clone(self);
            let thread = without_signals(|| {
                std::thread::Builder::new().name("nn-resolver".into()).spawn(move || resolver.work())
            });
            if thread.is_ok() {
                *running += 1;
            } else if *running == 0 {
                drop(running);
                // No thread to be had: the dialer hears "no address" and tries again later.
                while let Ok(lookup) = self.inbox.try_recv() {
                    (lookup.answer)(Vec::new());
                }
            }
        }
    }

    fn work(&self) {
        loop {
            let lookup = {
                let mut running = self.running.lock();
                let Ok(lookup) = self.inbox.try_recv() else {
                    *running -= 1;
                    return;
                };
                lookup
            };
            let found = (lookup.host.as_str(), lookup.port).to_socket_addrs();
            let mut addresses: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
            if lookup.ipv4_only {
                addresses.retain(SocketAddr::is_ipv4);
            }
            (lookup.answer)(addresses);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    fn look_up(host: &str, ipv4_only: bool) -> Vec<SocketAddr> {
        let (sender, receiver) = mpsc::channel();
        let answer = Box::new(move |addresses| sender.send(addresses).unwrap());
        Arc::new(Resolver::default()).look_up(host.into(), 7, ipv4_only, answer);
        receiver.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn localhost_is_found_and_obeys_the_family() {
        assert!(look_up("localhost", true).contains(&"127.0.0.1:7".parse().unwrap()));
        assert!(look_up("localhost", true).iter().all(SocketAddr::is_ipv4));
    }

    #[test]
    fn a_name_that_does_not_exist_has_no_address() {
        assert!(look_up("no-such-host.invalid", true).is_empty());
    }
}
