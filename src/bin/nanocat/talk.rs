//! What nanocat does with its socket, by socket type; as upstream's does it, until `--count` is reached.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::arguments::Plan;
use crate::nn::{Error, Message, Socket};
use crate::stats::{Screen, Watch};

/// NN_* of the types whose sockets only send, and of those that answer.
const PUB: i32 = 32;
const PUSH: i32 = 80;
const REP: i32 = 49;
const RESPONDENT: i32 = 99;
pub(crate) const SUB: i32 = 33;

pub(crate) fn talk(plan: &Plan) -> Result<(), Failure> {
    let screen = Screen::default();
    // What prints the events ends after the socket, whose last ones come when it is closed.
    thread::scope(|scope| {
        let failed = |error| Failure::library("Can't create socket", &error);
        let socket = Socket::open(plan.socket).map_err(failed)?;
        plan.tls.set(&socket)?;
        let watched = plan.monitor.begin(&socket, plan.verbose, scope, &screen)?;
        let outcome = prepare(&socket, plan, &screen).and_then(|()| use_socket(&socket, plan, &screen));
        drop(socket);
        drop(watched);
        outcome
    })
}

fn use_socket(socket: &Socket, plan: &Plan, screen: &Screen) -> Result<(), Failure> {
    let watch = Watch::over(socket, plan.stats, screen);
    // Nothing else may come between the socket and its end: what was sent is written when it is closed.
    watch.during(|| {
        if let Some(delay) = plan.delay {
            thread::sleep(seconds(delay));
        }
        let mut talk = Talk { plan, socket, screen, left: plan.count };
        match (&plan.data, plan.socket) {
            (Some(data), PUB | PUSH) => talk.send_only(data),
            (Some(data), REP | RESPONDENT) => talk.answer(data),
            (Some(data), _) => talk.ask(data),
            (None, _) => talk.receive(),
        }
    })
}

fn prepare(socket: &Socket, plan: &Plan, screen: &Screen) -> Result<(), Failure> {
    let failed = |what| move |error: Error| Failure::library(what, &error);
    // A negative time is no limit, as if it had not been said.
    if let Some(limit) = plan.send_timeout.filter(|&limit| limit >= 0.0) {
        socket.set_send_timeout((limit * 1000.0) as i32).map_err(failed("Can't set send timeout"))?;
    }
    if let Some(limit) = recv_timeout(plan) {
        socket.set_recv_timeout(limit).map_err(failed("Can't set recv timeout"))?;
    }
    if let Some(name) = &plan.name {
        socket.set_name(name).map_err(failed("Can't set socket name"))?;
    }
    if plan.socket == SUB {
        let all = [Vec::new()];
        let prefixes = if plan.subscriptions.is_empty() { &all[..] } else { &plan.subscriptions };
        for prefix in prefixes {
            socket.subscribe(prefix).map_err(failed("Can't subscribe"))?;
        }
    }
    for address in &plan.binds {
        let endpoint =
            socket.bind(address).map_err(|error| Failure::address("Can't bind", address.as_bytes(), &error, true))?;
        if plan.verbose
            && let Ok(bound) = socket.endpoint_address(endpoint)
        {
            screen.say(&format!("nanocat: bound to {bound}"));
        }
    }
    for address in &plan.connects {
        socket
            .connect(address)
            .map_err(|error| Failure::address("Can't connect", address.as_bytes(), &error, false))?;
    }
    Ok(())
}

/// In milliseconds; upstream cuts it to whole seconds.
fn recv_timeout(plan: &Plan) -> Option<i32> {
    plan.recv_timeout.filter(|&limit| limit >= 0.0).map(|limit| (limit as i32).saturating_mul(1000))
}

fn seconds(time: f32) -> Duration {
    // What is negative, no number, or longer than any run is no reason to stop.
    Duration::try_from_secs_f32(time.max(0.0)).unwrap_or(Duration::MAX)
}

/// Nothing more is to be received: the time or the state of the socket says so.
fn is_end(error: &Error) -> bool {
    [libc::ETIMEDOUT, crate::nn::EFSM].contains(&error.errno)
}

