//! All containers of a data folder: found, listed, created, started and removed.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Config, Folder, Id, Lock, State, Streams, lock, names, repair};
use crate::attach::{Attach, Connection, Ending};
use crate::exec::Exec;
use crate::failure::Failure;
use crate::launch::{self, Task};
use crate::mount::Source;
use crate::wire::Request;

/// The containers of a data folder.
#[derive(Debug, Clone)]
pub struct Containers {
    local: PathBuf,
}

/// A container that is there.
#[derive(Debug, Clone)]
pub struct Container {
    /// Where everything of it is.
    pub folder: Folder,
    /// What it was asked to be.
    pub config: Config,
    containers: Containers,
}

/// Which volumes go with a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volumes {
    /// None.
    Kept,
    /// Those that nobody gave a name.
    Anonymous,
}

/// Why a name leads to no container.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lookup {
    /// There is none of that name or id.
    Unknown,
    /// Several ids start like that.
    Ambiguous,
}

/// What a folder that is being filled, or emptied, is called before its id.
const UNFINISHED: &str = "unfinished-";

impl Containers {
    /// Those below `local`, the folder of what is this machine's own.
    ///
    /// # Errors
    /// When the folders can't be made.
    pub fn open(local: &Path) -> io::Result<Self> {
        let containers = Self { local: local.to_owned() };
        for folder in [containers.all(), containers.names(), containers.volumes(), containers.networks()] {
            make_private(&folder)?;
        }
        Ok(containers)
    }

    fn all(&self) -> PathBuf {
        self.local.join("containers")
    }

    fn names(&self) -> PathBuf {
        self.local.join("names")
    }

    /// Where volumes are.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.local.join("volumes")
    }

    /// Where networks are.
    #[must_use]
    pub fn networks(&self) -> PathBuf {
        self.local.join("networks")
    }

    /// Where everything of the container `id` is, or would be.
    #[must_use]
    pub fn folder(&self, id: &Id) -> Folder {
        Folder::new(self.all().join(id.as_str()))
    }

    fn unfinished(&self, id: &Id) -> PathBuf {
        self.all().join(format!("{UNFINISHED}{id}"))
    }

    /// Keeps a new container, whose name becomes its own.
    ///
    /// # Errors
    /// A sentence: its name is another's, or it can't be written.
    pub fn create(&self, config: Config) -> Result<Container, Failure> {
        let failed = |error: io::Error| Failure::own(format!("keeping the container: {error}"));
        let aside = Folder::new(self.unfinished(&config.id));
        fs::create_dir(aside.path()).map_err(failed)?;
        // Who cleans up after others leaves what is locked alone.
        let lock = Lock::try_take(&aside).map_err(failed)?;
        let kept = aside
            .write_config(&config)
            .and_then(|()| aside.write_state(&State::default()))
            .map_err(failed)
            .and_then(|()| names::take(&self.names(), &config.name, &config.id))
            .and_then(|()| fs::rename(aside.path(), self.folder(&config.id).path()).map_err(failed));
        drop(lock);
        match kept {
            Ok(()) => Ok(self.container(self.folder(&config.id), config)),
            Err(failure) => {
                names::give_back(&self.names(), &config.name, &config.id);
                let _ = fs::remove_dir_all(aside.path());
                Err(failure)
            }
        }
    }

    fn container(&self, folder: Folder, config: Config) -> Container {
        Container { folder, config, containers: self.clone() }
    }

    /// The container that `word` names: by name, id, or the start of an id that is no other's.
    ///
    /// # Errors
    /// A sentence when it can't be read, or there is none or more than one.
    pub fn find(&self, word: &str) -> Result<Container, Failure> {
        let id = match names::find(&self.names(), word) {
            Some(id) => id,
            None => self.by_id(word).map_err(|lookup| match lookup {
                Lookup::Unknown => Failure::own(format!("there is no container '{word}'")),
                Lookup::Ambiguous => {
                    Failure::own(format!("more than one container's id starts with '{word}'"))
                }
            })?,
        };
        let folder = self.folder(&id);
        let config = folder.config().map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::own(format!("there is no container '{word}'")),
            _ => Failure::own(format!("reading the container '{word}': {error}")),
        })?;
        Ok(self.container(folder, config))
    }

    fn by_id(&self, start: &str) -> Result<Id, Lookup> {
        if start.is_empty() {
            return Err(Lookup::Unknown);
        }
        let mut matching = self.ids().into_iter().filter(|id| id.as_str().starts_with(start));
        match (matching.next(), matching.next()) {
            (None, _) => Err(Lookup::Unknown),
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => Err(Lookup::Ambiguous),
        }
    }

    fn ids(&self) -> Vec<Id> {
        let entries = fs::read_dir(self.all()).into_iter().flatten().filter_map(Result::ok);
        entries.filter_map(|entry| entry.file_name().into_string().ok()?.try_into().ok()).collect()
    }

    /// All containers, the newest first; what others left half-done is cleaned up on the way.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn list(&self) -> io::Result<Vec<Container>> {
        repair::leftovers(&self.all(), UNFINISHED)?;
        let read = |id: Id| {
            let folder = self.folder(&id);
            // One that is removed at this moment isn't there.
            let config = folder.config().ok()?;
            Some(self.container(folder, config))
        };
        let mut containers: Vec<Container> = self.ids().into_iter().filter_map(read).collect();
        // One is first unfinished and then whole, so in this order none is missed.
        let is_there = |id: &Id| self.unfinished(id).exists() || self.folder(id).path().exists();
        names::forget_the_gone(&self.names(), is_there);
        containers.sort_by(|one, other| other.config.created.cmp(&one.config.created));
        Ok(containers)
    }
}

