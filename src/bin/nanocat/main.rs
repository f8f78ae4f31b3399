//! nanocat: the sockets of the library on the command line, with upstream's options, output and exit codes.
//!
//! It is a program like any other: it knows the public C functions and is linked to the shared library, so that what is
//! installed is one library, and trying nanocat tries that one. Unsafe code is in `nn` alone.
#![deny(unsafe_code)]

mod address;
mod arguments;
mod format;
mod help;
mod monitor;
mod nn;
mod stats;
mod table;
mod talk;
mod tls;

use std::ffi::CString;
use std::io::Write as _;
use std::process::ExitCode;

use arguments::{Asked, arguments};

/// Why nanocat ends before its time: what it says on stderr, and its exit code.
#[derive(Debug)]
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// The command line is not understood.
    fn usage(text: String) -> Self {
        Self { code: 1, text }
    }

    /// A file is of no use.
    fn file(step: &str, path: &[u8], why: &str) -> Self {
        Self { code: 2, text: format!("Error {step} file ``{}'': {why}", String::from_utf8_lossy(path)) }
    }

    /// The library has said no.
    fn library(what: &str, error: &nn::Error) -> Self {
        Self { code: 3, text: format!("{what}: {error}") }
    }

    /// The same, and on a second line which address and what is wrong with it.
    fn address(what: &str, address: &[u8], error: &nn::Error, bind: bool) -> Self {
        let mut failure = Self::library(what, error);
        let address = String::from_utf8_lossy(address);
        failure.text += &format!("\n    {address}: {}", address::refusal(&address, error.errno, bind));
        failure
    }
}

/// Words of a command line have no NUL in them.
fn c_string(word: Vec<u8>) -> CString {
    CString::new(word).unwrap_or_default()
}

fn main() -> ExitCode {
    nn::end_at_broken_pipes();
    let words: Vec<_> = std::env::args_os().collect();
    let outcome = arguments(&words).and_then(|asked| match asked {
        Asked::Print(text) => {
            let _ = std::io::stdout().write_all(&text);
            Ok(())
        }
        Asked::Talk(plan) => talk::talk(&plan),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            eprintln!("{}", text.trim_end_matches('\n'));
            ExitCode::from(code)
        }
    }
}
