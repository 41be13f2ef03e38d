//! Runs wrk, and reads what it prints.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::client::MANIFEST_TYPES;

/// What one run of wrk saw.
pub(crate) struct Seen {
    pub(crate) requests_per_second: f64,
    pub(crate) requests: f64,
    pub(crate) p99_ms: f64,
}

/// GETs `url` as fast as it is answered, over `connections` kept open. Every answer has to be a 2xx.
pub(crate) fn run(url: &str, connections: u32, seconds: u32, authorization: Option<&str>) -> Result<Seen> {
    let mut command = Command::new("wrk");
    command.args(["--latency", "-t", if connections == 1 { "1" } else { "2" }]);
    command.args(["-c", &connections.to_string(), "-d", &format!("{seconds}s")]);
    command.args(["-H", &format!("Accept: {MANIFEST_TYPES}")]);
    if let Some(authorization) = authorization {
        command.args(["-H", &format!("Authorization: {authorization}")]);
    }
    let output = command.arg(url).output().context("running wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || text.contains("Non-2xx") || text.contains("Socket errors") {
        bail!("wrk {url}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    parse(&text).with_context(|| format!("reading what wrk printed: {text}"))
}

fn parse(text: &str) -> Option<Seen> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let total = text.lines().find_map(|line| line.trim().split_once(" requests in "))?.0;
    Some(Seen {
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        requests: total.parse().ok()?,
        p99_ms: milliseconds(after("99%")?)?,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].parse().ok()?;
    match &text[unit..] {
        "us" => Some(number / 1000.0),
        "ms" => Some(number),
        "s" => Some(number * 1000.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_wrk_are_read() {
        let text = "Running 2s test @ http://127.0.0.1/\n  Latency Distribution\n     50%    1.00ms\n     99%  \
                    250.00us\n  8406 requests in 2.00s, 9.62MB read\nRequests/sec:   4198.71\n";
        let seen = parse(text).expect("parses");
        assert_eq!((seen.requests, seen.requests_per_second, seen.p99_ms), (8406.0, 4198.71, 0.25));
    }
}
