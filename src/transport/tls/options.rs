//! The options at level NN_TLS, and what endpoints make of them.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use zeroize::{Zeroize, Zeroizing};

use super::verify::{Anybody, ClientVerifier, ServerVerifier, Trusted};
use crate::error::{Error, Result};
use crate::sys::{self, files};

/// Names and meanings are in ffi/symbols.rs and nn_tls(7).
pub(crate) const CA: i32 = 1001;
pub(crate) const CERT: i32 = 1002;
pub(crate) const KEY: i32 = 1003;
pub(crate) const VERIFY: i32 = 1004;
pub(crate) const NAME: i32 = 1005;
pub(crate) const MIN_VERSION: i32 = 1006;

/// What tells PEM from a path (RFC 7468, section 2).
const PEM: &[u8] = b"-----BEGIN ";

/// Of a file, in bytes. The certificates of all authorities of the web take some 250 KiB.
const FILE_MAX: u64 = 16 * 1024 * 1024;

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

/// What setting an option does.
pub(crate) type Change = Box<dyn FnOnce(&mut Options)>;

/// Endpoints are made by what these are at that time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    authorities: Option<Certificates>,
    certificate: Option<Certificates>,
    key: Option<Arc<Key>>,
    /// `None`: required when connecting, none when bound.
    verify: Option<Verify>,
    name: Option<(String, ServerName<'static>)>,
    without_12: bool,
    /// What endpoints that connect have in common: made once, and again when an option has changed.
    client: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verify {
    None,
    Optional,
    Required,
}

#[derive(Debug, Clone)]
struct Certificates {
    /// As it was given. `None`: a private key stands in it.
    given: Option<Arc<[u8]>>,
    list: Arc<[CertificateDer<'static>]>,
    key: Option<Arc<Key>>,
}

/// A private key, which is overwritten when it is dropped, and never printed.
struct Key(PrivateKeyDer<'static>);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// An option's value, for nn_getsockopt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Int(i32),
    Text(Vec<u8>),
}

impl Options {
    /// Reads what is given, and files that it names.
    pub(crate) fn change(option: i32, given: &[u8]) -> Result<Change> {
        let change = Self::read(option, given)?;
        Ok(Box::new(|options| {
            change(options);
            options.client = Arc::default();
        }))
    }

    fn read(option: i32, given: &[u8]) -> Result<Change> {
        Ok(match option {
            CA => {
                let read = Certificates::read(given)?;
                Box::new(|options| options.authorities = read)
            }
            CERT => {
                let read = Certificates::read(given)?;
                Box::new(|options| options.certificate = read)
            }
            KEY => {
                let read = read_key(given)?;
                Box::new(|options| options.key = read)
            }
            NAME => {
                let read = read_name(given)?;
                Box::new(|options| options.name = read)
            }
            VERIFY => {
                let verify = match int(given)? {
                    -1 => None,
                    0 => Some(Verify::None),
                    1 => Some(Verify::Optional),
                    2 => Some(Verify::Required),
                    _ => return Err(Error::Invalid),
                };
                Box::new(move |options| options.verify = verify)
            }
            MIN_VERSION => {
                let without_12 = match int(given)? {
                    12 => false,
                    13 => true,
                    _ => return Err(Error::Invalid),
                };
                Box::new(move |options| options.without_12 = without_12)
            }
            _ => return Err(Error::NoSuchOption),
        })
    }

    pub(crate) fn value(&self, option: i32) -> Result<Reading> {
        let text = |certificates: &Option<Certificates>| match certificates {
            None => Ok(Reading::Text(Vec::new())),
            Some(Certificates { given: Some(given), .. }) => Ok(Reading::Text(given.to_vec())),
            Some(_) => Err(sys::no_permission().into()),
        };
        match option {
            CA => text(&self.authorities),
            CERT => text(&self.certificate),
            KEY => Err(sys::no_permission().into()),
            VERIFY => Ok(Reading::Int(self.verify.map_or(-1, |verify| verify as i32))),
            NAME => Ok(Reading::Text(self.name.as_ref().map_or(Vec::new(), |(name, _)| name.clone().into_bytes()))),
            MIN_VERSION => Ok(Reading::Int(if self.without_12 { 13 } else { 12 })),
            _ => Err(Error::NoSuchOption),
        }
    }

    /// For a bound endpoint.
    pub(super) fn server(&self) -> Result<Arc<ServerConfig>> {
        let provider = provider();
        let own = self.own()?.ok_or(Error::Invalid)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions())
            .map_err(|_| Error::Invalid)?;
        let builder = match self.verify {
            None | Some(Verify::None) => builder.with_no_client_auth(),
            Some(verify) => {
                let demanded = verify == Verify::Required;
                let verifier = ClientVerifier::new(self.trusted()?, provider, demanded);
                builder.with_client_cert_verifier(verifier.ok_or(Error::Invalid)?)
            }
        };
        let mut config = builder.with_cert_resolver(own);
        // See `provider`.
        config.ignore_client_order = true;
        Ok(Arc::new(config))
    }

    /// For one that connects to this host, which is verified and named by it unless a name is set.
    pub(super) fn client(&self, host: ServerName<'static>) -> Result<(Arc<ClientConfig>, ServerName<'static>)> {
        let name = self.name.as_ref().map_or(host, |(_, name)| name.clone());
        if let Some(config) = self.client.get() {
            return Ok((Arc::clone(config), name));
        }
        let config = self.client_config()?;
        Ok((Arc::clone(self.client.get_or_init(|| Arc::new(config))), name))
    }

    fn client_config(&self) -> Result<ClientConfig> {
        let provider = provider();
        let own = self.own()?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions())
            .map_err(|_| Error::Invalid)?
            .dangerous();
        let builder = if self.verify == Some(Verify::None) {
            builder.with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else {
            let verifier = ServerVerifier::new(self.trusted()?, provider);
            builder.with_custom_certificate_verifier(verifier.ok_or(Error::Invalid)?)
        };
        Ok(match own {
            Some(own) => builder.with_client_cert_resolver(own),
            None => builder.with_no_client_auth(),
        })
    }

    fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        if self.without_12 { ONLY_13 } else { BOTH }
    }

    /// Our certificate with its key. A certificate without a key is an error, and so is a key that is not its own.
    fn own(&self) -> Result<Option<Arc<SingleCertAndKey>>> {
        let Some(certificate) = &self.certificate else {
            return if self.key.is_some() { Err(Error::Invalid) } else { Ok(None) };
        };
        let key = self.key.as_ref().or(certificate.key.as_ref()).ok_or(Error::Invalid)?;
        // By reference: no copy is left behind.
        let signs = ring::sign::any_supported_type(&key.0).map_err(|_| Error::Invalid)?;
        let certified = CertifiedKey::new(certificate.list.to_vec(), signs);
        certified.keys_match().map_err(|_| Error::Invalid)?;
        Ok(Some(Arc::new(SingleCertAndKey::from(certified))))
    }

    fn trusted(&self) -> Result<Trusted> {
        let mut roots = RootCertStore::empty();
        let certificates = match &self.authorities {
            Some(authorities) => {
                for certificate in &*authorities.list {
                    roots.add(certificate.clone()).map_err(|_| Error::Invalid)?;
                }
                Arc::clone(&authorities.list)
            }
            None => {
                // What cannot be read of the system's store is not trusted.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                Arc::new([])
            }
        };
        Ok(Trusted { roots: Arc::new(roots), certificates })
    }
}

