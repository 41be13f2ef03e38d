//! A container's place in a network: its address, its wire to the bridge, its published ports.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::LinkNameSpaceType;

use super::firewall;
use super::netlink::Netlink;
use super::networks::{Member, NetworkRecord, Networks, Turn};
use super::ports::{self, Held};
use super::subnet::Subnet;
use crate::container::{Config, Folder, Id};
use crate::failure::Failure;

/// A container's place, as long as it is looked after.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) member: Member,
    _ports: Held,
}

/// The device that a container sees.
const INNER: &str = "eth0";

/// The number of the loopback device of any network namespace.
const LOOPBACK: u32 = 1;

/// Takes a place for a container that is about to be started.
///
/// # Errors
/// A sentence; nothing of it is left then.
pub(crate) fn take(folder: &Folder, config: &Config) -> Result<Place, Failure> {
    let wanted = &config.network;
    let failed = |wrong: String| {
        let instead = "--network host and --network none work without";
        Failure::own(format!("joining the network '{}': {wrong}; {instead}", wanted.name))
    };
    let networks = Networks::new(wanted.networks.clone());
    let record = networks.find(&wanted.name).map_err(failed)?;
    let record = record.ok_or_else(|| Failure::own(format!("there is no network '{}'", wanted.name)))?;
    let mut ports = wanted.ports.clone();
    let held = ports::hold(&mut ports).map_err(Failure::own)?;
    let turn = networks.turn().map_err(failed)?;
    let members = living(&networks, &record, &config.id, &turn).map_err(failed)?;
    let subnet = come_up(&record, &members).map_err(failed)?;
    let taken: Vec<Ipv4Addr> = members.iter().map(|member| member.address).collect();
    let address =
        subnet.free_address(&taken).ok_or_else(|| failed(format!("all addresses of {subnet} are taken")))?;
    let names = [config.name.clone(), config.id.short().to_owned()].into_iter();
    let member = Member {
        container: config.id.clone(),
        folder: folder.path().to_owned(),
        names: names.chain(wanted.aliases.iter().cloned()).filter(|name| !name.is_empty()).collect(),
        network: record.name,
        network_id: record.id,
        address,
        hardware: hardware(address),
        subnet,
        ports,
    };
    let added = networks
        .add(&member, &turn)
        .and_then(|()| firewall::publish(&member.device(), address, &member.ports));
    if let Err(wrong) = added {
        give_up(&networks, &member, &turn);
        return Err(failed(wrong));
    }
    Ok(Place { member, _ports: held })
}

/// Gives back the place of a container, if it has one, and removes the network's bridge after the last.
pub(crate) fn give_back(config: &Config) -> Result<(), String> {
    let networks = Networks::new(config.network.networks.clone());
    let Some(record) = networks.find(&config.network.name)? else { return Ok(()) };
    let turn = networks.turn()?;
    let members = networks.members(&record.name, &turn)?;
    if let Some(member) = members.iter().find(|member| member.container == config.id) {
        give_up(&networks, member, &turn);
    }
    Ok(())
}

fn give_up(networks: &Networks, member: &Member, turn: &Turn) {
    let device = member.device();
    // What fails here is tried again by whoever comes next, and none of it must keep the rest.
    let _ = Netlink::open().and_then(|netlink| netlink.remove(&member.wire()));
    let _ = networks.forget(member, turn);
    match networks.members(&member.network, turn) {
        Ok(left) if left.is_empty() => go_down(&device),
        Ok(left) => {
            firewall::unpublish(&device, &member.ports);
            introduce(&left);
        }
        Err(_) => {}
    }
}

/// Those of a network besides `own` that are alive; what others, or its run before, have left is removed.
fn living(networks: &Networks, record: &NetworkRecord, own: &Id, turn: &Turn) -> Result<Vec<Member>, String> {
    // Who asks for a lock of its own loses it.
    let is_other_and_alive = |member: &Member| member.container != *own && member.is_alive();
    let (living, gone): (Vec<_>, Vec<_>) =
        networks.members(&record.name, turn)?.into_iter().partition(is_other_and_alive);
    for member in gone {
        give_up(networks, &member, turn);
    }
    Ok(living)
}

