//! Feeds `fuzz/targets/engine.rs`.
#![no_main]

#[path = "../targets/engine.rs"]
mod engine;
#[path = "mutate.rs"]
mod mutate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| engine::check(data));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutated(data, size, max_size, seed)
});
