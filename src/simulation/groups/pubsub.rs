//! PUB and SUB: subscribers get what they have subscribed to, each message once and in order; as long as nothing is full,
//! all of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Caller, Cell, Manner, pause, receive};
use crate::error::Error;
use crate::pattern::{PUB, SUB};
use crate::simulation::{book, calls};
use crate::sys::simulated::{Rng, fail, nap, note};

const SUBSCRIBE: i32 = 1;
const UNSUBSCRIBE: i32 = 2;

/// What all subscribe to, last of all: who has got it has been heard with the rest.
const PROBE: &str = "~|";

/// Subscriptions have arrived within this, over a device too.
const HEARING: Duration = Duration::from_secs(3);

const TOPICS: [&str; 6] = ["a|", "ab|", "abc|", "b|", "bb|", "c|"];

/// Topics that come and go.
const PASSING: [&str; 3] = ["x", "xy", "xyz"];

pub(super) fn make(index: u16, threads: usize, steps: u64, rng: &mut Rng) -> (Arc<Cell>, Vec<Caller>) {
    let cell = Cell::new("pubsub", index, false, rng);
    let publisher = cell.socket(false, PUB, rng);
    let subscribers: Vec<i32> = (1..threads).map(|_| cell.socket(false, SUB, rng)).collect();
    subscribers.iter().chain([&publisher]).for_each(|handle| widen(*handle));
    let mut callers = Vec::new();
    let device = rng.per_mille(250);
    let mut wanted = Vec::new();
    for handle in &subscribers {
        let topics: BTreeSet<&'static str> =
            (0..1 + rng.below(3)).map(|_| rng.one_of(&["a", "ab", "b", "c|", ""])).collect();
        for topic in topics.iter().copied().chain([PROBE]) {
            calls::set_bytes(*handle, i32::from(SUB), SUBSCRIBE, topic.as_bytes());
        }
        wanted.push(topics);
    }
    if device {
        let (device, ends) = cell.device((SUB, 0), (PUB, 1), rng);
        ends.into_iter().for_each(widen);
        calls::set_bytes(ends[0], i32::from(SUB), SUBSCRIBE, b"");
        callers.push(device);
        let _ = calls::connect(publisher, &cell.address(0));
        for subscriber in &subscribers {
            let _ = calls::connect(*subscriber, &cell.address(1));
        }
    } else {
        cell.star(publisher, &subscribers, 0, rng);
    }
    cell.visited(SUB, u16::from(device), &mut callers, rng);
    let ready = Arc::new(AtomicUsize::new(0));
    let sent: Arc<Mutex<Vec<(u32, &'static str)>>> = Arc::default();
    let sender = cell.party();
    let mut got_by = Vec::new();
    for (handle, wanted) in subscribers.iter().copied().zip(&wanted) {
        let (own, name, manner, ready) = (Arc::clone(&cell), cell.party(), Manner::draw(rng), Arc::clone(&ready));
        let got: Arc<Mutex<BTreeSet<u32>>> = Arc::default();
        got_by.push((name, wanted.clone(), Arc::clone(&got)));
        let wanted = wanted.clone();
        callers.push(Caller {
            name: format!("sub-{name}"),
            active: false,
            work: Box::new(move |rng| {
                let mut heard = false;
                receive(&[handle], manner, rng, |handle, bytes, rng| {
                    let end = bytes.iter().position(|byte| *byte == b'|').map_or(0, |at| at + 1);
                    let topic = String::from_utf8_lossy(&bytes[..end]).into_owned();
                    let (sender, number) = book::read(&bytes[end..]);
                    own.book().got(name, sender, number, !own.has_lost());
                    if topic == PROBE {
                        if !std::mem::replace(&mut heard, true) {
                            ready.fetch_add(1, Ordering::SeqCst);
                        }
                        return;
                    }
                    let asked = wanted.iter().any(|wanted| topic.starts_with(wanted))
                        || PASSING.iter().any(|passing| topic.starts_with(passing));
                    if !asked {
                        fail(&format!("subscriber {name} got {topic}, and wanted {wanted:?}"));
                    }
                    got.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
                    if rng.per_mille(50) {
                        let option = rng.one_of(&[SUBSCRIBE, SUBSCRIBE, UNSUBSCRIBE]);
                        try_set(handle, option, rng.one_of(&PASSING));
                    }
                });
            }),
        });
    }
    let (own, log, count) = (Arc::clone(&cell), Arc::clone(&sent), subscribers.len());
    callers.push(Caller {
        name: format!("pub-{sender}"),
        active: true,
        work: Box::new(move |rng| {
            let mut number = 0;
            let publish = |topic: &'static str, number: u32, length: usize| {
                own.book().sends(sender, number);
                let bytes = [topic.as_bytes(), &book::message(sender, number, length)].concat();
                loop {
                    match calls::send(publisher, &bytes, false) {
                        Ok(_) => break own.book().accepted(sender, number),
                        Err(Error::BadSocket) => break,
                        Err(error) if calls::is_passing(error) => {}
                        Err(error) => fail(&format!("a message is not published: {error:?}")),
                    }
                }
            };
            while ready.load(Ordering::SeqCst) < count {
                publish(PROBE, number, 12);
                number += 1;
                nap(Duration::from_millis(5));
            }
            // A subscriber that has not told all yet is sent everything, and so may have got it without being heard.
            nap(HEARING);
            for _ in 0..steps {
                let topic = if rng.per_mille(200) { "xyz|" } else { rng.one_of(&TOPICS) };
                note(topic, [sender.into(), number.into(), i64::MIN]);
                publish(topic, number, 12 + rng.below(100) as usize);
                log.lock().unwrap_or_else(PoisonError::into_inner).push((number, topic));
                number += 1;
                pause(rng);
            }
        }),
    });
    let own = Arc::downgrade(&cell);
    *cell.finish.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(move || {
        if own.upgrade().is_none_or(|cell| cell.has_lost()) {
            return Ok(());
        }
        for (number, topic) in sent.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for (name, wanted, got) in &got_by {
                let asked = wanted.iter().any(|wanted| topic.starts_with(wanted));
                if asked && !got.lock().unwrap_or_else(PoisonError::into_inner).contains(number) {
                    return Err(format!("subscriber {name} wanted {wanted:?}, and has not got {topic} {number}"));
                }
            }
        }
        Ok(())
    }));
    (cell, callers)
}

/// Nothing is to be full.
fn widen(handle: i32) {
    calls::set(handle, 0, calls::SEND_BUFFER, 1_000_000);
    calls::set(handle, 0, calls::RECV_BUFFER, 1_000_000);
}

/// What was not subscribed to cannot be unsubscribed from.
fn try_set(handle: i32, option: i32, topic: &str) {
    let Ok(found) = crate::socket::table::find(handle) else { return };
    note(
        if option == SUBSCRIBE { "subscribes" } else { "unsubscribes" },
        [handle.into(), topic.len() as i64, i64::MIN],
    );
    let given = crate::socket::OptionInput { bytes: topic.as_bytes(), address: 0 };
    match found.set_option(i32::from(SUB), option, given) {
        Ok(()) | Err(Error::BadSocket | Error::Invalid) => {}
        Err(error) => fail(&format!("{topic} cannot be subscribed to: {error:?}")),
    }
}
