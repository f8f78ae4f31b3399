//! TLS under a bare peer, and records that no TLS library would write. Sec. numbers are RFC 8446's.

use std::io::{self, ErrorKind, Read, Write};
use std::ops::Deref;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::{fs, path::Path};

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Connection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, RootCertStore,
    ServerConfig, ServerConnection, SupportedCipherSuite, SupportedProtocolVersion,
};
use socket2::Socket;
use tempfile::TempDir;

use super::{Bare, Server};
use crate::ours::{Over, Place};

/// Certificates of tests/pki.sh, as PEM.
pub(crate) struct Pki {
    pub(crate) authority: String,
    /// The server's, with its key.
    pub(crate) both: String,
}

pub(crate) fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pki.sh");
        let made = Command::new(script).arg(folder.path()).status().expect("it can be started");
        assert!(made.success(), "openssl makes no certificates");
        let read = |name| fs::read_to_string(folder.path().join(name)).expect("it was made");
        Pki { authority: read("ca.pem"), both: read("both.pem") }
    })
}

/// With the one suite whose records are the same in both versions but for what is authenticated with them.
fn provider() -> Arc<CryptoProvider> {
    let cipher_suites = vec![
        ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() })
}

fn client_of(version: &'static SupportedProtocolVersion) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(pki().authority.as_bytes()).expect("a certificate");
    roots.add(authority).expect("an authority");
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]);
    let mut config = builder.expect("a version").with_root_certificates(roots).with_no_client_auth();
    config.enable_secret_extraction = true;
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a client")
}

pub(crate) fn client() -> Connection {
    client_of(&TLS13).into()
}

pub(crate) fn server() -> Connection {
    server_with(chain())
}

fn chain() -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pki().both.as_bytes()).map(|der| der.expect("a certificate")).collect()
}

fn version(old: bool) -> &'static SupportedProtocolVersion {
    if old { &TLS12 } else { &TLS13 }
}

pub(crate) fn server_with(chain: Vec<CertificateDer<'static>>) -> Connection {
    server_of(&TLS13, chain)
}

fn server_of(version: &'static SupportedProtocolVersion, chain: Vec<CertificateDer<'static>>) -> Connection {
    let key = PrivateKeyDer::from_pem_slice(pki().both.as_bytes()).expect("a key");
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[version]);
    let config = builder.expect("a version").with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.expect("a server's");
    config.enable_secret_extraction = true;
    ServerConnection::new(Arc::new(config)).expect("a server").into()
}

/// A stream of the operating system, and TLS on it or not.
pub(crate) struct Wire {
    pub(super) socket: Socket,
    tls: Option<Box<Connection>>,
}

impl Deref for Wire {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl From<Socket> for Wire {
    fn from(socket: Socket) -> Self {
        Self { socket, tls: None }
    }
}

impl Wire {
    /// Once the handshake is over.
    pub(crate) fn secured(socket: Socket, tls: Connection) -> Self {
        let mut wire = Self { socket, tls: Some(Box::new(tls)) };
        // Who is in the middle of leaving is left.
        let _ = wire.handshakes();
        wire
    }

    fn handshakes(&mut self) -> io::Result<()> {
        while self.tls().is_handshaking() {
            self.writes()?;
            if self.tls().is_handshaking() {
                self.reads()?;
            }
        }
        self.writes()
    }

    pub(crate) fn tls(&mut self) -> &mut Connection {
        self.tls.as_mut().expect("it speaks TLS")
    }

    /// Records that have been made.
    pub(crate) fn writes(&mut self) -> io::Result<()> {
        let tls = self.tls.as_mut().expect("it speaks TLS");
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    fn reads(&mut self) -> io::Result<usize> {
        let tls = self.tls.as_mut().expect("it speaks TLS");
        let read = tls.read_tls(&mut self.socket)?;
        let state = tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        if read == 0 && !state.peer_has_closed() && tls.is_handshaking() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.tls.is_none() {
            return self.socket.read(buffer);
        }
        loop {
            match self.tls().reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => _ = self.reads()?,
                // The end of the stream is the end, told or not.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.tls.is_none() {
            return self.socket.write(bytes);
        }
        self.writes()?;
        let taken = self.tls().writer().write(bytes)?;
        self.writes()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A peer that has come through its handshake, and writes whatever record it is told to.
pub(crate) struct Forger {
    pub(crate) bare: Bare,
    encrypter: Box<dyn MessageEncrypter>,
    number: u64,
}

impl Forger {
    pub(crate) fn to(place: &Place, old: bool) -> Self {
        Self::over(Bare::raw(place).0.socket, client_of(version(old)).into())
    }

    pub(crate) fn accepted(server: &Server, old: bool) -> Self {
        Self::over(server.accept_raw(), server_of(version(old), chain()))
    }

    fn over(mut socket: Socket, mut tls: Connection) -> Self {
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut socket).expect("a handshake");
        }
        let suite = tls.negotiated_cipher_suite().expect("a suite");
        let (number, secrets) = tls.dangerous_extract_secrets().expect("secrets").tx;
        let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else { unreachable!("another suite") };
        let encrypter = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => suite.aead_alg.encrypter(key, iv.as_ref(), &[]),
        };
        Self { bare: Bare(socket.into()), encrypter, number }
    }

    /// One record, and the number that follows is its.
    pub(crate) fn record(&mut self, kind: ContentType, payload: &[u8]) -> Vec<u8> {
        let plain = OutboundPlainMessage {
            typ: kind,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        let record = self.encrypter.encrypt(plain, self.number).expect("a record");
        self.number += 1;
        record.encode()
    }

    pub(crate) fn says(&mut self, kind: ContentType, payload: &[u8]) {
        let record = self.record(kind, payload);
        self.bare.say(&record);
    }
}

/// A record that nothing protects.
pub(crate) fn plain(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(payload.len() as u16).to_be_bytes(), payload].concat()
}

/// What a connection says before it has heard anything.
pub(crate) fn first_words(tls: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut bytes).expect("memory");
    }
    bytes
}

impl Over {
    /// Both sides of it, where it is secured.
    pub(super) fn wire(self, socket: Socket, listens: bool) -> Wire {
        match (self.is_secured(), listens) {
            (false, _) => socket.into(),
            (true, false) => Wire::secured(socket, client()),
            (true, true) => Wire::secured(socket, server()),
        }
    }
}
