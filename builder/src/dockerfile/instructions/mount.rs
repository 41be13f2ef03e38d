//! `RUN --mount`: what a command sees of other places.

use crate::dockerfile::Refusal;
use crate::dockerfile::problem::one_of;
use crate::go;

const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

/// A mount as it is written. As in BuildKit, only its `from` is understood before variables are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountText {
    /// What stands behind `--mount=`.
    pub text: String,
    /// A stage's name or an image. Empty: the context, or nothing.
    pub from: String,
}

/// A mount whose variables were replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// A stage's name or an image. Empty: the context, or nothing.
    pub from: String,
    /// Where in there; for a secret, its name.
    pub source: String,
    /// Where the command sees it.
    pub target: String,
    /// Whether the command may not change it.
    pub read_only: bool,
    /// The size of a tmpfs in bytes. 0: as large as can be.
    pub size: i64,
    /// The name of a cache, a secret or an agent's socket.
    pub id: String,
    /// Who else may use the cache at the same time.
    pub sharing: Option<Sharing>,
    /// Whether a build without the secret or the socket fails.
    pub required: bool,
    /// The variable that a secret is put into.
    pub env: Option<String>,
    /// Mode, where given.
    pub mode: Option<u32>,
    /// Owner, where given.
    pub uid: Option<u32>,
    /// Group, where given.
    pub gid: Option<u32>,
}

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountKind {
    /// Files of the context, a stage or an image.
    Bind,
    /// A folder that outlives the build.
    Cache,
    /// Memory.
    Tmpfs,
    /// A secret.
    Secret,
    /// The socket of an SSH agent.
    Ssh,
}

/// Who else may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Everyone.
    Shared,
    /// Nobody: another one gets a cache of its own.
    Private,
    /// Nobody: another one waits.
    Locked,
}

impl MountKind {
    /// As it is written behind `type=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }
}

impl MountText {
    /// Reads what can be known without the values of variables.
    pub(super) fn parse(text: String) -> Result<Self, Refusal> {
        let mut from = String::new();
        for field in fields(&text, "mounts")? {
            let Some((key, value)) = field.split_once('=') else { continue };
            if !key.eq_ignore_ascii_case("from") {
                continue;
            }
            if value.find('$').is_some_and(|at| at + 1 != value.len()) {
                let what = "'from' doesn't support variable expansion, define alias stage instead";
                return Err(Refusal::new(
                    what,
                    "write FROM with the variable AS a name, and from= that name",
                ));
            }
            value.clone_into(&mut from);
        }
        Ok(Self { text, from })
    }

    /// Reads the mount with each value put through `expand`.
    ///
    /// # Errors
    /// When a key is unknown, a value isn't one of its key, or keys don't go together.
    pub fn resolve(&self, expand: &mut dyn FnMut(&str) -> Result<String, Refusal>) -> Result<Mount, Refusal> {
        let mut mount = Mount {
            kind: MountKind::Bind,
            from: String::new(),
            source: String::new(),
            target: String::new(),
            read_only: false,
            size: 0,
            id: String::new(),
            sharing: None,
            required: false,
            env: None,
            mode: None,
            uid: None,
            gid: None,
        };
        let mut read_only = None;
        for field in fields(&self.text, "mounts")? {
            match field.split_once('=') {
                Some((key, value)) => {
                    let (key, value) = (key.to_lowercase(), expand(value)?);
                    match key.as_str() {
                        "readonly" | "ro" => read_only = Some(boolean(&key, &value)?),
                        "readwrite" | "rw" => read_only = Some(!boolean(&key, &value)?),
                        _ => mount.set(&key, value, &field)?,
                    }
                }
                None => match field.to_lowercase().as_str() {
                    "readonly" | "ro" => read_only = Some(true),
                    "readwrite" | "rw" => read_only = Some(false),
                    "required" => mount.require("required", true)?,
                    _ => {
                        let what = format!("invalid field '{field}' must be a key=value pair");
                        return Err(Refusal::new(what, "separate key and value by ="));
                    }
                },
            }
        }
        let writable = matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs);
        mount.read_only = read_only.unwrap_or(!writable);
        mount.check()?;
        Ok(mount)
    }
}

