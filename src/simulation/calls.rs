//! The library's calls as a program makes them, with a note of who is in which: while all threads wait, none of them may be
//! in a call that could return.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::events::Chronicle;
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::socket::poll::{self, Item};
use crate::socket::{OptionInput, Socket, Value, device, table};
use crate::sys::simulated::{Rng, elapsed, fail, me, nap, note, unseen};

/// Says nothing.
const NONE: i64 = i64::MIN;

/// Option numbers at level 0.
pub(super) const LINGER: i32 = 1;
pub(super) const SEND_BUFFER: i32 = 2;
pub(super) const RECV_BUFFER: i32 = 3;
pub(super) const SEND_TIMEOUT: i32 = 4;
pub(super) const RECV_TIMEOUT: i32 = 5;
pub(super) const RECONNECT: i32 = 6;
pub(super) const RECONNECT_MAX: i32 = 7;
pub(super) const OVERFLOW: i32 = 1005;
const SEND_FD: i32 = 10;
const RECV_FD: i32 = 11;

/// How much later than its time limit a call may return: others have the processor meanwhile.
const SLACK: Duration = Duration::from_millis(500);

/// How long something may be left undone while all threads wait: gathered output waits for the worker's tick, and so does an
/// event of a socket whose caller has only just left.
const TICKS: Duration = Duration::from_millis(10);

/// A call that a thread is in.
enum Inside {
    Send(Weak<Socket>),
    Recv(Weak<Socket>),
    Poll(Vec<(Weak<Socket>, bool, bool)>),
}

static INSIDE: Mutex<BTreeMap<usize, Inside>> = Mutex::new(BTreeMap::new());

/// All sockets that were ever opened.
static SOCKETS: Mutex<Vec<Weak<Socket>>> = Mutex::new(Vec::new());

/// What each has told of itself.
static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

type Watched = (Weak<Socket>, Arc<Mutex<Chronicle>>);

fn watched() -> MutexGuard<'static, Vec<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn written(chronicle: &Mutex<Chronicle>) -> MutexGuard<'_, Chronicle> {
    chronicle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn inside() -> MutexGuard<'static, BTreeMap<usize, Inside>> {
    INSIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sockets() -> MutexGuard<'static, Vec<Weak<Socket>>> {
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter(what: Inside) {
    inside().insert(me(), what);
}

fn leave() {
    inside().remove(&me());
}

fn told(result: &Result<usize>) -> i64 {
    match result {
        Ok(count) => *count as i64,
        Err(error) => -(1 + error_number(*error)),
    }
}

fn error_number(error: Error) -> i64 {
    match error {
        Error::BadSocket => 0,
        Error::WouldBlock => 1,
        Error::TimedOut => 2,
        Error::Interrupted => 3,
        Error::WrongState => 4,
        Error::Os(code) => 100 + i64::from(code),
        _ => 50,
    }
}

/// Whether this is a signal, or something that the system has refused: one tries again.
pub(super) fn is_passing(error: Error) -> bool {
    matches!(error, Error::Interrupted | Error::TooMany | Error::NoMemory | Error::Os(_))
}

/// Until it is not refused any more.
pub(super) fn insist<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(error) if is_passing(error) => nap(Duration::from_millis(3)),
            result => return result,
        }
    }
}

pub(super) fn open(raw: bool, protocol: u16) -> i32 {
    match table::open(if raw { 2 } else { 1 }, protocol.into()) {
        Ok(handle) => {
            note("opens socket", [handle.into(), protocol.into(), raw.into()]);
            if let Ok(found) = table::find(handle) {
                sockets().push(Arc::downgrade(&found));
                let chronicle = Arc::new(Mutex::new(Chronicle::default()));
                watched().push((Arc::downgrade(&found), Arc::clone(&chronicle)));
                found.observe(Box::new(move |event| written(&chronicle).takes(event)));
            }
            handle
        }
        Err(error) => fail(&format!("a socket cannot be opened: {error:?}")),
    }
}

pub(super) fn set(handle: i32, level: i32, option: i32, value: i32) {
    set_bytes(handle, level, option, &value.to_ne_bytes());
}

pub(super) fn set_bytes(handle: i32, level: i32, option: i32, bytes: &[u8]) {
    let Ok(found) = table::find(handle) else { return };
    match found.set_option(level, option, OptionInput { bytes, address: 0 }) {
        Ok(()) | Err(Error::BadSocket) => {}
        Err(error) => fail(&format!("option {option} at level {level} cannot be set: {error:?}")),
    }
}

