//! Why a TLS connection has failed: for events, NN_PRINT_ERRORS and nn_strerror.
#![forbid(unsafe_code)]

use std::fmt;

use crate::sys;

/// Where their numbers start: a thousand above those that upstream has (NN_HAUSNUMERO and some 60 above it).
const FIRST: i32 = 156_384_712 + 1001;

/// Each has an error number of its own (NN_ETLS_* in `ffi`), in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    UnknownAuthority,
    Expired,
    NotYetValid,
    WrongName,
    BadCertificate,
    NoCertificate,
    Version,
    NothingInCommon,
    NotTls,
    Violation,
    /// What the peer has told (an alert; RFC 8446, section 6).
    Distrusted,
    CertificateWanted,
    NameUnknown,
    Refused,
}

impl Failure {
    pub(crate) const ALL: [Self; 14] = [
        Self::UnknownAuthority,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongName,
        Self::BadCertificate,
        Self::NoCertificate,
        Self::Version,
        Self::NothingInCommon,
        Self::NotTls,
        Self::Violation,
        Self::Distrusted,
        Self::CertificateWanted,
        Self::NameUnknown,
        Self::Refused,
    ];

    /// Its error number, which no system has.
    pub(crate) fn number(self) -> i32 {
        FIRST + self as i32
    }

    /// The failure with this error number, if there is one.
    pub(crate) fn with_number(number: i32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number.checked_sub(FIRST)?).ok()?).copied()
    }

    pub(crate) fn text(self) -> &'static str {
        // Literals of C: nn_strerror gives them out as they are.
        self.c_text().to_str().unwrap_or_default()
    }

    pub(crate) fn c_text(self) -> &'static std::ffi::CStr {
        match self {
            Self::UnknownAuthority => c"No trusted authority has signed the peer's certificate",
            Self::Expired => c"The peer's certificate has expired",
            Self::NotYetValid => c"The peer's certificate is not valid yet",
            Self::WrongName => c"The peer's certificate is for another name",
            Self::BadCertificate => c"The peer's certificate cannot be used",
            Self::NoCertificate => c"The peer has shown no certificate",
            Self::Version => c"There is no version of TLS that both sides allow",
            Self::NothingInCommon => c"There is no cipher suite or signature scheme that both sides have",
            Self::NotTls => c"The peer does not speak TLS",
            Self::Violation => c"The peer broke the protocol TLS",
            Self::Distrusted => c"The peer does not accept our certificate",
            Self::CertificateWanted => c"The peer wants to see a certificate",
            Self::NameUnknown => c"The peer does not know the name that it was asked for",
            Self::Refused => c"The peer has ended the TLS handshake",
        }
    }
}

/// An error number in words: ours for a failure of TLS, the system's for any other.
pub(crate) fn text_of(number: i32) -> String {
    Failure::with_number(number).map_or_else(|| sys::text_of(number), |failure| failure.text().to_owned())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Failure {}

#[cfg(tls)]
impl From<&rustls::Error> for Failure {
    fn from(error: &rustls::Error) -> Self {
        use rustls::{CertificateError, Error, InvalidMessage};
        match error {
            Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer => Self::UnknownAuthority,
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::WrongName,
                _ => Self::BadCertificate,
            },
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::PeerIncompatible(what) => {
                use rustls::PeerIncompatible as Incompatible;
                match what {
                    // An older client has no such extension (RFC 5246, section 7.4.1.4.1).
                    Incompatible::SignatureAlgorithmsExtensionRequired
                    | Incompatible::SupportedVersionsExtensionRequired
                    | Incompatible::ServerDoesNotSupportTls12Or13
                    | Incompatible::ServerTlsVersionIsDisabledByOurConfig
                    | Incompatible::Tls12NotOffered
                    | Incompatible::Tls12NotOfferedOrEnabled
                    | Incompatible::Tls13RequiredForQuic => Self::Version,
                    _ => Self::NothingInCommon,
                }
            }
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::InvalidEmptyPayload,
            ) => Self::NotTls,
            Error::AlertReceived(alert) => {
                use rustls::AlertDescription as Alert;
                match alert {
                    Alert::UnknownCA
                    | Alert::BadCertificate
                    | Alert::UnsupportedCertificate
                    | Alert::CertificateRevoked
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::AccessDenied => Self::Distrusted,
                    Alert::CertificateRequired => Self::CertificateWanted,
                    Alert::ProtocolVersion => Self::Version,
                    Alert::InsufficientSecurity => Self::NothingInCommon,
                    Alert::UnrecognisedName => Self::NameUnknown,
                    _ => Self::Refused,
                }
            }
            _ => Self::Violation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_a_text_of_its_own() {
        let mut texts: Vec<&str> = Failure::ALL.iter().map(|failure| failure.text()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Failure::ALL.len());
        assert!(texts.iter().all(|text| text.len() > 20));
        for (at, failure) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, at, "in the order of their numbers");
        }
    }
}
