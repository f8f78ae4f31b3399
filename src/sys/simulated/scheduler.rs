//! Threads that run one at a time. Each call of the contract is a point at which the baton may go to another thread, and a
//! thread that waits gives it away. When all of them wait the clock jumps to whatever comes first; when nothing is to come,
//! a wakeup was lost.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::history::{Event, History, NONE};
use super::network::{Network, Weather};
use super::poller::Pollers;

/// What a run is made of, all of it drawn from its seed.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub seed: u64,
    /// Of a thousand points at which another thread may run, so many at which one is drawn.
    pub switches: u64,
    /// Nanoseconds that a step takes, about.
    pub step: u64,
    pub many_cpus: bool,
    pub weather: Weather,
    /// Signals end waits.
    pub signals: bool,
    /// What the system refuses it refuses before this many nanoseconds.
    pub until: u64,
    /// Of a thousand requests for descriptors, memory or threads, so many are refused.
    pub scarcity: u64,
    /// Called whenever all threads wait, with how long the clock is about to jump: says what is wrong, if anything is.
    pub quiet: fn(Duration) -> Option<String>,
}

/// Steps without anything that came of them: a loop that is busy with nothing.
const BUSY: u64 = 20_000;

/// Nanoseconds of the simulated clock after which a run is taken not to end.
const ENDLESS: u64 = 1_800_000_000_000;

/// Points between two draws of how often each thread has its turn.
const SEASON: u64 = 600;

/// What a thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Lock(usize),
    Condition(usize),
    Park(usize),
    Poller(u64),
    Hub(u64),
    /// A set of pollers, or a parker.
    Set(u64, usize),
    Join(usize),
    /// A descriptor as a program sees it.
    Readiness(u64),
    Time,
}

/// How a wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Ready,
    TimedOut,
    /// A signal handler ran.
    Interrupted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    Waits { wait: Wait, until: Option<u64> },
    Gone,
}

impl std::fmt::Display for State {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (wait, until) = match self {
            Self::Runs => return write!(to, "runs"),
            Self::Gone => return write!(to, "is gone"),
            Self::Waits { wait, until } => (wait, until),
        };
        // No addresses: they are others in the next process.
        match wait {
            Wait::Lock(_) => write!(to, "waits for a lock")?,
            Wait::Condition(_) => write!(to, "waits for a condition")?,
            Wait::Park(_) => write!(to, "sleeps until it is woken")?,
            Wait::Poller(id) => write!(to, "waits in poller {id}")?,
            Wait::Hub(_) => write!(to, "waits in the hub")?,
            Wait::Set(id, _) => write!(to, "waits in set {id}")?,
            Wait::Join(thread) => write!(to, "waits for the end of thread {thread}")?,
            Wait::Readiness(id) => write!(to, "waits at descriptor {id}")?,
            Wait::Time => write!(to, "naps")?,
        }
        match until {
            Some(until) => write!(to, " until {:.6} ms", *until as f64 / 1e6),
            None => Ok(()),
        }
    }
}

struct Thread {
    name: String,
    state: State,
    /// What it waited for has come (locks and descriptors are looked at instead).
    signalled: bool,
    /// How its last wait has ended.
    ended: Ended,
    /// How often it has its turn, beside the others.
    weight: u64,
    /// Signal handlers run in it.
    has_signals: bool,
    turn: Arc<Turn>,
}

/// A thread waits here for the baton.
#[derive(Default)]
struct Turn {
    mine: Mutex<bool>,
    came: Condvar,
}

impl Turn {
    fn give(&self) {
        *self.mine.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.came.notify_one();
    }

