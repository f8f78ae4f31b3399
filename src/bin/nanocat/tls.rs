//! The options of tls+tcp and wss: whom the socket trusts, and what it shows of itself.
#![forbid(unsafe_code)]

use crate::Failure;
use crate::nn::{self, Error, Socket};

/// Values are the words of the command line, and never empty.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    pub authorities: Option<Vec<u8>>,
    pub certificate: Option<Vec<u8>>,
    pub key: Option<Vec<u8>>,
    pub name: Option<Vec<u8>>,
    pub insecure: bool,
}

impl Tls {
    /// For the endpoints that the socket will have.
    pub(crate) fn set(&self, socket: &Socket) -> Result<(), Failure> {
        for (file, option, lacks) in [
            (&self.authorities, nn::NN_TLS_CA, "it holds no certificate in PEM form"),
            (&self.certificate, nn::NN_TLS_CERT, "it holds no certificate in PEM form"),
            (&self.key, nn::NN_TLS_KEY, "it holds no private key in PEM form"),
        ] {
            if let Some(path) = file {
                socket.set_tls(option, path).map_err(|error| match error.errno {
                    libc::ENOPROTOOPT => failure(&error),
                    libc::EINVAL => Failure::file("reading", path, lacks),
                    _ => Failure::file("opening", path, &error.to_string()),
                })?;
            }
        }
        if let Some(name) = &self.name {
            socket.set_tls(nn::NN_TLS_NAME, name).map_err(|error| failure(&error))?;
        }
        // A connecting side verifies in any case, a bound one if --cacert names authorities.
        let verify =
            if self.insecure { Some(nn::VERIFY_NONE) } else { self.authorities.as_ref().map(|_| nn::VERIFY_REQUIRED) };
        verify.map_or(Ok(()), |whom| socket.set_tls_verify(whom).map_err(|error| failure(&error)))
    }
}

fn failure(error: &Error) -> Failure {
    let mut failure = Failure::library("Can't set up TLS", error);
    match error.errno {
        libc::ENOPROTOOPT => failure.text += "\n    the library that nanocat runs on has no TLS",
        libc::EINVAL => failure.text += "\n    the name is neither a host's nor an IP address",
        _ => {}
    }
    failure
}
