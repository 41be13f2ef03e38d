//! The process of a container.

use std::collections::HashSet;
use std::str::FromStr;

use libcontainer::oci_spec::runtime::{
    Capability, LinuxCapabilities, LinuxCapabilitiesBuilder, PosixRlimit, PosixRlimitBuilder,
    PosixRlimitType, Process, ProcessBuilder, UserBuilder,
};
use rustix::thread::CapabilitySet;

use super::{namespaces, sentence};
use crate::container::{self, Config, Streams, Ulimit};
use crate::user::User;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is executed: the entrypoint and then the command.
fn arguments(process: &container::Process) -> Vec<String> {
    process.entrypoint.iter().chain(&process.command).cloned().collect()
}

pub(super) fn of(
    config: &Config,
    user: &User,
    ulimits: &[Ulimit],
    capabilities: CapabilitySet,
) -> Result<Process, String> {
    let process = &config.process;
    let arguments = arguments(process);
    if arguments.is_empty() {
        return Err("neither the image nor the command line says what to run".to_owned());
    }
    let tty = matches!(config.streams, Streams::Monitor { tty: true, .. });
    let who = UserBuilder::default()
        .uid(user.uid)
        .gid(user.gid)
        .additional_gids(user.groups.clone())
        .build()
        .map_err(sentence)?;
    let mut built = ProcessBuilder::default()
        .terminal(tty)
        .user(who)
        .args(arguments)
        .env(environment(config, user, tty))
        .cwd(if process.working_dir.is_empty() { "/" } else { &process.working_dir })
        .capabilities(sets(capabilities).map_err(sentence)?)
        .no_new_privileges(config.isolation.no_new_privileges)
        .build()
        .map_err(sentence)?;
    // The builder starts from limits of its own.
    built.set_rlimits(Some(ulimits.iter().map(rlimit).collect::<Result<_, _>>()?));
    Ok(built)
}

/// Docker's variables, then those asked for, where the last of a name counts.
fn environment(config: &Config, user: &User, tty: bool) -> Vec<String> {
    let mut environment =
        vec![format!("PATH={DEFAULT_PATH}"), format!("HOSTNAME={}", namespaces::hostname(config))];
    if tty {
        environment.push("TERM=xterm".to_owned());
    }
    for variable in &config.process.env {
        let name = variable.split('=').next().unwrap_or_default();
        let is_same = |other: &String| other.split('=').next() == Some(name);
        match environment.iter_mut().find(|other| is_same(other)) {
            Some(before) => before.clone_from(variable),
            None => environment.push(variable.clone()),
        }
    }
    if !environment.iter().any(|variable| variable.starts_with("HOME=")) {
        environment.push(format!("HOME={}", user.home));
    }
    environment
}

/// The same in the three sets that count; nothing is inheritable (CVE-2022-29162) or ambient.
fn sets(capabilities: CapabilitySet) -> Result<LinuxCapabilities, libcontainer::oci_spec::OciSpecError> {
    let names: HashSet<Capability> =
        capabilities.iter_names().filter_map(|(name, _)| Capability::from_str(name).ok()).collect();
    LinuxCapabilitiesBuilder::default()
        .bounding(names.clone())
        .effective(names.clone())
        .permitted(names)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()
}

fn rlimit(limit: &Ulimit) -> Result<PosixRlimit, String> {
    let kind = format!("\"RLIMIT_{}\"", limit.name.to_ascii_uppercase());
    let kind: PosixRlimitType = serde_json::from_str(&kind)
        .map_err(|_| format!("'{}' is no limit of processes; they are named as nofile", limit.name))?;
    let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let built =
        PosixRlimitBuilder::default().typ(kind).soft(number(limit.soft)).hard(number(limit.hard)).build();
    built.map_err(sentence)
}