    fn take(&self) {
        let mut mine = self.mine.lock().unwrap_or_else(PoisonError::into_inner);
        while !*mine {
            mine = self.came.wait(mine).unwrap_or_else(PoisonError::into_inner);
        }
        *mine = false;
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// 0 to `limit` - 1.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// True `count` times out of a thousand.
    pub(crate) fn per_mille(&mut self, count: u64) -> bool {
        self.below(1000) < count
    }

    pub(crate) fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// All there is.
pub(super) struct World {
    pub given: Given,
    pub rng: Rng,
    /// Nanoseconds since the start.
    pub clock: u64,
    threads: Vec<Thread>,
    /// Addresses of the locks that are held.
    pub held: Vec<usize>,
    pub network: Network,
    pub pollers: Pollers,
    /// Readiness descriptors that exist, and whether each is set.
    pub readiness: std::collections::BTreeMap<u64, bool>,
    pub next_id: u64,
    history: History,
    steps: u64,
    /// Steps until the last one that something came of.
    fruitful: u64,
    /// What was refused may have broken a connection.
    pub losses: u64,
    /// Tripwires were refused. A thread that waited without one cannot know whether its set is still its own, and leaves it.
    pub blind: bool,
}

static WORLD: Mutex<Option<World>> = Mutex::new(None);

/// What the clock counts from.
static START: OnceLock<Instant> = OnceLock::new();

thread_local! {
    /// Never dropped, so that destructors of other thread-locals find it.
    static ME: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Made before all others, and so dropped after them: what they do on their way is a part of the run.
    static LAST: End = const { End };
}

struct End;

impl Drop for End {
    fn drop(&mut self) {
        let me = ME.get();
        with(|world| {
            world.threads[me].state = State::Gone;
            world.note("ends", [NONE; 3]);
        });
        let next = choose();
        with(|world| world.pass(next));
    }
}

fn lock_world() -> MutexGuard<'static, Option<World>> {
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn with<T>(action: impl FnOnce(&mut World) -> T) -> T {
    action(lock_world().as_mut().expect("the run has begun"))
}

/// The number of the calling thread.
pub(crate) fn me() -> usize {
    ME.get()
}

/// Starts a run; the calling thread is its first.
pub(crate) fn begin(given: Given) {
    START.get_or_init(Instant::now);
    ME.set(0);
    let main = Thread::new("main".to_owned(), false);
    let rng = Rng::new(given.seed);
    let network = Network::new(given.weather.clone(), given.until);
    *lock_world() = Some(World {
        given,
        rng,
        clock: 0,
        threads: vec![Thread { state: State::Runs, ..main }],
        held: Vec::new(),
        network,
        pollers: Pollers::default(),
        readiness: std::collections::BTreeMap::new(),
        next_id: 1,
        history: History { aloud: std::env::var_os("NN_SIMULATED_ALOUD").is_some(), ..History::default() },
        steps: 0,
        fruitful: 0,
        losses: 0,
        blind: false,
    });
}

impl Thread {
    fn new(name: String, has_signals: bool) -> Self {
        let state = State::Runs;
        Self { name, state, signalled: false, ended: Ended::Ready, weight: 1, has_signals, turn: Arc::default() }
    }
}

impl World {
    pub(super) fn note(&mut self, what: &'static str, numbers: [i64; 3]) {
        self.history.note(Event { at: self.clock, thread: ME.get(), what, numbers });
    }

    pub(super) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Something came of the steps so far.
    pub(super) fn progress(&mut self) {
        self.fruitful = self.steps;
    }

    /// Whether this request is refused.
    pub(super) fn refuses(&mut self) -> bool {
        self.clock < self.given.until && self.given.scarcity > 0 && self.rng.per_mille(self.given.scarcity)
    }

    /// Who waits for this on this address has it now.
    pub(super) fn signal(&mut self, concerned: impl Fn(Wait) -> bool) {
        for thread in &mut self.threads {
            if let State::Waits { wait, .. } = thread.state
                && concerned(wait)
            {
                thread.signalled = true;
            }
        }
    }

    fn advance(&mut self, to: u64) {
        self.clock = self.clock.max(to);
        let arrived = self.network.advance(self.clock, &mut self.rng, &mut self.next_id);
        if arrived {
            self.progress();
        }
    }

    fn step(&mut self, cost: u64) {
        self.steps += 1;
        let cost = 1 + self.rng.below(2 * cost * self.given.step);
        self.advance(self.clock + cost);
        if self.steps.is_multiple_of(SEASON) {
            for thread in &mut self.threads {
                thread.weight = [1, 1, 4, 16][self.rng.below(4) as usize];
            }
        }
    }

    fn can_run(&self, thread: &Thread) -> Option<Ended> {
        let (wait, until) = match thread.state {
            State::Runs => return Some(Ended::Ready),
            State::Gone => return None,
            State::Waits { wait, until } => (wait, until),
        };
        let ready = match wait {
            Wait::Lock(address) => !self.held.contains(&address),
            Wait::Condition(_) | Wait::Park(_) => thread.signalled,
            Wait::Poller(id) => self.pollers.has_something(id, &self.network),
            Wait::Hub(id) => self.pollers.hub_has_something(id, &self.network),
            Wait::Set(id, _) => thread.signalled || self.pollers.set_has_something(id, &self.network),
            Wait::Join(other) => self.threads[other].state == State::Gone,
            Wait::Readiness(id) => self.readiness.get(&id).is_none_or(|set| *set),
            Wait::Time => false,
        };
        match until {
            _ if ready => Some(Ended::Ready),
            Some(until) if until <= self.clock => Some(Ended::TimedOut),
            _ => None,
        }
    }

    /// A thread that can run, drawn by weight.
    fn draw(&mut self) -> Option<usize> {
        let ready: Vec<(usize, Ended)> =
            (0..self.threads.len()).filter_map(|at| self.can_run(&self.threads[at]).map(|ended| (at, ended))).collect();
        let total: u64 = ready.iter().map(|(at, _)| self.threads[*at].weight).sum();
        let mut drawn = self.rng.below(total);
        for (at, ended) in ready {
            let weight = self.threads[at].weight;
            if drawn < weight {
                self.run(at, ended);
                return Some(at);
            }
            drawn -= weight;
        }
        None
    }

    fn run(&mut self, at: usize, ended: Ended) {
        let thread = &mut self.threads[at];
        if thread.state != State::Runs {
            thread.state = State::Runs;
            thread.signalled = false;
            thread.ended = ended;
        }
    }

    /// A signal handler runs in a thread that waits in a way that signals end.
    fn raise(&mut self) -> Option<usize> {
        if !self.given.signals || self.clock >= self.given.until || !self.rng.per_mille(2) {
            return None;
        }
        let concerned = |thread: &Thread| {
            thread.has_signals
                && matches!(thread.state, State::Waits { wait: Wait::Park(_) | Wait::Poller(_) | Wait::Set(..), .. })
        };
        let waiting: Vec<usize> = (0..self.threads.len()).filter(|&at| concerned(&self.threads[at])).collect();
        if waiting.is_empty() {
            return None;
        }
        let at = self.rng.one_of(&waiting);
        self.run(at, Ended::Interrupted);
        Some(at)
    }

    /// When something happens by itself.
    fn next_time(&self) -> Option<u64> {
        let deadlines = self.threads.iter().filter_map(|thread| match thread.state {
            State::Waits { until, .. } => until,
            _ => None,
        });
        deadlines.chain(self.network.next_time()).min()
    }

    fn pass(&self, next: usize) {
        self.threads[next].turn.give();
    }

    fn report(&self, problem: &str) -> String {
        let names: Vec<String> = self.threads.iter().map(|thread| thread.name.clone()).collect();
        let shown = std::env::var("NN_SIMULATED_EVENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(60);
        let mut text = format!("seed {}: {problem}\n", self.given.seed);
        text += &self.history.tell(&names, shown);
        for thread in self.threads.iter().filter(|thread| thread.state != State::Gone) {
            text += &format!("  {} {}\n", thread.name, thread.state);
        }
        text
    }
}

/// Ends the process with what went wrong and how it came to that.
pub(crate) fn fail(problem: &str) -> ! {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if ONCE.swap(true, Ordering::SeqCst) {
        // The other one is about to end the process.
        loop {
            thread::park();
        }
    }
    // It may be this very thread that has it, where it has panicked.
    let world = WORLD.try_lock();
    let (told, digest) = match world.as_ref().map(|world| world.as_ref()) {
        Ok(Some(world)) => (world.report(problem), world.history.digest()),
        _ => (format!("{problem}\n"), 0),
    };
    let mut out = io::stdout();
    let _ = out.write_all(format!("{told}digest {digest:016x}\n").as_bytes());
    let _ = out.flush();
    super::super::process::end_at_once(1)
}

/// Who runs next, once time has passed as far as it takes.
fn choose() -> usize {
    loop {
        let (found, gap, quiet) = with(|world| {
            if world.clock > ENDLESS {
                return (None, Err("it does not come to an end".to_owned()), world.given.quiet);
            }
            if world.steps - world.fruitful > BUSY {
                return (None, Err("many steps, and nothing comes of them".to_owned()), world.given.quiet);
            }
            if let Some(at) = world.raise().or_else(|| world.draw()) {
                return (Some(at), Ok(0), world.given.quiet);
            }
            match world.next_time() {
                Some(at) => (None, Ok(at - world.clock.min(at)), world.given.quiet),
                None => (None, Ok(u64::MAX), world.given.quiet),
            }
        });
        if let Some(next) = found {
            return next;
        }
        let gap = match gap {
            Ok(gap) => gap,
            Err(problem) => fail(&problem),
        };
        if let Some(problem) = quiet(Duration::from_nanos(gap)) {
            fail(&problem);
        }
        if gap == u64::MAX {
            fail("everybody waits, and nobody is to come");
        }
        with(|world| {
            world.advance(world.clock + gap);
            // Waiting is no loop.
            world.fruitful += (world.steps - world.fruitful).min(gap / 1000);
        });
    }
}

fn hand_over(next: usize) {
    let me = ME.get();
    if next != me {
        let mine = with(|world| {
            world.pass(next);
            Arc::clone(&world.threads[me].turn)
        });
        mine.take();
    }
}

/// Another thread may run now.
pub(super) fn point(cost: u64) {
    let next = with(|world| {
        world.step(cost);
        let busy = world.steps - world.fruitful > BUSY;
        busy || world.rng.per_mille(world.given.switches)
    });
    if next {
        hand_over(choose());
    }
}

/// Waits, until the time is over at the latest.
pub(super) fn wait(wait: Wait, until: Option<u64>) -> Ended {
    let me = ME.get();
    with(|world| {
        let thread = &mut world.threads[me];
        thread.signalled = false;
        thread.state = State::Waits { wait, until };
    });
    hand_over(choose());
    with(|world| world.threads[me].ended)
}

/// As the scheduler counts it.
pub(super) fn deadline(timeout: Option<Duration>) -> Option<u64> {
    let now = with(|world| world.clock);
    timeout.map(|timeout| now.saturating_add(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)))
}

pub(super) fn nanos(at: Instant) -> u64 {
    let start = START.get().expect("the run has begun");
    u64::try_from(at.saturating_duration_since(*start).as_nanos()).unwrap_or(u64::MAX)
}

/// The time, as all rooms above ask for it.
pub(crate) fn now() -> Instant {
    point(1);
    *START.get().expect("the run has begun") + elapsed()
}

/// Since the start. No step.
pub(crate) fn elapsed() -> Duration {
    Duration::from_nanos(with(|world| world.clock))
}

/// Lets other threads have the processor.
pub(crate) fn yield_now() {
    point(20);
}

/// Sleeps.
pub(crate) fn nap(time: Duration) {
    let until = deadline(Some(time));
    wait(Wait::Time, until);
}

/// Whether two threads of ours can run at the same time.
pub(crate) fn has_many_cpus() -> bool {
    with(|world| world.given.many_cpus)
}

/// Bytes that nobody can guess, unless he knows the seed.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    with(|world| std::array::from_fn(|_| world.rng.next() as u8))
}

/// Writes into the history.
pub(crate) fn note(what: &'static str, numbers: [i64; 3]) {
    with(|world| world.note(what, numbers));
}

/// A call has come to something.
pub(crate) fn progress() {
    with(World::progress);
}

/// Stands for all that has happened.
pub(crate) fn digest() -> u64 {
    with(|world| world.history.digest())
}

pub(crate) fn steps() -> u64 {
    with(|world| world.steps)
}

/// How often a connection on this port was cut, or may have been lost to scarcity.
pub(crate) fn losses(port: u16) -> u64 {
    with(|world| world.losses + world.network.cuts(port))
}

/// A poller with something that nobody looks at.
pub(crate) fn unseen() -> Option<u64> {
    with(|world| world.pollers.unseen(&world.network))
}

/// What a run has not given back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    pub streams: usize,
    pub pollers: usize,
    pub hubs: usize,
    pub sets: usize,
    pub readiness: usize,
    pub threads: Vec<String>,
}

