//! `RUN --mount`: what a command sees of other places.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_oci::{Algorithm, Digest};
use berth_runner::container::{Access, RootFs};
use berth_runner::{Mount as Mounted, Source as MountSource};
use rustix::fs::{FlockOperation, Gid, Uid, flock};
use rustix::io::Errno;

use super::content::{self, Values};
use super::copy::Copier;
use super::inside;
use super::layers::{Workplace, view};
use super::snapshot::Snapshot;
use super::source::{Selection, Source};
use super::stop::Stop;
use super::wrong::{At, Wrong};
use crate::dockerfile::Refusal;
use crate::dockerfile::instructions::{Mount, MountKind, Sharing};
use crate::ignore::Ignore;
use crate::plan::Origin;

/// How long a lock that somebody else holds isn't looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What mounts can be made of.
pub(super) struct Given<'g> {
    /// For each of the command's mounts where it comes from, if it says so.
    pub(super) origins: Vec<Option<Snapshot>>,
    pub(super) context: &'g Source,
    pub(super) secrets: &'g BTreeMap<String, Vec<u8>>,
    /// The folder of what outlives the build.
    pub(super) caches: &'g Path,
}

/// The mounts of one command.
pub(super) struct Mounting<'m> {
    given: &'m Given<'m>,
    workplace: &'m Workplace,
    /// A folder in memory.
    memory: &'m Path,
    /// Where the command starts: other targets are seen from there.
    folder: &'m str,
    /// File systems that are mounted first.
    pub(super) views: Vec<RootFs>,
    binds: Vec<Bind>,
    memories: Vec<Mounted>,
    secrets: Vec<(Mount, Vec<u8>)>,
    /// Caches that nobody else may use meanwhile.
    locks: Vec<File>,
    /// Ends the waiting for a lock.
    stop: &'m Stop,
    next: usize,
}

/// A part of a file system that is mounted.
struct Bind {
    root: PathBuf,
    source: String,
    target: PathBuf,
    access: Access,
}

/// Refuses what nothing here can do.
pub(super) fn check(mounts: &[Mount], secrets: &BTreeMap<String, Vec<u8>>) -> Result<(), Refusal> {
    for mount in mounts {
        match mount.kind {
            MountKind::Ssh if mount.required => {
                let what = "--mount=type=ssh is not supported";
                return Err(Refusal::new(what, "give the key as a secret: --mount=type=secret"));
            }
            MountKind::Cache if !mount.from.is_empty() => {
                let what = "--mount=type=cache,from= is not supported";
                return Err(Refusal::new(what, "leave out from, and copy into the cache by the command"));
            }
            MountKind::Secret if mount.required && !secrets.contains_key(secret_id(mount)) => {
                let id = secret_id(mount);
                let what = format!("the secret {id:?} is required, and wasn't given");
                return Err(Refusal::new(what, format!("give it with --secret id={id},src=FILE")));
            }
            MountKind::Bind | MountKind::Cache | MountKind::Tmpfs if is_root(&mount.target) => {
                let what = format!("invalid mount target {:?}", mount.target);
                return Err(Refusal::new(what, "mount it at a folder, with target="));
            }
            MountKind::Bind | MountKind::Cache | MountKind::Tmpfs | MountKind::Secret | MountKind::Ssh => {}
        }
    }
    Ok(())
}

/// Adds all that the outcome depends on: what is in a cache, a secret or memory is none of it.
pub(super) fn add_to(values: &mut Values, mounts: &[Mount], given: &Given<'_>) -> Result<(), Wrong> {
    for (mount, origin) in mounts.iter().zip(&given.origins) {
        let secret_env = mount.env.as_deref().unwrap_or_default();
        let parts = [mount.kind.name(), &mount.source, &mount.target, &mount.id, secret_env];
        parts.iter().for_each(|part| values.add(part));
        values.add(format!(
            "{} {} {:?} {:?} {:?}",
            mount.read_only, mount.size, mount.mode, mount.uid, mount.gid
        ));
        match (mount.kind, origin) {
            (MountKind::Bind, Some(snapshot)) => values.add(snapshot.key.as_str()),
            (MountKind::Bind, None) => {
                let all = Selection { source: given.context, include: None, exclude: Ignore::default() };
                content::add(values, &all, Path::new(mount.source.trim_start_matches('/')))?;
            }
            (MountKind::Cache | MountKind::Tmpfs | MountKind::Secret | MountKind::Ssh, _) => {}
        }
    }
    Ok(())
}

fn is_root(target: &str) -> bool {
    crate::go::clean_path(&format!("/{target}")) == "/"
}

