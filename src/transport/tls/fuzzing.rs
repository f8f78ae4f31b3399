//! What is before and behind rustls, for fuzz/.
#![forbid(unsafe_code)]

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::ring;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use socket2::Socket;

use super::connection::{self, Tls};
use super::options::{self, Options};

/// The first byte says which option, and whether the rest is PEM or stands in the middle of a certificate. No file is read.
pub(crate) fn options(bytes: &[u8]) {
    let Some((&mode, given)) = bytes.split_first() else { return };
    let option = options::CA + i32::from(mode % 8);
    let given = match option {
        options::CA | options::CERT | options::KEY if mode & 8 != 0 => {
            let (mut whole, _) = certificate();
            let at = usize::from(mode >> 4) * whole.len() / 16;
            let end = whole.len().min(at + given.len());
            whole[at..end].copy_from_slice(&given[..end - at]);
            pem("CERTIFICATE", &whole)
        }
        options::CA | options::CERT | options::KEY => [&b"-----BEGIN "[..], given].concat(),
        _ => given.to_vec(),
    };
    let mut options = Options::default();
    let Ok(change) = Options::change(option, &given) else { return };
    change(&mut options);
    let read = options.value(option);
    assert!(read.is_ok() || matches!(option, options::KEY | options::CERT));
    let _ = options.server();
    if option == options::CA {
        let _ = options.client(host());
    }
}

/// What a peer says to a server and to a client that it shakes no hands with, in pieces of at most so many bytes as the first
/// says.
pub(crate) fn wire(bytes: &[u8]) {
    let Some((&piece, said)) = bytes.split_first() else { return };
    for listens in [true, false] {
        let (near, mut far) = streams();
        let tls = Tls::new(near, ours(listens));
        for piece in said.chunks(usize::from(piece) * 16 + 1) {
            if far.write_all(piece).is_err() {
                break;
            }
            match tls.recv(&mut [0; 100], 100) {
                Ok(0) => break,
                Ok(_) => panic!("there are no keys yet"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    assert!(error.get_ref().is_some_and(|inner| inner.is::<super::Failure>()));
                    break;
                }
            }
        }
    }
}

/// What was said through TLS arrives, both ways, whatever the records, the reads and the writes are cut into. The first bytes
/// say how they are.
pub(crate) fn stream(bytes: &[u8]) {
    let Some((&[mode, record, piece, room], data)) = bytes.split_first_chunk() else { return };
    let [record, piece, room] = [record, piece, room].map(|size| usize::from(size) * usize::from(size) / 4 + 1);
    let (near, mut far) = streams();
    let listens = mode & 1 != 0;
    let (tls, mut peer) = (Tls::new(near, ours(listens)), connection(!listens));
    while tls.is_handshaking() || peer.is_handshaking() {
        let _ = tls.flush();
        let _ = tls.recv(&mut [0; 1], 1);
        hear(&mut peer, &mut far);
        while peer.wants_write() {
            peer.write_tls(&mut far).expect("room");
        }
    }
    let mut wire = Vec::new();
    for record in data.chunks(record) {
        peer.writer().write_all(record).expect("room");
        while peer.wants_write() {
            peer.write_tls(&mut wire).expect("memory");
        }
    }
    let mut heard = Vec::new();
    for piece in wire.chunks(piece) {
        far.write_all(piece).expect("room");
        // Once, and then for what the kernel would not tell of.
        let mut more = true;
        while more {
            let (mut first, mut second) = (Vec::with_capacity(room), vec![0; room]);
            let read = match mode & 2 {
                0 => tls.recv(&mut second, room).map(|behind| (0, behind)),
                _ => tls.fill(&mut first, room / 2, &mut second),
            };
            if let Ok((into, behind)) = read {
                assert!(into + behind > 0, "it has not ended");
                heard.append(&mut first);
                heard.extend_from_slice(&second[..behind]);
            }
            more = tls.has_more();
        }
    }
    assert!(heard == data, "{} bytes of {}", heard.len(), data.len());

    let data = data.repeat(8);
    let (mut sent, mut heard) = (0, Vec::new());
    while heard.len() < data.len() {
        // What is offered again may be cut otherwise, and have more behind it.
        let parts: Vec<_> = data[sent..].chunks(piece + sent % 7).map(IoSlice::new).take(40).collect();
        match tls.send_vectored(&parts) {
            Ok(taken) => sent += taken,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        hear(&mut peer, &mut far);
        let _ = peer.reader().read_to_end(&mut heard);
    }
    assert!(heard == data && !tls.wants_write());
}

fn hear(peer: &mut Connection, far: &mut Socket) {
    far.set_nonblocking(true).expect("an option");
    while peer.read_tls(far).is_ok_and(|read| read > 0) {
        peer.process_new_packets().expect("what TLS has made");
        if !peer.is_handshaking() {
            break;
        }
    }
    far.set_nonblocking(false).expect("an option");
}

/// Ours takes few bytes at a time.
fn streams() -> (crate::sys::Stream, Socket) {
    let (near, far) = crate::sys::pair().expect("two streams");
    let (near, far) = (Socket::from(near), Socket::from(far));
    near.set_nonblocking(true).expect("an option");
    near.set_send_buffer_size(1).expect("an option");
    (near.into(), far)
}

fn host() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// Of a server, and of a client that trusts everybody.
fn configs() -> &'static (Arc<ServerConfig>, Arc<ClientConfig>) {
    static CONFIGS: OnceLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = OnceLock::new();
    CONFIGS.get_or_init(|| {
        let mut options = Options::default();
        for (option, given) in [(options::CERT, &certificate_and_key()[..]), (options::VERIFY, &0i32.to_ne_bytes())] {
            Options::change(option, given).expect("a good value")(&mut options);
        }
        (options.server().expect("a server's"), options.client(host()).expect("a client's").0)
    })
}

