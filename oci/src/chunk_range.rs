//! The range of a chunk (distribution-spec, *Pushing a blob in chunks*).

use std::str::FromStr;

use crate::ParseError;

/// `<first>-<last>`, both inclusive: which bytes of a blob a `PATCH` or the final `PUT` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRange {
    /// The offset of the first byte.
    pub first: u64,
    /// The offset of the last byte, not before `first`.
    pub last: u64,
}

impl ChunkRange {
    /// How many bytes the chunk has.
    pub const fn len(self) -> u64 {
        self.last - self.first + 1
    }

    /// Never: a range has at least one byte.
    pub const fn is_empty(self) -> bool {
        false
    }
}

impl FromStr for ChunkRange {
    type Err = ParseError;

    /// Takes `first-last`; also the forms of HTTP's own `Content-Range` that some clients send,
    /// `bytes first-last/size` and `bytes=first-last`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let invalid = || ParseError::ChunkRange(format!("'{text}'"));
        let range = text.strip_prefix("bytes").unwrap_or(text).trim_start_matches(['=', ' ']);
        let range = range.split_once('/').map_or(range, |(range, _size)| range);
        let (first, last) = range.split_once('-').ok_or_else(invalid)?;
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            if plain { digits.parse::<u64>().map_err(|_| invalid()) } else { Err(invalid()) }
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last == u64::MAX {
            return Err(invalid());
        }
        Ok(Self { first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_form_and_https_form_are_taken() {
        for text in ["0-9", "bytes 0-9/100", "bytes=0-9"] {
            assert_eq!(text.parse::<ChunkRange>().unwrap().len(), 10, "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in
            ["", "-", "0-", "-9", "9-0", "a-b", "0-+9", "0-18446744073709551615", "0-99999999999999999999"]
        {
            assert!(text.parse::<ChunkRange>().is_err(), "{text}");
        }
    }
}
