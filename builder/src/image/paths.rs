//! Paths within an image, and what goes together in a `COPY` or `ADD`.

use crate::dockerfile::Refusal;
use crate::dockerfile::instructions::{Add, Copy};
use crate::go::clean_path;

/// The folder that `path` is, seen from `from`, which is the root where it is empty.
pub(super) fn folder(from: &str, path: &str) -> String {
    match path {
        // As BuildKit: an absolute path stays as it is written.
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        "" if from.is_empty() => "/".to_owned(),
        "" => from.to_owned(),
        relative => clean_path(&format!("/{from}/{relative}")),
    }
}

/// Where files are copied to, seen from `from`: a slash at its end stays, because it means a folder.
pub(super) fn destination(from: &str, written: &str) -> String {
    let written = if matches!(written, "" | ".") { "./" } else { written };
    let mut path = folder(from, written);
    if written.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    } else if written.ends_with("/.") && !written.starts_with('/') {
        path.push_str(if path == "/" { "." } else { "/." });
    }
    path
}

pub(super) fn check_copy(copy: &Copy) -> Result<(), Refusal> {
    check_owner(&copy.chown, copy.link)?;
    for source in &copy.paths.sources {
        if is_http(source) {
            return Err(Refusal::new("source can't be a URL for COPY", "write ADD instead"));
        }
    }
    Ok(())
}

pub(super) fn check_add(add: &Add) -> Result<(), Refusal> {
    check_owner(&add.chown, add.link)?;
    match &add.paths.sources[..] {
        _ if add.checksum.is_empty() => Ok(()),
        [source] if is_address(source) => Ok(()),
        [_] => Err(Refusal::new("checksum requires HTTP(S) or Git sources", "leave out --checksum")),
        _ => {
            let remedy = "write an ADD for each of them";
            Err(Refusal::new("checksum can't be specified for multiple sources", remedy))
        }
    }
}

/// Names stand in files of the image, which a linked layer doesn't see.
fn check_owner(chown: &str, link: bool) -> Result<(), Refusal> {
    let is_number = |name: &str| name == "root" || name.parse::<i32>().is_ok();
    let (user, group) = chown.split_once(':').unwrap_or((chown, ""));
    if !link || chown.is_empty() || is_number(user) && (group.is_empty() || is_number(group)) {
        return Ok(());
    }
    let what = format!(
        "--chown={chown}: user and group names can't be resolved when used with --link, use numeric uid[:gid] instead"
    );
    Err(Refusal::new(what, "write the numbers, or leave out --link"))
}

/// Whether `ADD` takes it for the address of a file or of a git repository, as BuildKit does.
pub(crate) fn is_address(source: &str) -> bool {
    let is_git = ["git://", "ssh://", "github.com/"].iter().any(|start| source.starts_with(start));
    is_http(source) || is_git || is_scp(source)
}

/// Whether it is written `USER@HOST:PATH`.
fn is_scp(source: &str) -> bool {
    let Some((user, (host, _))) =
        source.split_once('@').and_then(|(user, rest)| Some((user, rest.split_once(':')?)))
    else {
        return false;
    };
    let is_of = |word: &str, marks: &[char]| {
        !word.is_empty() && word.chars().all(|one| one.is_ascii_alphanumeric() || marks.contains(&one))
    };
    is_of(user, &['-', '_']) && is_of(host, &['-', '.'])
}

fn is_http(source: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| source.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_are_told_from_files_as_buildkit_does() {
        for address in [
            "https://example.com/f",
            "git://example.com/x",
            "ssh://git@example.com/x",
            "github.com/x/y.git",
            "github.com/x/y",
            "git@example.com:x/y.git",
            "some-one@example.com:x",
        ] {
            assert!(is_address(address), "{address}");
        }
        for file in
            ["f", "./github.com/x", "github.com", "gitlab.com/x/y.git", "a@b", "a:b@c", "a b@c:d", "@c:d"]
        {
            assert!(!is_address(file), "{file}");
        }
    }
}
