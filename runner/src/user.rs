//! Who a process in a container is: names and numbers, looked up in the image's own files.
//!
//! As docker does: a name is looked up in `/etc/passwd`, a number too, but needn't be there; the groups of
//! `/etc/group` that list the user count unless a group is given. What is out of range is refused and never
//! becomes root.

use rustix::io::Errno;

use crate::root::Root;

/// The largest user and group number that docker takes.
const MAX_ID: u64 = i32::MAX as u64;

/// How much of either file is read, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Who a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The supplementary groups, sorted, the primary one among them.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// Finds `wanted` (`user`, `uid`, `user:group` and mixtures; empty is root) and the groups `more` in a root
/// file system.
///
/// # Errors
/// A sentence when a name is unknown or a number out of range.
pub(crate) fn find(root: &Root, wanted: &str, more: &[String]) -> Result<User, String> {
    let file = |path| match root.read(path, MAX_FILE_BYTES) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(String::new()),
        Err(error) => Err(format!("reading /{path} of the image: {error}")),
    };
    resolve(wanted, more, &file("etc/passwd")?, &file("etc/group")?)
}

struct Account<'a> {
    name: &'a str,
    uid: Result<u32, String>,
    gid: Result<u32, String>,
    home: &'a str,
}

struct Group<'a> {
    name: &'a str,
    gid: Result<u32, String>,
    members: &'a str,
}

fn resolve(wanted: &str, more: &[String], passwd: &str, group: &str) -> Result<User, String> {
    let (user, of_group) = match wanted.split_once(':') {
        Some((user, of_group)) => (user, Some(of_group).filter(|of_group| !of_group.is_empty())),
        None => (wanted, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = numeric(user);
    let account = accounts(passwd).find(|account| match &number {
        // A name that is a number is no name: `0` is never somebody else.
        Some(number) => number.is_ok() && account.uid == *number,
        None => account.name == user,
    });
    let (uid, gid, home) = match (&account, number) {
        (Some(account), _) => (account.uid.clone()?, account.gid.clone()?, account.home),
        (None, Some(number)) => (number?, 0, "/"),
        (None, None) => return Err(format!("the image has no user '{user}' in /etc/passwd")),
    };
    let mut groups = Vec::new();
    let gid = match of_group {
        Some(wanted) => find_group(wanted, group)?,
        None => {
            if let Some(account) = &account {
                for entry in entries(group) {
                    if entry.members.split(',').any(|member| member == account.name) {
                        groups.push(entry.gid?);
                    }
                }
            }
            gid
        }
    };
    for name in more {
        groups.push(find_group(name, group)?);
    }
    groups.push(gid);
    groups.sort_unstable();
    groups.dedup();
    let home = if home.is_empty() { "/" } else { home };
    Ok(User { uid, gid, groups, home: home.to_owned() })
}

fn find_group(wanted: &str, group: &str) -> Result<u32, String> {
    if let Some(number) = numeric(wanted) {
        return number;
    }
    let found = entries(group).find(|entry| entry.name == wanted);
    found.map_or_else(|| Err(format!("the image has no group '{wanted}' in /etc/group")), |entry| entry.gid)
}

/// `text` as a number, when it is one; an error when it is out of range.
fn numeric(text: &str) -> Option<Result<u32, String>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(id(text))
}

/// A user's or group's number.
fn id(text: &str) -> Result<u32, String> {
    let number = text.parse::<u64>().ok().filter(|number| *number <= MAX_ID);
    number
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| format!("'{text}' is no user or group number; they go from 0 to {MAX_ID}"))
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (id(fields.next()?), id(fields.next()?));
        let (_comment, home) = (fields.next(), fields.next().unwrap_or_default());
        Some(Account { name, uid, gid, home })
    })
}

fn entries(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some(Group { name, gid: id(fields.next()?), members: fields.next().unwrap_or_default() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/srv:/bin/sh\n7:x:8:8::/seven:\n\
                          big:x:4294967296:0::/:\nnohome:x:5:5\n";
    const GROUP: &str = "root:x:0:root\ndaemon:x:1:\nadm:x:4:root,app\nwheel:x:10:app\nhuge:x:99999999999:\n";

    fn found(wanted: &str) -> (u32, u32, Vec<u32>, String) {
        let user = resolve(wanted, &[], PASSWD, GROUP).unwrap();
        (user.uid, user.gid, user.groups, user.home)
    }

    #[test]
    fn names_and_numbers_are_looked_up_with_the_groups_that_list_them() {
        assert_eq!(found(""), (0, 0, vec![0, 4], "/root".to_owned()));
        assert_eq!(found("app"), (1000, 1001, vec![4, 10, 1001], "/srv".to_owned()));
        assert_eq!(found("1000"), found("app"));
        assert_eq!(found("nohome"), (5, 5, vec![5], "/".to_owned()));
    }

    #[test]
    fn a_number_that_is_nobodys_is_taken_with_the_group_0() {
        assert_eq!(found("4242"), (4242, 0, vec![0], "/".to_owned()));
    }

    #[test]
    fn a_given_group_replaces_all_others() {
        assert_eq!(found("app:adm"), (1000, 4, vec![4], "/srv".to_owned()));
        assert_eq!(found("app:77"), (1000, 77, vec![77], "/srv".to_owned()));
    }

    #[test]
    fn more_groups_come_by_name_and_number() {
        let more = ["wheel".to_owned(), "33".to_owned()];
        assert_eq!(resolve("0:0", &more, PASSWD, GROUP).unwrap().groups, [0, 10, 33]);
    }

    #[test]
    fn a_name_that_is_a_number_is_nobody_but_that_number() {
        assert_eq!(found("7"), (7, 0, vec![0], "/".to_owned()));
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_refused_and_never_root() {
        for wanted in ["4294967296", "-1", "2147483648", "big", "0:4294967296", "0:huge", "nobody", "0:none"]
        {
            let sentence = resolve(wanted, &[], PASSWD, GROUP).unwrap_err();
            assert!(sentence.contains("no user") || sentence.contains("no group"), "{wanted}: {sentence}");
        }
    }

    #[test]
    fn an_image_without_these_files_has_numbers_only() {
        assert_eq!(resolve("", &[], "", "").unwrap().home, "/");
        assert_eq!(resolve("12:34", &[], "", "").unwrap().gid, 34);
        assert!(resolve("app", &[], "", "").is_err());
    }
}
