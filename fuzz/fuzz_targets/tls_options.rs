//! Options of TLS: certificates and keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::tls_options(bytes));
