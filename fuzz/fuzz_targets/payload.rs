//! Feeds `fuzz/targets/payload.rs`.
#![no_main]

#[path = "../targets/payload.rs"]
mod payload;
#[path = "mutate.rs"]
mod mutate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| payload::check(data));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutated(data, size, max_size, seed)
});
