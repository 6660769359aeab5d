//! Every second change is one of the JSON, the others are of the bytes.

#[path = "json.rs"]
mod json;

/// Changes the first `size` bytes in place, for libFuzzer.
pub fn mutated(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut change = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        let length = bytes.len();
        bytes.resize(length + 16, 0);
        let length = libfuzzer_sys::fuzzer_mutate(&mut bytes, length, length + 16);
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    match json::mutated(&data[..size], seed / 2, &mut change).filter(|new| seed % 4 != 0 && new.len() <= max_size) {
        Some(new) => {
            data[..new.len()].copy_from_slice(&new);
            new.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}