impl Mount {
    fn set(&mut self, key: &str, value: String, field: &str) -> Result<(), Refusal> {
        let invalid = |what: String, remedy: &str| Err(Refusal::new(what, remedy.to_owned()));
        match key {
            "type" => {
                self.kind = match value.to_lowercase().as_str() {
                    "bind" => MountKind::Bind,
                    "cache" => MountKind::Cache,
                    "tmpfs" => MountKind::Tmpfs,
                    "secret" => MountKind::Secret,
                    "ssh" => MountKind::Ssh,
                    _ => {
                        let what = format!("unsupported mount type {}", go::quoted(&value));
                        return invalid(what, &one_of(&value, &["bind", "cache", "tmpfs", "secret", "ssh"]));
                    }
                }
            }
            "from" => self.from = value,
            "source" | "src" => self.source = value,
            "target" | "dst" | "destination" => self.target = value,
            "required" => {
                self.require(key, true)?;
                self.required = boolean(key, &value)?;
            }
            "size" if self.kind != MountKind::Tmpfs => return Err(self.unexpected(key)),
            "size" => match go::parse_ram(&value) {
                Some(size) => self.size = size,
                None => return invalid(format!("invalid value for {key}: {value}"), "write it as 64m or 1g"),
            },
            "id" => self.id = value,
            "sharing" => {
                self.sharing = Some(match value.to_lowercase().as_str() {
                    "shared" => Sharing::Shared,
                    "private" => Sharing::Private,
                    "locked" => Sharing::Locked,
                    _ => {
                        let what = format!("unsupported sharing value {}", go::quoted(&value));
                        return invalid(what, &one_of(&value, &["shared", "private", "locked"]));
                    }
                });
            }
            "mode" => self.mode = Some(number(key, &value, 8)?),
            "uid" => self.uid = Some(number(key, &value, 10)?),
            "gid" => self.gid = Some(number(key, &value, 10)?),
            "env" => self.env = Some(value),
            _ => return invalid(format!("unexpected key '{key}' in '{field}'"), &one_of(key, &KEYS)),
        }
        Ok(())
    }

    fn require(&mut self, key: &str, required: bool) -> Result<(), Refusal> {
        if !matches!(self.kind, MountKind::Secret | MountKind::Ssh) {
            return Err(self.unexpected(key));
        }
        self.required = required;
        Ok(())
    }

    fn unexpected(&self, key: &str) -> Refusal {
        let what = format!("unexpected key '{key}' for mount type '{}'", self.kind.name());
        Refusal::new(what, "remove it, or write the type in front of it")
    }

    /// Checks which keys go together.
    fn check(&self) -> Result<(), Refusal> {
        let refuse = |what: &str, remedy: &str| Err(Refusal::new(what, remedy));
        if matches!(self.kind, MountKind::Bind | MountKind::Tmpfs) {
            let given = [("mode", self.mode), ("uid", self.uid), ("gid", self.gid)];
            if let Some((key, _)) = given.iter().find(|(_, value)| value.is_some()) {
                let what = format!("{key} not allowed for \"{}\" type mounts", self.kind.name());
                return refuse(&what, "remove it");
            }
        }
        if self.kind == MountKind::Secret {
            if !self.from.is_empty() {
                return refuse("secret mount should not have a from", "remove it");
            }
            if self.sharing.is_some() {
                return refuse("secret mount should not define sharing", "remove it");
            }
            if self.source.is_empty() && self.target.is_empty() && self.id.is_empty() {
                return refuse(
                    "invalid secret mount. one of source, target required",
                    "write id= and its name",
                );
            }
            if !self.source.is_empty() && !self.id.is_empty() {
                return refuse("both source and id can't be set", "write one of them");
            }
        }
        if self.sharing.is_some() && self.kind != MountKind::Cache {
            let what = format!("invalid cache sharing set for {} mount", self.kind.name());
            return refuse(&what, "remove it");
        }
        Ok(())
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, Refusal> {
    go::parse_bool(value)
        .ok_or_else(|| Refusal::new(format!("invalid value for {key}: {value}"), "it is true or false"))
}

fn number(key: &str, value: &str, radix: u32) -> Result<u32, Refusal> {
    let digits = if radix == 8 { "write it as 0755" } else { "write a number" };
    go::parse_u32(value, radix)
        .ok_or_else(|| Refusal::new(format!("invalid value {value} for {key}"), digits))
}

/// The fields of one line of comma-separated values, as Go's `csv` cuts them.
pub(super) fn fields(text: &str, of: &str) -> Result<Vec<String>, Refusal> {
    let refuse = |why: String| {
        let what = format!("failed to parse csv {of}: {why}");
        Err(Refusal::new(what, "put a whole field with commas into double quotes, and double those in it"))
    };
    let wrong = |at: usize, why: &str| refuse(format!("parse error on line 1, column {}: {why}", at + 1));
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return refuse("EOF".to_owned());
    }
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let at = text.len() - rest.len();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            rest = loop {
                let at = text.len() - quoted.len();
                let Some((part, after)) = quoted.split_once('"') else {
                    return wrong(at, "extraneous or missing \" in quoted-field");
                };
                field.push_str(part);
                match after.strip_prefix('"') {
                    Some(after) => {
                        field.push('"');
                        quoted = after;
                    }
                    None => break after,
                }
            };
            fields.push(field);
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None if rest.is_empty() => return Ok(fields),
                None => {
                    let at = text.len() - rest.len() - 1;
                    return wrong(at, "extraneous or missing \" in quoted-field");
                }
            }
            continue;
        }
        let (field, after) = match rest.split_once(',') {
            Some((field, after)) => (field, Some(after)),
            None => (rest, None),
        };
        if let Some(quote) = field.find('"') {
            return wrong(at + quote, "bare \" in non-quoted-field");
        }
        fields.push(field.to_owned());
        match after {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}
