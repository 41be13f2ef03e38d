//! What a build is given: a context, a Dockerfile and secrets.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use berth_builder::build::Context;
use berth_builder::ignore::{Ignore, file_names};
use berth_images::LocalImages;

/// The largest Dockerfile that is read, in bytes.
const MAX_DOCKERFILE_BYTES: u64 = 16 << 20;

/// As many bytes tell an archive from a Dockerfile.
const HEADER_BYTES: usize = 512;

/// A Dockerfile, not read yet.
#[derive(Debug)]
pub(crate) struct DockerfileText {
    /// What it is called in sentences.
    pub(crate) name: String,
    pub(crate) text: Vec<u8>,
}

/// Reads the context and the Dockerfile that belongs to it. `-` is standard input, for one of them.
pub(crate) fn read(
    images: &LocalImages,
    context: &Path,
    file: Option<&Path>,
) -> Result<(Context, DockerfileText), String> {
    let dash = Path::new("-");
    if context == dash {
        if file == Some(dash) {
            return Err("context and Dockerfile can't both be standard input; name one of them".to_owned());
        }
        return from_stdin(images, file);
    }
    match fs::metadata(context) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err("it is no folder; name the folder, or pipe an archive into '-'".to_owned()),
        Err(error) => return Err(format!("{error}; name the folder whose files may be copied")),
    }
    let root = fs::canonicalize(context).map_err(|error| error.to_string())?;
    let (dockerfile, path) = match file {
        Some(file) if file == dash => (read_all("the Dockerfile", io::stdin().lock())?, None),
        Some(file) => (read_file(file)?, Some(file.to_owned())),
        None => {
            let path = root.join("Dockerfile");
            let text = read_file(&path).map_err(|wrong| format!("{wrong}; name another with -f"))?;
            (text, Some(path))
        }
    };
    let ignore = ignored(&root, path.as_deref())?;
    Ok((Context::of_folder(root, ignore), dockerfile))
}

/// An archive with the Dockerfile in it, or a Dockerfile alone.
fn from_stdin(images: &LocalImages, file: Option<&Path>) -> Result<(Context, DockerfileText), String> {
    let mut input = BufReader::with_capacity(1 << 20, io::stdin().lock());
    let mut start = vec![0; HEADER_BYTES];
    let length = read_start(&mut input, &mut start).map_err(|error| format!("standard input: {error}"))?;
    start.truncate(length);
    let is_archive = looks_like_archive(&start);
    let mut whole = io::Cursor::new(start).chain(input);
    if !is_archive {
        if let Some(file) = file {
            return Err(format!("standard input is no archive, so there is no {} in it", file.display()));
        }
        let dockerfile = read_all("the Dockerfile", &mut whole)?;
        return Ok((Context::empty(images)?, dockerfile));
    }
    let context = Context::of_archive(images, BufReader::with_capacity(1 << 20, whole))?;
    let name = file.unwrap_or(Path::new("Dockerfile"));
    // Nothing in an archive leads to files of this machine.
    let inside = context.find(name).map_err(|wrong| format!("{wrong}; name another with -f"))?;
    let dockerfile = read_file(&inside)?;
    let ignore = ignored(context.root(), Some(&inside))?;
    Ok((context.without(ignore), DockerfileText { name: name.display().to_string(), ..dockerfile }))
}

fn read_start(input: &mut impl Read, start: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < start.len() {
        match input.read(&mut start[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Compressed, or with a tar header's mark; an empty archive is zeros.
fn looks_like_archive(start: &[u8]) -> bool {
    let compressed: [&[u8]; 4] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], b"\xfd7zXZ\0", b"BZh"];
    let is_compressed = compressed.iter().any(|magic| start.starts_with(magic));
    let is_empty = start.len() == HEADER_BYTES && start.iter().all(|byte| *byte == 0);
    is_compressed || is_empty || start.get(257..262) == Some(b"ustar")
}

fn read_file(path: &Path) -> Result<DockerfileText, String> {
    let file = File::open(path).map_err(|error| format!("the Dockerfile {}: {error}", path.display()))?;
    read_all(&path.display().to_string(), file)
}

fn read_all(name: &str, input: impl Read) -> Result<DockerfileText, String> {
    let mut text = Vec::new();
    input
        .take(MAX_DOCKERFILE_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("reading {name}: {error}"))?;
    if text.len() as u64 > MAX_DOCKERFILE_BYTES {
        return Err(format!("{name} has more than {MAX_DOCKERFILE_BYTES} bytes; is it a Dockerfile?"));
    }
    Ok(DockerfileText { name: name.to_owned(), text })
}

/// What is left out: `<Dockerfile>.dockerignore` beside the Dockerfile, else the context's `.dockerignore`.
fn ignored(context: &Path, dockerfile: Option<&Path>) -> Result<Ignore, String> {
    let [_, common] = file_names("");
    let own = dockerfile.map(|path| PathBuf::from(&file_names(&path.display().to_string())[0]));
    for path in own.into_iter().chain([context.join(common)]) {
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("reading {}: {error}", path.display())),
            Ok(text) => {
                return Ignore::read(&text).map_err(|problem| format!("{} {problem}", path.display()));
            }
        }
    }
    Ok(Ignore::default())
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    id: String,
    from: From,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    File(PathBuf),
    Variable(String),
}

