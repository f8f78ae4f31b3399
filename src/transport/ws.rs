//! ws: tcp with an HTTP upgrade and WebSocket frames (RFC 6455), and wss: the same inside TLS. `interface[:port]`, and
//! `[local;]host[:port][/resource]`.
#![forbid(unsafe_code)]

use std::io;

use socket2::SockAddr;

use super::channel::Channel;
use super::session::Greeting;
use super::tcp::Tcp;
#[cfg(tls)]
use super::tls;
use super::{Dialer, Listener, Settings, Target, Transport};
use crate::error::{Error, Result};
use crate::sys::{Source, Stream};

pub(super) struct Ws {
    below: Box<dyn Transport>,
    /// Where none is given (RFC 6455, section 3).
    port: &'static [u8],
}

impl Transport for Ws {
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>> {
        // A listener takes every resource, and names none.
        if address.contains(&b'/') {
            return Err(Error::Invalid);
        }
        let listener = self.below.bind(&self.with_port(address), settings)?;
        Ok(Box::new(WsListener(listener)))
    }

    fn connect(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Dialer>> {
        let (authority, resource) = match address.iter().position(|&byte| byte == b'/') {
            Some(slash) => address.split_at(slash),
            None => (address, &b"/"[..]),
        };
        let dialer = self.below.connect(&self.with_port(authority), settings)?;
        let host = authority.rsplit(|&byte| byte == b';').next().unwrap_or(authority);
        let host = without_zone(&text(host)?);
        Ok(Box::new(WsDialer { dialer, host, resource: text(resource)?, opcode: settings.ws_opcode }))
    }
}

impl Ws {
    pub(super) fn over_tcp() -> Self {
        Self { below: Box::new(Tcp), port: b":80" }
    }

    #[cfg(tls)]
    pub(super) fn over_tls(options: tls::Options) -> Self {
        Self { below: Box::new(tls::TlsTcp(options)), port: b":443" }
    }

    /// A colon inside of brackets belongs to an IPv6 literal.
    fn with_port(&self, authority: &[u8]) -> Vec<u8> {
        let behind = authority.iter().rposition(|&byte| byte == b']').map_or(authority, |end| &authority[end..]);
        if behind.contains(&b':') { authority.to_vec() } else { [authority, self.port].concat() }
    }
}

/// Goes into a line of the request as it is: nothing in it may end the line, or the word.
fn text(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Invalid)?;
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7F) { Err(Error::Invalid) } else { Ok(text.to_owned()) }
}

/// A zone means something on this machine only, and is not sent (RFC 6874, section 4).
fn without_zone(host: &str) -> String {
    let Some((ip, zone)) = host.split_once('%') else { return host.to_owned() };
    let end = zone.find([']', ':']).unwrap_or(zone.len());
    format!("{ip}{}", &zone[end..])
}

struct WsListener(Box<dyn Listener>);

impl Listener for WsListener {
    fn source(&self) -> Source<'_> {
        self.0.source()
    }

    fn accept(&self, settings: Settings) -> io::Result<Stream> {
        self.0.accept(settings)
    }

    fn secure(&self, stream: Stream) -> io::Result<Channel> {
        self.0.secure(stream)
    }

    fn greeting(&self, settings: Settings) -> Greeting {
        Greeting::WsServer { opcode: settings.ws_opcode }
    }

    fn port(&self) -> Option<u16> {
        self.0.port()
    }
}

struct WsDialer {
    dialer: Box<dyn Dialer>,
    host: String,
    resource: String,
    /// As it was set when this was made.
    opcode: u8,
}

impl Dialer for WsDialer {
    fn target(&self) -> Target {
        self.dialer.target()
    }

    fn dial(&self, to: &SockAddr, settings: Settings) -> io::Result<Stream> {
        self.dialer.dial(to, settings)
    }

    fn secure(&self, stream: Stream) -> io::Result<Channel> {
        self.dialer.secure(stream)
    }

    fn greeting(&self) -> Greeting {
        Greeting::WsClient { resource: self.resource.clone(), host: self.host.clone(), opcode: self.opcode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_not_sent() {
        for (host, sent) in [
            ("[fe80::7%v0]:5555", "[fe80::7]:5555"),
            ("fe80::7%v0:5555", "fe80::7:5555"),
            ("[fe80::7%v0]", "[fe80::7]"),
            ("localhost:5555", "localhost:5555"),
        ] {
            assert_eq!(without_zone(host), sent);
        }
    }
}
