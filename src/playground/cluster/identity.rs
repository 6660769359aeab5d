//! Names, uids and ids that are made up, but the same ones every time: from a hash of what they belong to.

use sha2::{Digest, Sha256};

/// The letters Kubernetes makes names of: no vowels, so that no words come about, and no digits that look like letters.
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Returns a uid.
pub fn uid(seed: &str) -> String {
    let hex = hex(seed, 32);
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// Returns the end of a generated name: five letters for pods, ten for the hash of a template.
pub fn letters(seed: &str, length: usize) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    digest.iter().take(length).map(|byte| char::from(NAME_LETTERS[usize::from(*byte) % NAME_LETTERS.len()])).collect()
}

/// Returns up to 64 hexadecimal digits, as container ids and image digests have.
pub fn hex(seed: &str, length: usize) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    let mut hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(length);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_well_formed_names() {
        assert_eq!(uid("a"), uid("a"));
        assert_ne!(uid("a"), uid("b"));
        assert_eq!(uid("a").split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!((letters("a", 5).len(), hex("a", 64).len()), (5, 64));
    }
}
