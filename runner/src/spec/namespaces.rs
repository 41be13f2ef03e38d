//! Which namespaces a container has of its own.

use libcontainer::oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType};

use crate::container::{Config, Namespace, NetworkMode};

pub(super) fn of(config: &Config) -> Vec<LinuxNamespace> {
    let isolation = &config.isolation;
    let network = match config.network.mode {
        NetworkMode::Host => Namespace::Host,
        NetworkMode::None | NetworkMode::Bridge => Namespace::Private,
    };
    let all = [
        (LinuxNamespaceType::Mount, Namespace::Private),
        (LinuxNamespaceType::Pid, isolation.pid),
        (LinuxNamespaceType::Ipc, isolation.ipc),
        (LinuxNamespaceType::Uts, isolation.uts),
        (LinuxNamespaceType::Cgroup, isolation.cgroup),
        (LinuxNamespaceType::Network, network),
    ];
    let own = all.into_iter().filter(|(_, from)| *from == Namespace::Private);
    own.map(|(kind, _)| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(kind).set_path(None);
        namespace
    })
    .collect()
}

/// The host name that a container has: the one it was given, the host's, or the start of its id.
pub(crate) fn hostname(config: &Config) -> String {
    let isolation = &config.isolation;
    if !isolation.hostname.is_empty() {
        return isolation.hostname.clone();
    }
    let of_host = isolation.uts == Namespace::Host || config.network.mode == NetworkMode::Host;
    match of_host {
        true => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        false => config.id.short().to_owned(),
    }
}

/// The host name to set, when it has one of its own.
pub(super) fn own_hostname(config: &Config) -> Option<String> {
    (config.isolation.uts == Namespace::Private).then(|| hostname(config))
}
