//! Filters of system calls: docker's default policy as programs that the kernel runs at each call.
//!
//! They are installed with seccomp(2) itself, by a process that has `CAP_SYS_ADMIN`, and so without
//! `no_new_privs`: programs with the set-user-ID bit go on working in containers, as in docker's.

mod compile;
mod table;
#[cfg(test)]
mod tests;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use seccompiler::sock_filter;
use serde::{Deserialize, Serialize};

/// Which policy is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Docker's default.
    #[default]
    Default,
    /// No filter at all.
    Unconfined,
}

/// Programs in the order in which they are installed.
#[derive(Clone)]
pub(crate) struct Filters {
    programs: Vec<Vec<sock_filter>>,
}

impl Filters {
    /// The filters of `policy` for a process that keeps `capabilities`.
    ///
    /// # Errors
    /// A sentence when this processor has no policy, or a program would be too large for the kernel.
    pub(crate) fn new(policy: Policy, capabilities: CapabilitySet) -> Result<Self, String> {
        let programs = match policy {
            Policy::Unconfined => Vec::new(),
            Policy::Default => compile::docker_default(capabilities)?,
        };
        Ok(Self { programs })
    }

    /// Installs them for the calling thread and whatever it executes.
    pub(crate) fn install(&self) -> Result<(), Errno> {
        self.programs.iter().try_for_each(|program| install(program))
    }
}

fn install(program: &[sock_filter]) -> Result<(), Errno> {
    let length = libc::c_ushort::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    // The kernel reads the program and never writes to it; `sock_filter` has libc's layout.
    let whole = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    #[expect(unsafe_code, reason = "seccomp(2) has no safe form that leaves no_new_privs alone")]
    // SAFETY: `whole` names a program that lives until the call has returned.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::from_ref(&whole))
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
    }
}
