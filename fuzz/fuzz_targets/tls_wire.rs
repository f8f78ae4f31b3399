//! What strangers say to TLS.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::tls_wire(bytes));