impl Certificates {
    /// PEM, or the path of a file of it. Nothing: none.
    fn read(given: &[u8]) -> Result<Option<Self>> {
        let Some(given) = trimmed(given) else { return Ok(None) };
        let (list, key) = sections(&pem_of(given)?)?;
        if list.is_empty() {
            return Err(Error::Invalid);
        }
        for certificate in &list {
            RootCertStore::empty().add(certificate.clone()).map_err(|_| Error::Invalid)?;
        }
        let told = key.is_none() || !is_pem(given);
        Ok(Some(Self { given: told.then(|| given.into()), list: list.into(), key }))
    }
}

fn read_key(given: &[u8]) -> Result<Option<Arc<Key>>> {
    let Some(given) = trimmed(given) else { return Ok(None) };
    let key = sections(&pem_of(given)?)?.1.ok_or(Error::Invalid)?;
    // One that no signature can be made with is an error here.
    ring::sign::any_supported_type(&key.0).map_err(|_| Error::Invalid)?;
    Ok(Some(key))
}

/// The certificates in PEM text, and the first private key.
fn sections(text: &[u8]) -> Result<(Vec<CertificateDer<'static>>, Option<Arc<Key>>)> {
    let (mut certificates, mut key) = (Vec::new(), None);
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        let (kind, der) = section.map_err(|_| Error::Invalid)?;
        if kind == SectionKind::Certificate {
            certificates.push(der.into());
            continue;
        }
        // It may be a key, and is overwritten even if it is not used.
        let mut der = Zeroizing::new(der);
        if key.is_none() {
            key = PrivateKeyDer::from_pem(kind, std::mem::take(&mut *der)).map(|key| Arc::new(Key(key)));
        }
    }
    Ok((certificates, key))
}

