//! The text of `--help`, in upstream's layout.
#![forbid(unsafe_code)]

use std::io::Write as _;

use clap::Command;

/// Where descriptions start, and where lines end.
const COLUMN: usize = 24;
const WIDTH: usize = 80;

pub(crate) fn text<'a>(program: &str, command: &Command, mandatory: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut text = Vec::new();
    let mandatory: Vec<String> = mandatory.map(|name| format!("--{name}")).collect();
    let _ = writeln!(
        text,
        "Usage:\n    {program} {{{}}} [-vqhAQ] [-i SEC] [-d SEC] [-D DATA] [-F PATH] [options] \n",
        mandatory.join("|")
    );
    let _ = writeln!(text, "{}", command.get_about().map(ToString::to_string).unwrap_or_default());
    let mut heading = None;
    for arg in command.get_arguments() {
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            let _ = writeln!(text, "\n{}:", heading.unwrap_or_default());
        }
        let mut line = format!(" --{}", arg.get_id());
        if let Some(short) = arg.get_short() {
            line += &format!(",-{short}");
        }
        if arg.is_require_equals_set() {
            line += &format!("[={}]", arg.get_value_names().unwrap_or_default().join("|"));
        } else if arg.get_action().takes_values() {
            line +=
                &arg.get_value_names().unwrap_or_default().iter().map(|name| format!(" {name}")).collect::<String>();
        }
        let mut wide = line.len() >= COLUMN;
        for words in wrapped(&arg.get_help().map(ToString::to_string).unwrap_or_default(), WIDTH - COLUMN - 1) {
            if wide {
                let _ = writeln!(text, "{line}");
                line.clear();
            }
            let _ = writeln!(text, "{line:COLUMN$}{words}");
            line.clear();
            wide = false;
        }
    }
    let _ = writeln!(text);
    text
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
