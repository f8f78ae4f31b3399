//! Names to addresses, off the calling thread: a lookup may take half a minute.
#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::sys::{self, Mutex};

use crate::panics::{self, FailPoint};

/// Bytes of a thread's stack: what std gives one. The system's resolver may load modules of any kind.
const STACK: usize = 2 * 1024 * 1024;

/// Names looked up at the same time; more wait their turn.
const THREADS: usize = 16;

/// Called with every address found, best first; empty if there is none.
pub(crate) type Answer = Box<dyn FnOnce(Vec<SocketAddr>) + Send>;

/// Asks the system, or what stands for it in a test.
type Find = Box<dyn Fn(&str, u16) -> Vec<SocketAddr> + Send + Sync>;

/// A host and a port.
type Name = (String, u16);

/// Threads that exist only while there is something to look up.
pub(crate) struct Resolver {
    find: Find,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    /// Names that no thread has taken up.
    waiting: VecDeque<Name>,
    /// Who wants to hear of a name, taken up or not. Whoever asks meanwhile gets the same answer: many sockets that dial
    /// one host whose server is silent must not take all the threads.
    asked: HashMap<Name, Vec<Question>>,
    threads: usize,
}

struct Question {
    ipv4_only: bool,
    answer: Answer,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(Box::new(|host, port| (host, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default()))
    }
}

impl Resolver {
    pub(crate) fn new(find: Find) -> Self {
        Self { find, work: Mutex::default() }
    }

    pub(crate) fn look_up(self: &Arc<Self>, host: String, port: u16, ipv4_only: bool, answer: Answer) {
        let mut work = self.work.lock();
        let name = (host, port);
        let question = Question { ipv4_only, answer };
        if let Some(questions) = work.asked.get_mut(&name) {
            questions.push(question);
            return;
        }
        work.asked.insert(name.clone(), vec![question]);
        work.waiting.push_back(name);
        if work.threads == THREADS {
            return;
        }
        let resolver = Arc::clone(self);
        let thread = sys::spawn("nn-resolver", STACK, move || resolver.run());
        if thread.is_ok() {
            work.threads += 1;
        } else if work.threads == 0 {
            // No thread to be had: the dialer hears "no address" and tries again later.
            work.waiting.clear();
            let asked = std::mem::take(&mut work.asked);
            drop(work);
            asked.into_values().flatten().for_each(|question| (question.answer)(Vec::new()));
        }
    }

    fn run(&self) {
        loop {
            let mut work = self.work.lock();
            let Some(name) = work.waiting.pop_front() else {
                work.threads -= 1;
                return;
            };
            drop(work);
            // A thread that panics would leave everybody waiting who has asked for the name, or will.
            let addresses = panics::contain(|| {
                panics::fail_point(FailPoint::LookUp);
                (self.find)(&name.0, name.1)
            });
            let addresses = addresses.unwrap_or_default();
            let questions = self.work.lock().asked.remove(&name).unwrap_or_default();
            for Question { ipv4_only, answer } in questions {
                let fits = addresses.iter().copied().filter(|address| address.is_ipv4() || !ipv4_only);
                panics::contain(|| answer(fits.collect()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{self, Receiver};
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn ask(resolver: &Arc<Resolver>, host: &str, ipv4_only: bool) -> Receiver<Vec<SocketAddr>> {
        let (sender, receiver) = mpsc::channel();
        let answer = Box::new(move |addresses| drop(sender.send(addresses)));
        resolver.look_up(host.into(), 7, ipv4_only, answer);
        receiver
    }

    fn look_up(host: &str, ipv4_only: bool) -> Vec<SocketAddr> {
        ask(&Arc::default(), host, ipv4_only).recv_timeout(PATIENCE).unwrap()
    }

    /// Both loopbacks, after as long as the channel is open for the names that begin with "slow"; and how many lookups
    /// there were.
    fn slow_resolver() -> (Arc<Resolver>, mpsc::Sender<()>, Arc<AtomicUsize>) {
        let (open, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let lookups = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&lookups);
        let find = move |host: &str, port| {
            count.fetch_add(1, Ordering::Relaxed);
            if host.starts_with("slow") {
                let _ = gate.lock().recv_timeout(PATIENCE);
            }
            vec![SocketAddr::new("::1".parse().unwrap(), port), SocketAddr::new("127.0.0.1".parse().unwrap(), port)]
        };
        (Arc::new(Resolver::new(Box::new(find))), open, lookups)
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

    #[test]
    fn one_lookup_answers_all_who_ask_for_the_name_each_in_its_family() {
        let (resolver, open, lookups) = slow_resolver();
        let questions: Vec<_> = (0..3 * THREADS).map(|at| ask(&resolver, "slow", at % 2 == 0)).collect();
        drop(open);
        for (at, question) in questions.into_iter().enumerate() {
            let addresses = question.recv_timeout(PATIENCE).unwrap();
            assert_eq!(addresses.len(), if at % 2 == 0 { 1 } else { 2 }, "{addresses:?}");
        }
        assert_eq!(lookups.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_lookup_that_hangs_does_not_hold_up_another_name() {
        let (resolver, open, _) = slow_resolver();
        let hanging: Vec<_> = (0..THREADS - 1).map(|at| ask(&resolver, &format!("slow{at}"), true)).collect();
        let again: Vec<_> = (0..THREADS).map(|_| ask(&resolver, "slow0", true)).collect();
        for _ in 0..3 {
            assert_eq!(ask(&resolver, "other", true).recv_timeout(PATIENCE / 2).unwrap().len(), 1);
        }
        assert!(hanging.iter().chain(&again).all(|question| question.try_recv().is_err()), "the gate was shut");
        drop(open);
        for question in hanging.into_iter().chain(again) {
            assert_eq!(question.recv_timeout(PATIENCE).unwrap().len(), 1);
        }
    }

    #[test]
    fn more_names_than_threads_wait_their_turn() {
        let (resolver, open, lookups) = slow_resolver();
        let questions: Vec<_> = (0..2 * THREADS).map(|at| ask(&resolver, &format!("slow{at}"), true)).collect();
        assert_eq!(resolver.work.lock().threads, THREADS);
        drop(open);
        for question in questions {
            assert_eq!(question.recv_timeout(PATIENCE).unwrap().len(), 1);
        }
        assert_eq!(lookups.load(Ordering::Relaxed), 2 * THREADS);
    }
}
