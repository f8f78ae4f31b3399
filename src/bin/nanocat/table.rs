//! The options: their names, what they provide, and what they need. The command line is read by it and the help printed.
#![forbid(unsafe_code)]

use clap::{Arg, ArgAction, ArgGroup, Command};

/// What options provide for one another. Upstream's names, but for the last.
pub(crate) const SOCK: &str = "SOCK";
pub(crate) const READABLE: &str = "READABLE";
pub(crate) const WRITEABLE: &str = "WRITEABLE";
pub(crate) const DATA: &str = "DATA";
pub(crate) const ENDPOINT: &str = "ENDPOINT";
pub(crate) const SUB: &str = "SUB";
/// Options that upstream does not have. They are known by their whole names only: no abbreviation becomes ambiguous.
pub(crate) const OURS: &str = "OURS";

/// Of what these provide one is enough, and two are a conflict.
pub(crate) const ONCE: [&str; 2] = [SOCK, DATA];

/// Every command line has to provide these.
pub(crate) const MANDATORY: [&str; 2] = [SOCK, ENDPOINT];

/// Socket types: the option, NN_*, and what sockets of the type can do.
pub(crate) const SOCKETS: [(&str, i32, &[&str]); 10] = [
    ("push", 80, &[WRITEABLE]),
    ("pull", 81, &[READABLE]),
    ("pub", 32, &[WRITEABLE]),
    ("sub", 33, &[READABLE, SUB]),
    ("req", 48, &[WRITEABLE, READABLE]),
    ("rep", 49, &[WRITEABLE, READABLE]),
    ("surveyor", 98, &[WRITEABLE, READABLE]),
    ("respondent", 99, &[WRITEABLE, READABLE]),
    ("bus", 112, &[WRITEABLE, READABLE]),
    ("pair", 16, &[WRITEABLE, READABLE]),
];

/// What has to be provided by another option where this one is given.
pub(crate) fn requirement(id: &str) -> Option<&'static str> {
    match id {
        "push" | "pub" | "req" | "surveyor" => Some(DATA),
        "recv-timeout" | "format" | "raw" | "ascii" | "quoted" | "msgpack" | "hex" | "json" => Some(READABLE),
        "send-timeout" | "interval" | "data" | "file" => Some(WRITEABLE),
        "subscribe" => Some(SUB),
        _ => None,
    }
}

pub(crate) fn provides(command: &Command, id: &str, what: &str) -> bool {
    command.get_groups().any(|group| group.get_id() == what && group.get_args().any(|arg| arg == id))
}

