//! Control messages that a program passes to nn_sendmsg.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::control(bytes));