/// For each of the mounts the stage or image that it is of.
pub(super) fn origins(
    mounts: &[Option<Origin>],
    mut find: impl FnMut(&Origin) -> Result<Snapshot, Wrong>,
) -> Result<Vec<Option<Snapshot>>, Wrong> {
    mounts.iter().map(|origin| origin.as_ref().map(&mut find).transpose()).collect()
}

impl<'m> Mounting<'m> {
    pub(super) fn new(
        given: &'m Given<'m>,
        workplace: &'m Workplace,
        memory: &'m Path,
        folder: &'m str,
        stop: &'m Stop,
    ) -> Self {
        Self {
            given,
            workplace,
            memory,
            folder,
            views: Vec::new(),
            binds: Vec::new(),
            memories: Vec::new(),
            secrets: Vec::new(),
            locks: Vec::new(),
            stop,
            next: 0,
        }
    }

    /// Takes the next of the command's mounts.
    pub(super) fn add(&mut self, mount: &Mount) -> Result<(), Wrong> {
        let number = self.next;
        self.next += 1;
        let target = self.target(&mount.target);
        let access = if mount.read_only { Access::ReadOnly } else { Access::ReadWrite };
        match mount.kind {
            MountKind::Bind => {
                let root = match &self.given.origins[number] {
                    Some(snapshot) => {
                        let folder = self.workplace.folder(&format!("mount-{number}"))?;
                        let view = view(snapshot.folders(), &folder, "from");
                        let root = view.merged.clone();
                        self.views.push(view);
                        root
                    }
                    None => self.context(number, &mount.source)?,
                };
                self.binds.push(Bind { root, source: mount.source.clone(), target, access });
            }
            MountKind::Cache => {
                let root = self.cache(mount)?;
                self.binds.push(Bind { root, source: mount.source.clone(), target, access });
            }
            MountKind::Tmpfs => {
                let mut options = vec!["mode=1777".to_owned(), "exec".to_owned()];
                if mount.size > 0 {
                    options.push(format!("size={}", mount.size));
                }
                self.memories.push(Mounted { target, source: MountSource::Tmpfs { options }, access });
            }
            MountKind::Secret => {
                if let Some(value) = self.given.secrets.get(secret_id(mount)) {
                    self.secrets.push((mount.clone(), value.clone()));
                }
            }
            // Without one it isn't there; one that is required was refused.
            MountKind::Ssh => {}
        }
        Ok(())
    }

    fn target(&self, written: &str) -> PathBuf {
        let path =
            if written.starts_with('/') { written.to_owned() } else { format!("{}/{written}", self.folder) };
        crate::go::clean_path(&format!("/{path}")).into()
    }

    /// Where a secret is a file; nowhere if it is a variable alone.
    fn secret_target(&self, mount: &Mount) -> Option<PathBuf> {
        match mount.target.as_str() {
            "" if mount.env.is_some() => None,
            "" => {
                let name = secret_id(mount).rsplit('/').next().unwrap_or_default();
                Some(Path::new("/run/secrets").join(name))
            }
            target => Some(self.target(target)),
        }
    }

    /// A copy of what is meant of the context: the command may write to it, and sees nothing that is left out.
    fn context(&self, number: usize, source: &str) -> Result<PathBuf, Wrong> {
        let root = self.workplace.folder(&format!("context-{number}"))?;
        let all = Selection { source: self.given.context, include: None, exclude: Ignore::default() };
        let path = Path::new(source.trim_start_matches('/'));
        let real = self.given.context.find(path)?;
        let destination = format!("/{}", path.display());
        let is_folder = self.given.context.root.join(real).is_dir();
        let destination =
            if is_folder { format!("{}/", destination.trim_end_matches('/')) } else { destination };
        Copier::new(&root, all, None, None).copy(path, &destination)?;
        Ok(root)
    }

