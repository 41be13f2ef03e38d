//! What was asked for, as the runtime specification says it; libcontainer carries it out.

mod devices;
mod limits;
mod mounts;
mod namespaces;
mod paths;
mod process;

use libcontainer::oci_spec::OciSpecError;
use libcontainer::oci_spec::runtime::{LinuxBuilder, Process, RootBuilder, Spec, SpecBuilder};
use rustix::thread::CapabilitySet;

use crate::cgroup;
use crate::container::{Access, Config, Ulimit};
use crate::network::Files;
use crate::user::User;

pub(crate) use namespaces::hostname;

/// The specification of a container whose root file system is mounted, and who its process is known.
///
/// `capabilities` are those that libcontainer leaves to the process: see [`crate::init`] for why they are
/// more than the process ends up with.
///
/// # Errors
/// A sentence about what can't be had.
pub(crate) fn build(
    config: &Config,
    user: &User,
    ulimits: &[Ulimit],
    files: &Files,
    capabilities: CapabilitySet,
) -> Result<Spec, String> {
    let isolation = &config.isolation;
    let devices = devices::of(isolation)?;
    let mut linux = LinuxBuilder::default()
        .cgroups_path(cgroup::path(&config.id))
        .namespaces(namespaces::of(config))
        .resources(limits::resources(config, &devices).map_err(sentence)?)
        .devices(devices.nodes)
        .masked_paths(paths::masked(isolation))
        .readonly_paths(paths::read_only(isolation))
        .build()
        .map_err(sentence)?;
    if !isolation.sysctls.is_empty() {
        linux.set_sysctl(Some(isolation.sysctls.clone().into_iter().collect()));
    }
    let root = RootBuilder::default()
        .path(config.root.merged.clone())
        .readonly(config.root.access == Access::ReadOnly)
        .build()
        .map_err(sentence)?;
    let mut spec = SpecBuilder::default()
        .root(root)
        .mounts(mounts::of(config, files)?)
        .process(process::of(config, user, ulimits, capabilities)?)
        .linux(linux)
        .build()
        .map_err(sentence)?;
    spec.set_hostname(namespaces::own_hostname(config));
    if !isolation.domainname.is_empty() {
        spec.set_domainname(Some(isolation.domainname.clone()));
    }
    Ok(spec)
}

/// The process of `config`, as one more in a container that runs.
pub(crate) fn process(config: &Config, user: &User, capabilities: CapabilitySet) -> Result<Process, String> {
    process::of(config, user, &[], capabilities)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn sentence(error: OciSpecError) -> String {
    error.to_string()
}
