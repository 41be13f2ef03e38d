//! Ports of the host that lead to a container.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketAddrV4, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

/// What a port is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port of a container that is to be reached from the host and beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// At which of the host's addresses; 0.0.0.0 is all.
    pub address: Ipv4Addr,
    /// At which port; 0 is any that is free.
    pub host: u16,
    /// The container's port.
    pub container: u16,
    /// Of which protocol.
    pub protocol: Protocol,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for Publish {
    /// As docker's lists write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}->{}/{}", self.address, self.host, self.container, self.protocol)
    }
}

/// Ports that are held so that nobody else takes them, as long as this is kept.
///
/// Nothing is received there: packets are led on before they get so far.
#[derive(Debug, Default)]
pub(crate) struct Held {
    _sockets: Vec<OwnedFd>,
}

/// Holds all of `wanted`; those that left the port open have one afterwards.
///
/// # Errors
/// A sentence about one that is in use.
pub(super) fn hold(wanted: &mut [Publish]) -> Result<Held, String> {
    let sockets: Result<_, _> = wanted
        .iter_mut()
        .map(|publish| {
            bind(publish).map_err(|error| {
                let wrong = match error.kind() {
                    io::ErrorKind::AddrInUse => "it is in use".to_owned(),
                    _ => error.to_string(),
                };
                format!("publishing port {}:{}/{}: {wrong}", publish.address, publish.host, publish.protocol)
            })
        })
        .collect();
    Ok(Held { _sockets: sockets? })
}

fn bind(publish: &mut Publish) -> io::Result<OwnedFd> {
    let kind = match publish.protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = rustix::net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(publish.address, publish.host))?;
    if publish.host == 0 {
        let bound = SocketAddrV4::try_from(rustix::net::getsockname(&socket)?)?;
        publish.host = bound.port();
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_in_use_is_told_and_one_left_open_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let used = listener.local_addr().unwrap().port();
        let publish =
            |host| Publish { address: Ipv4Addr::LOCALHOST, host, container: 80, protocol: Protocol::Tcp };
        let refused = hold(&mut [publish(used)]).unwrap_err();
        assert_eq!(refused, format!("publishing port 127.0.0.1:{used}/tcp: it is in use"));
        let mut open = [publish(0)];
        let held = hold(&mut open).unwrap();
        assert_ne!(open[0].host, 0);
        assert!(TcpListener::bind(("127.0.0.1", open[0].host)).is_err(), "nobody else gets it");
        drop(held);
        TcpListener::bind(("127.0.0.1", open[0].host)).unwrap();
    }
}