/// In the order of the help, which is also the order in which requirements are looked at.
pub(crate) fn command() -> Command {
    let mut command = Command::new("nanocat")
        .about("A command-line interface to nanomsg")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .next_help_heading("Generic")
        .arg(flag("verbose").short('v').help("Increase verbosity of the nanocat"))
        .arg(flag("silent").short('q').help("Decrease verbosity of the nanocat"))
        .arg(flag("help").short('h').help("This help text"))
        .arg(flag("version").help("Print the version"))
        .next_help_heading("Socket Types");
    for (name, _, _) in SOCKETS {
        command = command.arg(flag(name).help(format!("Use NN_{} socket type", name.to_uppercase())));
    }
    command = command
        .next_help_heading("Socket Options")
        .arg(value("bind", "ADDR").help("Bind the socket to the address ADDR"))
        .arg(value("connect", "ADDR").help("Connect the socket to the address ADDR"))
        .arg(value("bind-ipc", "PATH").short('X').help("Bind to the address \"ipc://PATH\""))
        .arg(value("connect-ipc", "PATH").short('x').help("Connect to the address \"ipc://PATH\""))
        .arg(value("bind-unix", "PATH").help("Bind to the address \"unix://PATH\""))
        .arg(value("connect-unix", "PATH").help("Connect to the address \"unix://PATH\""))
        .arg(value("bind-local", "PORT").short('L').help("Bind to the address \"tcp://127.0.0.1:PORT\""))
        .arg(value("connect-local", "PORT").short('l').help("Connect to the address \"tcp://127.0.0.1:PORT\""))
        .arg(value("recv-timeout", "SEC").help("Wait at most SEC seconds for a message (whole seconds)"))
        .arg(value("send-timeout", "SEC").help("Wait at most SEC seconds for a message to be taken"))
        .arg(value("socket-name", "NAME").help("Name of the socket in error reports"))
        .next_help_heading("SUB Socket Options")
        .arg(value("subscribe", "PREFIX").help(
            "Receive what starts with PREFIX. May be repeated. Without it everything is received.",
        ))
        .next_help_heading("TLS Options")
        .arg(value("cacert", "FILE").help(
            "Trust the certificates in FILE, instead of the system's. Whoever connects to a bound address has to show one \
             that is signed by them",
        ))
        .arg(value("cert", "FILE").help("Show the certificate in FILE. Whoever binds tls+tcp or wss needs one"))
        .arg(value("key", "FILE").help("The certificate's private key, unless it stands in the same file"))
        .arg(value("tls-name", "NAME").help("Ask for NAME and verify it, instead of the address's host"))
        .arg(flag("insecure").help("Verify nobody's certificate"))
        .next_help_heading("Input Options")
        .arg(value("format", "FORMAT").help("Print messages as no, raw, ascii, quoted, msgpack or hex; \"no\" unless told"))
        .arg(flag("raw").help("Print messages as they are, with nothing between them"))
        .arg(flag("ascii").short('A').help("Print a line for each message; what is not printable ASCII becomes a dot"))
        .arg(flag("quoted").short('Q').help("Print a line for each message, in double quotes and with escapes as in C"))
        .arg(flag("msgpack").help("Print messages as msgpack's binary type, for programs to read"))
        .arg(flag("hex").help("Print a line for each message, in double quotes, every byte in hexadecimal"))
        .arg(flag("json").help(
            "Print a JSON object for each message, on a line: {\"text\":\"...\"}, or {\"base64\":\"...\"} if it is not UTF-8",
        ))
        .next_help_heading("Output Options")
        .arg(value("interval", "SEC").short('i').help("Send the message (or request) every SEC seconds"))
        .arg(value("delay", "SEC").short('d').help(
            "Wait SEC seconds before sending or receiving (useful for PUB sockets that send once)",
        ))
        .arg(value("data", "DATA").short('D').help(
            "Send DATA. PUB and PUSH then end; REQ and SURVEYOR wait for what comes back, PAIR and BUS receive; \
             REP and RESPONDENT answer with it.",
        ))
        .arg(value("file", "PATH").short('F').help("The same with what the file PATH holds; \"-\" is the standard input"))
        .next_help_heading("Ending and Watching")
        .arg(value("count", "N").help("End after N messages: received ones, or with PUB and PUSH sent ones"))
        .arg(flag("stats").help("Show the socket's statistics on the standard error while it runs"))
        .arg(value("monitor", "ADDR").num_args(0..=1).require_equals(true).help(
            "Print what happens to the socket's connections on the standard error, a line for each event: its name \
             and a JSON object. With an address: publish it there",
        ));
    let group = |id, args: Vec<&'static str>| ArgGroup::new(id).args(args).multiple(true);
    let able = |what| SOCKETS.iter().filter(|socket| socket.2.contains(&what)).map(|socket| socket.0).collect();
    command
        .group(group(SOCK, SOCKETS.iter().map(|socket| socket.0).collect()))
        .group(group(READABLE, able(READABLE)))
        .group(group(WRITEABLE, able(WRITEABLE)))
        .group(group(SUB, able(SUB)))
        .group(group(DATA, vec!["data", "file"]))
        .group(group(ENDPOINT, ENDPOINTS.iter().map(|endpoint| endpoint.0).collect()))
        .group(group(
            OURS,
            vec!["version", "json", "count", "stats", "monitor", "cacert", "cert", "key", "tls-name", "insecure"],
        ))
}

/// The options that give an address: its beginning, and whether it is bound.
pub(crate) const ENDPOINTS: [(&str, &str, bool); 8] = [
    ("bind", "", true),
    ("connect", "", false),
    ("bind-ipc", "ipc://", true),
    ("connect-ipc", "ipc://", false),
    // Upstream's since 1.3.0, without short forms.
    ("bind-unix", "unix://", true),
    ("connect-unix", "unix://", false),
    ("bind-local", "tcp://127.0.0.1:", true),
    ("connect-local", "tcp://127.0.0.1:", false),
];

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn value(name: &'static str, of: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(of).action(ArgAction::Append)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        command().debug_assert();
        for id in command().get_arguments().map(|arg| arg.get_id().as_str().to_owned()) {
            let needed = requirement(&id);
            assert!(needed.is_none_or(|what| command().get_groups().any(|group| group.get_id() == what)), "{id}");
        }
    }
}
