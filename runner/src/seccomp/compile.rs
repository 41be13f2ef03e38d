//! The table made into programs.
//!
//! One program refuses what the table doesn't allow with EPERM. A second one, installed after it, answers
//! `clone3` with ENOSYS, so that C libraries fall back to `clone`, whose flags can be judged: a program of
//! seccompiler's has one answer only. Of two refusals the kernel takes the one installed last.

use std::collections::BTreeMap;
use std::str::FromStr;

use rustix::thread::CapabilitySet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use super::table;

/// How system calls are numbered for one kind of program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbering {
    /// The processor's own.
    Native,
    /// Programs for i386, which an amd64 kernel runs as well.
    I386,
}

/// `AUDIT_ARCH_I386` of linux/audit.h.
const AUDIT_ARCH_I386: u32 = 0x4000_0003;
/// `AUDIT_ARCH_X86_64` of linux/audit.h.
const AUDIT_ARCH_X86_64: u32 = 0xC000_003E;

/// The longest program that the kernel takes: `BPF_MAXINSNS` of linux/bpf_common.h.
const MAX_INSTRUCTIONS: usize = 4096;

// Of linux/bpf_common.h.
const LOAD_WORD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;
/// Where `struct seccomp_data` has the architecture.
const ARCHITECTURE_OFFSET: u32 = 4;

/// Docker's default policy for a process with `capabilities`.
pub(super) fn docker_default(capabilities: CapabilitySet) -> Result<Vec<Vec<sock_filter>>, String> {
    let mut all = programs(|numbering| allowed(numbering, capabilities), &Answers::ALLOW_ELSE_EPERM)?;
    if !capabilities.contains(CapabilitySet::SYS_ADMIN) {
        let clone3 = |numbering| number(numbering, "clone3").map(|call| (call, vec![])).into_iter().collect();
        all.extend(programs(clone3, &Answers::ENOSYS_ELSE_ALLOW)?);
    }
    Ok(all)
}

/// What calls that match the rules get, and what the others get.
struct Answers {
    matching: SeccompAction,
    others: SeccompAction,
}

impl Answers {
    const ALLOW_ELSE_EPERM: Self =
        Self { matching: SeccompAction::Allow, others: SeccompAction::Errno(libc::EPERM as u32) };
    const ENOSYS_ELSE_ALLOW: Self =
        Self { matching: SeccompAction::Errno(libc::ENOSYS as u32), others: SeccompAction::Allow };
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Programs that judge all numberings of this processor: one, or one each where that would be too long.
fn programs(rules: impl Fn(Numbering) -> Rules, answers: &Answers) -> Result<Vec<Vec<sock_filter>>, String> {
    let native = one_numbering(rules(Numbering::Native), answers)?;
    if cfg!(not(target_arch = "x86_64")) {
        return Ok(vec![native]);
    }
    let mut i386 = one_numbering(rules(Numbering::I386), answers)?;
    // seccompiler has no i386: its program for amd64 is made to ask for the other architecture.
    let asked = &mut i386[1];
    assert_eq!(asked.code, JUMP_IF_EQUAL, "a program starts by asking for the architecture");
    asked.k = AUDIT_ARCH_I386;
    let past_native = u32::try_from(native.len()).map_err(|error| error.to_string())?;
    let choose = [is_of(AUDIT_ARCH_I386), vec![statement(JUMP, past_native)]].concat();
    let both = [choose, native.clone(), i386.clone()].concat();
    if both.len() <= MAX_INSTRUCTIONS {
        return Ok(vec![both]);
    }
    // Of several programs the strictest answer counts, so each allows what is the other's to judge.
    let passing_over =
        |architecture| [is_of(architecture), vec![statement(RETURN, libc::SECCOMP_RET_ALLOW)]].concat();
    Ok(vec![
        [passing_over(AUDIT_ARCH_I386), native].concat(),
        [passing_over(AUDIT_ARCH_X86_64), i386].concat(),
    ])
}

/// Goes on with the next instruction for calls of `architecture`, and passes over it for others.
fn is_of(architecture: u32) -> Vec<sock_filter> {
    vec![
        statement(LOAD_WORD, ARCHITECTURE_OFFSET),
        sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: architecture },
    ]
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

fn one_numbering(rules: Rules, answers: &Answers) -> Result<BpfProgram, String> {
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    SeccompFilter::new(rules, answers.others.clone(), answers.matching.clone(), target)
        .and_then(BpfProgram::try_from)
        .map_err(|error| error.to_string())
}

/// Every allowed call with its conditions; none means whatever the arguments.
fn allowed(numbering: Numbering, capabilities: CapabilitySet) -> Rules {
    let mut rules = Rules::new();
    let of_processor = table::OF_PROCESSORS.iter().filter(|(name, _)| *name == std::env::consts::ARCH);
    let with_capabilities =
        table::WITH_CAPABILITIES.iter().filter(|(needed, _)| capabilities.contains(*needed));
    let lists = of_processor.map(|(_, calls)| *calls).chain(with_capabilities.map(|(_, calls)| *calls));
    for name in lists.chain([table::ALWAYS]).flat_map(str::split_ascii_whitespace) {
        if let Some(call) = number(numbering, name) {
            rules.insert(call, vec![]);
        }
    }
    let below = condition(SeccompCmpOp::Lt, table::SOCKET_FAMILIES_BELOW);
    let families = table::SOCKET_FAMILIES.iter().map(|family| condition(SeccompCmpOp::Eq, *family));
    when(&mut rules, number(numbering, "socket"), families.chain([below]));
    let personalities = table::PERSONALITIES.iter().map(|value| condition(SeccompCmpOp::Eq, *value));
    when(&mut rules, number(numbering, "personality"), personalities);
    let no_namespaces = condition(SeccompCmpOp::MaskedEq(table::CLONE_NEW_NAMESPACES), 0);
    when(&mut rules, number(numbering, "clone"), [no_namespaces]);
    rules
}

/// Allows `call` when any of `conditions` holds, unless it is allowed whatever its arguments.
fn when(rules: &mut Rules, call: Option<i64>, conditions: impl IntoIterator<Item = SeccompCondition>) {
    let Some(call) = call else { return };
    rules.entry(call).or_insert_with(|| {
        let rule = |condition| SeccompRule::new(vec![condition]).expect("there is a condition");
        conditions.into_iter().map(rule).collect()
    });
}

/// A condition on the first argument.
fn condition(operator: SeccompCmpOp, value: u64) -> SeccompCondition {
    SeccompCondition::new(0, SeccompCmpArgLen::Qword, operator, value).expect("calls have a first argument")
}

/// The number of a call, if there is one of that name.
fn number(numbering: Numbering, name: &str) -> Option<i64> {
    let number = match numbering {
        Numbering::Native => syscalls::Sysno::from_str(name).ok()?.id(),
        Numbering::I386 => syscalls::x86::Sysno::from_str(name).ok()?.id(),
    };
    Some(i64::from(number))
}
