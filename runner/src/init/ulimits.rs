//! Limits of processes that this machine lets be set.

use rustix::process::{Resource, Rlimit};
use rustix::thread::CapabilitySet;

use crate::container::Ulimit;

/// Docker's names.
const NAMES: [(&str, Resource); 16] = [
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
    ("as", Resource::As),
];

/// `wanted`, where what may not be raised is left as it is, and noted.
///
/// # Errors
/// A sentence about a name that is no limit's.
pub(super) fn within_reach(wanted: &[Ulimit], notes: &mut Vec<String>) -> Result<Vec<Ulimit>, String> {
    let rights = rustix::thread::capabilities(None).map(|sets| sets.effective);
    let may_raise = rights.is_ok_and(|rights| rights.contains(CapabilitySet::SYS_RESOURCE));
    let mut within = Vec::new();
    for limit in wanted {
        let found = NAMES.iter().find(|(name, _)| *name == limit.name);
        let (_, resource) = found
            .ok_or_else(|| format!("'{}' is no limit of processes; they are named as nofile", limit.name))?;
        let now = rustix::process::getrlimit(*resource);
        let lowered = if may_raise { None } else { lowered(limit, now) };
        if lowered.is_some() {
            notes.push(format!(
                "the limit {} can't be raised without CAP_SYS_RESOURCE, and is left at {}",
                limit.name,
                now.maximum.map_or_else(|| "unlimited".to_owned(), |maximum| maximum.to_string())
            ));
        }
        within.push(lowered.unwrap_or_else(|| limit.clone()));
    }
    Ok(within)
}

/// The limit that can be set, when the one that is wanted is above the hard limit now.
fn lowered(wanted: &Ulimit, now: Rlimit) -> Option<Ulimit> {
    let most = now.maximum?;
    if wanted.hard.is_some_and(|hard| hard <= most) {
        return None;
    }
    let soft = wanted.soft.map_or(most, |soft| soft.min(most));
    Some(Ulimit { soft: Some(soft), hard: Some(most), ..wanted.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_the_hard_limit_is_lowered_to_it() {
        let limit = |soft, hard| Ulimit { name: "nofile".to_owned(), soft, hard };
        let now = Rlimit { current: Some(5), maximum: Some(10) };
        assert_eq!(lowered(&limit(Some(3), Some(10)), now), None);
        assert_eq!(lowered(&limit(Some(3), Some(11)), now), Some(limit(Some(3), Some(10))));
        assert_eq!(lowered(&limit(None, None), now), Some(limit(Some(10), Some(10))));
        assert_eq!(lowered(&limit(None, None), Rlimit { maximum: None, ..now }), None);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let limit = Ulimit { name: "wishes".to_owned(), soft: Some(3), hard: Some(3) };
        assert!(within_reach(&[limit], &mut vec![]).unwrap_err().contains("'wishes'"));
    }
}
