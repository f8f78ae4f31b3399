//! WebSocket frames from a peer, one after the other.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::ws_frame(bytes));
