//! One TLS connection on a blocking socket, for benches/c/bare.c. What fails ends the program.

use std::ffi::{CStr, c_char, c_int};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::FromRawFd;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

pub struct Bare(Box<dyn Stream>);

/// A connection on `socket`, with the certificates in the folder `pki`. The handshake is made by the first write or read.
///
/// # Safety
/// `socket` is an open socket that nobody closes, and `pki` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_tls_new(socket: c_int, pki: *const c_char, accepts: c_int) -> *mut Bare {
    // SAFETY: the caller promises both.
    let (socket, pki) = unsafe { (TcpStream::from_raw_fd(socket), CStr::from_ptr(pki)) };
    let pki = Path::new(pki.to_str().unwrap());
    let stream = if accepts != 0 { server(socket, pki) } else { client(socket, pki) };
    Box::into_raw(Box::new(Bare(stream)))
}

fn server(socket: TcpStream, pki: &Path) -> Box<dyn Stream> {
    let chain = CertificateDer::pem_file_iter(pki.join("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(pki.join("server.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    Box::new(StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket))
}

fn client(socket: TcpStream, pki: &Path) -> Box<dyn Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.join("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    Box::new(StreamOwned::new(connection, socket))
}

/// Writes all of it.
///
/// # Safety
/// `bare` is from `bare_tls_new`, and no other thread uses it; there are `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_tls_write(bare: *mut Bare, bytes: *const u8, length: usize) {
    // SAFETY: the caller promises it.
    let (bare, bytes) = unsafe { (&mut *bare, std::slice::from_raw_parts(bytes, length)) };
    bare.0.write_all(bytes).unwrap();
    bare.0.flush().unwrap();
}

/// Reads once, and tells how much; 0 is the end.
///
/// # Safety
/// As above; there is room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_tls_read(bare: *mut Bare, bytes: *mut u8, length: usize) -> usize {
    // SAFETY: the caller promises it.
    let (bare, bytes) = unsafe { (&mut *bare, std::slice::from_raw_parts_mut(bytes, length)) };
    bare.0.read(bytes).unwrap_or(0)
}
