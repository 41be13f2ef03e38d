//! What the kernel does with the packets of a network: one table of nftables for each, called as its bridge is.
//!
//! The table comes with the first container and goes with the last; in between, publishing a port is an element
//! of a map. Where iptables drops what is forwarded, as docker and ufw set it up, no table of ours can undo
//! that: then two rules of iptables let the bridge's packets pass, and go with the table.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::ports::Publish;
use super::{Outside, Subnet};

/// Where such programs are; the environment of who runs this is empty.
const FOLDERS: [&str; 6] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/// Makes the table of the bridge `device`, or makes it anew.
pub(super) fn make(device: &str, subnet: Subnet, outside: Outside) -> Result<(), String> {
    nft(&(table_gone(device) + &table(device, subnet, outside)))?;
    let passing = let_pass(device);
    if passing.is_err() {
        remove(device);
    }
    passing
}

/// Removes the table of the bridge `device`, and whatever of iptables names it.
pub(super) fn remove(device: &str) {
    // What isn't there any more needn't be removed, and nobody could do more about the rest.
    let _ = nft(&table_gone(device));
    for rule in rules(device, &listed()) {
        let _ = iptables(&rule);
    }
}

/// Deletes the table, also where there is none.
fn table_gone(device: &str) -> String {
    format!("table ip {device}\ndelete table ip {device}\n")
}

/// Leads ports of the host to `address`.
pub(super) fn publish(device: &str, address: Ipv4Addr, ports: &[Publish]) -> Result<(), String> {
    let mut script = String::new();
    for port in ports {
        let (map, key) = place(port);
        let _ =
            writeln!(script, "add element ip {device} {map} {{ {key} : {address} . {} }}", port.container);
    }
    if script.is_empty() { Ok(()) } else { nft(&script) }
}

/// Leads ports of the host nowhere again.
pub(super) fn unpublish(device: &str, ports: &[Publish]) {
    for port in ports {
        let (map, key) = place(port);
        // One by one: one that isn't there any more must not keep the others.
        let _ = nft(&format!("delete element ip {device} {map} {{ {key} }}\n"));
    }
}

/// The map that a port is in, and its key there.
fn place(port: &Publish) -> (&'static str, String) {
    match port.address {
        Ipv4Addr::UNSPECIFIED => ("any", format!("{} . {}", port.protocol, port.host)),
        address => ("one", format!("{address} . {} . {}", port.protocol, port.host)),
    }
}

fn table(device: &str, subnet: Subnet, outside: Outside) -> String {
    let masquerade = match outside {
        Outside::Reachable => format!("ip saddr {subnet} oifname != \"{device}\" masquerade"),
        Outside::Closed => String::new(),
    };
    let leaving = match outside {
        Outside::Reachable => String::new(),
        Outside::Closed => format!("iifname \"{device}\" oifname != \"{device}\" drop"),
    };
    // Sent through loopback to a published port, a packet would come from 127.0.0.1, which no container can
    // answer: it gets the bridge's address. The same for a container that asks for a published port of its own.
    format!(
        r#"table ip {device} {{
  map any {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
  map one {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
  chain published {{
    dnat ip to ip daddr . meta l4proto . th dport map @one
    dnat ip to meta l4proto . th dport map @any
  }}
  chain prerouting {{ type nat hook prerouting priority -100; fib daddr type local jump published; }}
  chain output {{ type nat hook output priority -100; fib daddr type local jump published; }}
  chain postrouting {{
    type nat hook postrouting priority 100;
    {masquerade}
    ip saddr {{ 127.0.0.0/8, {subnet} }} oifname "{device}" ct status dnat masquerade
  }}
  chain forward {{
    type filter hook forward priority 0;
    {leaving}
    iifname "{device}" oifname "{device}" accept
    oifname "{device}" ct state established,related accept
    oifname "{device}" ct status dnat accept
    oifname "{device}" drop
  }}
  chain guard {{
    type filter hook prerouting priority -300;
    iifname "{device}" ip daddr 127.0.0.0/8 drop
  }}
}}
"#
    )
}

/// Adds the two rules of iptables where they are needed.
fn let_pass(device: &str) -> Result<(), String> {
    let listed = listed();
    let has = |wanted: &str| listed.lines().any(|line| line == wanted);
    let chain = match (has("-N DOCKER-USER"), has("-P FORWARD DROP")) {
        (true, _) => "DOCKER-USER",
        (false, true) => "FORWARD",
        (false, false) => return Ok(()),
    };
    // Those of a run that was killed.
    for rule in rules(device, &listed) {
        iptables(&rule)?;
    }
    for direction in ["-i", "-o"] {
        let rule = ["-I", chain, direction, device, "-m", "comment", "--comment", "berth", "-j", "ACCEPT"];
        iptables(&rule.map(str::to_owned))?;
    }
    Ok(())
}

/// How the rules among `listed` that name `device` are deleted.
fn rules(device: &str, listed: &str) -> Vec<Vec<String>> {
    let named = listed.lines().filter_map(|line| line.strip_prefix("-A "));
    let own = named.map(|rule| rule.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    own.filter(|words| words.iter().any(|word| word == device))
        .map(|words| [vec!["-D".to_owned()], words].concat())
        .collect()
}

/// The rules of iptables that filter; empty where it isn't there.
fn listed() -> String {
    let Some(program) = find("iptables") else { return String::new() };
    let output = Command::new(program).args(["-w", "-S"]).stdin(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn iptables(rule: &[String]) -> Result<(), String> {
    let Some(program) = find("iptables") else { return Ok(()) };
    let output = Command::new(program).arg("-w").args(rule).stdin(Stdio::null()).output();
    outcome("iptables", output)
}

fn nft(script: &str) -> Result<(), String> {
    let program = find("nft").ok_or_else(|| "there is no nft; install the package nftables".to_owned())?;
    let run = || {
        let mut child = Command::new(program)
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(script.as_bytes())?;
        }
        child.wait_with_output()
    };
    outcome("nft", run())
}

fn outcome(name: &str, output: std::io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| format!("running {name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} refuses: {}", said.lines().next().unwrap_or("it says nothing")))
}

fn find(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::super::ports::Protocol;
    use super::*;

    #[test]
    fn only_rules_that_name_the_bridge_are_deleted() {
        let listed = "-N DOCKER-USER\n-A DOCKER-USER -i berth-1 -m comment --comment berth -j ACCEPT\n\
                      -A DOCKER-USER -i berth-12 -j ACCEPT\n-A DOCKER-USER -j RETURN\n";
        let deleted = rules("berth-1", listed);
        assert_eq!(deleted.len(), 1);
        assert_eq!(deleted[0].join(" "), "-D DOCKER-USER -i berth-1 -m comment --comment berth -j ACCEPT");
    }

    #[test]
    fn a_port_of_one_address_is_in_the_map_of_addresses() {
        let port = |address| Publish { address, host: 8080, container: 80, protocol: Protocol::Udp };
        assert_eq!(place(&port(Ipv4Addr::UNSPECIFIED)), ("any", "udp . 8080".to_owned()));
        assert_eq!(place(&port(Ipv4Addr::LOCALHOST)), ("one", "127.0.0.1 . udp . 8080".to_owned()));
    }
}
