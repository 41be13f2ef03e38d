//! `--chown`: names and numbers, looked up in the files of the image that is copied into.

use std::fs;
use std::path::Path;

use super::inside;
use super::wrong::{At, Wrong};

/// A user's and a group's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Whom `wanted` (`user`, `uid`, `user:group` and mixtures) means in the file system at `root`. A number
/// without a group is the group's number, too.
pub(super) fn find(root: &Path, wanted: &str) -> Result<Owner, Wrong> {
    let (user, group) = match wanted.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (wanted, None),
    };
    let user = if user.is_empty() { "root" } else { user };
    let mut owner = match number(user, wanted)? {
        Some(uid) => Owner { uid, gid: uid },
        None if user == "root" => Owner { uid: 0, gid: 0 },
        None => {
            let ids = ids(root, "etc/passwd", user)?;
            let [uid, gid, ..] = ids.as_deref().unwrap_or_default() else {
                return Err(unknown("user", user, "/etc/passwd"));
            };
            Owner { uid: *uid, gid: *gid }
        }
    };
    if let Some(group) = group {
        owner.gid = match number(group, wanted)? {
            Some(gid) => gid,
            None if group == "root" => 0,
            None => {
                let ids = ids(root, "etc/group", group)?;
                *ids.as_deref()
                    .unwrap_or_default()
                    .first()
                    .ok_or_else(|| unknown("group", group, "/etc/group"))?
            }
        };
    }
    Ok(owner)
}

fn unknown(what: &str, name: &str, file: &str) -> Wrong {
    Wrong::new(format!(
        "the image has no {what} {name:?} in {file}; add it with a RUN before, or write its number"
    ))
}

fn number(text: &str, wanted: &str) -> Result<Option<u32>, Wrong> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<i32>() {
        Ok(number) => Ok(Some(number.unsigned_abs())),
        Err(_) => Err(Wrong::new(format!(
            "--chown={wanted}: {text} is no user or group number; they end at {}",
            i32::MAX
        ))),
    }
}

/// The numbers in the line of `name`: in passwd the user's and the group's, in group its own.
fn ids(root: &Path, file: &str, name: &str) -> Result<Option<Vec<u32>>, Wrong> {
    let at = Path::new(file);
    let path = root.join(inside::resolve(root, at).at("finding", at)?);
    let text = match inside::look(&path).at("reading", at)? {
        Some(found) if found.is_file() => fs::read(&path).at("reading", at)?,
        _ => return Ok(None),
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    Ok(line.map(|line| line.split(':').skip(2).map_while(|field| field.parse::<u32>().ok()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_image_and_numbers_need_not_be_there() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "app:x:1000:1001::/:\n").unwrap();
        fs::write(root.path().join("etc/group"), "staff:x:50:\n").unwrap();
        for (wanted, uid, gid) in [
            ("app", 1000, 1001),
            ("app:staff", 1000, 50),
            ("7", 7, 7),
            ("7:8", 7, 8),
            ("root", 0, 0),
            (":staff", 0, 50),
        ] {
            assert_eq!(find(root.path(), wanted).unwrap(), Owner { uid, gid }, "{wanted}");
        }
        for wanted in ["nobody", "app:nobody", "4294967295", "1:99999999999"] {
            assert!(find(root.path(), wanted).is_err(), "{wanted}");
        }
    }
}
