//! From the words of the command line to a plan, by upstream's rules and with its complaints.
//!
//! The table of the options is clap's, and its lexer takes long and short ones apart. clap's parser and its checks of
//! conflicts and requirements cannot serve, because scripts see upstream's: `--` and `-` are passed over and options go
//! on behind them; the first mistake ends it, with files read and `--help` obeyed up to there; values are strtof's; of
//! what is required one from a list will do, looked at in the order of the table; an abbreviation is complained of with
//! its candidates; and complaints repeat each option as it was typed. clap finds conflicts when it has read everything,
//! in an order of its own, and knows which option failed, but not how that was spelled.
#![forbid(unsafe_code)]

use std::env::consts::EXE_SUFFIX;
use std::ffi::{CString, OsStr, OsString};
use std::io::Read as _;
use std::path::Path;
use std::{fs, io};

use clap::{Arg, Command};
use clap_lex::RawArgs;

use crate::format::Format;
use crate::monitor::Monitor;
use crate::table::{self, ENDPOINTS, MANDATORY, ONCE, OURS, SOCKETS};
use crate::tls::Tls;
use crate::{Failure, c_string, help, nn};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    Print(Vec<u8>),
    Talk(Box<Plan>),
}

/// What to do with which socket. Times are in seconds.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub socket: i32,
    pub binds: Vec<CString>,
    pub connects: Vec<CString>,
    pub recv_timeout: Option<f32>,
    pub send_timeout: Option<f32>,
    pub name: Option<Vec<u8>>,
    pub subscriptions: Vec<Vec<u8>>,
    pub format: Format,
    pub interval: Option<f32>,
    pub delay: Option<f32>,
    pub data: Option<Vec<u8>>,
    pub count: Option<u64>,
    pub stats: bool,
    pub monitor: Monitor,
    pub tls: Tls,
    /// Tells where it is bound.
    pub verbose: bool,
}

pub(crate) fn arguments(words: &[OsString]) -> Result<Asked, Failure> {
    let command = table::command();
    let mut reader = Reader {
        command: &command,
        program: words.first().map_or_else(|| "nanocat".into(), |word| word.to_string_lossy().into_owned()),
        given: Vec::new(),
        plan: Plan::default(),
    };
    match reader.read(words)? {
        Some(text) => Ok(Asked::Print(text)),
        None => Ok(Asked::Talk(Box::new(reader.plan))),
    }
}

/// An option as it was given: which, and how that was typed.
struct Given {
    id: String,
    typed: String,
}

struct Reader<'a> {
    command: &'a Command,
    program: String,
    given: Vec<Given>,
    plan: Plan,
}

