//! The Rust API as a program meets it.

mod api;
mod scenarios;
