//! Numbers and times as docker shows them to people.

use chrono::{DateTime, Local, Utc};

/// Bytes with three digits, in powers of a thousand: `7.67MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut number = bytes as f64;
    let mut unit = 0;
    while number >= 1000.0 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let digits = match number {
        number if number >= 100.0 || unit == 0 => 0,
        number if number >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.digits$}");
    let text = if digits == 0 { text.as_str() } else { text.trim_end_matches('0').trim_end_matches('.') };
    format!("{text}{}", UNITS[unit])
}

/// A time as RFC 3339 has it.
pub(crate) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}

/// How long ago, in the largest unit that says something: `3 weeks ago`.
pub(crate) fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ago", span(now.signed_duration_since(time).num_seconds().max(0)))
}

/// A length of time, as docker's go-units says it.
pub(crate) fn span(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds as f64 / 3600.0).round() as i64);
    match (seconds, minutes, hours) {
        (..1, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, ..60, _) => format!("{minutes} minutes"),
        (.., 1) => "About an hour".to_owned(),
        (.., ..48) => format!("{hours} hours"),
        (.., ..336) => format!("{} days", hours / 24),
        (.., ..1440) => format!("{} weeks", hours / 24 / 7),
        (.., ..17520) => format!("{} months", hours / 24 / 30),
        (..) => format!("{} years", hours / 24 / 365),
    }
}

/// A moment in this machine's time zone: `2026-11-24 22:33:15 +0000 UTC`.
pub(crate) fn moment(time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&Local);
    let zone = if local.offset().local_minus_utc() == 0 { " UTC" } else { "" };
    format!("{}{zone}", local.format("%Y-%m-%d %H:%M:%S %z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1_240_000, "1.24MB"),
            (77_800_000, "77.8MB"),
            (7_667_000, "7.67MB"),
            (141_000_000, "141MB"),
            (1_500_000_000, "1.5GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn spans_are_said_in_the_largest_unit_that_says_something() {
        let (hour, day) = (3600, 86400);
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (179, "2 minutes"),
            (hour, "About an hour"),
            (5 * hour, "5 hours"),
            (2 * day, "2 days"),
            (14 * day, "2 weeks"),
            (60 * day, "2 months"),
            (800 * day, "2 years"),
        ] {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }
}