impl Reader<'_> {
    /// The help or the version, if that was asked for before any mistake.
    fn read(&mut self, words: &[OsString]) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(id) = self.named_by_program() {
            let typed = format!("{} (executable)", self.program);
            self.take(&id, typed, None)?;
        }
        let words = RawArgs::new(words.iter().cloned());
        let mut cursor = words.cursor();
        words.next(&mut cursor);
        while let Some(word) = words.next(&mut cursor) {
            if word.is_escape() || word.is_stdio() {
                continue;
            }
            if let Some((name, attached)) = word.to_long() {
                let whole = word.display().to_string();
                let (arg, typed) = self.long(name.unwrap_or("\u{fffd}"), &whole)?;
                let value = if arg.is_require_equals_set() {
                    // The next word is never its value.
                    attached.map(OsStr::to_owned)
                } else if arg.get_action().takes_values() {
                    let value = attached.or_else(|| words.next_os(&mut cursor));
                    Some(value.ok_or_else(|| self.usage(&format!("Option {typed} requires an argument")))?.to_owned())
                } else if attached.is_some() {
                    return Err(self.usage(&format!("Option {typed} does not accept argument")));
                } else {
                    None
                };
                if let Some(text) = self.text(arg.get_id().as_str()) {
                    return Ok(Some(text));
                }
                self.take(arg.get_id().as_str(), typed, value.as_deref())?;
            } else if let Some(mut shorts) = word.to_short() {
                while let Some(short) = shorts.next_flag() {
                    // Not UTF-8: no option either.
                    let short = short.unwrap_or('\u{fffd}');
                    let Some(arg) = self.command.get_arguments().find(|arg| arg.get_short() == Some(short)) else {
                        return Err(self.usage(&format!("Unknown option ``-{short}''")));
                    };
                    let typed = format!("-{short} (--{})", arg.get_id());
                    let mut value = None;
                    if arg.get_action().takes_values() {
                        let attached = shorts.next_value_os().filter(|value| !value.is_empty());
                        value = attached.or_else(|| words.next_os(&mut cursor));
                        if value.is_none() {
                            return Err(self.usage(&format!("Option {typed} requires an argument")));
                        }
                    }
                    if let Some(text) = self.text(arg.get_id().as_str()) {
                        return Ok(Some(text));
                    }
                    let value = value.map(OsStr::to_owned);
                    self.take(arg.get_id().as_str(), typed, value.as_deref())?;
                }
            } else {
                return Err(self.usage(&format!("Unexpected argument ``{}''", word.display())));
            }
        }
        self.check_requirements()?;
        Ok(None)
    }

    /// `nn_push` and the like are `nanocat --push`.
    fn named_by_program(&self) -> Option<String> {
        let name = Path::new(&self.program).file_name()?.to_str()?.strip_suffix(EXE_SUFFIX)?.strip_prefix("nn_")?;
        SOCKETS.iter().find(|socket| socket.0 == name).map(|socket| socket.0.to_owned())
    }

    /// The option that a word beginning with two dashes names, and how complaints call it.
    fn long(&self, name: &str, whole: &str) -> Result<(Arg, String), Failure> {
        let options = || self.command.get_arguments();
        if let Some(arg) = options().find(|arg| arg.get_id() == name) {
            return Ok((arg.clone(), whole.to_owned()));
        }
        let is_ours = |arg: &Arg| table::provides(self.command, arg.get_id().as_str(), OURS);
        let candidates: Vec<&Arg> =
            options().filter(|arg| arg.get_id().as_str().starts_with(name) && !is_ours(arg)).collect();
        match candidates[..] {
            [] => Err(self.usage(&format!("Unknown option ``{whole}''"))),
            [arg] => Ok((arg.clone(), format!("--{name}[{}]", &arg.get_id().as_str()[name.len()..]))),
            _ => Err(self.listing(
                &format!("Ambiguous option ``{whole}''"),
                candidates.iter().map(|arg| arg.get_id().to_string()),
            )),
        }
    }

    fn take(&mut self, id: &str, typed: String, value: Option<&OsStr>) -> Result<(), Failure> {
        // Of an option that is repeated upstream remembers how it was typed last.
        for given in self.given.iter_mut().filter(|given| given.id == id) {
            given.typed.clone_from(&typed);
        }
        for what in ONCE.into_iter().filter(|what| table::provides(self.command, id, what)) {
            if let Some(other) = self.given.iter().find(|given| table::provides(self.command, &given.id, what)) {
                let others = [format!("{} ", other.typed)].into_iter();
                return Err(self.listing(&format!("Option {typed} conflicts with the following options"), others));
            }
        }
        let attached = value.is_some();
        let value = value.map(OsStr::as_encoded_bytes).unwrap_or_default();
        match id {
            "recv-timeout" => self.plan.recv_timeout = Some(self.number(value, &typed)?),
            "send-timeout" => self.plan.send_timeout = Some(self.number(value, &typed)?),
            "interval" => self.plan.interval = Some(self.number(value, &typed)?),
            "delay" => self.plan.delay = Some(self.number(value, &typed)?),
            "socket-name" => self.plan.name = Some(value.to_owned()),
            "subscribe" => self.plan.subscriptions.push(value.to_owned()),
            "data" => self.plan.data = Some(value.to_owned()),
            "file" => self.plan.data = Some(contents(value)?),
            "count" => self.plan.count = Some(self.count(value, &typed)?),
            "stats" => self.plan.stats = true,
            "monitor" if !attached => self.plan.monitor = Monitor::Print,
            "monitor" if value.is_empty() => {
                return Err(self.usage(&format!("Option {typed} requires an argument behind ``=''")));
            }
            "monitor" => self.plan.monitor = Monitor::Publish(value.to_owned()),
            "verbose" => self.plan.verbose = true,
            // The library takes an empty value for none.
            "cacert" | "cert" | "key" | "tls-name" if value.is_empty() => {
                return Err(self.usage(&format!("Option {typed} requires an argument")));
            }
            "cacert" => self.plan.tls.authorities = Some(value.to_owned()),
            "cert" => self.plan.tls.certificate = Some(value.to_owned()),
            "key" => self.plan.tls.key = Some(value.to_owned()),
            "tls-name" => self.plan.tls.name = Some(value.to_owned()),
            "insecure" => self.plan.tls.insecure = true,
            "format" => {
                let formats = Format::NAMES.map(|(name, _)| name.to_owned());
                let named = Format::NAMES.into_iter().find(|(name, _)| name.as_bytes() == value);
                self.plan.format = named.map(|(_, format)| format).ok_or_else(|| {
                    let value = String::from_utf8_lossy(value);
                    self.listing(&format!("Invalid value ``{value}'' for {typed} . Options are"), formats.into_iter())
                })?;
            }
            "json" => self.plan.format = Format::Json,
            _ => {
                if let Some((_, format)) = Format::NAMES.into_iter().find(|(name, _)| *name == id) {
                    self.plan.format = format;
                } else if let Some((_, number, _)) = SOCKETS.into_iter().find(|socket| socket.0 == id) {
                    self.plan.socket = number;
                } else if let Some((_, start, bind)) = ENDPOINTS.into_iter().find(|endpoint| endpoint.0 == id) {
                    let address = c_string([start.as_bytes(), value].concat());
                    if bind { &mut self.plan.binds } else { &mut self.plan.connects }.push(address);
                }
            }
        }
        self.given.push(Given { id: id.to_owned(), typed });
        Ok(())
    }

    fn number(&self, value: &[u8], typed: &str) -> Result<f32, Failure> {
        nn::number(&c_string(value.to_owned()))
            .ok_or_else(|| self.usage(&format!("Option {typed} requires float point argument")))
    }

    fn count(&self, value: &[u8], typed: &str) -> Result<u64, Failure> {
        let number = str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        number
            .filter(|&number| number > 0)
            .ok_or_else(|| self.usage(&format!("Option {typed} requires a whole number greater than 0")))
    }

    /// What the options given need of each other, and then what every command line needs.
    fn check_requirements(&self) -> Result<(), Failure> {
        let provided = |what| self.given.iter().any(|given| table::provides(self.command, &given.id, what));
        for arg in self.command.get_arguments() {
            let Some(given) = self.given.iter().find(|given| arg.get_id() == given.id.as_str()) else { continue };
            if let Some(what) = table::requirement(&given.id).filter(|what| !provided(what)) {
                let start = format!("Option {} requires at least one of the following options", given.typed);
                return Err(self.listing(&start, self.providers(what)));
            }
        }
        if MANDATORY.iter().all(|what| provided(what)) {
            return Ok(());
        }
        let missing = MANDATORY.into_iter().filter(|what| !provided(what)).flat_map(|what| self.providers(what));
        Err(self.listing("At least one of the following required", missing.collect::<Vec<_>>().into_iter()))
    }

    /// The options, long and short, that provide something.
    fn providers(&self, what: &'static str) -> impl Iterator<Item = String> {
        let args =
            self.command.get_arguments().filter(move |arg| table::provides(self.command, arg.get_id().as_str(), what));
        args.flat_map(|arg| [Some(format!("--{}", arg.get_id())), arg.get_short().map(|short| format!("-{short}"))])
            .flatten()
    }

    /// What an option prints, instead of anything else.
    fn text(&self, id: &str) -> Option<Vec<u8>> {
        match id {
            "help" => Some(self.help()),
            "version" => Some(self.command.render_version().into_bytes()),
            _ => None,
        }
    }

    fn help(&self) -> Vec<u8> {
        let mandatory = MANDATORY.into_iter().flat_map(|what| {
            self.command.get_arguments().filter(move |arg| table::provides(self.command, arg.get_id().as_str(), what))
        });
        help::text(&self.program, self.command, mandatory.map(|arg| arg.get_id().as_str()))
    }

    fn usage(&self, complaint: &str) -> Failure {
        Failure::usage(format!("{}: {complaint}", self.program))
    }

    /// A complaint with a list under it.
    fn listing(&self, complaint: &str, items: impl Iterator<Item = String>) -> Failure {
        let items: String = items.map(|item| format!("    {item}\n")).collect();
        self.usage(&format!("{complaint}:\n{items}"))
    }
}

/// The path that was typed.
#[cfg(unix)]
fn path_of(typed: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(typed)
}

/// What is no Unicode names no file that is looked for here.
#[cfg(not(unix))]
fn path_of(typed: &[u8]) -> String {
    String::from_utf8_lossy(typed).into_owned()
}

/// What a file holds; `-` stands for the standard input.
fn contents(path: &[u8]) -> Result<Vec<u8>, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        if path != b"-" {
            return fs::read(path_of(path));
        }
        let mut contents = Vec::new();
        io::stdin().read_to_end(&mut contents)?;
        Ok(contents)
    };
    read().map_err(|error| {
        let words = error.raw_os_error().map_or_else(|| error.to_string(), nn::describe);
        Failure::file("opening", path, &words)
    })
}
