//! The words before the body of a request or a survey.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::backtrace(bytes));
