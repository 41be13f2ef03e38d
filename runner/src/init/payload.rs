//! The last steps before a container's command runs, taken in the process that becomes it.
//!
//! libcontainer gives up its rights before it hands over, and installing a filter without `no_new_privs`
//! needs `CAP_SYS_ADMIN`. So its specification leaves the process two capabilities more than it is to have,
//! and here, where nothing of the container has run yet, the filter is installed and both are given up.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::RawFd;

use libcontainer::oci_spec::runtime::{Process, Spec};
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use rustix::io::Errno;
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{program, reaper, report};
use crate::container::First;
use crate::failure::{Failure, Kind};
use crate::seccomp::Filters;

/// What the process needs to take its last steps.
const TO_FINISH: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::SETPCAP);

/// The command of a container.
#[derive(Clone)]
pub(crate) struct Payload {
    pub(crate) filters: Filters,
    /// What it ends up with.
    pub(crate) capabilities: CapabilitySet,
    pub(crate) first: First,
    /// Where a failure is written; closed when the command runs.
    pub(crate) report: RawFd,
}

impl Payload {
    /// What libcontainer is to leave to the process.
    pub(crate) fn capabilities_until_then(&self) -> CapabilitySet {
        self.capabilities | TO_FINISH
    }

    fn last_steps(&self) -> Result<(), Errno> {
        for capability in TO_FINISH - self.capabilities {
            rustix::thread::remove_capability_from_bounding_set(capability)?;
        }
        self.filters.install()?;
        let capabilities = self.capabilities;
        let sets = CapabilitySets {
            effective: capabilities,
            permitted: capabilities,
            inheritable: CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, sets)?;
        crate::signals::as_in_a_new_process();
        // Who looks after it is its parent: without it nobody would know how it ends.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
    }
}

impl Executor for Payload {
    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        let process = process(spec);
        let name = arguments(process).first().map_or("", String::as_str);
        program::find(name, variable(process, "PATH")).map(drop).map_err(|failure| {
            report::write(self.report, &failure);
            ExecutorValidationError::ArgValidationError(failure.sentence)
        })
    }

    fn setup_envs(&self, _variables: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        // The command is executed with those of the specification, in their order.
        Ok(())
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let failure = match self.run(process(spec)) {
            Ok(never) => match never {},
            Err(failure) => failure,
        };
        report::write(self.report, &failure);
        Err(ExecutorError::Other(failure.sentence))
    }
}

/// What never is.
enum Never {}

impl Payload {
    fn run(&self, process: &Process) -> Result<Never, Failure> {
        let name = arguments(process).first().map_or("", String::as_str);
        let file = program::find(name, variable(process, "PATH"))?;
        let strings = |texts: &[String]| -> Result<Vec<CString>, Failure> {
            let string = |text: &String| CString::new(text.as_bytes());
            let zero = |_| program::failure(Kind::NotInvokable, name, "an argument has a zero byte");
            texts.iter().map(string).collect::<Result<_, _>>().map_err(zero)
        };
        let arguments = strings(arguments(process))?;
        let environment = strings(process.env().as_deref().unwrap_or_default())?;
        self.last_steps()
            .map_err(|error| Failure::own(format!("giving up rights before '{name}' runs: {error}")))?;
        if self.first == First::Reaper {
            reaper::stay(self.report);
        }
        Err(execute(&file, &arguments, &environment, name))
    }
}

/// Becomes `file`; comes back only when that fails.
fn execute(file: &CString, arguments: &[CString], environment: &[CString], name: &str) -> Failure {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, envp) = (pointers(arguments), pointers(environment));
    #[expect(unsafe_code, reason = "execve has no safe form")]
    // SAFETY: both lists end with a null pointer, and what they point to lives as long as this call.
    unsafe {
        libc::execve(file.as_ptr(), argv.as_ptr(), envp.as_ptr());
    }
    let error = crate::last_error();
    let kind = if error == Errno::NOENT { Kind::NotFound } else { Kind::NotInvokable };
    let wrong = match error {
        Errno::NOENT => "the interpreter that it names is not there".to_owned(),
        Errno::NOEXEC => {
            "it is no program for this machine, nor a script that names its interpreter".to_owned()
        }
        error => error.to_string(),
    };
    program::failure(kind, name, &wrong)
}

fn process(spec: &Spec) -> &Process {
    spec.process().as_ref().expect("the specification was made with a process")
}

fn arguments(process: &Process) -> &[String] {
    process.args().as_deref().unwrap_or_default()
}

fn variable<'a>(process: &'a Process, name: &str) -> Option<&'a str> {
    let variables = process.env().as_deref().unwrap_or_default();
    variables.iter().rev().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
}
