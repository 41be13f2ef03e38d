//! Words written and read as Go's standard library does, which BuildKit's files and messages show.

use std::sync::LazyLock;

use regex::Regex;

/// What `unicode.IsPrint` takes beside the space.
static PRINTABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").expect("a constant pattern compiles"));

/// `text` as `strconv.Quote` writes it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            ' '..='~' => quoted.push(letter),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\0'..='\x1f' | '\x7f' => quoted.push_str(&format!("\\x{:02x}", u32::from(letter))),
            _ if PRINTABLE.is_match(letter.encode_utf8(&mut [0; 4])) => quoted.push(letter),
            '\u{80}'..='\u{ffff}' => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(letter))),
        }
    }
    quoted.push('"');
    quoted
}

/// A list of words as `%q` writes it: `["a" "b"]`.
pub(crate) fn quoted_list(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(" "))
}

/// `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// `strconv.ParseUint` of 32 bits: digits only, no sign.
pub(crate) fn parse_u32(text: &str, radix: u32) -> Option<u32> {
    if text.starts_with('+') { None } else { u32::from_str_radix(text, radix).ok() }
}

/// `strconv.ParseInt` of 32 bits, or its error.
pub(crate) fn parse_i32(text: &str) -> Result<i32, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let wrong = if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        "invalid syntax"
    } else {
        "value out of range"
    };
    text.parse().map_err(|_| format!("strconv.ParseInt: parsing {}: {wrong}", quoted(text)))
}

/// The nanoseconds that `time.ParseDuration` reads, as in `1h2m3.5s`, or its error.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    const MOST: u64 = 1 << 63;
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let nanoseconds: u64 = match unit {
            "" => return Err(format!("time: missing unit in duration {}", quoted(text))),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(format!("time: unknown unit {} in duration {}", quoted(unit), quoted(text))),
        };
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let whole = whole.checked_mul(nanoseconds).filter(|it| *it <= MOST).ok_or_else(invalid)?;
        // More than eighteen digits of a fraction are less than a nanosecond of any unit.
        let fraction = &fraction[..fraction.len().min(18)];
        let part: u64 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| invalid())? };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "Go computes fractions of units in floating point, and below one unit"
        )]
        let part = (part as f64 * (nanoseconds as f64 / 10f64.powi(fraction.len() as i32))) as u64;
        sum = sum.checked_add(whole + part).filter(|it| *it <= MOST).ok_or_else(invalid)?;
        rest = after;
    }
    if negative {
        return Ok(0i64.wrapping_sub_unsigned(sum));
    }
    i64::try_from(sum).map_err(|_| invalid())
}

/// Nanoseconds as `time.Duration` writes them: `1h0m3.5s`, `500ms`, `0s`.
pub(crate) fn duration(nanoseconds: i64) -> String {
    const MINUTE: u64 = 60_000_000_000;
    let size = nanoseconds.unsigned_abs();
    let minutes = size / MINUTE;
    let text = match (minutes / 60, minutes % 60) {
        (0, 0) => match size {
            0 => "0s".to_owned(),
            1..1_000 => format!("{size}ns"),
            1_000..1_000_000 => decimal(size, 3) + "µs",
            1_000_000..1_000_000_000 => decimal(size, 6) + "ms",
            _ => decimal(size, 9) + "s",
        },
        (0, minutes) => format!("{minutes}m{}s", decimal(size % MINUTE, 9)),
        (hours, minutes) => format!("{hours}h{minutes}m{}s", decimal(size % MINUTE, 9)),
    };
    if nanoseconds < 0 { format!("-{text}") } else { text }
}

/// A number with its last `digits` behind a point, without zeros at the end.
fn decimal(number: u64, digits: usize) -> String {
    let padded = format!("{number:0width$}", width = digits + 1);
    let (whole, fraction) = padded.split_at(padded.len() - digits);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The bytes that go-units' `RAMInBytes` reads: `1.5g`, `64 MiB`; nothing when it is no size.
pub(crate) fn parse_ram(text: &str) -> Option<i64> {
    let last = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let (number, suffix) = text.split_at(last + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let size: f64 = number.parse().ok().filter(|_| plain)?;
    let suffix = suffix.to_ascii_lowercase();
    let (unit, after) = suffix.split_at(suffix.chars().next().map_or(0, char::len_utf8));
    let power = match unit {
        "" => 0,
        "b" if after.is_empty() => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    if !matches!(after, "" | "b" | "ib") {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "what is too large is as large as can be")]
    let bytes = (size * 1024f64.powi(power)) as i64;
    Some(bytes)
}

/// `path.Clean`: the shortest path that lexically means the same.
pub(crate) fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        for (path, expected) in [
            ("", "."),
            ("/", "/"),
            ("a//b/./c/", "a/b/c"),
            ("a/../..", ".."),
            ("../../a/..", "../.."),
            ("/../a/b/..", "/a"),
            ("./", "."),
        ] {
            assert_eq!(clean_path(path), expected, "{path}");
        }
    }

    #[test]
    fn words_are_quoted_as_go_quotes_them() {
        for (text, expected) in [
            ("plain", r#""plain""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\t\r\n\x07\x1b\x7f", r#""\t\r\n\a\x1b\x7f""#),
            ("é 한\u{a0}\u{200b}", "\"é 한\\u00a0\\u200b\""),
            ("\u{feff}\u{1f600}\u{e0001}", "\"\\ufeff\u{1f600}\\U000e0001\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("1h2m3.5s", Ok(3_723_500_000_000)),
            ("-1.5h", Ok(-5_400_000_000_000)),
            (".5ms", Ok(500_000)),
            ("10", Err("time: missing unit in duration \"10\"")),
            ("1d", Err("time: unknown unit \"d\" in duration \"1d\"")),
            ("", Err("time: invalid duration \"\"")),
            (".s", Err("time: invalid duration \".s\"")),
            ("9999999999h", Err("time: invalid duration \"9999999999h\"")),
        ] {
            assert_eq!(parse_duration(text), expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (500_000_000, "500ms"),
            (3_500_000_000, "3.5s"),
            (60_000_000_000, "1m0s"),
            (3_600_500_000_000, "1h0m0.5s"),
            (-90_000_000_000, "-1m30s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(duration(nanoseconds), expected);
        }
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, expected) in [
            ("100", Some(100)),
            ("1k", Some(1024)),
            ("1.5 GiB", Some(1_610_612_736)),
            ("64mb", Some(64 << 20)),
            ("5b", Some(5)),
            ("5bb", None),
            ("five", None),
            ("-1", None),
            ("1x", None),
        ] {
            assert_eq!(parse_ram(text), expected, "{text}");
        }
    }
}
