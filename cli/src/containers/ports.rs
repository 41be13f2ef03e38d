//! Ports, as docker's flags write them.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use berth_runner::{Protocol, Publish};

/// What `-p` asks for: `[[IP:][HOST]:]PORT[/PROTOCOL]`, where ports may be ranges of the same length.
pub(super) fn published(flags: &[String]) -> Result<Vec<Publish>, String> {
    let mut all = Vec::new();
    for flag in flags {
        all.extend(publish(flag).map_err(|wrong| {
            format!(
                "'{flag}' is no port to publish: {wrong}; write it as 8080:80, 127.0.0.1:8080:80 or 53:53/udp"
            )
        })?);
    }
    Ok(all)
}

fn publish(flag: &str) -> Result<Vec<Publish>, String> {
    let (ports, protocol) = protocol(flag)?;
    let (front, container) = ports.rsplit_once(':').map_or(("", ports), |(front, last)| (front, last));
    let (address, host) = front.rsplit_once(':').map_or(("", front), |(address, host)| (address, host));
    let address = match address {
        "" => Ipv4Addr::UNSPECIFIED,
        address => match address.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => address,
            Ok(IpAddr::V6(_)) => return Err("networks of containers are IPv4's".to_owned()),
            Err(_) => return Err(format!("'{address}' is no address")),
        },
    };
    let container = range(container)?;
    let hosts: Vec<u16> = match host {
        "" => container.clone().map(|_| 0).collect(),
        host => range(host)?.collect(),
    };
    match hosts.len() == container.len() {
        true => {
            let pairs = hosts.into_iter().zip(container);
            Ok(pairs.map(|(host, container)| Publish { address, host, container, protocol }).collect())
        }
        false => Err("the ranges are not of the same length".to_owned()),
    }
}

/// Ports that a container says it has, each as `80/tcp`.
pub(super) fn exposed<'a>(all: impl Iterator<Item = &'a String>) -> Result<Vec<String>, String> {
    let mut ports = Vec::new();
    for text in all {
        let named = |wrong: String| format!("'{text}' is no port: {wrong}");
        let (numbers, protocol) = protocol(text).map_err(named)?;
        ports.extend(range(numbers).map_err(named)?.map(|port| format!("{port}/{protocol}")));
    }
    ports.sort();
    ports.dedup();
    Ok(ports)
}

/// All of `exposed` that are not published yet, at any ports of the host.
pub(super) fn all_of(exposed: &[String], published: &[Publish]) -> Result<Vec<Publish>, String> {
    let mut all = Vec::new();
    for port in published_at_any(exposed)? {
        let is_same = |other: &Publish| (other.container, other.protocol) == (port.container, port.protocol);
        if !published.iter().any(is_same) {
            all.push(port);
        }
    }
    Ok(all)
}

fn published_at_any(exposed: &[String]) -> Result<Vec<Publish>, String> {
    Ok(exposed.iter().map(|port| publish(port)).collect::<Result<Vec<_>, _>>()?.concat())
}

fn protocol(text: &str) -> Result<(&str, Protocol), String> {
    match text.split_once('/') {
        None | Some((_, "tcp")) => Ok((text.trim_end_matches("/tcp"), Protocol::Tcp)),
        Some((ports, "udp")) => Ok((ports, Protocol::Udp)),
        Some((_, other)) => Err(format!("'{other}' is neither tcp nor udp")),
    }
}

fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let number = |text: &str| match text.parse::<u16>() {
        Ok(number @ 1..) => Ok(number),
        _ => Err(format!("'{text}' is not between 1 and 65535")),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if first <= last { Ok(first..=last) } else { Err(format!("'{text}' is no range")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(flag: &str) -> Vec<String> {
        published(&[flag.to_owned()]).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ports_to_publish_are_read_as_docker_reads_them() {
        for (flag, wanted) in [
            ("80", "0.0.0.0:0->80/tcp"),
            ("8080:80", "0.0.0.0:8080->80/tcp"),
            ("127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp"),
            ("127.0.0.1::80", "127.0.0.1:0->80/tcp"),
            ("53:53/udp", "0.0.0.0:53->53/udp"),
        ] {
            assert_eq!(texts(flag), [wanted], "{flag}");
        }
        assert_eq!(texts("8000-8001:80-81"), ["0.0.0.0:8000->80/tcp", "0.0.0.0:8001->81/tcp"]);
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for flag in
            ["", "x", "0", "65536", "1:2:3:4", "80-81:80", "80/sctp", "[::1]:80:80", "81-80", "host:1:2"]
        {
            assert!(published(&[flag.to_owned()]).is_err(), "{flag}");
        }
    }

    #[test]
    fn what_is_exposed_is_published_once() {
        let exposed = exposed(["80".to_owned(), "80/tcp".to_owned(), "53/udp".to_owned()].iter()).unwrap();
        assert_eq!(exposed, ["53/udp", "80/tcp"]);
        let published = published(&["8080:80".to_owned()]).unwrap();
        let rest = all_of(&exposed, &published).unwrap();
        assert_eq!(rest.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.0.0.0:0->53/udp"]);
    }
}