fn ours(listens: bool) -> connection::Connection {
    let (server, client) = configs();
    if listens {
        connection::Connection::Server(UnbufferedServerConnection::new(Arc::clone(server)).expect("a server"))
    } else {
        connection::Connection::Client(UnbufferedClientConnection::new(Arc::clone(client), host()).expect("a client"))
    }
}

/// Of the other side, with buffers of its own.
pub(crate) fn connection(listens: bool) -> Connection {
    let (server, client) = configs();
    if listens {
        ServerConnection::new(Arc::clone(server)).expect("a server").into()
    } else {
        ClientConnection::new(Arc::clone(client), host()).expect("a client").into()
    }
}

/// PEM.
pub(crate) fn certificate_and_key() -> Vec<u8> {
    let (certificate, key) = certificate();
    [pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", &key)].concat()
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der)).into_bytes()
}

/// One that nobody has signed (RFC 5280, section 4.1), and the key of it (RFC 8410): zeros.
fn certificate() -> (Vec<u8>, Vec<u8>) {
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let head = match content.len() {
            length @ 0..128 => vec![tag, length as u8],
            length @ 128..256 => vec![tag, 0x81, length as u8],
            length => [&[tag, 0x82][..], &(length as u16).to_be_bytes()].concat(),
        };
        [head, content].concat()
    }
    const SEQUENCE: u8 = 0x30;
    let ed25519 = der(SEQUENCE, &[&[6, 3, 0x2b, 0x65, 0x70]]);
    let key = der(SEQUENCE, &[&[2, 1, 0], &ed25519, &der(4, &[&der(4, &[&[0; 32]])])]);
    let signs = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(key.clone())).expect("a key");
    let public = signs.public_key().expect("its other half");
    let name = der(SEQUENCE, &[&der(0x31, &[&der(SEQUENCE, &[&[6, 3, 0x55, 4, 3], &der(12, &[b"fuzz"])])])]);
    let validity = der(SEQUENCE, &[&der(23, &[b"200101000000Z"]), &der(23, &[b"491231235959Z"])]);
    let body = der(SEQUENCE, &[&[0xa0, 3, 2, 1, 2, 2, 1, 1], &ed25519, &name, &validity, &name, &public]);
    (der(SEQUENCE, &[&body, &ed25519, &der(3, &[&[0; 65]])]), key)
}
