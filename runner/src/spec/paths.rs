//! What of `/proc` and `/sys` a container can't see or write to: docker's lists.

use crate::container::Isolation;

const MASKED: [&str; 13] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/kernel/security",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub(super) fn masked(isolation: &Isolation) -> Vec<String> {
    chosen(isolation, &MASKED)
}

pub(super) fn read_only(isolation: &Isolation) -> Vec<String> {
    chosen(isolation, &READ_ONLY)
}

fn chosen(isolation: &Isolation, paths: &[&str]) -> Vec<String> {
    match isolation.privileged || isolation.unmasked {
        true => Vec::new(),
        false => paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}
