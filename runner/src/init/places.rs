//! Where things are to be mounted: looked at in the image before anything is.

use std::path::Path;

use crate::container::Config;
use crate::failure::Failure;
use crate::mount::Source;
use crate::network::Files;
use crate::root::Root;

/// What of `/proc` may be another file: docker's list, which lxcfs needs.
const MAY_BE_MOUNTED: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// Makes the places of files, and refuses those that would hide the kernel's own (CVE-2019-16884).
pub(super) fn prepare(root: &Root, config: &Config, files: &Files) -> Result<(), Failure> {
    for mount in &config.mounts {
        let failed = |wrong: &str| Failure::own(format!("mounting at {}: {wrong}", mount.target.display()));
        let leads = root.resolved(&mount.target).map_err(|error| failed(&error.to_string()))?;
        let is_allowed = MAY_BE_MOUNTED.iter().any(|allowed| leads == Path::new(allowed));
        if leads.starts_with("/proc") && !is_allowed {
            return Err(failed("/proc is the kernel's, and nothing else may be there"));
        }
        if let Source::Bind { path, .. } = &mount.source
            && !path.is_dir()
            && !leads.starts_with("/proc")
        {
            root.make_file(&mount.target).map_err(|error| failed(&error.to_string()))?;
        }
    }
    for (place, _) in files.present() {
        let is_hidden = config.mounts.iter().any(|mount| Path::new(place).starts_with(&mount.target));
        if !is_hidden {
            root.make_file(Path::new(place))
                .map_err(|error| Failure::own(format!("making a place for {place}: {error}")))?;
        }
    }
    Ok(())
}