fn read_name(given: &[u8]) -> Result<Option<(String, ServerName<'static>)>> {
    let Some(given) = trimmed(given) else { return Ok(None) };
    let text = std::str::from_utf8(given).map_err(|_| Error::Invalid)?;
    Ok(Some((text.to_owned(), server_name(text)?)))
}

/// A DNS name or an IP address.
pub(super) fn server_name(text: &str) -> Result<ServerName<'static>> {
    // The dot that ends a name is no part of the name that is sent (RFC 6066, section 3).
    let text = text.strip_suffix('.').unwrap_or(text);
    ServerName::try_from(text.to_owned()).map_err(|_| Error::Invalid)
}

/// A C program may count the NUL that ends its string.
fn trimmed(given: &[u8]) -> Option<&[u8]> {
    let given = given.strip_suffix(b"\0").unwrap_or(given);
    (!given.is_empty()).then_some(given)
}

fn is_pem(given: &[u8]) -> bool {
    given.windows(PEM.len()).any(|window| window == PEM)
}

/// The text, or that of the file.
fn pem_of(given: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    if is_pem(given) {
        return Ok(Zeroizing::new(given.to_vec()));
    }
    if given.contains(&0) {
        return Err(Error::Invalid);
    }
    read_file(&files::path_of(given)?)
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    use std::io::Read;
    let file = fs::File::open(path)?;
    let length = file.metadata()?.len().min(FILE_MAX);
    // With room for all of it: text that is moved when there is more would be left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(length as usize + 1));
    file.take(FILE_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_MAX { Err(Error::Invalid) } else { Ok(text) }
}

fn int(given: &[u8]) -> Result<i32> {
    given.try_into().map(i32::from_ne_bytes).map_err(|_| Error::Invalid)
}

/// ring builds wherever there is a C compiler. aws-lc-rs takes cmake too, and was as quick with 64 B and a tenth quicker with
/// 64 KiB (docs/architecture.md).
fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    // With TLS 1.2 no keys are made anew: those of AES-GCM are used up after 2^24 records, and the connection ends. Those of ChaCha20
    // are not.
    provider.cipher_suites.sort_by_key(|suite| match suite {
        SupportedCipherSuite::Tls13(_) => 0,
        SupportedCipherSuite::Tls12(suite) => u64::MAX - suite.common.confidentiality_limit.min(u64::MAX - 1),
    });
    Arc::new(provider)
}
