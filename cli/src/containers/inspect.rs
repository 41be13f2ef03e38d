//! docker's document of a container.

use std::collections::BTreeMap;

use berth_runner::container::{Access, Container, Namespace, Restart, State, Status, Streams};
use berth_runner::{Policy, Source};
use serde_json::{Value, json};

use super::network_word;

/// All that is known of a container, in docker's words.
pub(crate) fn document(container: &Container, state: &State) -> Value {
    let config = &container.config;
    let command = [config.process.entrypoint.clone(), config.process.command.clone()].concat();
    let (path, arguments) =
        command.split_first().map_or((String::new(), &[][..]), |(path, rest)| (path.clone(), rest));
    let never = || "0001-01-01T00:00:00Z".to_owned();
    let mut document = json!({
        "Id": config.id,
        "Created": config.created,
        "Path": path,
        "Args": arguments,
        "State": {
            "Status": state.status.word(),
            "Running": matches!(state.status, Status::Running | Status::Paused | Status::Restarting),
            "Paused": state.status == Status::Paused,
            "Restarting": state.status == Status::Restarting,
            "OOMKilled": state.oom_killed,
            "Dead": false,
            "Pid": state.pid.unwrap_or_default(),
            "ExitCode": state.exit_code,
            "Error": state.error,
            "StartedAt": state.started.clone().unwrap_or_else(never),
            "FinishedAt": state.finished.clone().unwrap_or_else(never),
        },
        "Image": config.image.id,
        "ResolvConfPath": container.folder.path().join("resolv.conf"),
        "HostnamePath": container.folder.path().join("hostname"),
        "HostsPath": container.folder.path().join("hosts"),
        "LogPath": container.folder.path().join("log"),
        "Name": format!("/{}", config.name),
        "RestartCount": state.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "HostConfig": host_config(container),
        "GraphDriver": {"Name": "overlay2", "Data": {
            "LowerDir": config.root.lower.iter().rev().map(|layer| layer.display().to_string()).collect::<Vec<_>>().join(":"),
            "UpperDir": config.root.upper,
            "WorkDir": config.root.work,
            "MergedDir": config.root.merged,
        }},
        "Mounts": mounts(container),
        "Config": own_config(container),
        "NetworkSettings": network_settings(container, state),
    });
    if !state.health.is_empty() {
        document["State"]["Health"] = json!({"Status": state.health, "FailingStreak": state.failing_streak});
    }
    document
}

/// A network's part of the document, with docker's ports: `80/tcp` to where it is reached.
fn network_settings(container: &Container, state: &State) -> Value {
    let network = &container.config.network;
    let mut ports: BTreeMap<String, Value> =
        network.exposed.iter().map(|port| (port.clone(), Value::Null)).collect();
    let Some(place) = &state.place else {
        return json!({"Ports": ports, "IPAddress": "", "Networks": {network_word(network): {"IPAddress": ""}}});
    };
    for port in &place.ports {
        let key = format!("{}/{}", port.container, port.protocol);
        let at = json!({"HostIp": port.address, "HostPort": port.host.to_string()});
        let entry = ports.entry(key).or_default();
        match entry {
            Value::Array(others) => others.push(at),
            other => *other = json!([at]),
        }
    }
    let own = json!({
        "NetworkID": place.network_id,
        "Aliases": network.aliases,
        "Gateway": place.subnet.gateway(),
        "IPAddress": place.address,
        "IPPrefixLen": place.subnet.prefix(),
        "MacAddress": hardware(&place.hardware),
    });
    json!({
        "Ports": ports,
        "Gateway": own["Gateway"],
        "IPAddress": own["IPAddress"],
        "IPPrefixLen": own["IPPrefixLen"],
        "MacAddress": own["MacAddress"],
        "Networks": {network_word(network): own},
    })
}

/// A hardware address, as it is written.
pub(crate) fn hardware(address: &[u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

fn own_config(container: &Container) -> Value {
    let config = &container.config;
    let (tty, stdin, stdin_once) = match config.streams {
        Streams::Caller => (false, false, false),
        Streams::Monitor { tty, stdin, stdin_once } => (tty, stdin, stdin_once),
    };
    json!({
        "Hostname": if config.isolation.hostname.is_empty() { config.id.short() } else { &config.isolation.hostname },
        "Domainname": config.isolation.domainname,
        "User": config.process.user,
        "Tty": tty,
        "OpenStdin": stdin,
        "StdinOnce": stdin_once,
        "Env": config.process.env,
        "Cmd": config.process.command,
        "Image": config.image.reference,
        "WorkingDir": config.process.working_dir,
        "Entrypoint": config.process.entrypoint,
        "Labels": config.labels,
        "StopSignal": config.care.stop_signal,
        "StopTimeout": config.care.stop_timeout,
        "Healthcheck": config.care.healthcheck,
    })
}

fn host_config(container: &Container) -> Value {
    let config = &container.config;
    let (isolation, limits) = (&config.isolation, &config.limits);
    let word = |namespace| match namespace {
        Namespace::Private => "private",
        Namespace::Host => "host",
    };
    let (policy, retries) = match config.care.restart {
        Restart::No => ("no", 0),
        Restart::OnFailure { max } => ("on-failure", max),
        Restart::Always => ("always", 0),
        Restart::UnlessStopped => ("unless-stopped", 0),
    };
    let mut options = Vec::new();
    if isolation.no_new_privileges {
        options.push("no-new-privileges");
    }
    if isolation.seccomp == Policy::Unconfined {
        options.push("seccomp=unconfined");
    }
    json!({
        "NetworkMode": network_word(&config.network),
        "RestartPolicy": {"Name": policy, "MaximumRetryCount": retries},
        "AutoRemove": config.care.auto_remove,
        "CapAdd": isolation.cap_add,
        "CapDrop": isolation.cap_drop,
        "CgroupnsMode": word(isolation.cgroup),
        "Dns": config.network.dns,
        "ExtraHosts": config.network.extra_hosts,
        "GroupAdd": config.process.groups,
        "IpcMode": word(isolation.ipc),
        "PidMode": if isolation.pid == Namespace::Host { "host" } else { "" },
        "UTSMode": if isolation.uts == Namespace::Host { "host" } else { "" },
        "Privileged": isolation.privileged,
        "ReadonlyRootfs": config.root.access == Access::ReadOnly,
        "SecurityOpt": options,
        "ShmSize": isolation.shm_size.unwrap_or(64 << 20),
        "Sysctls": isolation.sysctls,
        "Memory": limits.memory.unwrap_or_default(),
        "MemorySwap": limits.memory_swap.unwrap_or_default(),
        "NanoCpus": limits.nano_cpus.unwrap_or_default(),
        "CpuShares": limits.cpu_shares.unwrap_or_default(),
        "CpusetCpus": limits.cpuset_cpus.clone().unwrap_or_default(),
        "PidsLimit": limits.pids,
        "Init": config.process.first == berth_runner::container::First::Reaper,
    })
}

fn mounts(container: &Container) -> Vec<Value> {
    let mounts = container.config.mounts.iter().map(|mount| {
        let (kind, name, source) = match &mount.source {
            Source::Bind { path, .. } => ("bind", "", path.display().to_string()),
            Source::Volume { name, path, .. } => ("volume", name.as_str(), path.display().to_string()),
            Source::Tmpfs { .. } => ("tmpfs", "", String::new()),
        };
        json!({
            "Type": kind,
            "Name": name,
            "Source": source,
            "Destination": mount.target,
            "RW": mount.access == Access::ReadWrite,
        })
    });
    mounts.collect()
}
