//! BUS against its model.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::bus(bytes));
