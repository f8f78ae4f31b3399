//! The simulator's network: `sim://7` is port 7, with the frames of tcp; `simipc://` has those of ipc and the manners of Unix
//! streams; `simws://` those of ws.
#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::SockAddr;

use super::session::Greeting;
use super::{Dialer, Listener, Settings, Target, Transport};
use crate::codec::length_prefix::LengthPrefix;
use crate::error::{Error, Result};
use crate::sys::{AsSource, Source, Stream};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Simulated {
    Plain,
    Local,
    WebSocket,
}

fn port(address: &[u8]) -> Result<u16> {
    std::str::from_utf8(address).ok().and_then(|text| text.parse().ok()).ok_or(Error::Invalid)
}

impl Transport for Simulated {
    fn bind(&self, address: &[u8], _settings: Settings) -> Result<Box<dyn Listener>> {
        let stream = Stream::listen(port(address)?, *self == Self::Local)?;
        Ok(Box::new(Listening { kind: *self, stream }))
    }

    fn connect(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Dialer>> {
        Ok(Box::new(Dialling { kind: *self, port: port(address)?, opcode: settings.ws_opcode }))
    }
}

struct Listening {
    kind: Simulated,
    stream: Stream,
}

impl Listener for Listening {
    fn source(&self) -> Source<'_> {
        self.stream.as_source()
    }

    fn accept(&self, _settings: Settings) -> io::Result<Stream> {
        self.stream.accept()
    }

    fn greeting(&self, settings: Settings) -> Greeting {
        match self.kind {
            Simulated::Plain => Greeting::SpServer(LengthPrefix::Plain),
            Simulated::Local => Greeting::SpServer(LengthPrefix::Typed),
            Simulated::WebSocket => Greeting::WsServer { opcode: settings.ws_opcode },
        }
    }
}

struct Dialling {
    kind: Simulated,
    port: u16,
    opcode: u8,
}

impl Dialer for Dialling {
    fn target(&self) -> Target {
        Target::Known(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)).into()])
    }

    fn dial(&self, _to: &SockAddr, _settings: Settings) -> io::Result<Stream> {
        Stream::dial(self.port, self.kind == Simulated::Local)
    }

    fn greeting(&self) -> Greeting {
        match self.kind {
            Simulated::Plain => Greeting::SpClient(LengthPrefix::Plain),
            Simulated::Local => Greeting::SpClient(LengthPrefix::Typed),
            Simulated::WebSocket => {
                Greeting::WsClient { resource: "/".to_owned(), host: "sim".to_owned(), opcode: self.opcode }
            }
        }
    }
}