impl Secret {
    /// Its id and its value.
    pub(crate) fn read(&self) -> Result<(String, Vec<u8>), String> {
        let failed = |error: &dyn std::fmt::Display| format!("the secret {}: {error}", self.id);
        let value = match &self.from {
            From::File(path) => {
                fs::read(path).map_err(|error| failed(&format!("{}: {error}", path.display())))?
            }
            From::Variable(name) => match std::env::var_os(name) {
                Some(value) => value.into_vec(),
                None => {
                    return Err(failed(&format!(
                        "there is no variable {name}; set it, or name a file with src="
                    )));
                }
            },
        };
        Ok((self.id.clone(), value))
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut id, mut file, mut variable, mut kind) = (None, None, None, None);
        for field in text.split(',') {
            let (key, value) = field.split_once('=').unwrap_or((field, ""));
            match key {
                "id" => id = Some(value.to_owned()),
                "src" | "source" => file = Some(value.to_owned()),
                "env" => variable = Some(value.to_owned()),
                "type" => kind = Some(value.to_owned()),
                _ => return Err(format!("'{key}' is none of id, src, env and type")),
            }
        }
        let id = id.filter(|id| !id.is_empty()).ok_or("it has no id; write id=NAME")?;
        let from = match (kind.as_deref(), file, variable) {
            (Some("env"), Some(name), None) | (None | Some("env"), None, Some(name)) => From::Variable(name),
            (None | Some("file"), Some(path), None) => From::File(path.into()),
            // As docker: a variable of that name, else a file.
            (None, None, None) if std::env::var_os(&id).is_some() => From::Variable(id.clone()),
            (None | Some("file"), None, None) => From::File(id.clone().into()),
            (Some("env"), None, None) => From::Variable(id.clone()),
            (_, Some(_), Some(_)) => {
                return Err("src and env contradict each other; leave one out".to_owned());
            }
            (Some(kind), ..) => {
                return Err(format!("'{kind}' is no type of secrets; there are file and env"));
            }
        };
        Ok(Self { id, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_files_or_variables() {
        let secret = |id: &str, from| Ok(Secret { id: id.to_owned(), from });
        let file = |path: &str| From::File(path.into());
        let variable = |name: &str| From::Variable(name.to_owned());
        for (text, expected) in [
            ("id=a,src=/x", secret("a", file("/x"))),
            ("id=a,env=TOKEN", secret("a", variable("TOKEN"))),
            ("type=env,id=a,src=TOKEN", secret("a", variable("TOKEN"))),
            ("id=no-variable", secret("no-variable", file("no-variable"))),
        ] {
            assert_eq!(text.parse::<Secret>(), expected, "{text}");
        }
        for text in ["", "src=x", "id=a,src=x,env=y", "id=a,key=x", "id=a,type=ssh"] {
            assert!(text.parse::<Secret>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_archive_is_told_from_a_dockerfile_by_its_first_bytes() {
        let mut tar = vec![0; HEADER_BYTES];
        assert!(looks_like_archive(&tar));
        tar[257..262].copy_from_slice(b"ustar");
        tar[0] = b'a';
        assert!(looks_like_archive(&tar));
        assert!(looks_like_archive(&[0x1f, 0x8b, 8]));
        assert!(!looks_like_archive(b"FROM scratch\n"));
        assert!(!looks_like_archive(b""));
    }
}
