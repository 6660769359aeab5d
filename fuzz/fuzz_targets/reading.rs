//! Feeds `fuzz/targets/reading.rs`.
#![no_main]

#[path = "../targets/reading.rs"]
mod reading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reading::check(data));
