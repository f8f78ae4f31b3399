//! The counters of a socket.
#![forbid(unsafe_code)]

use crate::ffi::symbols;

/// One counter of a socket, for [`Socket::statistic`](crate::Socket::statistic). All but the `Current` and `InProgress`
/// ones only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Statistic {
    /// Connections this side began and the other accepted.
    EstablishedConnections,
    /// Connections the other side began.
    AcceptedConnections,
    /// Connections this side ended.
    DroppedConnections,
    /// Connections that ended otherwise.
    BrokenConnections,
    /// Tries to connect that failed.
    ConnectErrors,
    /// Tries to bind that failed.
    BindErrors,
    /// Tries to accept that failed.
    AcceptErrors,
    /// Connections in use now.
    CurrentConnections,
    /// Connections being tried now.
    InProgressConnections,
    /// Endpoints whose last try failed.
    CurrentEndpointErrors,
    /// Messages sent.
    MessagesSent,
    /// Messages received.
    MessagesReceived,
    /// Bytes of the bodies sent.
    BytesSent,
    /// Bytes of the bodies received.
    BytesReceived,
    /// Messages not sent to a subscriber that had not asked for them, counted for each subscriber.
    MessagesFiltered,
    /// Messages that a peer missed because it had no room, counted for each peer ([`Socket::set_overflow`](crate::Socket::set_overflow)).
    MessagesOverflowed,
    /// Messages that were replaced before they were received ([`Socket::set_conflate`](crate::Socket::set_conflate)).
    MessagesConflated,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::EstablishedConnections,
        Self::AcceptedConnections,
        Self::DroppedConnections,
        Self::BrokenConnections,
        Self::ConnectErrors,
        Self::BindErrors,
        Self::AcceptErrors,
        Self::CurrentConnections,
        Self::InProgressConnections,
        Self::CurrentEndpointErrors,
        Self::MessagesSent,
        Self::MessagesReceived,
        Self::BytesSent,
        Self::BytesReceived,
        Self::MessagesFiltered,
        Self::MessagesOverflowed,
        Self::MessagesConflated,
    ];

    pub(super) fn number(self) -> i32 {
        match self {
            Self::EstablishedConnections => symbols::NN_STAT_ESTABLISHED_CONNECTIONS,
            Self::AcceptedConnections => symbols::NN_STAT_ACCEPTED_CONNECTIONS,
            Self::DroppedConnections => symbols::NN_STAT_DROPPED_CONNECTIONS,
            Self::BrokenConnections => symbols::NN_STAT_BROKEN_CONNECTIONS,
            Self::ConnectErrors => symbols::NN_STAT_CONNECT_ERRORS,
            Self::BindErrors => symbols::NN_STAT_BIND_ERRORS,
            Self::AcceptErrors => symbols::NN_STAT_ACCEPT_ERRORS,
            Self::CurrentConnections => symbols::NN_STAT_CURRENT_CONNECTIONS,
            Self::InProgressConnections => symbols::NN_STAT_INPROGRESS_CONNECTIONS,
            Self::CurrentEndpointErrors => symbols::NN_STAT_CURRENT_EP_ERRORS,
            Self::MessagesSent => symbols::NN_STAT_MESSAGES_SENT,
            Self::MessagesReceived => symbols::NN_STAT_MESSAGES_RECEIVED,
            Self::BytesSent => symbols::NN_STAT_BYTES_SENT,
            Self::BytesReceived => symbols::NN_STAT_BYTES_RECEIVED,
            Self::MessagesFiltered => symbols::NN_STAT_MESSAGES_FILTERED,
            Self::MessagesOverflowed => symbols::NN_STAT_MESSAGES_OVERFLOWED,
            Self::MessagesConflated => symbols::NN_STAT_MESSAGES_CONFLATED,
        }
    }
}
