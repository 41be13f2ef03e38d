//! Moments as people and programs write them (RFC 3339).

use std::time::{Duration, UNIX_EPOCH};

use berth_oci::ErrorCode;
use berth_storage::Timestamp;

use crate::error::Error;

/// A moment in words, with microseconds.
pub(crate) fn in_words(at: Timestamp) -> String {
    let since = Duration::from_micros(u64::try_from(at.0).unwrap_or(0));
    humantime::format_rfc3339_micros(UNIX_EPOCH + since).to_string()
}

/// The moment that a parameter gives.
pub(crate) fn parse(parameter: &str, text: &str) -> Result<Timestamp, Error> {
    humantime::parse_rfc3339(text).map(Timestamp::from_system).map_err(|_| {
        let sentence = format!("{parameter} is a moment such as 2026-01-31T12:00:00Z");
        Error::Request(ErrorCode::Unsupported, sentence)
    })
}
