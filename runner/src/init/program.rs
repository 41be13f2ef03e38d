//! Which file is executed: looked for as docker does, in the container.

use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::failure::{Failure, Kind};

/// Finds `name` in `path`, which is what `PATH` says; a name with a slash is the file itself.
pub(super) fn find(name: &str, path: Option<&str>) -> Result<CString, Failure> {
    let found = match name.contains('/') {
        true => check(Path::new(name)).map(|()| PathBuf::from(name))?,
        false => path
            .unwrap_or_default()
            .split(':')
            .filter(|folder| folder.starts_with('/'))
            .map(|folder| Path::new(folder).join(name))
            .find(|candidate| check(candidate).is_ok())
            .ok_or_else(|| failure(Kind::NotFound, name, "no folder of PATH has it"))?,
    };
    CString::new(found.into_os_string().into_encoded_bytes())
        .map_err(|_| failure(Kind::NotFound, name, "a name has no zero byte"))
}

fn check(path: &Path) -> Result<(), Failure> {
    let name = &path.to_string_lossy();
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            failure(Kind::NotFound, name, "there is no such file")
        }
        _ => failure(Kind::NotInvokable, name, &error.to_string()),
    })?;
    if metadata.is_dir() {
        return Err(failure(Kind::NotInvokable, name, "it is a folder"));
    }
    rustix::fs::access(path, Access::EXEC_OK)
        .map_err(|_| failure(Kind::NotInvokable, name, "it may not be executed"))
}

/// The failure of executing `name`.
pub(super) fn failure(kind: Kind, name: &str, wrong: &str) -> Failure {
    Failure { kind, sentence: format!("running '{name}': {wrong}") }
}
