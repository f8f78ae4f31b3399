//! Peers that speak wrongly, or try to harm: bare streams over tcp, ipc and ws against our listening and our connecting
//! sockets. After each of them the process lives, what it took is given back, the visit was counted, and the next peer is
//! served.
//!
//! `rows.rs` is the table of everything that a library of this kind was seen to die of, or to get wrong, with the tests
//! that hold our answer to it; `mutations.rs` looks after the changes that those tests are seen to fail on.

#![cfg(target_os = "linux")]

mod mutations;
mod ours;
mod peers;
mod rows;
mod sp;
mod tls;
mod trial;
mod ws;

use std::time::Duration;

/// How long anything may take that should happen at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much later than promised something may happen on a busy machine.
const LATE: Duration = Duration::from_secs(10);

/// The stress tests take their time.
fn is_long() -> bool {
    std::env::var("NN_LONG").is_ok_and(|long| long == "1")
}
