//! Every verdict compared with moby's own profile, and the programs run as the kernel runs them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use rustix::thread::CapabilitySet;
use seccompiler::sock_filter;
use serde_json::Value;

use super::{Filters, Policy};
use crate::capabilities::DEFAULT;

const ALLOW: u32 = 0x7FFF_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL: u32 = 0x8000_0000;

const AMD64: u32 = 0xC000_003E;
const I386: u32 = 0x4000_0003;

/// What the kernel makes of a call: of several programs the strictest answer, and of equal ones the last.
fn verdict(filters: &Filters, architecture: u32, call: u32, arguments: [u64; 6]) -> u32 {
    let rank = |answer: u32| match answer & 0xFFFF_0000 {
        KILL => 0,
        ERRNO => 1,
        ALLOW => 2,
        other => panic!("an answer that isn't meant: {other:#x}"),
    };
    let answers = filters.programs.iter().rev().map(|program| run(program, architecture, call, arguments));
    answers.min_by_key(|answer| rank(*answer)).unwrap_or(ALLOW)
}

/// One program, as linux/filter.h defines its instructions.
fn run(program: &[sock_filter], architecture: u32, call: u32, arguments: [u64; 6]) -> u32 {
    let load = |offset: u32| match offset {
        0 => call,
        4 => architecture,
        16.. => {
            let argument = arguments[(offset as usize - 16) / 8];
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
        other => panic!("nothing is at {other}"),
    };
    let (mut at, mut accumulator) = (0, 0_u32);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let jump = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            0x20 => accumulator = load(k),
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += jump(accumulator == k),
            0x25 => at += jump(accumulator > k),
            0x35 => at += jump(accumulator >= k),
            0x06 => return k,
            other => panic!("an instruction that isn't known: {other:#x}"),
        }
    }
}

/// Moby's default profile, as Go's module has it.
fn profile() -> Value {
    let module = "github.com/moby/profiles/seccomp@v0.3.0";
    let folder = tempfile::tempdir().unwrap();
    let download =
        Command::new("go").args(["mod", "download", "-json", module]).current_dir(folder.path()).output();
    let told: Value =
        serde_json::from_slice(&download.expect("running go").stdout).expect("go tells where it is");
    let path = PathBuf::from(told["Dir"].as_str().expect("go has downloaded it")).join("default.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What the profile says about a call by its name on amd64, as moby and libseccomp read it.
fn of_profile(profile: &Value, capabilities: CapabilitySet, name: &str, arguments: [u64; 6]) -> u32 {
    let has = |name: &&str| crate::capabilities::parse(name).is_some_and(|one| capabilities.contains(one));
    let mut answer = ERRNO | u32::try_from(profile["defaultErrnoRet"].as_u64().unwrap()).unwrap();
    for rule in profile["syscalls"].as_array().unwrap() {
        let (includes, excludes) = (&rule["includes"], &rule["excludes"]);
        let arches = texts(&includes["arches"]);
        let applies = texts(&includes["caps"]).iter().all(has)
            && (arches.is_empty() || arches.contains(&"amd64"))
            && !texts(&excludes["caps"]).iter().any(has)
            && !texts(&excludes["arches"]).contains(&"amd64");
        let holds = |condition: &Value| {
            let argument = arguments[usize::try_from(condition["index"].as_u64().unwrap()).unwrap()];
            let value = condition["value"].as_u64().unwrap();
            match condition["op"].as_str().unwrap() {
                "SCMP_CMP_EQ" => argument == value,
                "SCMP_CMP_LT" => argument < value,
                "SCMP_CMP_MASKED_EQ" => argument & value == condition["valueTwo"].as_u64().unwrap_or(0),
                other => panic!("an operator that isn't known: {other}"),
            }
        };
        let matches = applies
            && texts(&rule["names"]).contains(&name)
            && rule["args"].as_array().into_iter().flatten().all(holds);
        if matches {
            match rule["action"].as_str().unwrap() {
                "SCMP_ACT_ALLOW" => return ALLOW,
                "SCMP_ACT_ERRNO" => {
                    answer = ERRNO | u32::try_from(rule["errnoRet"].as_u64().unwrap()).unwrap();
                }
                other => panic!("an action that isn't known: {other}"),
            }
        }
    }
    answer
}

/// Values at the edges of every condition.
fn edges() -> BTreeSet<u64> {
    let near = |value: u64| [value.wrapping_sub(1), value, value.wrapping_add(1)];
    let flags = (0..64).map(|bit| 1 << bit);
    (0..50)
        .chain(flags)
        .chain([0x7E02_0000, 0x20000, 0x20008, 0xFFFF_FFFF, u64::MAX])
        .flat_map(near)
        .collect()
}

#[test]
#[ignore = "needs Go, and its module proxy: cargo test -- --ignored"]
#[cfg(target_arch = "x86_64")]
fn every_verdict_is_mobys() {
    let profile = profile();
    let all = CapabilitySet::all();
    let each_more = all.iter().map(|one| DEFAULT | one);
    for capabilities in [DEFAULT, CapabilitySet::empty(), all].into_iter().chain(each_more) {
        let filters = Filters::new(Policy::Default, capabilities).unwrap();
        let names = |architecture, call: usize| match architecture {
            AMD64 => syscalls::x86_64::Sysno::new(call).map(|known| known.name()),
            _ => syscalls::x86::Sysno::new(call).map(|known| known.name()),
        };
        for (architecture, call) in
            [AMD64, I386].into_iter().flat_map(|one| (0..600).map(move |call| (one, call)))
        {
            let Some(name) = names(architecture, call) else { continue };
            let conditional = ["socket", "personality", "clone", "clone3", "unshare"].contains(&name);
            let tried = if conditional { edges() } else { BTreeSet::from([0, u64::MAX]) };
            for argument in tried {
                let arguments = [argument, 0, 0, 0, 0, 0];
                let own = verdict(&filters, architecture, u32::try_from(call).unwrap(), arguments);
                let theirs = of_profile(&profile, capabilities, name, arguments);
                assert_eq!(own, theirs, "{name}({argument:#x}) with {capabilities:?} on {architecture:#x}");
            }
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn unknown_calls_are_refused_and_other_processors_calls_end_the_process() {
    let filters = Filters::new(Policy::Default, DEFAULT).unwrap();
    for call in [600, 0x4000_0000, u32::MAX] {
        assert_eq!(verdict(&filters, AMD64, call, [0; 6]), ERRNO | 1, "{call}");
        assert_eq!(verdict(&filters, I386, call, [0; 6]), ERRNO | 1, "{call}");
    }
    assert_eq!(verdict(&filters, 0xC000_00B7, 0, [0; 6]), KILL);
}

#[test]
fn a_program_is_short_enough_for_the_kernel() {
    for capabilities in [DEFAULT, CapabilitySet::all()] {
        let filters = Filters::new(Policy::Default, capabilities).unwrap();
        assert!(filters.programs.iter().all(|program| program.len() <= 4096));
    }
}

#[test]
fn unconfined_is_no_filter() {
    assert!(Filters::new(Policy::Unconfined, DEFAULT).unwrap().programs.is_empty());
}