impl Container {
    /// What became of it: the truth, also after its monitor was killed or the machine was started again.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn state(&self) -> io::Result<State> {
        let state = self.folder.state()?;
        if !state.status.is_alive() || lock::holder(&self.folder)?.is_some() {
            return Ok(state);
        }
        repair::orphaned(self)
    }

    /// Starts it, with somebody attached from the first moment or not; the connection tells how it went.
    ///
    /// # Errors
    /// When no monitor can be started.
    pub fn start(&self, attach: Option<&Attach>) -> Result<Connection, Failure> {
        let requests = attach.map(Attach::requests).unwrap_or_default();
        self.launch(Task::Container, self.config.streams, &requests)
    }

    /// Runs one more process in it.
    ///
    /// # Errors
    /// When nothing can be started that looks after it.
    pub fn exec(&self, exec: Exec, attach: Option<&Attach>) -> Result<Connection, Failure> {
        let streams = exec.streams;
        let attached = attach.map(Attach::requests).unwrap_or_default();
        let requests: Vec<Request> = [Request::Exec(exec)].into_iter().chain(attached).collect();
        self.launch(Task::Exec, streams, &requests)
    }

    fn launch(&self, task: Task, streams: Streams, requests: &[Request]) -> Result<Connection, Failure> {
        let socket = launch::start(task, self.folder.path(), streams, requests).map_err(|error| {
            Failure::own(format!("starting the process that looks after the container: {error}"))
        })?;
        Ok(Connection::new(socket))
    }

    /// The connection to who looks after it.
    ///
    /// # Errors
    /// A sentence when nobody does, because it isn't running.
    fn connect(&self) -> Result<Connection, Failure> {
        let connection = Connection::open(&self.folder).map_err(|error| Failure::own(error.to_string()))?;
        connection.ok_or_else(|| Failure::own("it is not running"))
    }

    /// Attaches to it, which runs.
    ///
    /// # Errors
    /// A sentence when it doesn't run.
    pub fn attach(&self, attach: &Attach, note: impl FnMut(&str)) -> Result<Ending, Failure> {
        let mut connection = self.connect()?;
        for request in attach.requests() {
            connection.request(request).map_err(|error| Failure::own(error.to_string()))?;
        }
        connection.attach(attach, note)
    }

    /// Asks it to end, waits, and kills it when it takes too long; `None` is what it was created with. One that
    /// has ended already is left alone.
    ///
    /// # Errors
    /// When it can't be reached.
    pub fn stop(&self, signal: Option<i32>, timeout: Option<u64>) -> Result<(), Failure> {
        let state = self.state().map_err(|error| Failure::own(error.to_string()))?;
        if !state.status.is_alive() {
            return Ok(());
        }
        let mut connection = self.connect()?;
        connection
            .request(Request::Stop { signal, timeout })
            .map_err(|error| Failure::own(error.to_string()))?;
        connection.ended().map(drop)
    }

    /// Sends a signal to it, which runs.
    ///
    /// # Errors
    /// A sentence when it doesn't run.
    pub fn signal(&self, signal: i32) -> Result<(), Failure> {
        self.connect()?.ask(Request::Signal(signal))
    }

    /// Lets it, which runs, stand still.
    ///
    /// # Errors
    /// A sentence when it doesn't run, or can't be frozen.
    pub fn pause(&self) -> Result<(), Failure> {
        self.connect()?.ask(Request::Pause)
    }

    /// Lets it, which stands still, go on.
    ///
    /// # Errors
    /// A sentence when it doesn't stand still.
    pub fn unpause(&self) -> Result<(), Failure> {
        self.connect()?.ask(Request::Unpause)
    }

    /// Waits until it has ended; its exit code.
    ///
    /// # Errors
    /// When it can't be read, or its monitor is killed meanwhile.
    pub fn wait(&self) -> Result<i32, Failure> {
        let state = self.state().map_err(|error| Failure::own(error.to_string()))?;
        match Connection::open(&self.folder).map_err(|error| Failure::own(error.to_string()))? {
            Some(mut connection) if state.status.is_alive() => {
                connection.request(Request::Wait).map_err(|error| Failure::own(error.to_string()))?;
                connection.ended()
            }
            _ => Ok(state.exit_code),
        }
    }

    /// Kills it, if it is alive, and waits until nothing of it is left running.
    ///
    /// # Errors
    /// When it can't be reached.
    pub fn end_by_force(&self) -> Result<(), Failure> {
        let state = self.state().map_err(|error| Failure::own(error.to_string()))?;
        let connection = Connection::open(&self.folder).map_err(|error| Failure::own(error.to_string()))?;
        if let Some(mut connection) = connection
            && state.status.is_alive()
        {
            let request = Request::Stop { signal: Some(libc::SIGKILL), timeout: None };
            connection.request(request).map_err(|error| Failure::own(error.to_string()))?;
            connection.ended()?;
        }
        Ok(())
    }

    /// Removes it, which must not be alive.
    ///
    /// # Errors
    /// A sentence when it is alive, or can't be removed.
    pub fn remove(&self, volumes: Volumes) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::own(format!("removing it: {error}"));
        // Who was just ended by force may hold the lock for a moment still.
        let lock = Lock::take_within(&self.folder, Duration::from_secs(5)).or_else(|error| {
            // Another removed it meanwhile.
            if error.kind() == ErrorKind::NotFound { Ok(None) } else { Err(failed(error)) }
        })?;
        if !self.folder.path().exists() {
            return Err(Failure::own(format!("there is no container '{}'", self.config.name)));
        }
        if lock.is_none() {
            return Err(Failure::own("it is running; stop it before, or use --force"));
        }
        if self.folder.state().is_ok_and(|state| state.status.is_alive()) {
            repair::end_remains(&self.folder, &self.config).map_err(failed)?;
        }
        remove_whole(&self.folder, &self.config, volumes).map_err(failed)
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// A sentence when the name is another's.
    pub fn rename(&self, name: &str) -> Result<(), Failure> {
        let names = self.containers.names();
        names::take(&names, name, &self.config.id)?;
        let config = Config { name: name.to_owned(), ..self.config.clone() };
        self.folder.write_config(&config).map_err(|error| Failure::own(error.to_string()))?;
        names::give_back(&names, &self.config.name, &self.config.id);
        Ok(())
    }
}

fn anonymous_volumes(config: &Config) -> impl Iterator<Item = &Path> {
    config.mounts.iter().filter_map(|mount| match &mount.source {
        Source::Volume { path, anonymous: true, .. } => Some(path.as_path()),
        Source::Volume { .. } | Source::Bind { .. } | Source::Tmpfs { .. } => None,
    })
}

/// Removes a container's folder, its name and its anonymous volumes; the caller holds its lock.
pub(crate) fn remove_whole(folder: &Folder, config: &Config, volumes: Volumes) -> io::Result<()> {
    let all = folder.path().parent().unwrap_or(Path::new("/"));
    // From one moment to the next it isn't there any more; what a crash leaves is found by its name.
    let aside = all.join(format!("{UNFINISHED}{}", config.id));
    fs::rename(folder.path(), &aside)?;
    if let Some(local) = all.parent() {
        names::give_back(&local.join("names"), &config.name, &config.id);
    }
    if volumes == Volumes::Anonymous {
        for volume in anonymous_volumes(config) {
            crate::volumes::remove(volume)?;
        }
    }
    for file in &config.goes_too {
        match fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir_all(aside)
}

/// Makes a folder that is nobody else's.
fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
