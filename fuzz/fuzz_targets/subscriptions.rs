//! What a subscriber tells a publisher.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::subscriptions(bytes));
