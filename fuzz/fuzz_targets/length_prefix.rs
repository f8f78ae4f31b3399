//! The length before a message on tcp and ipc.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::length_prefix(bytes));
