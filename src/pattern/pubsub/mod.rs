//! PUB and SUB: everything to everybody, and who does not want it drops it. Where both ends know how, the SUB tells what it
//! wants, and the PUB sends only that. Cooked and raw are the same.
#![forbid(unsafe_code)]

mod bulk;
mod demand;
mod frame;
mod interest;
#[cfg(test)]
mod model;
mod packed;
mod publisher;
mod subscriber;
mod subscription_index;
mod topics;
mod upstream;

pub(crate) use demand::{Demand, DeviceId};
pub(crate) use frame::TOPIC_MAX;
pub(super) use publisher::Pub;
pub(super) use subscriber::Sub;

/// NN_PUB_FORWARD and NN_SUB_FORWARD.
const FORWARD: i32 = 1001;
