//! tls+tcp: a TCP connection, TLS, and inside of that what tcp has (draft sp-tls-mapping-01). wss is ws on it.
//!
//! TLS is a layer of the stream (`transport::channel`): sessions and writers do not know of it. It is rustls'; a library
//! that is built without it (the feature `tls`) has none of these files but two.
#![forbid(unsafe_code)]

#[cfg(not(tls))]
mod absent;
#[cfg(tls)]
mod certificate;
#[cfg(tls)]
mod connection;
mod failure;
#[cfg(all(tls, any(test, fuzzing)))]
pub(crate) mod fuzzing;
#[cfg(tls)]
mod options;
#[cfg(tls)]
mod scheme;
#[cfg(tls)]
mod verify;

#[cfg(not(tls))]
pub(crate) use absent::{Options, Reading, Tls};
#[cfg(tls)]
pub(crate) use connection::Tls;
pub(crate) use failure::{Failure, text_of};
#[cfg(tls)]
pub(crate) use options::{Options, Reading};
#[cfg(tls)]
pub(super) use scheme::TlsTcp;
