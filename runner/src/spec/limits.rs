//! Limits, as the control groups take them.

use libcontainer::oci_spec::OciSpecError;
use libcontainer::oci_spec::runtime::{
    LinuxCpuBuilder, LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder,
};

use super::devices::Devices;
use crate::container::Config;

/// The period in which a share of the processors is counted, in microseconds: docker's.
const CPU_PERIOD: u64 = 100_000;

pub(super) fn resources(config: &Config, devices: &Devices) -> Result<LinuxResources, OciSpecError> {
    let limits = &config.limits;
    let mut resources = LinuxResourcesBuilder::default().devices(devices.rules.clone()).build()?;
    if limits.memory.is_some() || limits.memory_swap.is_some() {
        let mut memory = LinuxMemoryBuilder::default();
        if let Some(limit) = limits.memory {
            // As docker does: as much swap as memory, unless something else is said.
            memory = memory.limit(limit).swap(limits.memory_swap.unwrap_or(limit.saturating_mul(2)));
        } else if let Some(swap) = limits.memory_swap {
            memory = memory.swap(swap);
        }
        resources.set_memory(Some(memory.build()?));
    }
    if limits.nano_cpus.is_some() || limits.cpu_shares.is_some() || limits.cpuset_cpus.is_some() {
        let mut cpu = LinuxCpuBuilder::default();
        if let Some(nano) = limits.nano_cpus {
            let quota = nano.saturating_mul(CPU_PERIOD) / 1_000_000_000;
            cpu = cpu.period(CPU_PERIOD).quota(i64::try_from(quota).unwrap_or(i64::MAX));
        }
        if let Some(shares) = limits.cpu_shares {
            cpu = cpu.shares(shares);
        }
        if let Some(cpus) = &limits.cpuset_cpus {
            cpu = cpu.cpus(cpus.clone());
        }
        resources.set_cpu(Some(cpu.build()?));
    }
    if let Some(pids) = limits.pids {
        resources.set_pids(Some(LinuxPidsBuilder::default().limit(pids).build()?));
    }
    Ok(resources)
}
