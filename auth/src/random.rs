//! Random bytes and words, straight from the operating system: aws-lc-rs's own generator measures the
//! processor's jitter before its first byte, which is most of a second start.

use crate::Fault;

/// 32 characters that no shell, URL or eye confuses (no `l`, `o`, `0`, `1`): five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Fault::of("drawing random bytes"))?;
    Ok(bytes)
}

/// A word of `N` characters, five random bits each.
pub(crate) fn word<const N: usize>() -> Result<String, Fault> {
    // 256 is a multiple of 32, so every character is equally likely.
    Ok(bytes::<N>()?.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_length_and_differ() {
        let (a, b) = (word::<26>().unwrap(), word::<26>().unwrap());
        assert_eq!(a.len(), 26);
        assert_ne!(a, b);
        assert!(a.bytes().all(|b| ALPHABET.contains(&b)));
    }
}
