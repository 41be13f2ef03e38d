//! Which devices the processes of a control group of version 2 may open: a small program of the kernel's.
//!
//! Version 1 has files for that, which libcontainer writes; version 2 asks a program of the kind
//! `BPF_PROG_TYPE_CGROUP_DEVICE` (linux/bpf.h) at each `open` and `mknod`.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;

/// Whether a device is one of characters or of blocks, as the kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Block = 1,
    Character = 2,
}

const MAKE: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;
const ALL: i32 = MAKE | READ | WRITE;

/// What is allowed; `None` is any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) kind: Kind,
    pub(crate) major: Option<i32>,
    pub(crate) minor: Option<i32>,
    access: i32,
}

impl Allowed {
    /// A device with permissions of `r`, `w` and `m`.
    pub(crate) fn device(kind: Kind, major: i32, minor: i32, permissions: &str) -> Self {
        let bit = |letter| match letter {
            'r' => READ,
            'w' => WRITE,
            'm' => MAKE,
            _ => 0,
        };
        let access = permissions.chars().map(bit).fold(0, |all, one| all | one);
        Self { kind, major: Some(major), minor: Some(minor), access }
    }

    const fn any(kind: Kind, access: i32) -> Self {
        Self { kind, major: None, minor: None, access }
    }

    const fn character(major: i32, minor: Option<i32>) -> Self {
        Self { kind: Kind::Character, major: Some(major), minor, access: ALL }
    }
}

/// What every container may: make any node, and open `/dev/null` and its like and terminals.
const DOCKERS: [Allowed; 11] = [
    Allowed::any(Kind::Character, MAKE),
    Allowed::any(Kind::Block, MAKE),
    Allowed::character(1, Some(3)),
    Allowed::character(1, Some(5)),
    Allowed::character(1, Some(7)),
    Allowed::character(1, Some(8)),
    Allowed::character(1, Some(9)),
    Allowed::character(5, Some(0)),
    Allowed::character(5, Some(1)),
    Allowed::character(5, Some(2)),
    Allowed::character(136, None),
];

/// Lets the processes of the group at `folder` open docker's devices and `more`, and no others.
pub(crate) fn restrict(folder: &Path, more: &[Allowed]) -> Result<(), Errno> {
    let group = File::open(folder).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let program = load(&program(DOCKERS.iter().chain(more)))?;
    let attach = Attach {
        group: group.as_raw_fd().cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        kind: ATTACH_DEVICE,
        flags: ALLOW_MULTI,
    };
    // The group keeps the program as long as it is there.
    bpf(PROGRAM_ATTACH, &attach).map(drop)
}

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    code: u8,
    /// The destination in the lower four bits, the source in the upper.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xBF;
const SET: u8 = 0xB7;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

// Registers: the kernel gives the context in the first and takes the answer from the zeroth.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const ACCESS: u8 = 2;
const KIND: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const REST: u8 = 6;

fn program<'a>(allowed: impl Iterator<Item = &'a Allowed>) -> Vec<Instruction> {
    let one = |code, to: u8, from: u8, offset, immediate| Instruction {
        code,
        registers: to | (from << 4),
        offset,
        immediate,
    };
    // `struct bpf_cgroup_dev_ctx`: access and kind in one word, the major and the minor number.
    let mut program = vec![
        one(LOAD_WORD, ACCESS, CONTEXT, 0, 0),
        one(MOVE, KIND, ACCESS, 0, 0),
        one(AND, KIND, 0, 0, 0xFFFF),
        one(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        one(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        one(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for Allowed { kind, major, minor, access } in allowed {
        // Each condition that doesn't hold leads past the two instructions that allow.
        let mut conditions = vec![(KIND, *kind as i32), (REST, 0)];
        conditions.extend(major.map(|major| (MAJOR, major)));
        conditions.extend(minor.map(|minor| (MINOR, minor)));
        let count = i16::try_from(conditions.len()).expect("there are four at most");
        program.push(one(MOVE, REST, ACCESS, 0, 0));
        program.push(one(AND, REST, 0, 0, ALL & !access));
        for (index, (register, value)) in (1..).zip(conditions) {
            program.push(one(JUMP_UNLESS_EQUAL, register, 0, count - index + 2, value));
        }
        program.push(one(SET, ANSWER, 0, 0, 1));
        program.push(one(EXIT, 0, 0, 0, 0));
    }
    program.push(one(SET, ANSWER, 0, 0, 0));
    program.push(one(EXIT, 0, 0, 0, 0));
    program
}

const PROGRAM_LOAD: libc::c_int = 5;
const PROGRAM_ATTACH: libc::c_int = 8;
const KIND_DEVICE: u32 = 15;
const ATTACH_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

/// The start of `union bpf_attr` for `BPF_PROG_LOAD`; the kernel takes what isn't given for zero.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    licence: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// The same for `BPF_PROG_ATTACH`.
#[repr(C)]
struct Attach {
    group: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

fn load(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let licence = c"Apache-2.0";
    let load = Load {
        kind: KIND_DEVICE,
        count: u32::try_from(program.len()).map_err(|_| Errno::INVAL)?,
        instructions: program.as_ptr().expose_provenance() as u64,
        licence: licence.as_ptr().expose_provenance() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    let descriptor = bpf(PROGRAM_LOAD, &load)?;
    #[expect(unsafe_code, reason = "a descriptor comes from the kernel as a number")]
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> Result<i32, Errno> {
    #[expect(unsafe_code, reason = "bpf has no safe form")]
    // SAFETY: the attributes, and what they point to, live until the call returns, and their size is theirs.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    i32::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(crate::last_error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// Where a group of version 2 can be made here: it is the top, or beside those of version 1.
    fn top() -> &'static Path {
        let beside = Path::new("/sys/fs/cgroup/unified");
        if beside.exists() { beside } else { Path::new("/sys/fs/cgroup") }
    }

    /// What a process in a restricted group gets when it opens these.
    fn opens(more: &[Allowed], paths: &[&str]) -> Vec<bool> {
        let group = top().join(format!("berth-test-{}-{}", std::process::id(), paths.len()));
        fs::create_dir(&group).expect("making a control group needs root");
        restrict(&group, more).unwrap();
        let script = "read go; for path; do if (: < $path) 2> /dev/null; then echo 1; else echo 0; fi; done";
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .args(paths)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        fs::write(group.join("cgroup.procs"), shell.id().to_string()).unwrap();
        shell.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let output = shell.wait_with_output().unwrap();
        fs::remove_dir(&group).unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "1").collect()
    }

    #[test]
    fn dockers_devices_can_be_opened_and_others_only_when_they_are_given() {
        let paths = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/kmsg"];
        assert_eq!(opens(&[], &paths), [true, true, true, false]);
        let given = Allowed::device(Kind::Character, 1, 11, "rw");
        assert_eq!(opens(&[given], &paths[..3]), [true; 3]);
        assert_eq!(opens(&[given], &["/dev/kmsg"]), [true]);
        let other = Allowed::device(Kind::Character, 1, 11, "w");
        assert_eq!(opens(&[other], &["/dev/null", "/dev/kmsg"]), [true, false]);
    }
}
