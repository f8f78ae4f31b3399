//! fd: sockets that the program has made, or was started with, by their numbers or by the names that systemd gave them. What
//! listens is served as tcp or unix serve theirs; what is connected is one connection, and nobody dials it again.
#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsString;
use std::process;
use std::sync::Arc;

use socket2::Domain;

use super::session::Greeting;
use super::tcp::{self, TcpListener};
#[cfg(ipc)]
use super::unix::UnixListener;
use super::{Listener, Settings, Side};
use crate::codec::length_prefix::LengthPrefix;
use crate::error::{Error, Result};
use crate::sys::{self, Adopted, Claim, Facts, RawSource, Stream};

/// The first descriptor that a process is started with beyond the usual three (sd_listen_fds(3), SD_LISTEN_FDS_START).
const FIRST_PASSED: RawSource = 3;

/// The kinds of streams that there are transports for.
#[cfg(ipc)]
const DOMAINS: &[Domain] = &[Domain::IPV4, Domain::IPV6, Domain::UNIX];
#[cfg(not(ipc))]
const DOMAINS: &[Domain] = &[Domain::IPV4, Domain::IPV6];

/// What descriptors without names are called (sd_listen_fds_with_names(3)).
const UNNAMED: &[u8] = b"unknown";

/// A descriptor that fits, and is still the program's.
pub(crate) struct Adoptable {
    claim: Claim,
    facts: Facts,
    side: Side,
}

/// What has become of it.
pub(crate) enum Adoption {
    Listener(Box<dyn Listener>),
    Connection(Stream, Greeting),
}

/// Finds the descriptor that is meant by what stands behind `fd://`, and looks whether it will do.
pub(crate) fn find(text: &[u8], side: Side, adopted: &Arc<Adopted>) -> Result<Adoptable> {
    let passed = Passed::to_this_process();
    let claim = match parse(text)? {
        Named::Number(number) => adopted.claim(number, passed.has(number)).ok_or(Error::AddressInUse)?,
        Named::Name(name) => {
            let mut numbers = passed.called(name).peekable();
            if numbers.peek().is_none() {
                return Err(sys::no_such_name().into());
            }
            numbers.find_map(|number| adopted.claim_first_use(number)).ok_or(Error::AddressInUse)?
        }
    };
    let facts = claim.facts()?;
    if !facts.is_stream || !DOMAINS.contains(&facts.domain) {
        return Err(Error::UnknownScheme);
    }
    if !(facts.is_connected || facts.listens && side == Side::Accepts) {
        return Err(sys::not_connected().into());
    }
    Ok(Adoptable { claim, facts, side })
}

impl Adoptable {
    /// The descriptor is the library's now, unless this fails.
    pub(crate) fn adopt(self, settings: Settings) -> Result<Adoption> {
        let stream = self.claim.take()?;
        let local = self.facts.domain == Domain::UNIX;
        if self.facts.listens {
            // Its file is not ours.
            return Ok(Adoption::Listener(match self.facts.domain {
                #[cfg(ipc)]
                Domain::UNIX => Box::new(UnixListener::without_file(stream)),
                _ => Box::new(TcpListener(stream)),
            }));
        }
        let prefix = if local {
            settings.apply(&stream);
            LengthPrefix::Typed
        } else {
            tcp::prepare(&stream, settings);
            LengthPrefix::Plain
        };
        let greeting = match self.side {
            Side::Accepts => Greeting::SpServer(prefix),
            Side::Dials => Greeting::SpClient(prefix),
        };
        Ok(Adoption::Connection(stream, greeting))
    }
}

/// How an address names a descriptor.
#[derive(Debug, PartialEq, Eq)]
enum Named<'a> {
    Number(RawSource),
    Name(&'a [u8]),
}

/// Digits alone are a number. A name is what systemd takes for one: ASCII that can be printed, without colons.
fn parse(text: &[u8]) -> Result<Named<'_>> {
    if text.is_empty() {
        return Err(Error::Invalid);
    }
    if text.iter().all(u8::is_ascii_digit) {
        let number = std::str::from_utf8(text).ok().and_then(|digits| digits.parse().ok());
        return number.map(Named::Number).ok_or_else(|| sys::no_such_descriptor().into());
    }
    let is_name = text.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b':');
    if is_name { Ok(Named::Name(text)) } else { Err(Error::Invalid) }
}

/// The descriptors that this process was started with, and their names (sd_listen_fds(3)).
#[derive(Debug, Default, PartialEq, Eq)]
struct Passed {
    names: Vec<Vec<u8>>,
}

