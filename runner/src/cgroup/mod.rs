//! Control groups: where a container's are, and that they go when it does.

mod devices;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::container::{Device, Id};

use devices::{Allowed, Kind};

/// How the groups of this machine are arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hierarchies {
    /// One for everything (version 2).
    Unified,
    /// One for each kind of limit (version 1), perhaps with one of version 2 beside them.
    Separate(Vec<Hierarchy>),
}

/// One hierarchy of version 1, or the one of version 2 beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// The name of its folder, such as `memory`.
    pub(crate) name: String,
    pub(crate) mounted_at: PathBuf,
}

const TOP: &str = "/sys/fs/cgroup";

/// The kinds of limits that libcontainer makes groups for.
const KINDS: [&str; 12] = [
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "hugetlb",
    "pids",
    "perf_event",
    "memory",
    "blkio",
    "net_prio",
    "net_cls",
    "freezer",
];

/// The hierarchies that libcontainer makes groups in.
pub(crate) fn hierarchies() -> Hierarchies {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((PathBuf::from(fields.next()?), fields.next()?))
    });
    parse(mounts)
}

fn parse<'a>(mounts: impl Iterator<Item = (PathBuf, &'a str)>) -> Hierarchies {
    let mut separate = Vec::new();
    for (mounted_at, kind) in mounts {
        if kind == "cgroup2" && mounted_at == Path::new(TOP) {
            return Hierarchies::Unified;
        }
        let Some(name) = mounted_at.file_name().and_then(|name| name.to_str()) else { continue };
        let known = name.split(',').any(|part| KINDS.contains(&part));
        if kind == "cgroup" && mounted_at.parent() == Some(Path::new(TOP)) && known {
            separate.push(Hierarchy { name: name.to_owned(), mounted_at });
        }
    }
    Hierarchies::Separate(separate)
}

/// The path of a container's group, below the top of every hierarchy.
pub(crate) fn path(id: &Id) -> PathBuf {
    Path::new("/").join(format!("berth-{}", id.as_str()))
}

/// The folders of a container's groups, whether they are there or not.
pub(crate) fn folders(id: &Id) -> Vec<PathBuf> {
    let own = |top: &Path| top.join(format!("berth-{}", id.as_str()));
    match hierarchies() {
        Hierarchies::Unified => vec![own(Path::new(TOP))],
        Hierarchies::Separate(separate) => separate.iter().map(|one| own(&one.mounted_at)).collect(),
    }
}

/// Whether a container stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freezer {
    Frozen,
    Thawed,
}

/// Lets all processes of a container stand still, or go on.
pub(crate) fn freeze(id: &Id, to: Freezer) -> std::io::Result<()> {
    let unified = matches!(hierarchies(), Hierarchies::Unified);
    for folder in folders(id) {
        let (file, word) = match (unified, to) {
            (true, Freezer::Frozen) => ("cgroup.freeze", "1"),
            (true, Freezer::Thawed) => ("cgroup.freeze", "0"),
            (false, Freezer::Frozen) => ("freezer.state", "FROZEN"),
            (false, Freezer::Thawed) => ("freezer.state", "THAWED"),
        };
        if folder.join(file).exists() {
            return fs::write(folder.join(file), word);
        }
    }
    Err(std::io::Error::new(ErrorKind::Unsupported, "this machine has no control group that can freeze"))
}

/// Whether a process of a container was killed because the container used more memory than it may.
pub(crate) fn was_out_of_memory(id: &Id) -> bool {
    let counts = |folder: &PathBuf, file| fs::read_to_string(folder.join(file)).unwrap_or_default();
    folders(id).iter().any(|folder| {
        let text = counts(folder, "memory.events") + &counts(folder, "memory.oom_control");
        text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
    })
}

/// Lets a container open no devices but docker's and its own, where libcontainer can't: on version 2.
pub(crate) fn restrict_devices(id: &Id, own: &[Device]) -> std::io::Result<()> {
    if hierarchies() != Hierarchies::Unified {
        return Ok(());
    }
    let mut more = Vec::new();
    for device in own {
        let metadata = fs::metadata(&device.source)?;
        let kind = if metadata.file_type().is_block_device() { Kind::Block } else { Kind::Character };
        let number = |number: u32| i32::try_from(number).map_err(std::io::Error::other);
        let (major, minor) = (number(libc::major(metadata.rdev()))?, number(libc::minor(metadata.rdev()))?);
        more.push(Allowed::device(kind, major, minor, &device.permissions));
    }
    folders(id).iter().try_for_each(|folder| Ok(devices::restrict(folder, &more)?))
}

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

/// Removes a container's groups, and kills whatever is still in them.
pub(crate) fn remove(id: &Id) -> std::io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for folder in folders(id) {
        loop {
            match remove_folder(&folder) {
                Err(error) if error.kind() == ErrorKind::ResourceBusy && Instant::now() < deadline => {
                    kill_all(&folder);
                    std::thread::sleep(PAUSE);
                }
                result => break result?,
            }
        }
    }
    Ok(())
}

fn kill_all(folder: &Path) {
    let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for process in processes.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        crate::signals::send(process, libc::SIGKILL);
    }
}

/// Removes a group and those below it, which a container may have made.
fn remove_folder(folder: &Path) -> std::io::Result<()> {
    let removed = fs::remove_dir(folder);
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            let mut below = false;
            for entry in fs::read_dir(folder)?.filter_map(Result::ok) {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    remove_folder(&entry.path())?;
                    below = true;
                }
            }
            if below { fs::remove_dir(folder) } else { Err(error) }
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_at_the_top_is_all_there_is() {
        let mounts = [("/sys", "sysfs"), ("/sys/fs/cgroup", "cgroup2")];
        let parsed = parse(mounts.into_iter().map(|(path, kind)| (path.into(), kind)));
        assert_eq!(parsed, Hierarchies::Unified);
    }

    #[test]
    fn of_version_1_each_kind_of_limit_is_one() {
        let mounts = [
            ("/sys/fs/cgroup", "tmpfs"),
            ("/sys/fs/cgroup/memory", "cgroup"),
            ("/sys/fs/cgroup/cpu,cpuacct", "cgroup"),
            ("/sys/fs/cgroup/systemd", "cgroup"),
            ("/sys/fs/cgroup/unified", "cgroup2"),
        ];
        let Hierarchies::Separate(parsed) = parse(mounts.into_iter().map(|(path, kind)| (path.into(), kind)))
        else {
            panic!("they are separate");
        };
        let names: Vec<_> = parsed.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["memory", "cpu,cpuacct"]);
    }
}
