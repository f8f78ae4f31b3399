//! The Rust API as a program meets it.

mod api;
mod requests;
mod scenarios;
