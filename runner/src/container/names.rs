//! Names of containers: a symbolic link each, so that two processes can't take the same.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Id;
use crate::failure::Failure;

/// Whether docker takes `name`: a letter or digit, and then those, `_`, `.` and `-`.
#[must_use]
pub fn is_valid(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_other = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.clone().count() > 0
        && bytes.all(is_other)
}

const ADJECTIVES: [&str; 24] = [
    "amber", "bold", "brisk", "calm", "clever", "dapper", "eager", "fond", "gentle", "happy", "jolly",
    "keen", "lively", "mellow", "nimble", "placid", "quick", "ready", "sturdy", "tidy", "upbeat", "vivid",
    "warm", "zesty",
];

const NOUNS: [&str; 24] = [
    "anchor", "barge", "beacon", "buoy", "canal", "clipper", "cove", "crane", "dinghy", "dock", "ferry",
    "gull", "harbour", "jetty", "keel", "lantern", "mast", "otter", "pier", "quay", "rudder", "sail", "tide",
    "wharf",
];

/// A name for a container that was given none, made of its id.
#[must_use]
pub fn random(id: &Id) -> String {
    let number = |at: usize| usize::from_str_radix(&id.as_str()[at..at + 4], 16).unwrap_or_default();
    let pick = |list: &[&'static str; 24], at| list[number(at) % list.len()];
    // Enough digits that two of a million don't collide.
    format!("{}_{}_{}", pick(&ADJECTIVES, 0), pick(&NOUNS, 4), &id.as_str()[8..14])
}

/// Makes `name` that of `id`.
pub(super) fn take(names: &Path, name: &str, id: &Id) -> Result<(), Failure> {
    if name.is_empty() {
        return Ok(());
    }
    match symlink(id.as_str(), names.join(name)) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let other = find(names, name).map_or_else(String::new, |other| format!(" {}", other.short()));
            Err(Failure::own(format!(
                "the name '{name}' is in use by the container{other}; remove or rename it"
            )))
        }
        Err(error) => Err(Failure::own(format!("taking the name '{name}': {error}"))),
    }
}

/// Takes `name` from `id`, if it has it.
pub(super) fn give_back(names: &Path, name: &str, id: &Id) {
    if !name.is_empty() && find(names, name).as_ref() == Some(id) {
        let _ = fs::remove_file(names.join(name));
    }
}

/// Whose name `name` is.
pub(super) fn find(names: &Path, name: &str) -> Option<Id> {
    let name = name.strip_prefix('/').unwrap_or(name);
    if !is_valid(name) {
        return None;
    }
    fs::read_link(names.join(name)).ok()?.into_os_string().into_string().ok()?.try_into().ok()
}

/// Takes the names of containers that aren't there, nor are about to be.
pub(super) fn forget_the_gone(names: &Path, is_there: impl Fn(&Id) -> bool) {
    for entry in fs::read_dir(names).into_iter().flatten().filter_map(Result::ok) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if let Some(id) = find(names, &name)
            && !is_there(&id)
        {
            give_back(names, &name, &id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_docker_takes() {
        for name in ["web", "a1", "a_b.c-d", "9lives"] {
            assert!(is_valid(name), "{name}");
        }
        for name in ["", "a", "-a", "a/b", "../x", "a b", ".hidden"] {
            assert!(!is_valid(name), "{name}");
        }
    }

    #[test]
    fn a_name_is_one_containers_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Id::random().unwrap(), Id::random().unwrap());
        take(folder.path(), "web", &one).unwrap();
        assert!(take(folder.path(), "web", &other).unwrap_err().sentence.contains(one.short()));
        give_back(folder.path(), "web", &other);
        assert_eq!(find(folder.path(), "/web"), Some(one.clone()));
        give_back(folder.path(), "web", &one);
        take(folder.path(), "web", &other).unwrap();
    }

    #[test]
    fn a_made_up_name_is_valid() {
        assert!(is_valid(&random(&Id::random().unwrap())));
    }
}
