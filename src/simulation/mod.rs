//! The simulator: the engine as it is, on a system that is made up (`sys/simulated`), with programs that use it in many
//! ways at once and a checker that knows what they may see. A seed decides everything, so that what fails once fails again.
//!
//! `make simulate SEEDS=1..2000 STEPS=400` runs one process for each seed, as many at once as there are processors.
#![forbid(unsafe_code)]

mod book;
mod calls;
mod events;
mod groups;
mod run;

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, process, thread};

/// Where the runner tells a process its seed.
const SEED: &str = "NN_SIMULATED_SEED";
const STEPS: &str = "NN_SIMULATED_STEPS";

/// Calls of a run, about.
const USUAL_STEPS: u64 = 400;

/// After which a run hangs, whatever the simulated clock says. They take a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// Of so many seeds one is run twice, to see that both go the same way.
const TWICE: u64 = 16;

/// Failures that are told whole, and after which no more seeds are tried.
const TOLD: usize = 3;
const ENOUGH: usize = 10;

/// The test program: runs one seed if its environment names one, or the seeds that SEEDS says.
pub fn main() {
    let steps = number(&env::var("STEPS").or_else(|_| env::var(STEPS)).unwrap_or_default()).unwrap_or(USUAL_STEPS);
    if let Some(seed) = env::var(SEED).ok().and_then(|text| number(&text)) {
        return run::run(seed, steps);
    }
    let words = env::args().skip(1).find(|word| range(word).is_some());
    let seeds = words.or_else(|| env::var("SEEDS").ok()).unwrap_or_default();
    let Some((first, last)) = range(&seeds).or_else(|| seeds.is_empty().then_some((1, 200))) else {
        eprintln!("SEEDS is a number or two with two dots between them: {seeds}");
        process::exit(2);
    };
    let start = Instant::now();
    let failed = run_all(first, last, steps);
    let count = last - first + 1;
    let tried = if failed.len() < ENOUGH { "" } else { "; the rest was not tried" };
    let time = start.elapsed().as_secs_f64();
    if failed.is_empty() {
        println!("test result: ok. {count} passed; seeds {first} to {last} with {steps} steps in {time:.1} s");
    } else {
        println!("test result: FAILED. {} of {count} seeds failed: {failed:?}{tried}", failed.len());
        process::exit(1);
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

fn range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    (first <= last).then_some((first, last))
}

/// A seed on its way.
struct Running {
    seed: u64,
    child: Child,
    since: Instant,
    /// What the same seed has said before.
    before: Option<String>,
}

fn start(seed: u64, steps: u64, before: Option<String>) -> Running {
    let program = env::current_exe().expect("this program has a name");
    let child = Command::new(program)
        .env(SEED, seed.to_string())
        .env(STEPS, steps.to_string())
        .env_remove("NN_PRINT_ERRORS")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process for each seed");
    Running { seed, child, since: Instant::now(), before }
}

fn run_all(first: u64, last: u64, steps: u64) -> Vec<u64> {
    let jobs = env::var("JOBS")
        .ok()
        .and_then(|jobs| number(&jobs))
        .map_or_else(|| thread::available_parallelism().map_or(2, std::num::NonZero::get), |jobs| jobs as usize);
    let mut seeds = first..=last;
    let mut running: Vec<Running> = Vec::new();
    let mut failed = Vec::new();
    loop {
        while running.len() < jobs && failed.len() < ENOUGH {
            let Some(seed) = seeds.next() else { break };
            running.push(start(seed, steps, None));
        }
        if running.is_empty() {
            return failed;
        }
        let mut at = 0;
        let mut any = false;
        while at < running.len() {
            let hangs = running[at].since.elapsed() > PATIENCE;
            if hangs {
                let _ = running[at].child.kill();
            }
            let Ok(Some(status)) = running[at].child.try_wait() else {
                at += 1;
                continue;
            };
            any = true;
            let mut ended = running.swap_remove(at);
            let said = said(&mut ended.child);
            let seed = ended.seed;
            match ended.before {
                Some(before) if before.lines().last() != said.lines().last() => {
                    failed.push(seed);
                    println!("seed {seed} does not go the same way twice:\n{before}\n{said}");
                }
                Some(_) => {}
                None => {
                    if !status.success() {
                        failed.push(seed);
                        if failed.len() > TOLD {
                            println!("{}", said.lines().next().unwrap_or("it says nothing"));
                        } else {
                            println!("{said}{}", if hangs { format!("seed {seed} hangs\n") } else { String::new() });
                        }
                    }
                    let again = seed.is_multiple_of(TWICE) || (!status.success() && !hangs && failed.len() <= TOLD);
                    if again {
                        running.push(start(seed, steps, Some(said)));
                    }
                }
            }
        }
        if !any {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn said(child: &mut Child) -> String {
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        let _ = out.read_to_string(&mut said);
    }
    if let Some(mut out) = child.stderr.take() {
        let _ = out.read_to_string(&mut said);
    }
    said
}
