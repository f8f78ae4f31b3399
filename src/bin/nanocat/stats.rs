//! What is written on the standard error: with `--stats` one line about the socket, kept up to date; and lines of others.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::nn::Socket;

/// How often the line is looked at.
const PACE: Duration = Duration::from_millis(250);

/// Words, and the NN_STAT_* behind them: what is always shown.
const ALWAYS: [(&str, i32); 5] =
    [("connections", 201), ("sent", 301), ("bytes sent", 303), ("received", 302), ("bytes received", 304)];

/// What is shown where it is not 0.
const SOMETIMES: [(&str, i32); 13] = [
    // Messages: with peers that had no room, that nobody had subscribed to, and in whose place a newer one came.
    ("overflowed", 1302),
    ("filtered", 1301),
    ("conflated", 1303),
    ("connecting", 202),
    ("established", 101),
    ("accepted", 102),
    ("dropped", 103),
    ("broken", 104),
    ("connect errors", 105),
    ("bind errors", 106),
    ("accept errors", 107),
    ("failing endpoints", 203),
    ("send priority", 401),
];

/// The line about the socket that is on the screen, and with it the right to write one.
#[derive(Default)]
pub(crate) struct Screen {
    line: Mutex<String>,
}

impl Screen {
    /// Takes the line off a terminal, where something else is to be printed, and keeps it off until that is done.
    pub(crate) fn make_room(&self) -> MutexGuard<'_, String> {
        let mut line = self.line();
        if !line.is_empty() && io::stderr().is_terminal() {
            line.clear();
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
        line
    }

    pub(crate) fn say(&self, text: &str) {
        let _room = self.make_room();
        let _ = writeln!(io::stderr(), "{text}");
    }

    fn line(&self) -> MutexGuard<'_, String> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Watch<'a> {
    socket: &'a Socket,
    wanted: bool,
    screen: &'a Screen,
}

impl<'a> Watch<'a> {
    pub(crate) fn over(socket: &'a Socket, wanted: bool, screen: &'a Screen) -> Self {
        Self { socket, wanted, screen }
    }

    /// Shows the line while `work` runs, and once more when it is done.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        if !self.wanted {
            return work();
        }
        let outcome = thread::scope(|scope| {
            let (done, end) = mpsc::channel::<()>();
            scope.spawn(move || {
                self.show();
                while end.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                    self.show();
                }
            });
            let outcome = work();
            drop(done);
            outcome
        });
        self.show();
        if io::stderr().is_terminal() {
            eprintln!();
        }
        outcome
    }

    /// On a terminal in place, elsewhere as a further line; if there is news.
    fn show(&self) {
        let now = self.now();
        let mut line = self.screen.line();
        if *line == now {
            return;
        }
        let mut stderr = io::stderr().lock();
        let _ = if stderr.is_terminal() { write!(stderr, "\r{now}\x1b[K") } else { writeln!(stderr, "{now}") };
        *line = now;
    }

    fn now(&self) -> String {
        // Statistics are numbers of 64 bits whose negative values are sign-extended.
        let value = |number| self.socket.statistic(number) as i64;
        let always = ALWAYS.map(|(words, number)| format!("{words} {}", value(number)));
        let sometimes = SOMETIMES.map(|(words, number)| (words, value(number)));
        let sometimes =
            sometimes.iter().filter(|(_, value)| *value > 0).map(|(words, value)| format!("{words} {value}"));
        always.into_iter().chain(sometimes).collect::<Vec<_>>().join(", ")
    }
}
