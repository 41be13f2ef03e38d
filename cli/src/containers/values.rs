//! Values of flags, read as docker reads them.

use berth_runner::container::{Device, Namespace, Restart, Ulimit};

/// Bytes, as `512`, `64k`, `1.5g` or `2GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no size; sizes are written as 512m or 2g");
    let lower = text.to_ascii_lowercase();
    let number = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor: u64 = match lower[number.len()..].trim_end_matches('b').trim_end_matches('i') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        "p" => 1 << 50,
        _ => return Err(wrong()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(wrong);
    }
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of a size is as exact as its digits, and what is too large is left out"
    )]
    number
        .map(|number| number * factor as f64)
        .filter(|number| *number < u64::MAX as f64)
        .map(|number| number as u64)
        .ok_or_else(wrong)
}

/// Billionths of a processor, from `1.5`.
pub(super) fn nano_cpus(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no number of processors; they are written as 1.5");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 || (whole.is_empty() && fraction.is_empty())
    {
        return Err(wrong());
    }
    let nano: u64 = format!("{whole}{fraction:0<9}").parse().map_err(|_| wrong())?;
    if nano < 10_000_000 {
        return Err(format!("'{text}' processors are too few; at least 0.01 are needed"));
    }
    Ok(nano)
}

/// `TYPE=SOFT[:HARD]`, where `-1` and `unlimited` are no limit.
pub(super) fn ulimit(text: &str) -> Result<Ulimit, String> {
    let wrong = || format!("'{text}' is no limit; limits are written as nofile=1024:2048");
    let (name, limits) = text.split_once('=').ok_or_else(wrong)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| match text {
        "-1" | "unlimited" => Ok(None),
        text => text.parse::<u64>().map(Some).map_err(|_| wrong()),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if soft.unwrap_or(u64::MAX) > hard.unwrap_or(u64::MAX) {
        return Err(format!("'{text}': the soft limit is above the hard one"));
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}

/// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`.
pub(super) fn restart(text: &str) -> Result<Restart, String> {
    let wrong =
        || format!("'{text}' is no restart policy; there are no, on-failure[:N], always, unless-stopped");
    match text {
        "" | "no" => Ok(Restart::No),
        "always" => Ok(Restart::Always),
        "unless-stopped" => Ok(Restart::UnlessStopped),
        "on-failure" => Ok(Restart::OnFailure { max: 0 }),
        text => {
            let max = text.strip_prefix("on-failure:").ok_or_else(wrong)?;
            Ok(Restart::OnFailure { max: max.parse().map_err(|_| wrong())? })
        }
    }
}

/// `host`, or `private`; `what` names the flag.
pub(super) fn namespace(what: &str, text: Option<&str>) -> Result<Namespace, String> {
    match text {
        None | Some("" | "private" | "shareable") => Ok(Namespace::Private),
        Some("host") => Ok(Namespace::Host),
        Some(other) => Err(format!("--{what} {other} is not supported; there are host and private")),
    }
}

/// `SRC[:DST[:PERMISSIONS]]`.
pub(super) fn device(text: &str) -> Result<Device, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let are_permissions = |text: &str| !text.is_empty() && text.chars().all(|letter| "rwm".contains(letter));
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, permissions] if are_permissions(permissions) => (*source, *source, *permissions),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] if are_permissions(permissions) => (*source, *target, *permissions),
        _ => {
            return Err(format!("'{text}' is no device; devices are written as /dev/fuse[:/dev/fuse[:rwm]]"));
        }
    };
    if !source.starts_with('/') || !target.starts_with("/dev/") {
        return Err(format!("'{text}': the paths of devices are absolute, and in the container below /dev"));
    }
    Ok(Device { source: source.into(), target: target.into(), permissions: permissions.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        for (text, number) in
            [("512", 512), ("1k", 1024), ("64KB", 65536), ("1.5m", 1_572_864), ("2GiB", 1 << 31), ("0", 0)]
        {
            assert_eq!(bytes(text), Ok(number), "{text}");
        }
        for text in ["", "m", "-1", "1x", "1 m", "99999999999999999999g", "inf"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn processors_are_counted_in_billionths() {
        assert_eq!(nano_cpus("1.5"), Ok(1_500_000_000));
        assert_eq!(nano_cpus(".25"), Ok(250_000_000));
        for text in ["", ".", "-1", "1e3", "0", "0.001", "1.0000000001"] {
            assert!(nano_cpus(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_have_a_soft_and_a_hard_side() {
        let limit = |soft, hard| Ok(Ulimit { name: "nofile".to_owned(), soft, hard });
        assert_eq!(ulimit("nofile=10"), limit(Some(10), Some(10)));
        assert_eq!(ulimit("nofile=10:-1"), limit(Some(10), None));
        assert!(ulimit("nofile").is_err() && ulimit("nofile=2:1").is_err() && ulimit("nofile=x").is_err());
    }

    #[test]
    fn restart_policies_are_dockers() {
        assert_eq!(restart("on-failure:3"), Ok(Restart::OnFailure { max: 3 }));
        assert_eq!(restart("unless-stopped"), Ok(Restart::UnlessStopped));
        assert!(restart("sometimes").is_err() && restart("on-failure:x").is_err());
    }

    #[test]
    fn devices_have_a_place_and_permissions() {
        let read = device("/dev/null:/dev/nothing:r").unwrap();
        assert_eq!((read.target.to_str(), read.permissions.as_str()), (Some("/dev/nothing"), "r"));
        assert_eq!(device("/dev/fuse:rw").unwrap().target.to_str(), Some("/dev/fuse"));
        assert!(device("fuse").is_err() && device("/dev/fuse:/etc/fuse").is_err());
    }
}
