//! What has gone through one connection.
#![forbid(unsafe_code)]

use serde::Serialize;

/// What has gone through a pipe: messages, and their bytes with SP headers.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(in crate::socket) struct Traffic {
    pub messages_sent: u64,
    pub bytes_sent: u64,
    pub messages_received: u64,
    pub bytes_received: u64,
}

impl Traffic {
    #[inline]
    pub(super) fn sent(&mut self, size: usize) {
        self.messages_sent += 1;
        self.bytes_sent += size as u64;
    }

    #[inline]
    pub(super) fn received(&mut self, size: usize) {
        self.messages_received += 1;
        self.bytes_received += size as u64;
    }
}
