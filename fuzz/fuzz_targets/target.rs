//! Feeds `fuzz/targets/target.rs`.
#![no_main]

#[path = "../targets/target.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::check(data));
