//! PUSH and PULL against their model.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::pipeline(bytes));
