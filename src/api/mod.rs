//! The library for Rust programs: sockets with owners, times as [`Duration`](std::time::Duration), errors as
//! [`Error`]. It calls the engine where the C functions do, through the same table of handles, and has no second way
//! for anything; a socket opened here and one opened by `nn_socket` are of one kind.
#![forbid(unsafe_code)]

mod error;
mod message;
mod monitor;
mod options;
mod poll;
mod requests;
mod socket;
mod statistic;
mod tls;

pub use self::error::{Error, Result};
pub use self::message::{Message, WsMessageType};
pub use self::monitor::{Peer, PeerCertificate, PeerProcess};
pub use self::options::{Overflow, TcpKeepalive};
pub use self::poll::{PollItem, device, loopback, poll};
pub use self::requests::{Replies, Request, Requests};
pub use self::socket::{Endpoint, Socket, SocketType};
pub use self::statistic::Statistic;
pub use self::tls::{TlsVerify, TlsVersion};
