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
        [source] if source.contains("://") || source.starts_with("git@") => Ok(()),
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

fn is_http(source: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| source.starts_with(scheme))
}
