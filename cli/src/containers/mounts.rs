//! `-v`, `--mount` and `--tmpfs`, read as docker reads them.

use std::fs;
use std::path::{Component, Path, PathBuf};

use berth_runner::container::Access;
use berth_runner::{Mount, Source};

use super::flags::ContainerFlags;
use super::values;

/// Everything to mount, the image's own volumes among it; `volumes` is where volumes are, and `random` makes
/// up a name.
pub(super) fn all(
    flags: &ContainerFlags,
    of_image: impl Iterator<Item = String>,
    volumes: &Path,
    random: impl Fn() -> Result<String, String>,
) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for text in &flags.volume {
        mounts.push(volume(text, volumes, &random)?);
    }
    for text in &flags.mount {
        mounts.push(mount(text, volumes, &random)?);
    }
    for text in &flags.tmpfs {
        mounts.push(tmpfs(text)?);
    }
    for path in of_image {
        let target = target(&path)?;
        // Whatever is mounted there, docker makes no volume of its own.
        if !mounts.iter().any(|mount: &Mount| mount.target == target) {
            mounts.push(Mount { target, source: anonymous(volumes, &random)?, access: Access::ReadWrite });
        }
    }
    let mut targets: Vec<&Path> = mounts.iter().map(|mount| mount.target.as_path()).collect();
    targets.sort_unstable();
    if let Some(twice) = targets.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two mounts are to be at {}", twice[0].display()));
    }
    Ok(mounts)
}

/// `DST`, `SRC:DST` or `SRC:DST:OPTIONS`.
fn volume(text: &str, volumes: &Path, random: &impl Fn() -> Result<String, String>) -> Result<Mount, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, at, options) = match parts.as_slice() {
        [at] => (None, *at, ""),
        [source, at] => (Some(*source), *at, ""),
        [source, at, options] => (Some(*source), *at, *options),
        _ => return Err(format!("'{text}' is no volume; volumes are written as SRC:DST[:ro]")),
    };
    let mut access = Access::ReadWrite;
    let mut propagation = "rprivate";
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => access = Access::ReadOnly,
            "rw" | "z" | "Z" | "nocopy" | "consistent" | "cached" | "delegated" => {}
            "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => propagation = option,
            other => return Err(format!("'{text}': '{other}' is no option of a volume")),
        }
    }
    let source = match source {
        None => anonymous(volumes, random)?,
        Some(path) if path.starts_with('/') || path.starts_with('.') || path.starts_with('~') => {
            let path = host_path(path)?;
            // As docker does for -v, and only for it.
            fs::create_dir_all(&path)
                .or_else(|error| if path.exists() { Ok(()) } else { Err(error) })
                .map_err(|error| format!("making the folder {}: {error}", path.display()))?;
            Source::Bind { path, propagation: propagation.to_owned() }
        }
        Some(name) => named(name, volumes)?,
    };
    Ok(Mount { target: target(at)?, source, access })
}

/// `type=…,source=…,target=…`.
fn mount(text: &str, volumes: &Path, random: &impl Fn() -> Result<String, String>) -> Result<Mount, String> {
    let (mut kind, mut source, mut at) = ("volume", None, None);
    let mut access = Access::ReadWrite;
    let mut propagation = "rprivate";
    let mut options = Vec::new();
    for field in text.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        match (key, value) {
            ("type", value) => kind = value,
            ("source" | "src", value) => source = Some(value),
            ("target" | "dst" | "destination", value) => at = Some(value),
            ("readonly" | "ro", "" | "true" | "1") => access = Access::ReadOnly,
            ("readonly" | "ro", "false" | "0") => access = Access::ReadWrite,
            ("bind-propagation", value) => propagation = value,
            ("tmpfs-size", value) => options.push(format!("size={}", values::bytes(value)?)),
            ("tmpfs-mode", value) => options.push(format!("mode={value}")),
            ("consistency" | "volume-nocopy", _) => {}
            _ => return Err(format!("'{text}': '{field}' is no part of a mount")),
        }
    }
    let target = target(at.ok_or_else(|| format!("'{text}' doesn't say where; add target=/PATH"))?)?;
    let source = match (kind, source) {
        ("bind", Some(path)) => {
            let path = host_path(path)?;
            if !path.exists() {
                return Err(format!("there is no {} to mount; make it first, or use -v", path.display()));
            }
            Source::Bind { path, propagation: propagation.to_owned() }
        }
        ("bind", None) => return Err(format!("'{text}' doesn't say what; add source=/PATH")),
        ("volume", None) => anonymous(volumes, random)?,
        ("volume", Some(name)) => named(name, volumes)?,
        ("tmpfs", None) => Source::Tmpfs { options },
        ("tmpfs", Some(_)) => return Err(format!("'{text}': memory has no source")),
        (other, _) => {
            return Err(format!("'{text}': '{other}' is no type of mount; there are bind, volume, tmpfs"));
        }
    };
    Ok(Mount { target, source, access })
}

