//! Counters, kept under the lock that is held anyway.
#![forbid(unsafe_code)]

use serde::Serialize;

use crate::error::{Error, Result};
use crate::pattern::Pattern;

#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(in crate::socket) struct Stats {
    pub established_connections: u64,
    pub accepted_connections: u64,
    pub dropped_connections: u64,
    pub broken_connections: u64,
    pub connect_errors: u64,
    pub bind_errors: u64,
    pub accept_errors: u64,
    pub current_connections: u64,
    pub inprogress_connections: u64,
    #[serde(rename = "current_ep_errors")]
    pub current_endpoint_errors: u64,
    pub messages_sent: u64,
    pub messages_received: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

impl Stats {
    /// The counter with this number (NN_STAT_*).
    pub(in crate::socket) fn by_number(&self, number: i32, pattern: &dyn Pattern) -> Result<u64> {
        Ok(match number {
            101 => self.established_connections,
            102 => self.accepted_connections,
            103 => self.dropped_connections,
            104 => self.broken_connections,
            105 => self.connect_errors,
            106 => self.bind_errors,
            107 => self.accept_errors,
            201 => self.current_connections,
            202 => self.inprogress_connections,
            203 => self.current_endpoint_errors,
            301 => self.messages_sent,
            302 => self.messages_received,
            303 => self.bytes_sent,
            304 => self.bytes_received,
            // Sign-extended: -1 stands for "no pipe".
            401 => i64::from(pattern.send_priority()) as u64,
            1301 => pattern.filtered(),
            1302 => pattern.overflowed(),
            1303 => pattern.conflated(),
            _ => return Err(Error::Invalid),
        })
    }
}