pub(super) fn bind(handle: i32, address: &str) -> Result<i32> {
    note("binds", [handle.into(), NONE, NONE]);
    insist(|| table::find(handle)?.bind(address.as_bytes()))
}

pub(super) fn connect(handle: i32, address: &str) -> Result<i32> {
    note("connects", [handle.into(), NONE, NONE]);
    insist(|| table::find(handle)?.connect(address.as_bytes()))
}

pub(super) fn shutdown(handle: i32, endpoint: i32) -> Result<()> {
    note("shuts down", [handle.into(), endpoint.into(), NONE]);
    table::find(handle)?.shutdown(endpoint)
}

fn limit(handle: i32, option: i32) -> Option<Duration> {
    let found = table::find(handle).ok()?;
    match found.option(0, option) {
        Ok(Value::Int(millis)) => u64::try_from(millis).ok().map(Duration::from_millis),
        _ => None,
    }
}

fn check_time(what: &str, start: Duration, limit: Option<Duration>, result: Result<usize>) {
    let took = elapsed() - start;
    let Some(limit) = limit else {
        if result == Err(Error::TimedOut) {
            fail(&format!("{what} has no time limit, and gave up after {took:?}"));
        }
        return;
    };
    if result == Err(Error::TimedOut) && took < limit {
        fail(&format!("{what} gave up after {took:?} of {limit:?}"));
    }
    if took > limit + SLACK {
        fail(&format!("{what} took {took:?}, with a limit of {limit:?}"));
    }
}

pub(super) fn send(handle: i32, bytes: &[u8], dont_wait: bool) -> Result<usize> {
    let found = table::find(handle)?;
    let limit = if dont_wait { Some(Duration::ZERO) } else { limit(handle, SEND_TIMEOUT) };
    note("nn_send", [handle.into(), bytes.len() as i64, dont_wait.into()]);
    let start = elapsed();
    enter(Inside::Send(Arc::downgrade(&found)));
    let result = found.send(&mut Outgoing::borrowed(bytes), dont_wait);
    leave();
    note("nn_send ends", [handle.into(), told(&result), NONE]);
    if result.is_err() {
        check_time("nn_send", start, limit, result);
    }
    result
}

/// `times_out`: ETIMEDOUT may come from the pattern's own clock.
pub(super) fn recv(handle: i32, dont_wait: bool, times_out: bool) -> Result<Vec<u8>> {
    let found = table::find(handle)?;
    let limit = if dont_wait { Some(Duration::ZERO) } else { limit(handle, RECV_TIMEOUT) };
    note("nn_recv", [handle.into(), dont_wait.into(), NONE]);
    let start = elapsed();
    enter(Inside::Recv(Arc::downgrade(&found)));
    let mut message = Message::default();
    let result = found.recv(&mut message, dont_wait);
    leave();
    let result = result.map(|()| message.body.as_slice().to_vec());
    let count = result.as_ref().map(Vec::len).map_err(|error| *error);
    note("nn_recv ends", [handle.into(), told(&count), NONE]);
    if !times_out {
        check_time("nn_recv", start, limit, count);
    }
    result
}

/// Which of these can be received from (or sent to, where the second says so).
pub(super) fn poll(list: &[(i32, bool, bool)], timeout: Option<Duration>) -> Result<Vec<(bool, bool)>> {
    let mut items: Vec<Item> = list
        .iter()
        .map(|&(handle, want_recv, want_send)| Item { handle, want_recv, want_send, can_recv: false, can_send: false })
        .collect();
    let mut watched = Vec::new();
    for &(handle, want_recv, want_send) in list {
        watched.push((Arc::downgrade(&*table::find(handle)?), want_recv, want_send));
    }
    note("nn_poll", [list.len() as i64, timeout.map_or(NONE, |timeout| timeout.as_millis() as i64), NONE]);
    let start = elapsed();
    enter(Inside::Poll(watched));
    let result = poll::poll(&mut items, timeout);
    leave();
    note("nn_poll ends", [told(&result), NONE, NONE]);
    check_time("nn_poll", start, timeout, result);
    let count = result?;
    let ready = items.iter().filter(|item| item.can_recv || item.can_send).count();
    if count != ready {
        fail(&format!("nn_poll counted {count} of {ready}"));
    }
    Ok(items.iter().map(|item| (item.can_recv, item.can_send)).collect())
}

pub(super) fn recv_fd(handle: i32) -> Result<i32> {
    event_fd(handle, RECV_FD)
}

pub(super) fn send_fd(handle: i32) -> Result<i32> {
    event_fd(handle, SEND_FD)
}

fn event_fd(handle: i32, option: i32) -> Result<i32> {
    insist(|| match table::find(handle)?.option(0, option)? {
        Value::Source(fd) => Ok(fd as i32),
        _ => Err(Error::Invalid),
    })
}