pub(crate) fn leftovers() -> Leftovers {
    with(|world| Leftovers {
        streams: world.network.count(),
        pollers: world.pollers.count(),
        hubs: world.pollers.hubs(),
        sets: if world.blind { 0 } else { world.pollers.sets() },
        readiness: world.readiness.len(),
        threads: world.threads[1..]
            .iter()
            .filter(|thread| thread.state != State::Gone)
            .map(|thread| thread.name.clone())
            .collect(),
    })
}

/// A thread of a run.
pub(crate) struct JoinHandle {
    inner: thread::JoinHandle<()>,
    id: usize,
}

impl JoinHandle {
    pub(crate) fn thread(&self) -> &thread::Thread {
        self.inner.thread()
    }

    pub(crate) fn join(self) -> thread::Result<()> {
        wait(Wait::Join(self.id), None);
        self.inner.join()
    }
}

/// Starts a thread. Signal handlers run in those that the library has not made itself.
pub(crate) fn spawn(name: &str, stack: usize, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle> {
    point(20);
    let has_signals = !name.starts_with("nn-");
    let (id, turn) = with(|world| {
        if !has_signals && world.refuses() {
            world.note("is refused a thread", [NONE; 3]);
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        let thread = Thread::new(name.to_owned(), has_signals);
        let turn = Arc::clone(&thread.turn);
        world.threads.push(thread);
        let id = world.threads.len() - 1;
        world.note("starts thread", [id as i64, NONE, NONE]);
        Ok((id, turn))
    })?;
    let inner = thread::Builder::new().name(name.to_owned()).stack_size(stack.max(256 * 1024)).spawn(move || {
        ME.set(id);
        LAST.with(|_| ());
        turn.take();
        run();
    })?;
    Ok(JoinHandle { inner, id })
}
