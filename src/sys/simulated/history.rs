//! What has happened: the last events, to be read, and a number that stands for all of them.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt::Write;

/// Events kept for a report.
const KEPT: usize = 400;

/// One step of one thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    /// Nanoseconds since the start.
    pub at: u64,
    pub thread: usize,
    pub what: &'static str,
    pub numbers: [i64; 3],
}

/// Stands for a number that says nothing.
pub(super) const NONE: i64 = i64::MIN;

#[derive(Debug, Default)]
pub(super) struct History {
    pub last: VecDeque<Event>,
    pub digest: u64,
    /// Each event is printed as it happens.
    pub aloud: bool,
}

impl History {
    pub(super) fn note(&mut self, event: Event) {
        let mut digest = self.digest ^ 0xcbf2_9ce4_8422_2325;
        let words = [event.at, event.thread as u64, event.what.len() as u64];
        for word in words.into_iter().chain(event.numbers.map(|number| number as u64)) {
            digest = (digest ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
        self.digest = digest;
        if self.aloud {
            println!("{}", told(&event, &format!("thread {}", event.thread)));
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(event);
    }

    /// Two runs with the same digest have gone the same way.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn tell(&self, names: &[String], count: usize) -> String {
        let mut text = String::new();
        for event in self.last.iter().skip(self.last.len().saturating_sub(count)) {
            let name = names.get(event.thread).map_or("?", String::as_str);
            text += &told(event, name);
            text.push('\n');
        }
        text
    }
}

fn told(event: &Event, name: &str) -> String {
    let mut text = format!("{:14.6} ms  {name:<12} {}", event.at as f64 / 1e6, event.what);
    for number in event.numbers.into_iter().filter(|&number| number != NONE) {
        let _ = write!(text, " {number}");
    }
    text
}
