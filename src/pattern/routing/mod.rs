//! The parts patterns are made of.
#![forbid(unsafe_code)]

pub(super) mod distributor;
pub(super) mod exclusive;
pub(super) mod fair_queue;
pub(super) mod load_balancer;
pub(super) mod newest;
pub(super) mod overflow;
mod pipe_map;
mod priority_list;
