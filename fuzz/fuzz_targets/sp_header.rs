//! The greeting on tcp and ipc.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::sp_header(bytes));
