//! What stands for the HTTP upgrade where the library is built without WebSockets. No connection begins with one: there is no
//! [`Usual`] opcode that it would need.
#![forbid(unsafe_code)]

/// There is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usual {}

impl From<Usual> for u8 {
    fn from(none: Usual) -> Self {
        match none {}
    }
}

#[derive(Debug)]
#[allow(dead_code, reason = "nothing is upgraded")]
pub(crate) enum Upgrade {
    More,
    Done { length: usize, reply: Vec<u8>, extended: bool },
    Refused { reply: Vec<u8>, why: Refusal },
}

#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "nobody is refused")]
pub(crate) enum Refusal {
    Type,
    Busy,
    Rule(&'static str),
}

pub(crate) const BUSY: &[u8] = b"";

pub(crate) fn answer(_: &[u8], _: &str, _: bool) -> Upgrade {
    Upgrade::More
}

pub(crate) fn check(_: &[u8], _: [u8; 16], _: &str, _: bool) -> Upgrade {
    Upgrade::More
}

pub(crate) fn request(_: &str, _: &str, _: [u8; 16], _: &str, _: bool) -> Vec<u8> {
    Vec::new()
}

pub(crate) fn is_worth_a_look(_: &[u8], _: usize, _: usize) -> bool {
    false
}
