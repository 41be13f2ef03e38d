//! Signals, by the names and numbers that Linux gives them.

use crate::dockerfile::Refusal;
use crate::dockerfile::problem::one_of;

const NAMES: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

/// Checks that `signal` is a number other than 0, or a name with or without `SIG`.
pub(super) fn check(signal: &str) -> Result<(), Refusal> {
    let known = match signal.parse::<i64>() {
        Ok(number) => number != 0,
        Err(_) => {
            let name = signal.to_uppercase();
            is_name(name.strip_prefix("SIG").unwrap_or(&name))
        }
    };
    if known {
        Ok(())
    } else {
        Err(Refusal::new(format!("invalid signal: {signal}"), one_of(signal, &NAMES)))
    }
}

fn is_name(name: &str) -> bool {
    let real_time = |prefix: &str, most: u8| {
        let number = name.strip_prefix(prefix).filter(|number| !number.starts_with(['0', '+', '-']));
        number.and_then(|number| number.parse::<u8>().ok()).is_some_and(|number| number <= most)
    };
    NAMES.contains(&name) || real_time("RTMIN+", 15) || real_time("RTMAX-", 14)
}