struct Talk<'a> {
    plan: &'a Plan,
    socket: &'a Socket,
    screen: &'a Screen,
    /// What `--count` leaves to do.
    left: Option<u64>,
}

impl Talk<'_> {
    /// PUB, PUSH: once; as often as `--count` says; or at intervals.
    fn send_only(&mut self, data: &[u8]) -> Result<(), Failure> {
        if self.plan.interval.is_none() && self.left.is_none() {
            return self.send(data);
        }
        loop {
            let start = Instant::now();
            self.send(data)?;
            if self.one_less().is_break() {
                return Ok(());
            }
            if let Some(interval) = self.plan.interval {
                thread::sleep(seconds(interval).saturating_sub(start.elapsed()));
            }
        }
    }

    /// REP, RESPONDENT: the same answer to everybody.
    fn answer(&mut self, data: &[u8]) -> Result<(), Failure> {
        loop {
            match self.socket.recv() {
                Ok(message) => self.print(&message)?,
                Err(error) if error.errno == libc::EAGAIN => continue,
                Err(error) => return Err(Failure::library("Can't recv", &error)),
            }
            self.send(data)?;
            if self.one_less().is_break() {
                return Ok(());
            }
        }
    }

    /// REQ, SURVEYOR, PAIR, BUS: send, and receive what comes; once, or again with every interval.
    fn ask(&mut self, data: &[u8]) -> Result<(), Failure> {
        loop {
            let start = Instant::now();
            self.send(data)?;
            let Some(interval) = self.plan.interval else { return self.receive() };
            if self.receive_for(start, seconds(interval))?.is_break() {
                return Ok(());
            }
        }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        loop {
            match self.socket.recv() {
                Ok(message) => {
                    self.print(&message)?;
                    if self.one_less().is_break() {
                        return Ok(());
                    }
                }
                Err(error) if error.errno == libc::EAGAIN => {}
                Err(error) if is_end(&error) => return Ok(()),
                Err(error) => return Err(Failure::library("Can't recv", &error)),
            }
        }
    }

    /// Until so long after the start.
    fn receive_for(&mut self, start: Instant, time: Duration) -> Result<ControlFlow<()>, Failure> {
        loop {
            let left = time.saturating_sub(start.elapsed());
            // A remainder below a millisecond is waited for as well, else the next sending would come too early.
            let limit = left.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32;
            if limit == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            let limit = recv_timeout(self.plan).map_or(limit, |most| most.min(limit));
            self.socket.set_recv_timeout(limit).map_err(|error| Failure::library("Can't set recv timeout", &error))?;
            match self.socket.recv() {
                Ok(message) => {
                    self.print(&message)?;
                    if self.one_less().is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Err(error) if error.errno == libc::EAGAIN => {}
                Err(error) if is_end(&error) => {
                    thread::sleep(time.saturating_sub(start.elapsed()));
                    return Ok(ControlFlow::Continue(()));
                }
                Err(error) => return Err(Failure::library("Can't recv", &error)),
            }
        }
    }

    fn send(&self, data: &[u8]) -> Result<(), Failure> {
        match self.socket.send(data) {
            Err(error) if error.errno == libc::EAGAIN => {
                self.screen.say("Message not sent (EAGAIN)");
                Ok(())
            }
            outcome => outcome.map_err(|error| Failure::library("Can't send", &error)),
        }
    }

    /// Each message at once, for those who read along.
    fn print(&self, message: &Message) -> Result<(), Failure> {
        let mut text = Vec::new();
        self.plan.format.write(message.body(), &mut text);
        if text.is_empty() {
            return Ok(());
        }
        let _room = self.screen.make_room();
        let mut out = io::stdout().lock();
        // A reader that has gone ends the process by SIGPIPE; this is a full disk and the like.
        out.write_all(&text).and_then(|()| out.flush()).map_err(|error| Failure {
            code: 3,
            text: format!("Can't write: {}", error.raw_os_error().map_or(error.to_string(), crate::nn::describe)),
        })
    }

    fn one_less(&mut self) -> ControlFlow<()> {
        match &mut self.left {
            Some(1) => ControlFlow::Break(()),
            Some(left) => {
                *left -= 1;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        }
    }
}
