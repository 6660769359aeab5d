//! Feeds `fuzz/targets/grammar.rs`.
#![no_main]

#[path = "../targets/grammar.rs"]
mod grammar;

libfuzzer_sys::fuzz_target!(|data: &[u8]| grammar::check(data));
