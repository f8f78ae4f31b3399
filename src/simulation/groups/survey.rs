//! SURVEYOR and RESPONDENT: answers to the survey that is asked, one from each, until its time is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Caller, Cell, Manner, pause, receive};
use crate::error::Error;
use crate::pattern::{RESPONDENT, SURVEYOR};
use crate::simulation::{book, calls};
use crate::sys::simulated::{Rng, elapsed, fail, progress};

/// Option numbers of SURVEYOR.
const DEADLINE: i32 = 1;

/// How much later than its deadline a survey may end: others have the processor meanwhile.
const SLACK: Duration = Duration::from_millis(500);

pub(super) fn make(index: u16, threads: usize, steps: u64, rng: &mut Rng) -> (Arc<Cell>, Vec<Caller>) {
    let cell = Cell::new("survey", index, false, rng);
    let surveyor = cell.socket(false, SURVEYOR, rng);
    let respondents: Vec<i32> = (1..threads).map(|_| cell.socket(false, RESPONDENT, rng)).collect();
    let mut callers = Vec::new();
    let device = rng.per_mille(250);
    let visitor = if device { rng.one_of(&[(SURVEYOR, 0), (RESPONDENT, 1)]) } else { (RESPONDENT, 0) };
    cell.visited(visitor.0, visitor.1, &mut callers, rng);
    if device {
        callers.push(cell.device((RESPONDENT, 0), (SURVEYOR, 1), rng).0);
        let _ = calls::connect(surveyor, &cell.address(0));
        for respondent in &respondents {
            let _ = calls::connect(*respondent, &cell.address(1));
        }
    } else {
        cell.star(surveyor, &respondents, 0, rng);
    }
    let name = cell.party();
    let time = Duration::from_millis(rng.one_of(&[5, 30, 100]));
    calls::set(surveyor, i32::from(SURVEYOR), DEADLINE, time.as_millis() as i32);
    callers.push(Caller {
        name: format!("survey-{name}"),
        active: true,
        work: Box::new(move |rng| {
            for number in 0..(steps / 8) as u32 {
                if !survey(surveyor, name, number, time, rng) {
                    return;
                }
            }
        }),
    });
    for handle in respondents {
        let (name, manner) = (cell.party(), Manner::draw(rng));
        callers.push(Caller {
            name: format!("respond-{name}"),
            active: false,
            work: Box::new(move |rng| {
                receive(&[handle], manner, rng, |handle, bytes, rng| {
                    let (_, number) = book::read(bytes);
                    pause(rng);
                    while let Err(error) = calls::send(handle, &book::message(name, number, 12), false) {
                        match error {
                            Error::BadSocket => return,
                            error if calls::is_passing(error) => {}
                            error => fail(&format!("an answer is refused: {error:?}")),
                        }
                    }
                });
            }),
        });
    }
    (cell, callers)
}

/// Asks, and hears the answers. False: the socket is closed.
fn survey(handle: i32, name: u32, number: u32, time: Duration, rng: &mut Rng) -> bool {
    let before = elapsed();
    loop {
        match calls::send(handle, &book::message(name, number, 12), false) {
            Ok(_) => break,
            Err(Error::BadSocket) => return false,
            Err(error) if calls::is_passing(error) => {}
            Err(error) => fail(&format!("a survey is refused: {error:?}")),
        }
    }
    let start = elapsed();
    let mut answered = BTreeSet::new();
    loop {
        match calls::recv(handle, false, true) {
            Ok(bytes) => {
                let (respondent, answer) = book::read(&bytes);
                if answer != number {
                    fail(&format!("survey {number} got an answer to {answer}"));
                }
                if !answered.insert(respondent) {
                    fail(&format!("respondent {respondent} has answered survey {number} twice"));
                }
                progress();
                if rng.per_mille(30) {
                    return true;
                }
            }
            Err(Error::TimedOut) => break,
            Err(Error::BadSocket) => return false,
            // Its time was over before this call.
            Err(Error::WrongState) if elapsed() - before >= time => return true,
            Err(error) if calls::is_passing(error) => {}
            Err(error) => fail(&format!("an answer is not received: {error:?}")),
        }
    }
    if elapsed() - before < time || elapsed() - start > time + SLACK {
        fail(&format!("a survey of {time:?} took {:?}", elapsed() - start));
    }
    if calls::recv(handle, true, true) != Err(Error::WrongState) {
        fail("a survey that is over goes on");
    }
    true
}
