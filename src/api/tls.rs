//! TLS: which certificates a socket trusts, which one it shows, and what it asks of its peers.
#![forbid(unsafe_code)]

use super::error::Result;
use super::socket::{Socket, c_text};
use crate::ffi::symbols::{NN_TLS, NN_TLS_CA, NN_TLS_CERT, NN_TLS_KEY, NN_TLS_MIN_VERSION, NN_TLS_NAME, NN_TLS_VERIFY};

/// Which peers have to show a certificate that is trusted and, when connecting, for the right name ([`Socket::set_tls_verify`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsVerify {
    /// No peer.
    None = 0,
    /// A peer that shows a certificate.
    Optional = 1,
    /// Every peer: one without a certificate is refused.
    Required = 2,
}

impl TlsVerify {
    const ALL: [Self; 3] = [Self::None, Self::Optional, Self::Required];
}

/// A version of TLS ([`Socket::set_tls_min_version`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V1_2 = 12,
    /// TLS 1.3 (RFC 8446).
    V1_3 = 13,
}

/// TLS, for the schemes `tls+tcp` and `wss`. The options hold for endpoints made afterwards. What is asked for as PEM is its text
/// or the path of a file of it, and the empty text unsets it: a file that cannot be read is the system's error, one without what
/// is asked for EINVAL. [`Socket::monitor`] and [`Socket::report`] report why a handshake has failed. Without the feature
/// `tls` all of them are ENOPROTOOPT.
impl Socket {
    /// The certificates that are trusted, as they were given; empty: the system's.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: without the feature `tls`.
    pub fn tls_ca(&self) -> Result<String> {
        self.text(NN_TLS, NN_TLS_CA)
    }

    /// Sets [`Socket::tls_ca`], PEM.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the text or the file has nothing of the kind. ENOPROTOOPT: without the feature `tls`. What the
    /// system says of a file that cannot be read.
    pub fn set_tls_ca(&self, certificates: &str) -> Result<()> {
        self.set_tls_text(NN_TLS_CA, certificates)
    }

    /// Our own certificate, as it was given.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EACCES: it was given as text with a key in it. ENOPROTOOPT: without the feature `tls`.
    pub fn tls_cert(&self) -> Result<String> {
        self.text(NN_TLS, NN_TLS_CERT)
    }

    /// Sets [`Socket::tls_cert`] and what it is signed with, PEM. [`Socket::bind`] fails with EINVAL without one.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the text or the file has nothing of the kind. ENOPROTOOPT: without the feature `tls`. What the
    /// system says of a file that cannot be read.
    pub fn set_tls_cert(&self, certificate: &str) -> Result<()> {
        self.set_tls_text(NN_TLS_CERT, certificate)
    }

    /// Sets the private key of that certificate, PEM, unless it stands beside it. It cannot be read back. [`Socket::bind`] and
    /// [`Socket::connect`] fail with EINVAL if it does not fit.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: the text or the file has nothing of the kind. ENOPROTOOPT: without the feature `tls`. What the
    /// system says of a file that cannot be read.
    pub fn set_tls_key(&self, key: &str) -> Result<()> {
        self.set_tls_text(NN_TLS_KEY, key)
    }

    /// Which peers are verified. `None`: every peer when connecting, no peer when bound.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: without the feature `tls`.
    pub fn tls_verify(&self) -> Result<Option<TlsVerify>> {
        let number = self.int(NN_TLS, NN_TLS_VERIFY)?;
        Ok(TlsVerify::ALL.into_iter().find(|&whom| whom as i32 == number))
    }

    /// Sets [`Socket::tls_verify`].
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: without the feature `tls`.
    pub fn set_tls_verify(&self, whom: Option<TlsVerify>) -> Result<()> {
        self.set_int(NN_TLS, NN_TLS_VERIFY, whom.map_or(-1, |whom| whom as i32))
    }

    /// The name that the peer is asked for, and that its certificate has to be for; empty: the host of the address.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: without the feature `tls`.
    pub fn tls_name(&self) -> Result<String> {
        self.text(NN_TLS, NN_TLS_NAME)
    }

    /// Sets [`Socket::tls_name`], a DNS name or an IP address.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. EINVAL: it is no name. ENOPROTOOPT: without the feature `tls`.
    pub fn set_tls_name(&self, name: &str) -> Result<()> {
        self.set_tls_text(NN_TLS_NAME, name)
    }

    /// The oldest version that is spoken.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: without the feature `tls`.
    pub fn tls_min_version(&self) -> Result<TlsVersion> {
        let number = self.int(NN_TLS, NN_TLS_MIN_VERSION)?;
        Ok(if number == TlsVersion::V1_3 as i32 { TlsVersion::V1_3 } else { TlsVersion::V1_2 })
    }

    /// Sets [`Socket::tls_min_version`]; 1.2, unless it is set.
    ///
    /// # Errors
    ///
    /// EBADF: the socket is closed. ENOPROTOOPT: without the feature `tls`.
    pub fn set_tls_min_version(&self, oldest: TlsVersion) -> Result<()> {
        self.set_int(NN_TLS, NN_TLS_MIN_VERSION, oldest as i32)
    }

    fn set_tls_text(&self, option: i32, text: &str) -> Result<()> {
        self.set_bytes(NN_TLS, option, c_text(text)?)
    }
}
