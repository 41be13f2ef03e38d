//! `Range` of a blob (RFC 9110, section 14).

use berth_storage::ByteRange;

use crate::error::Error;

/// What of a blob is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of it.
    Whole,
    /// A part of it.
    Part(ByteRange),
}

/// Reads `bytes=first-last`, `bytes=first-` and `bytes=-length`. What is no range, another unit or
/// several ranges is ignored, as the RFC allows: the whole blob is a right answer.
///
/// # Errors
/// [`Error::RangeNotSatisfiable`] when the range lies outside of the blob, or ends before it begins.
pub(crate) fn parse(header: Option<&str>, size: u64) -> Result<Asked, Error> {
    let Some(range) = header.and_then(|header| header.strip_prefix("bytes=")) else {
        return Ok(Asked::Whole);
    };
    let Some((first, last)) = range.split_once('-') else { return Ok(Asked::Whole) };
    let (first, last) = (first.trim(), last.trim());
    let outside = || Error::RangeNotSatisfiable(size);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) || (first.is_empty() && last.is_empty()) {
        return Ok(Asked::Whole);
    }
    // Digits that don't fit are beyond the end of any blob.
    let number = |text: &str| text.parse().unwrap_or(u64::MAX);
    if first.is_empty() {
        let length = number(last).min(size);
        if length == 0 {
            return Err(outside());
        }
        return Ok(Asked::Part(ByteRange { first: size - length, end: size }));
    }
    let first = number(first);
    let last = if last.is_empty() { u64::MAX } else { number(last) };
    if first >= size || last < first {
        return Err(outside());
    }
    Ok(Asked::Part(ByteRange { first, end: last.saturating_add(1).min(size) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        for (header, first, end) in [
            ("bytes=0-0", 0, 1),
            ("bytes=2-5", 2, 6),
            ("bytes=2-", 2, 10),
            ("bytes=-3", 7, 10),
            ("bytes=-99", 0, 10),
            ("bytes=9-99999999999999999999999", 9, 10),
        ] {
            let part = parse(Some(header), 10).unwrap();
            assert_eq!(part, Asked::Part(ByteRange { first, end }), "{header}");
        }
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_ignored() {
        for header in ["bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "0-1", "bytes=1"] {
            assert_eq!(parse(Some(header), 10).unwrap(), Asked::Whole, "{header}");
        }
        assert_eq!(parse(None, 10).unwrap(), Asked::Whole);
    }

    #[test]
    fn a_range_outside_of_the_blob_is_refused() {
        for (header, size) in [("bytes=10-", 10), ("bytes=500-0", 1000), ("bytes=-0", 10), ("bytes=0-", 0)] {
            assert!(matches!(parse(Some(header), size), Err(Error::RangeNotSatisfiable(_))), "{header}");
        }
    }
}
