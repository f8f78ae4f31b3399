//! What goes through TLS, both ways.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::tls_stream(bytes));
