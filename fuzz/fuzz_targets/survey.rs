//! SURVEYOR and RESPONDENT against their model.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nanomsg::fuzzing::survey(bytes));
