//! The files that tell a container its name, its neighbours and its resolvers.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::networks::Member;
use crate::container::{Config, NetworkMode};
use crate::spec::hostname;

/// What docker takes when the host's only resolvers are its own.
const PUBLIC_RESOLVERS: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

/// Where systemd keeps the resolvers behind its own.
const BEHIND_SYSTEMD: &str = "/run/systemd/resolve/resolv.conf";

/// `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` of a container, kept in its folder.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Writes them into `folder`; what the container wrote to them before goes.
    pub(crate) fn write(folder: &Path, config: &Config, place: Option<&Member>) -> io::Result<Self> {
        let own = |name: &str, text: String| fs::write(folder.join(name), text);
        own("hostname", format!("{}\n", hostname(config)))?;
        let of_host = |path: &str| match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            result => result,
        };
        let is_host = config.network.mode == NetworkMode::Host;
        let mut hosts = if is_host { of_host("/etc/hosts")? } else { LOCALHOST.to_owned() };
        if let Some(member) = place {
            hosts.push_str(&format!("{}\t{}\n", member.address, hostname(config)));
        }
        own("hosts", with_extra_hosts(hosts, &config.network.extra_hosts))?;
        let mut resolvers = of_host("/etc/resolv.conf")?;
        if !is_host && nameservers(&resolvers).eq(["127.0.0.53"]) {
            resolvers = of_host(BEHIND_SYSTEMD)?;
        }
        let reach = if is_host { Reach::Host } else { Reach::Own };
        own("resolv.conf", resolv_conf(&resolvers, &config.network.dns, reach))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where each belongs, and where it is kept.
    pub(crate) fn present(&self) -> [(&'static str, PathBuf); 3] {
        let kept = |name| self.folder.join(name);
        [
            ("/etc/resolv.conf", kept("resolv.conf")),
            ("/etc/hostname", kept("hostname")),
            ("/etc/hosts", kept("hosts")),
        ]
    }
}

const LOCALHOST: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

fn with_extra_hosts(mut hosts: String, extra: &[String]) -> String {
    if !hosts.is_empty() && !hosts.ends_with('\n') {
        hosts.push('\n');
    }
    for (name, address) in extra.iter().filter_map(|line| line.split_once(':')) {
        hosts.push_str(&format!("{address}\t{name}\n"));
    }
    hosts
}

/// Whose addresses a container can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The host's, its loopback among them.
    Host,
    /// Its own network's.
    Own,
}

fn nameservers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()
    })
}

/// The host's file with the given resolvers, or without those that can't be reached from a container.
fn resolv_conf(of_host: &str, given: &[String], reach: Reach) -> String {
    let is_loopback = |address: &str| address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let mut lines: Vec<String> = Vec::new();
    let mut servers: Vec<&str> = given.iter().map(String::as_str).collect();
    if given.is_empty() {
        servers =
            nameservers(of_host).filter(|address| reach == Reach::Host || !is_loopback(address)).collect();
        if servers.is_empty() && reach == Reach::Own {
            servers = PUBLIC_RESOLVERS.to_vec();
        }
    }
    lines.extend(servers.iter().map(|server| format!("nameserver {server}")));
    let others = of_host.lines().filter(|line| {
        let word = line.split_whitespace().next();
        matches!(word, Some("search" | "options" | "domain" | "sortlist"))
    });
    lines.extend(others.map(str::to_owned));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_on_the_hosts_loopback_is_replaced_for_who_has_a_network_of_its_own() {
        let of_host = "# made\nnameserver 127.0.0.1\nnameserver 10.0.0.2\nsearch example.com\n";
        assert_eq!(resolv_conf(of_host, &[], Reach::Own), "nameserver 10.0.0.2\nsearch example.com\n");
        assert_eq!(
            resolv_conf("nameserver ::1\n", &[], Reach::Own),
            "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
        );
        assert_eq!(resolv_conf("nameserver ::1\n", &[], Reach::Host), "nameserver ::1\n");
    }

    #[test]
    fn given_resolvers_replace_the_hosts() {
        let given = ["192.0.2.1".to_owned()];
        assert_eq!(
            resolv_conf("nameserver 10.0.0.2\noptions ndots:1\n", &given, Reach::Own),
            "nameserver 192.0.2.1\noptions ndots:1\n"
        );
    }

    #[test]
    fn extra_hosts_come_last_and_may_be_of_either_kind_of_address() {
        let extra = ["db:10.0.0.3".to_owned(), "six:fd00::3".to_owned()];
        assert_eq!(with_extra_hosts("a".to_owned(), &extra), "a\n10.0.0.3\tdb\nfd00::3\tsix\n");
    }
}
