//! Endpoints of tls+tcp: those of tcp, and a TLS connection on each stream.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, ServerConfig};
use socket2::SockAddr;

use super::connection::{Connection, Tls};
use super::options::{self, Options};
use crate::error::Result;
use crate::sys::{Source, Stream};
use crate::transport::address::{self, Host};
use crate::transport::channel::Channel;
use crate::transport::session::Greeting;
use crate::transport::tcp::Tcp;
use crate::transport::{Dialer, Listener, Settings, Target, Transport};

pub(in crate::transport) struct TlsTcp(pub(in crate::transport) Options);

impl Transport for TlsTcp {
    fn bind(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Listener>> {
        // The address is looked at first, and bound last: nobody connects to what has no certificate.
        address::parse_local(address, settings.ipv4_only)?;
        let config = self.0.server()?;
        let listener = Tcp.bind(address, settings)?;
        Ok(Box::new(TlsListener { listener, config }))
    }

    fn connect(&self, address: &[u8], settings: Settings) -> Result<Box<dyn Dialer>> {
        let host = match address::parse_remote(address, settings.ipv4_only)?.host {
            Host::Ip(ip, _) => ServerName::from(ip),
            Host::Name(name) => options::server_name(&name)?,
        };
        let (config, name) = self.0.client(host)?;
        let dialer = Tcp.connect(address, settings)?;
        Ok(Box::new(TlsDialer { dialer, config, name }))
    }
}

struct TlsListener {
    listener: Box<dyn Listener>,
    config: Arc<ServerConfig>,
}

impl Listener for TlsListener {
    fn source(&self) -> Source<'_> {
        self.listener.source()
    }

    fn accept(&self, settings: Settings) -> io::Result<Stream> {
        self.listener.accept(settings)
    }

    fn secure(&self, stream: Stream) -> io::Result<Channel> {
        let connection = UnbufferedServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        Ok(Tls::new(stream, Connection::Server(connection)).into())
    }

    fn greeting(&self, settings: Settings) -> Greeting {
        self.listener.greeting(settings)
    }

    fn port(&self) -> Option<u16> {
        self.listener.port()
    }
}

struct TlsDialer {
    dialer: Box<dyn Dialer>,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Dialer for TlsDialer {
    fn target(&self) -> Target {
        self.dialer.target()
    }

    fn dial(&self, to: &SockAddr, settings: Settings) -> io::Result<Stream> {
        self.dialer.dial(to, settings)
    }

    fn secure(&self, stream: Stream) -> io::Result<Channel> {
        let connection =
            UnbufferedClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(io::Error::other)?;
        Ok(Tls::new(stream, Connection::Client(connection)).into())
    }

    fn greeting(&self) -> Greeting {
        self.dialer.greeting()
    }
}