pub(super) fn forward(first: i32, second: i32) -> Result<()> {
    note("nn_device", [first.into(), second.into(), NONE]);
    let ended = device::device(first, second);
    note("nn_device ends", [NONE; 3]);
    ended
}

pub(super) fn close(handle: i32) -> Result<()> {
    note("nn_close", [handle.into(), NONE, NONE]);
    let found = table::find(handle);
    let closed = table::close(handle);
    note("nn_close ends", [handle.into(), NONE, NONE]);
    if let (Ok(socket), Ok(())) = (found, &closed) {
        let mut all = watched();
        if let Some(place) = all.iter().position(|(known, _)| known.as_ptr() == Arc::as_ptr(&socket)) {
            let (_, chronicle) = all.swap_remove(place);
            written(&chronicle).finish(socket.inspect());
        }
    }
    closed
}

/// Closes it, whoever has already.
pub(super) fn close_if_open(handle: i32) {
    match close(handle) {
        Ok(()) | Err(Error::BadSocket) => {}
        Err(error) => fail(&format!("a socket cannot be closed: {error:?}")),
    }
}

/// All is closed: what sockets have told that nn_term has closed.
pub(super) fn finish_events() {
    for (_, chronicle) in watched().drain(..) {
        written(&chronicle).finish(None);
    }
    *watched() = Vec::new();
}

/// Sockets that were closed, and are kept.
pub(super) fn kept() -> usize {
    sockets().iter().filter(|socket| socket.strong_count() > 0).count()
}

/// Whether sends wait for peers that are slow (NN_OVERFLOW_WAIT).
pub(super) fn waits(handle: i32) -> bool {
    table::find(handle).is_ok_and(|socket| socket.option(0, OVERFLOW) == Ok(Value::Int(2)))
}

/// Options that say how much may wait, and how long calls do.
pub(super) fn furnish(handle: i32, rng: &mut Rng) {
    set(handle, 0, LINGER, 60_000);
    set(handle, 0, RECONNECT, rng.one_of(&[1, 5, 20]));
    set(handle, 0, RECONNECT_MAX, rng.one_of(&[0, 50]));
    for option in [SEND_BUFFER, RECV_BUFFER] {
        if rng.per_mille(600) {
            set(handle, 0, option, rng.one_of(&[1, 100, 1000, 8000, 64_000]));
        }
    }
}

/// Called while all threads wait and the clock is about to jump.
pub(super) fn quiet(gap: Duration) -> Option<String> {
    for (thread, what) in &*inside() {
        let problem = match what {
            Inside::Send(socket) => ready(socket).filter(|(_, send)| *send).map(|_| "nn_send, and could send"),
            Inside::Recv(socket) => ready(socket).filter(|(recv, _)| *recv).map(|_| "nn_recv, and could receive"),
            Inside::Poll(list) => list
                .iter()
                .find(|(socket, want_recv, want_send)| {
                    ready(socket).is_some_and(|(recv, send)| (recv && *want_recv) || (send && *want_send))
                })
                .map(|_| "nn_poll, and something is ready"),
        };
        if let Some(problem) = problem {
            return Some(format!("everybody waits, thread {thread} in {problem}"));
        }
    }
    for socket in sockets().iter().filter_map(Weak::upgrade) {
        let Some(seen) = socket.inspect() else { continue };
        if seen.mail {
            return Some("everybody waits, and nobody has read the note of a neighbour".to_owned());
        }
        if seen.untold {
            return Some("everybody waits, and something that has happened was not told".to_owned());
        }
        if seen.unwritten > 0 && gap > TICKS {
            return Some(format!("everybody waits, and {} bytes that could be written are not", seen.unwritten));
        }
    }
    for (socket, chronicle) in &*watched() {
        let Some(seen) = socket.upgrade().and_then(|socket| socket.inspect()) else { continue };
        let told = written(chronicle).open();
        if seen.connections != (told.len(), told.iter().sum()) {
            let counted = seen.connections;
            return Some(format!(
                "everybody waits, a socket has these connections: {counted:?}, and tells of {told:?}"
            ));
        }
    }
    if gap > TICKS
        && let Some(poller) = unseen()
    {
        return Some(format!("everybody waits for {gap:?}, and nobody looks at poller {poller}, which has something"));
    }
    None
}

fn ready(socket: &Weak<Socket>) -> Option<(bool, bool)> {
    let seen = socket.upgrade()?.inspect()?;
    (!seen.closing).then_some((seen.can_recv, seen.can_send && !seen.writes_on))
}
