//! What a container's root may do: docker's 14 capabilities, and what is added and dropped.

use rustix::thread::CapabilitySet;

/// What docker gives to containers.
pub(crate) const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// Reads a capability's name, with or without `CAP_`, whatever its case.
pub(crate) fn parse(name: &str) -> Option<CapabilitySet> {
    let upper = name.to_ascii_uppercase();
    CapabilitySet::from_name(upper.strip_prefix("CAP_").unwrap_or(&upper))
}

/// All that this kernel knows and the calling process could hand on.
pub(crate) fn all() -> CapabilitySet {
    let known = CapabilitySet::all().iter();
    let handed_on =
        |one: &CapabilitySet| rustix::thread::capability_is_in_bounding_set(*one).unwrap_or(false);
    known.filter(handed_on).collect()
}

/// Docker's default with `add` and without `drop`; `all` stands for `ALL`.
///
/// # Errors
/// A sentence about a name that is no capability's.
pub(crate) fn chosen(add: &[String], drop: &[String], all: CapabilitySet) -> Result<CapabilitySet, String> {
    let (add, drop) = (Named::parse(add)?, Named::parse(drop)?);
    // As docker does: `ALL` is where it starts from, what is named comes after it.
    let start = match (add.all, drop.all) {
        (true, _) => all,
        (false, true) => CapabilitySet::empty(),
        (false, false) => DEFAULT,
    };
    Ok((start - drop.named) | add.named)
}

struct Named {
    all: bool,
    named: CapabilitySet,
}

impl Named {
    fn parse(names: &[String]) -> Result<Self, String> {
        let mut parsed = Self { all: false, named: CapabilitySet::empty() };
        for name in names {
            if name.eq_ignore_ascii_case("ALL") {
                parsed.all = true;
            } else {
                let unknown = || format!("'{name}' is no capability; they are named as NET_ADMIN");
                parsed.named |= parse(name).ok_or_else(unknown)?;
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn docker_gives_fourteen() {
        assert_eq!(DEFAULT.iter().count(), 14);
        assert_eq!(chosen(&[], &[], CapabilitySet::all()).unwrap(), DEFAULT);
    }

    #[test]
    fn what_is_named_comes_after_all() {
        let all = DEFAULT | CapabilitySet::SYS_ADMIN;
        let chosen = |add: &[&str], drop: &[&str]| chosen(&names(add), &names(drop), all).unwrap();
        assert_eq!(
            chosen(&["cap_net_admin"], &["CHOWN"]),
            (DEFAULT - CapabilitySet::CHOWN) | CapabilitySet::NET_ADMIN
        );
        assert_eq!(chosen(&[], &["all"]), CapabilitySet::empty());
        assert_eq!(chosen(&["KILL"], &["ALL"]), CapabilitySet::KILL);
        assert_eq!(chosen(&["ALL"], &["CAP_CHOWN"]), all - CapabilitySet::CHOWN);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(chosen(&names(&["FLY"]), &[], DEFAULT).unwrap_err().contains("'FLY'"));
    }
}