impl Passed {
    fn to_this_process() -> Self {
        Self::read(process::id(), |name| env::var_os(name).map(OsString::into_encoded_bytes))
    }

    /// None, unless they are meant for this process: a child inherits the environment as well.
    fn read(process: u32, variable: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        let number = |name| String::from_utf8(variable(name)?).ok()?.parse::<u32>().ok();
        if number("LISTEN_PID") != Some(process) {
            return Self::default();
        }
        let count = number("LISTEN_FDS").unwrap_or(0) as usize;
        let names: Vec<Vec<u8>> = match variable("LISTEN_FDNAMES") {
            Some(names) => names.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect(),
            None => return Self { names: vec![UNNAMED.to_vec(); count.min(MOST_PASSED)] },
        };
        // Which of them has which name cannot be said then.
        if names.len() == count { Self { names } } else { Self::default() }
    }

    fn has(&self, number: RawSource) -> bool {
        usize::try_from(number - FIRST_PASSED).is_ok_and(|at| at < self.names.len())
    }

    /// Their numbers, in order.
    fn called<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = RawSource> + 'a {
        (FIRST_PASSED..).zip(&self.names).filter(move |(_, given)| *given == name).map(|(number, _)| number)
    }
}

/// More descriptors than a process can have (NR_OPEN of Linux, by default): a count beyond it is wrong, and takes no memory.
const MOST_PASSED: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_are_a_number_and_what_systemd_takes_a_name() {
        for (text, number) in [("0", 0), ("3", 3), ("007", 7), ("2147483647", i32::MAX)] {
            assert_eq!(parse(text.as_bytes()), Ok(Named::Number(number)), "{text}");
        }
        for text in ["2147483648", "99999999999999999999"] {
            assert_eq!(parse(text.as_bytes()), Err(sys::no_such_descriptor().into()), "{text}");
        }
        for text in ["-1", "+3", "3 ", " ", "work", "a.socket", "~", "3x"] {
            assert_eq!(parse(text.as_bytes()), Ok(Named::Name(text.as_bytes())), "{text}");
        }
        for text in [&b""[..], b"a:b", b":", b"a\n", b"\x7f", b"\xff"] {
            assert_eq!(parse(text), Err(Error::Invalid), "{text:?}");
        }
    }

    /// Three variables: for which process, how many, and their names. `None`: it is not set.
    type Environment<'a> = [Option<&'a str>; 3];

    fn passed([pid, count, names]: Environment) -> Passed {
        Passed::read(77, |name| {
            let value = match name {
                "LISTEN_PID" => pid,
                "LISTEN_FDS" => count,
                _ => names,
            };
            value.map(|value| value.as_bytes().to_vec())
        })
    }

    fn numbers(environment: Environment, name: &str) -> Vec<RawSource> {
        passed(environment).called(name.as_bytes()).collect()
    }

    #[test]
    fn names_are_those_of_the_environment() {
        let three = [Some("77"), Some("3"), Some("web:work:web")];
        assert_eq!(numbers(three, "web"), [3, 5]);
        assert_eq!(numbers(three, "work"), [4]);
        assert!(numbers(three, "we").is_empty());
        assert_eq!(numbers([Some("77"), Some("2"), Some(":b")], "b"), [4], "an empty name is one");
        assert_eq!(numbers([Some("77"), Some("2"), None], "unknown"), [3, 4]);
        assert!(passed(three).has(3) && passed(three).has(5));
        assert!(!passed(three).has(2) && !passed(three).has(6));
    }

    #[test]
    fn an_environment_for_others_or_one_that_is_wrong_names_nothing() {
        for environment in [
            [None, Some("1"), Some("web")],
            [Some("78"), Some("1"), Some("web")],
            [Some("77x"), Some("1"), Some("web")],
            [Some("77"), None, Some("web")],
            [Some("77"), Some("-1"), Some("web")],
            [Some("77"), Some("0"), Some("web")],
            [Some("77"), Some("2"), Some("web")],
            [Some("77"), Some("1"), Some("web:web")],
            [Some("77"), Some("0"), None],
        ] {
            assert_eq!(passed(environment), Passed::default(), "{environment:?}");
        }
        assert_eq!(passed([Some("77"), Some("4294967295"), None]).names.len(), MOST_PASSED);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(text: Vec<u8>) {
            let _ = parse(&text);
        }
    }
}
