//! What nn_bind and nn_connect are given.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::address(bytes));
