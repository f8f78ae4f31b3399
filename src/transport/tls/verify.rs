//! Whether a peer's certificate is good enough.
#![forbid(unsafe_code)]

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::certificate::{check_time, signs_itself};
use super::failure::Failure;

/// Who is trusted: authorities, and holders of certificates that were named themselves.
#[derive(Debug)]
pub(super) struct Trusted {
    pub roots: Arc<RootCertStore>,
    pub certificates: Arc<[CertificateDer<'static>]>,
}

impl Trusted {
    /// A certificate that was named itself needs nobody to vouch for it, and may be one that authorities sign with: what
    /// `openssl req -x509` makes is.
    fn names(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.contains(certificate)
    }
}

/// One that signs itself, as an authority does, is of nobody who is trusted; that it may be no peer's is the lesser matter.
fn explain(error: Error, certificate: &CertificateDer<'_>) -> Error {
    match error {
        Error::InvalidCertificate(CertificateError::Other(_)) if signs_itself(certificate) => {
            CertificateError::UnknownIssuer.into()
        }
        other => other,
    }
}

fn in_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    check_time(certificate, now).map_err(|failure| {
        Error::InvalidCertificate(match failure {
            Failure::Expired => CertificateError::Expired,
            Failure::NotYetValid => CertificateError::NotValidYet,
            _ => CertificateError::BadEncoding,
        })
    })
}

/// Of servers.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    trusted: Trusted,
    chains: Arc<WebPkiServerVerifier>,
}

impl ServerVerifier {
    pub(super) fn new(trusted: Trusted, provider: Arc<CryptoProvider>) -> Option<Arc<Self>> {
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::clone(&trusted.roots), provider).build().ok()?;
        Some(Arc::new(Self { trusted, chains }))
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.names(certificate) {
            in_time(certificate, now)?;
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.chains
            .verify_server_cert(certificate, intermediates, name, ocsp_response, now)
            .map_err(|error| explain(error, certificate))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Takes every server's word for who it is (NN_TLS_VERIFY 0). What it signs has to be signed with its certificate all the same.
#[derive(Debug)]
pub(super) struct Anybody(pub Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Of clients.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    trusted: Trusted,
    chains: Arc<dyn ClientCertVerifier>,
}

impl ClientVerifier {
    /// `demanded`: who shows no certificate is refused.
    pub(super) fn new(trusted: Trusted, provider: Arc<CryptoProvider>, demanded: bool) -> Option<Arc<Self>> {
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&trusted.roots), provider);
        let builder = if demanded { builder } else { builder.allow_unauthenticated() };
        Some(Arc::new(Self { trusted, chains: builder.build().ok()? }))
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.chains.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.trusted.names(certificate) {
            in_time(certificate, now)?;
            return Ok(ClientCertVerified::assertion());
        }
        self.chains.verify_client_cert(certificate, intermediates, now).map_err(|error| explain(error, certificate))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
