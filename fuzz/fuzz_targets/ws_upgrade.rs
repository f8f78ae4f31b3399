//! The HTTP request and response that open a WebSocket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::ws_upgrade(bytes));
