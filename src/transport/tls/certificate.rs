//! Certificates: what they tell of their holder.
#![forbid(unsafe_code)]

use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use x509_cert::certificate::{CertificateInner, Rfc5280};
use x509_cert::der::Decode;

use super::failure::Failure;
use crate::peer::Certificate;

/// As events, statistics and NN_RECV_PEER tell it.
pub(super) fn describe(certificate: &CertificateDer<'_>) -> Certificate {
    let digest = Sha256::digest(certificate);
    let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    // The subject of one that cannot be read whole is not told. It was not verified either, then.
    let subject = parse(certificate).map_or_else(String::new, |parsed| parsed.tbs_certificate().subject().to_string());
    Certificate { subject: subject.into(), sha256: sha256.into() }
}

/// Whether it may be used at this time.
pub(super) fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Failure> {
    let parsed = parse(certificate).ok_or(Failure::BadCertificate)?;
    let validity = parsed.tbs_certificate().validity();
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs() {
        Err(Failure::NotYetValid)
    } else if now > validity.not_after.to_unix_duration().as_secs() {
        Err(Failure::Expired)
    } else {
        Ok(())
    }
}

/// Whether it names its holder as the one who has signed it.
pub(super) fn signs_itself(certificate: &CertificateDer<'_>) -> bool {
    parse(certificate).is_some_and(|parsed| {
        let told = parsed.tbs_certificate();
        told.issuer() == told.subject()
    })
}

fn parse(certificate: &CertificateDer<'_>) -> Option<CertificateInner<Rfc5280>> {
    CertificateInner::from_der(certificate).ok()
}
