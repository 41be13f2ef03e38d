//! The keys that leave a container running.

use std::str::FromStr;

/// A sequence of keys; ctrl-p ctrl-q, as docker's, unless others are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl Default for DetachKeys {
    fn default() -> Self {
        Self(vec![0x10, 0x11])
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    /// Reads a list such as `ctrl-a,d`; an empty one is no keys at all.
    fn from_str(text: &str) -> Result<Self, String> {
        let key = |name: &str| match name.strip_prefix("ctrl-").map(str::as_bytes) {
            Some(&[letter @ (b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')]) => {
                Ok(letter & 0x1F)
            }
            None if name.len() == 1 => Ok(name.as_bytes()[0]),
            _ => Err(format!("'{name}' is no key; they are named as a or ctrl-a, with commas between them")),
        };
        let names = text.split(',').filter(|_| !text.is_empty());
        names.map(key).collect::<Result<_, _>>().map(Self)
    }
}

/// Which keys of the sequence have been pressed.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    keys: &'a [u8],
    pressed: usize,
}

/// What is to be passed on, and whether the sequence is complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) bytes: Vec<u8>,
    pub(super) detach: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(keys: &'a DetachKeys) -> Self {
        Self { keys: &keys.0, pressed: 0 }
    }

    /// Keeps back what may be the start of the sequence.
    pub(super) fn pass(&mut self, input: &[u8]) -> Passed {
        let mut bytes = Vec::with_capacity(input.len());
        for byte in input {
            if self.keys.get(self.pressed) == Some(byte) {
                self.pressed += 1;
                if self.pressed == self.keys.len() {
                    return Passed { bytes, detach: true };
                }
                continue;
            }
            bytes.extend_from_slice(&self.keys[..self.pressed]);
            self.pressed = usize::from(self.keys.first() == Some(byte));
            if self.pressed == 0 {
                bytes.push(*byte);
            }
        }
        Passed { bytes, detach: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_by_name() {
        assert_eq!("ctrl-p,ctrl-q".parse(), Ok(DetachKeys::default()));
        assert_eq!("ctrl-a,d".parse(), Ok(DetachKeys(vec![1, b'd'])));
        assert_eq!("".parse(), Ok(DetachKeys(vec![])));
        assert!("ctrl-,".parse::<DetachKeys>().is_err() && "enter".parse::<DetachKeys>().is_err());
    }

    #[test]
    fn keys_are_noticed_over_pieces_and_else_passed_on_whole() {
        let keys = DetachKeys::default();
        let mut watch = Watch::new(&keys);
        assert_eq!(watch.pass(b"a\x10"), Passed { bytes: b"a".to_vec(), detach: false });
        assert_eq!(watch.pass(b"b\x10\x10"), Passed { bytes: b"\x10b\x10".to_vec(), detach: false });
        assert_eq!(watch.pass(b"\x11c"), Passed { bytes: vec![], detach: true });
    }

    #[test]
    fn no_keys_never_detach() {
        let keys = DetachKeys(vec![]);
        assert_eq!(
            Watch::new(&keys).pass(b"\x10\x11"),
            Passed { bytes: b"\x10\x11".to_vec(), detach: false }
        );
    }
}