    /// The folder of a cache, made if it isn't there, and locked as asked.
    fn cache(&mut self, mount: &Mount) -> Result<PathBuf, Wrong> {
        // Its name is hashed: whatever it is, it is no path.
        let id =
            if mount.id.is_empty() { &self.target(&mount.target).display().to_string() } else { &mount.id };
        let name = Digest::of(Algorithm::Sha256, id.as_bytes());
        let sharing = mount.sharing.unwrap_or(Sharing::Shared);
        for copy in 0.. {
            let folder = self.given.caches.join(format!("{}-{copy}", name.hex()));
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).at("making", &folder)?;
            let data = folder.join("data");
            if inside::look(&data).at("making", &data)?.is_none() {
                let make = || -> std::io::Result<()> {
                    let aside = tempfile::Builder::new().prefix("new-").tempdir_in(&folder)?.keep();
                    let mode = fs::Permissions::from_mode(mount.mode.unwrap_or(0o755) & 0o7777);
                    fs::set_permissions(&aside, mode)?;
                    let (uid, gid) = (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0));
                    rustix::fs::chown(&aside, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
                    match fs::rename(&aside, &data) {
                        Err(_) if data.exists() => fs::remove_dir(&aside),
                        renamed => renamed,
                    }
                };
                make().at("making", &data)?;
            }
            let lock = File::open(&folder).at("locking", &folder)?;
            let operation = match sharing {
                Sharing::Shared => FlockOperation::NonBlockingLockShared,
                Sharing::Private | Sharing::Locked => FlockOperation::NonBlockingLockExclusive,
            };
            let is_locked = loop {
                match flock(&lock, operation) {
                    Err(Errno::WOULDBLOCK) if sharing == Sharing::Private => break false,
                    Err(Errno::WOULDBLOCK) => self.wait()?,
                    locked => break locked.map(|()| true).at("locking", &folder)?,
                }
            };
            if is_locked {
                self.locks.push(lock);
                return Ok(data);
            }
        }
        Err(Wrong::new("every copy of the cache is used"))
    }

    /// Waits before another look at a lock: who waits for it in the kernel doesn't hear that the build is
    /// stopped.
    fn wait(&self) -> Result<(), Wrong> {
        if self.stop.is_asked() {
            return Err(Wrong::Stopped);
        }
        std::thread::sleep(BETWEEN_LOOKS);
        Ok(())
    }

    /// Puts the secrets where they can be mounted from; called where the memory is mounted.
    pub(super) fn write_secrets(&self) -> Result<(), Wrong> {
        for (number, (mount, value)) in self.secrets.iter().enumerate() {
            let path = self.secret_path(number);
            let write = || -> std::io::Result<()> {
                let mut file = File::create(&path)?;
                file.write_all(value)?;
                file.set_permissions(fs::Permissions::from_mode(mount.mode.unwrap_or(0o400) & 0o7777))?;
                let (uid, gid) = (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0));
                Ok(rustix::fs::chown(&path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?)
            };
            write().at("writing a secret to", &path)?;
        }
        Ok(())
    }

    fn secret_path(&self, number: usize) -> PathBuf {
        self.memory.join(format!("secret-{number}"))
    }

    /// The variables that secrets are put into.
    pub(super) fn environment(&self) -> Vec<String> {
        let variable = |(mount, value): &(Mount, Vec<u8>)| {
            mount.env.as_ref().map(|name| format!("{name}={}", String::from_utf8_lossy(value)))
        };
        self.secrets.iter().filter_map(variable).collect()
    }

    /// The mounts for the sandbox; called where the file systems are mounted. Where a source leads is decided in
    /// its own file system.
    pub(super) fn mounts(&self) -> Result<Vec<Mounted>, Wrong> {
        let mut mounts = self.memories.clone();
        for bind in &self.binds {
            let source = Path::new(&bind.source);
            let inner = inside::resolve(&bind.root, source).at("finding", source)?;
            let path = bind.root.join(&inner);
            if inside::look(&path).at("finding", source)?.is_none() {
                let sentence = format!(
                    "what is to be mounted at {} isn't there: /{}",
                    bind.target.display(),
                    inner.display()
                );
                return Err(Wrong::new(sentence));
            }
            let source = MountSource::Bind { path, propagation: "rprivate".to_owned() };
            mounts.push(Mounted { target: bind.target.clone(), source, access: bind.access });
        }
        for (number, (mount, _)) in self.secrets.iter().enumerate() {
            let Some(target) = self.secret_target(mount) else { continue };
            let path = self.secret_path(number);
            let source = MountSource::Bind { path, propagation: "rprivate".to_owned() };
            mounts.push(Mounted { target, source, access: Access::ReadOnly });
        }
        Ok(mounts)
    }

    /// Where something is mounted.
    pub(super) fn targets(&self) -> Vec<PathBuf> {
        let binds = self.binds.iter().map(|bind| bind.target.clone());
        let memories = self.memories.iter().map(|mount| mount.target.clone());
        binds
            .chain(memories)
            .chain(self.secrets.iter().filter_map(|(mount, _)| self.secret_target(mount)))
            .collect()
    }
}

/// The name by which a secret is given.
fn secret_id(mount: &Mount) -> &str {
    match (mount.source.as_str(), mount.id.as_str()) {
        ("", "") => mount.target.rsplit('/').next().unwrap_or_default(),
        ("", id) => id,
        (source, _) => source,
    }
}
