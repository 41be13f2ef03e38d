//! Ports: `[address:][host port:]port[-last port][/protocol]`, of which an image keeps the ports.

use std::net::IpAddr;

use crate::dockerfile::Refusal;
use crate::go;

const REMEDY: &str = "write it as 80, 80/tcp, 53/udp or 8000-8010";

/// As many as there are.
const MAX_PORTS: usize = 1 << 16;

/// The ports, as `80/tcp`, a range as each of its ports.
pub(super) fn ports(written: &[String]) -> Result<Vec<String>, Refusal> {
    let mut ports = Vec::new();
    for text in written {
        let (first, last, protocol) = parse(text)?;
        if ports.len() + usize::from(last - first) >= MAX_PORTS {
            let what = format!("more than {MAX_PORTS} ports in one EXPOSE");
            return Err(Refusal::new(what, "name those that are used"));
        }
        ports.extend((first..=last).map(|port| format!("{port}/{protocol}")));
    }
    Ok(ports)
}

fn parse(text: &str) -> Result<(u16, u16, &'static str), Refusal> {
    let refuse = |what: String| Refusal::new(what, REMEDY);
    let mut parts = text.rsplitn(3, ':');
    let container = parts.next().unwrap_or_default();
    let host = parts.next().unwrap_or_default();
    let address = parts.next().unwrap_or_default();
    let (port, protocol) = container.split_once('/').unwrap_or((container, ""));
    if port.is_empty() {
        return Err(refuse(format!("invalid port: {}: no port specified", go::quoted(text))));
    }
    let protocol = match protocol.to_lowercase().as_str() {
        "" | "tcp" => "tcp",
        "udp" => "udp",
        "sctp" => "sctp",
        _ => return Err(refuse(format!("invalid port: {}: invalid proto: {protocol}", go::quoted(text)))),
    };
    let bare = address.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(address);
    if !address.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(refuse(format!("invalid IP address: {address}")));
    }
    let (first, last) = range(port).ok_or_else(|| refuse(format!("invalid containerPort: {port}")))?;
    if !host.is_empty() {
        let (from, to) = range(host).ok_or_else(|| refuse(format!("invalid hostPort: {host}")))?;
        if first != last && last - first != to - from {
            let what = format!("invalid ranges specified for container and host Ports: {port} and {host}");
            return Err(refuse(what));
        }
    }
    Ok((first, last, protocol))
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().ok();
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}