/// Makes sure that a network's bridge is there; its addresses.
fn come_up(record: &NetworkRecord, members: &[Member]) -> Result<Subnet, String> {
    let device = record.device();
    if let Some(member) = members.first()
        && index(&device).is_ok()
    {
        return Ok(member.subnet);
    }
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let routes = Subnet::of_routes(&routes);
    let subnet = match (members.first(), record.subnet) {
        // Somebody removed the bridge below them.
        (Some(member), _) => member.subnet,
        (None, Some(wanted)) => match routes.iter().find(|(_, other)| other.overlaps(wanted)) {
            Some((device, other)) => {
                return Err(format!("{wanted} overlaps {other}, which {device} leads to"));
            }
            None => wanted,
        },
        (None, None) => {
            let taken: Vec<Subnet> = routes.into_iter().map(|(_, subnet)| subnet).collect();
            Subnet::free(&taken).ok_or("no subnet is free on this machine; make a network with --subnet")?
        }
    };
    let made = make_bridge(&device, subnet)
        .map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => "making a bridge needs CAP_NET_ADMIN".to_owned(),
            _ => format!("making the bridge {device}: {error}"),
        })
        .and_then(|()| firewall::make(&device, subnet, record.outside));
    if made.is_err() {
        go_down(&device);
    }
    made.map(|()| subnet)
}

/// A hardware address that nobody else on the bridge has: docker's way.
fn hardware(address: Ipv4Addr) -> [u8; 6] {
    let [one, two, three, four] = address.octets();
    [0x02, 0x42, one, two, three, four]
}

fn make_bridge(device: &str, subnet: Subnet) -> io::Result<()> {
    let netlink = Netlink::open()?;
    netlink.remove(device)?;
    netlink.make_bridge(device, hardware(subnet.gateway()))?;
    let index = index(device)?;
    netlink.add_address(index, subnet.gateway(), subnet.prefix())?;
    // What is sent through the host's loopback to a published port comes this way.
    fs::write(format!("/proc/sys/net/ipv4/conf/{device}/route_localnet"), "1")?;
    netlink.bring_up(index)?;
    if fs::read_to_string("/proc/sys/net/ipv4/ip_forward")?.trim() == "0" {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    }
    Ok(())
}

fn go_down(device: &str) {
    firewall::remove(device);
    let _ = Netlink::open().and_then(|netlink| netlink.remove(device));
}

/// Connects the process `pid`, which has a network namespace of its own: its loopback device comes up, and a
/// wire leads to the bridge of its place, if it has one. Then all in the network know each other's names.
pub(crate) fn connect(pid: i32, member: Option<&Member>) -> io::Result<()> {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    if let Some(member) = member {
        let bridge = index(&member.device())?;
        let outer = Netlink::open()?;
        // That of the run before goes a little later than its namespace.
        outer.remove(&member.wire())?;
        outer.make_pair(&member.wire(), bridge, INNER, member.hardware, namespace.as_fd())?;
    }
    let own = File::open("/proc/self/ns/net")?;
    let enter = |namespace: &File| {
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
    };
    enter(&namespace)?;
    let result = set_up_inside(member);
    enter(&own)?;
    result
}

fn set_up_inside(member: Option<&Member>) -> io::Result<()> {
    let inner = Netlink::open()?;
    inner.bring_up(LOOPBACK)?;
    let Some(member) = member else { return Ok(()) };
    let device = index(INNER)?;
    inner.add_address(device, member.address, member.subnet.prefix())?;
    inner.bring_up(device)?;
    inner.add_default_route(member.subnet.gateway())
}

/// Tells everybody in a container's network who else is in it.
pub(crate) fn introduce_all(config: &Config) -> Result<(), String> {
    let networks = Networks::new(config.network.networks.clone());
    introduce(&networks.inhabitants(&config.network.name)?);
    Ok(())
}

/// What ends the lines that are ours.
const MARK: &str = "# berth";

fn introduce(members: &[Member]) {
    for member in members {
        let others = members.iter().filter(|other| other.container != member.container);
        let lines: Vec<String> =
            others.map(|other| format!("{}\t{} {MARK}", other.address, other.names.join(" "))).collect();
        // One that has none yet writes its own a little later, and comes by again.
        let _ = rewrite(&member.folder.join("hosts"), &lines);
    }
}

/// Replaces our lines; the file stays the same one, for it is mounted.
fn rewrite(hosts: &Path, lines: &[String]) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(hosts)?;
    let before = io::read_to_string(&file)?;
    let theirs = before.lines().filter(|line| !line.ends_with(MARK));
    let text: String = theirs.chain(lines.iter().map(String::as_str)).flat_map(|line| [line, "\n"]).collect();
    if text != before {
        file.write_all_at(text.as_bytes(), 0)?;
        file.set_len(text.len() as u64)?;
    }
    Ok(())
}

/// The number of a device of the network namespace this is called in.
fn index(device: &str) -> io::Result<u32> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(rustix::net::netdevice::name_to_index(&socket, device)?)
}