/// `DST` or `DST:OPTIONS`.
fn tmpfs(text: &str) -> Result<Mount, String> {
    let (at, options) = text.split_once(':').unwrap_or((text, ""));
    let mut access = Access::ReadWrite;
    let mut kept = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => access = Access::ReadOnly,
            "rw" => access = Access::ReadWrite,
            other => kept.push(other.to_owned()),
        }
    }
    Ok(Mount { target: target(at)?, source: Source::Tmpfs { options: kept }, access })
}

/// A path in the container, without what leads nowhere.
fn target(text: &str) -> Result<PathBuf, String> {
    if !text.starts_with('/') {
        return Err(format!("'{text}' is no place for a mount; places are absolute paths"));
    }
    let mut path = PathBuf::from("/");
    for component in Path::new(text).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => drop(path.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    if path == Path::new("/") {
        return Err("nothing can be mounted at / of a container".to_owned());
    }
    Ok(path)
}

fn host_path(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|error| format!("the path '{text}': {error}"))
}

fn anonymous(volumes: &Path, random: &impl Fn() -> Result<String, String>) -> Result<Source, String> {
    let name = random()?;
    let path = berth_runner::volume_folder(volumes, &name);
    Ok(Source::Volume { name, path, anonymous: true })
}

fn named(name: &str, volumes: &Path) -> Result<Source, String> {
    if !berth_runner::container::is_valid_name(name) {
        return Err(format!(
            "'{name}' is no name of a volume; for a folder of the host write an absolute path"
        ));
    }
    let path = berth_runner::volume_folder(volumes, name);
    Ok(Source::Volume { name: name.to_owned(), path, anonymous: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> Result<String, String> {
        Ok("made-up".to_owned())
    }

    fn of(text: &str) -> Result<Mount, String> {
        volume(text, Path::new("/volumes"), &random)
    }

    #[test]
    fn a_volume_is_named_or_made_up() {
        let named = of("data:/srv/./x/../data:ro").unwrap();
        assert_eq!((named.target.to_str(), named.access), (Some("/srv/data"), Access::ReadOnly));
        assert!(matches!(named.source, Source::Volume { name, anonymous: false, .. } if name == "data"));
        assert!(matches!(of("/srv").unwrap().source, Source::Volume { anonymous: true, .. }));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "srv", "a:b", "a:/b:sometimes", "a:/b:ro:c", "../a b:/x:q", "data:/", "-x:/y"] {
            assert!(of(text).is_err(), "{text}");
        }
        for text in
            ["type=bind,target=/x", "type=bind,source=/there-is-none,target=/x", "target=x", "type=x,dst=/x"]
        {
            assert!(mount(text, Path::new("/volumes"), &random).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_has_a_size_and_options() {
        let with_flags =
            mount("type=tmpfs,dst=/x,tmpfs-size=1m,readonly", Path::new("/volumes"), &random).unwrap();
        assert_eq!(with_flags.source, Source::Tmpfs { options: vec!["size=1048576".to_owned()] });
        assert_eq!(tmpfs("/x:size=1m,ro").unwrap().access, Access::ReadOnly);
    }
}
