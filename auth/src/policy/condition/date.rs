//! Moments as documents write them (ISO 8601, as W3C profiles it), in microseconds since the epoch.

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60;

/// `2026-01-31`, `2026-01-31T12:00Z`, `2026-01-31T12:00:00.5+01:00`, or seconds since the epoch.
pub(in crate::policy) fn read(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        // Four digits could as well be a year.
        return seconds.checked_mul(SECOND).filter(|_| text.len() != 4);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let midnight = days(date)?.checked_mul(DAY * SECOND)?;
    midnight.checked_add(time.map_or(Some(0), micros_of_day)?)
}

/// A number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let valid = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten()
}

/// The days from the epoch to `YYYY-MM-DD`.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2).filter(|month| (1..=12).contains(month))?;
    let day = number(parts.next()?, 2)?;
    if parts.next().is_some() || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + day_of_year - 719_468)
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `hh:mm`, perhaps `:ss`, perhaps `.f…`, and where: `Z` or `±hh:mm`.
fn micros_of_day(time: &str) -> Option<i64> {
    let (clock, offset) = match time.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => {
            let at = time.rfind(['+', '-'])?;
            let (hours, minutes) = time[at + 1..].split_once(':')?;
            let seconds = sexagesimal(hours, 23)? * 3600 + sexagesimal(minutes, 59)? * 60;
            (&time[..at], if time[at..].starts_with('-') { -seconds } else { seconds })
        }
    };
    let mut parts = clock.splitn(3, ':');
    let (hours, minutes) = (sexagesimal(parts.next()?, 23)?, sexagesimal(parts.next()?, 59)?);
    let (seconds, micros) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (sexagesimal(seconds, 59)?, 0),
            Some((seconds, fraction)) => (sexagesimal(seconds, 59)?, micros_of(fraction)?),
        },
    };
    Some((hours * 3600 + minutes * 60 + seconds - offset) * SECOND + micros)
}

fn sexagesimal(text: &str, largest: i64) -> Option<i64> {
    number(text, 2).filter(|number| *number <= largest)
}

fn micros_of(fraction: &str) -> Option<i64> {
    let digits = fraction.len();
    let value = number(fraction, digits).filter(|_| (1..=6).contains(&digits))?;
    Some((digits..6).fold(value, |value, _| value * 10))
}

/// The moment as `2026-01-31T12:00:00Z`, to the second.
pub(in crate::policy) fn write(micros: i64) -> String {
    let seconds = micros.div_euclid(SECOND);
    let (days, second) = (seconds.div_euclid(DAY) + 719_468, seconds.rem_euclid(DAY));
    // Eras of 400 years are all alike.
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", era * 400 + year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00Z", 951_782_400),
            ("2026-01-31T12:00:00Z", 1_769_860_800),
            ("2026-01-31T13:00:00+01:00", 1_769_860_800),
            ("2026-01-31T06:30:00-05:30", 1_769_860_800),
            ("1969-12-31T23:59:59Z", -1),
            ("1769860800", 1_769_860_800),
        ] {
            assert_eq!(read(text), Some(seconds * SECOND), "{text}");
        }
        assert_eq!(read("1970-01-01T00:00:00.25Z"), Some(250_000));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "2026",
            "2026-1-1",
            "2026-13-01",
            "2026-02-29",
            "2026-00-01",
            "2026-01-01T",
            "26-01-01",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1",
            "2026-01-01 00:00:00Z",
            "+026-01-01",
            "99999999999999999",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn moments_are_written_as_they_are_read() {
        for day in (-800_000..2_900_000).step_by(997) {
            let micros = (day * DAY + 3_723) * SECOND;
            let text = write(micros);
            if !text.starts_with('-') && text.len() == 20 {
                assert_eq!(read(&text), Some(micros), "{text}");
            }
        }
        assert_eq!(write(1_769_860_800_999_999), "2026-01-31T12:00:00Z");
    }
}
