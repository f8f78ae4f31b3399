//! winpipe, which ipc is another name of here: named pipes of Windows, `\\.\pipe\NAME`.
#![forbid(unsafe_code)]

use std::io;

use socket2::SockAddr;

use super::session::Greeting;
use super::{Dialer, Listener, NamedPipe, Settings, Target, Transport};
use crate::codec::length_prefix::LengthPrefix;
use crate::error::{Error, Result};
use crate::sys::pipe::{Manner, Pipe, PipeListener, system_name};
use crate::sys::{Source, Stream};

pub(super) struct WinPipe;

impl Transport for WinPipe {
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>> {
        check(address)?;
        if settings.ipc_mode.is_some() {
            // A pipe has no permission bits. A program that asks for some must not believe that others are kept out.
            return Err(Error::NotSupported);
        }
        let NamedPipe { security, out_buffer, in_buffer } = settings.named_pipe;
        let bytes = |size| u32::try_from(size).unwrap_or(0);
        let manner = Manner { security, out_buffer: bytes(out_buffer), in_buffer: bytes(in_buffer) };
        Ok(Box::new(Bound(PipeListener::bind(address, manner)?)))
    }

    fn connect(&self, address: &[u8], _settings: Settings) -> Result<Box<dyn Dialer>> {
        check(address)?;
        Ok(Box::new(PipeDialer(address.to_vec())))
    }
}

/// Whether it can be the name of a pipe.
fn check(name: &[u8]) -> Result<()> {
    system_name(name).map(drop).map_err(|_| Error::Invalid)
}

struct Bound(PipeListener);

impl Listener for Bound {
    fn source(&self) -> Source<'_> {
        self.0.source()
    }

    fn accept(&self, _settings: Settings) -> io::Result<Stream> {
        self.0.accept()
    }

    fn greeting(&self, _settings: Settings) -> Greeting {
        Greeting::SpServer(LengthPrefix::Typed)
    }
}

struct PipeDialer(Vec<u8>);

impl Dialer for PipeDialer {
    fn target(&self) -> Target {
        // One address, which is none of a socket: the dialer knows the name.
        Target::Known(vec![SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))])
    }

    fn dial(&self, _to: &SockAddr, _settings: Settings) -> io::Result<Stream> {
        Pipe::dial(&self.0)
    }

    fn greeting(&self) -> Greeting {
        Greeting::SpClient(LengthPrefix::Typed)
    }
}
