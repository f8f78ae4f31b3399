//! One seed: what kind of system it is, who uses it, and what has to hold until all is closed.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::calls;
use super::groups::{self, Caller, Cell};
use crate::socket::table;
use crate::sys::simulated::{
    Given, JoinHandle, Leftovers, Rng, Weather, begin, digest, elapsed, exit, fail, leftovers, most, nap, spawn, steps,
    used,
};

/// Callers of one run, devices aside.
const MOST_CALLERS: usize = 8;

/// Bytes of a caller's stack: a turn reads through a buffer of 64 KiB.
const STACK: usize = 512 * 1024;

/// After which what must happen is taken not to happen.
const PATIENCE: Duration = Duration::from_secs(600);

/// What was accepted arrives within this once its senders have stopped.
const DELIVERY: Duration = Duration::from_secs(90);

/// Bytes that a run leaves, its history and what the library keeps for ever included, and that it uses at most. They are up to
/// 125 KB and 2 MB.
const LEFT: usize = 200 * 1024;
const MOST: usize = 16 * 1024 * 1024;

/// Callers that have work to do.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

const MICRO: u64 = 1000;
const MILLI: u64 = 1_000_000;

fn weather(rng: &mut Rng) -> Weather {
    let small = rng.per_mille(500);
    let calm = Weather {
        latency: rng.one_of(&[0, 20 * MICRO, 300 * MICRO, 5 * MILLI]),
        buffer: if small { (1024, 4096) } else { (4096, 200_000) },
        pieces: rng.one_of(&[0, 100, 700]),
        stalls: 0,
        stall: 0,
        refusals: 0,
        cuts: 0,
        cut_within: 0,
    };
    if rng.per_mille(150) {
        // Callers are still blocked, and go on afterwards: only here does a process outlive its end.
        exit();
    }
    match rng.below(4) {
        0 | 1 => calm,
        2 => Weather { stalls: rng.one_of(&[5, 50]), stall: rng.one_of(&[5, 200]) * MILLI, refusals: 200, ..calm },
        _ => Weather {
            stalls: rng.one_of(&[0, 20]),
            stall: rng.one_of(&[50, 400]) * MILLI,
            refusals: rng.one_of(&[0, 300]),
            cuts: rng.one_of(&[300, 800]),
            cut_within: rng.one_of(&[2, 50, 500]) * MILLI,
            ..calm
        },
    }
}

/// Runs one seed, and says what stands for its history. Ends the process if anything is wrong.
pub(super) fn run(seed: u64, steps: u64) {
    panic::set_hook(Box::new(|info| fail(&format!("{info}"))));
    let rng = &mut Rng::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    begin(Given {
        seed,
        switches: rng.one_of(&[1000, 300, 100, 30]),
        step: rng.one_of(&[50, 300, 2000]),
        many_cpus: rng.per_mille(500),
        weather: weather(rng),
        signals: rng.per_mille(300),
        until: rng.one_of(&[50, 1000, 5000]) * MILLI,
        scarcity: rng.one_of(&[0, 0, 0, 5, 60]),
        quiet: calls::quiet,
    });
    let mut free = 2 + rng.below(MOST_CALLERS as u64 - 1) as usize;
    let mut groups = Vec::new();
    let mut callers = Vec::new();
    while free >= 2 {
        let threads = (2 + rng.below(3) as usize).min(free);
        let (cell, mut its) = groups::make(groups.len() as u16, threads, steps / 3, rng);
        groups.push(cell);
        callers.append(&mut its);
        free -= threads;
        if rng.per_mille(300) {
            break;
        }
    }
    let threads = start(callers, rng);
    let until = elapsed() + PATIENCE;
    while ACTIVE.load(Ordering::SeqCst) > 0 {
        nap(Duration::from_millis(50));
        if elapsed() > until {
            fail(&format!("{} callers do not come to an end", ACTIVE.load(Ordering::SeqCst)));
        }
    }
    for cell in &groups {
        await_delivery(cell);
    }
    close(&groups, rng);
    for thread in threads {
        let _ = thread.join();
    }
    for cell in &groups {
        if let Err(problem) = cell.book().check(cell.once() && !cell.has_lost()) {
            fail(&format!("{}: {problem}", cell.name));
        }
    }
    drop(groups);
    calls::finish_events();
    // What ends by itself has some time for it.
    nap(Duration::from_secs(5));
    let left = leftovers();
    if left != Leftovers::default() || calls::kept() > 0 {
        fail(&format!("all is closed, and there are still {left:?} and {} sockets", calls::kept()));
    }
    if used() > LEFT || most() > MOST {
        fail(&format!("{} bytes of memory are left, and {} were in use at most", used(), most()));
    }
    done();
}

fn done() {
    println!("{} steps, {:?}, digest {:016x}", steps(), elapsed(), digest());
}

fn start(callers: Vec<Caller>, rng: &mut Rng) -> Vec<JoinHandle> {
    let active = callers.iter().filter(|caller| caller.active).count();
    ACTIVE.store(active, Ordering::SeqCst);
    let mut threads = Vec::new();
    for caller in callers {
        let mut own = Rng::new(rng.next());
        let Caller { name, active, work } = caller;
        let started = spawn(&name, STACK, move || {
            work(&mut own);
            if active {
                ACTIVE.fetch_sub(1, Ordering::SeqCst);
            }
        });
        match started {
            Ok(thread) => threads.push(thread),
            Err(error) => fail(&format!("no thread for {name}: {error}")),
        }
    }
    threads
}

/// What was accepted comes, as long as nothing was cut and nobody has left with it.
fn await_delivery(cell: &Arc<Cell>) {
    let until = elapsed() + DELIVERY;
    loop {
        let missing = if cell.delivers() && !cell.has_lost() { cell.book().missing() } else { Vec::new() };
        let finish = cell.finish.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let finished = finish.as_ref().map_or(Ok(()), |finish| finish());
        drop(finish);
        if missing.is_empty() && finished.is_ok() {
            return;
        }
        if elapsed() > until {
            let problem = finished.err().unwrap_or_else(|| format!("accepted, and never came: {missing:?}"));
            fail(&format!("{}: {problem}", cell.name));
        }
        nap(Duration::from_millis(100));
    }
}

/// Closes everything, one after the other, at once from two threads, or by nn_term.
fn close(groups: &[Arc<Cell>], rng: &mut Rng) {
    let mut handles: Vec<i32> = groups.iter().flat_map(|cell| cell.take_handles()).collect();
    for at in (1..handles.len()).rev() {
        handles.swap(at, rng.below(at as u64 + 1) as usize);
    }
    match rng.below(4) {
        0 => {
            table::term();
            table::init();
        }
        1 => {
            let rest = handles.split_off(handles.len() / 2);
            let other = spawn("closer", STACK, move || rest.into_iter().for_each(calls::close_if_open));
            handles.into_iter().for_each(calls::close_if_open);
            match other {
                Ok(thread) => drop(thread.join()),
                Err(error) => fail(&format!("no thread to close: {error}")),
            }
        }
        _ => {
            for handle in handles {
                calls::close_if_open(handle);
                // The others see that it has gone.
                if rng.per_mille(200) {
                    nap(Duration::from_millis(rng.below(200)));
                }
            }
        }
    }
}
