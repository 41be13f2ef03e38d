//! `RUN`: a command in the sandbox that containers run in, over the layers so far.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use berth_runner::container::{
    self, Access, Care, Config, Folder, Id, Isolation, Limits, NetworkMode, Process, Streams, start_apart,
};
use berth_runner::{Mount, Mounted, Source, with_mounted};

use super::content::Values;
use super::event::{Event, Tell, What};
use super::layers::Workplace;
use super::mounts::{Given, Mounting};
use super::stop::Stop;
use super::wrong::{At, Wrong};
use crate::dockerfile::Refusal;
use crate::dockerfile::instructions::{Network, Security};
use crate::image::CommandStep;

/// As many of the last lines are told when a command fails.
const LAST_LINES: usize = 30;

/// The longest line that is told whole, in bytes.
const LONGEST_LINE: usize = 64 << 10;

/// As BuildKit calls the machine: whatever a command notes of it is the same everywhere.
const HOSTNAME: &str = "buildkitsandbox";

/// Who hears of a command, and may end it.
#[derive(Clone, Copy)]
pub(super) struct Watch<'w> {
    pub(super) stop: &'w Stop,
    pub(super) tell: Tell<'w>,
    pub(super) step: usize,
    pub(super) name: &'w str,
}

/// Refuses what nothing here can do.
pub(super) fn check(step: &CommandStep) -> Result<(), Refusal> {
    if step.security == Security::Insecure {
        let remedy = "leave it out; the command has the rights that any container has";
        return Err(Refusal::new("--security=insecure is not supported", remedy));
    }
    if let Some(device) = step.devices.first() {
        let what = format!("--device={} is not supported", device.name);
        return Err(Refusal::new(what, "leave it out; the command has the devices that any container has"));
    }
    Ok(())
}

/// Adds all that the outcome depends on, but the layers so far and what is mounted.
pub(super) fn add_to(values: &mut Values, step: &CommandStep) {
    values.add(step.arguments.len().to_le_bytes());
    step.arguments.iter().for_each(|word| values.add(word));
    if let Some(script) = &step.script {
        values.add(&script.path);
        values.add(&script.content);
    }
    values.add(step.environment.len().to_le_bytes());
    for (name, value) in &step.environment {
        values.add(name);
        values.add(value);
    }
    values.add(&step.folder);
    values.add(&step.user);
    values.add(format!("{:?}", step.network));
}

/// Runs the command; what it wrote is in the workplace. The places where something was mounted for it alone.
pub(super) fn perform(
    step: &CommandStep,
    proxies: &[(String, String)],
    given: &Given<'_>,
    workplace: &Workplace,
    watch: Watch<'_>,
) -> Result<Vec<PathBuf>, Wrong> {
    // In memory: secrets are in the command's variables and files, and are never on the disk.
    let folder = workplace.folder("sandbox")?;
    let mut mounting = Mounting::new(given, workplace, &folder, &step.folder, watch.stop);
    for mount in &step.mounts {
        mounting.add(mount)?;
    }
    let mut mounts = vec![Mounted::Memory(&folder)];
    mounts.extend(mounting.views.iter().map(Mounted::Layers));
    let code = with_mounted(&mounts, || {
        mounting.write_secrets()?;
        let mut config = config(step, proxies, workplace)?;
        if let Some(script) = &step.script {
            config.mounts.push(script_at(&folder, &script.path, &script.content)?);
        }
        config.process.env.extend(mounting.environment());
        config.mounts.extend(mounting.mounts()?);
        run(&Folder::new(folder.clone()), &config, watch)
    })??;
    let (code, output) = code;
    if watch.stop.is_asked() {
        return Err(Wrong::Stopped);
    }
    if code != 0 {
        let command = step.arguments.join(" ");
        return Err(Wrong::Exit { command: shortened(&command), code, output });
    }
    let mut stubs = mounting.targets();
    stubs.extend(step.script.iter().map(|script| PathBuf::from(&script.path)));
    stubs.extend(["/etc/hosts", "/etc/resolv.conf", "/etc/hostname"].map(PathBuf::from));
    Ok(stubs)
}

fn shortened(command: &str) -> String {
    const MOST: usize = 200;
    let line = command.replace('\n', " ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", &line[..end]),
        None => format!("{line:?}"),
    }
}

fn script_at(folder: &Path, target: &str, content: &str) -> Result<Mount, Wrong> {
    let path = folder.join("script");
    let write = || {
        let mut file = File::create(&path)?;
        file.write_all(content.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(0o755))
    };
    write().at("writing", &path)?;
    let source = Source::Bind { path, propagation: "rprivate".to_owned() };
    Ok(Mount { target: target.into(), source, access: Access::ReadOnly })
}

fn config(step: &CommandStep, proxies: &[(String, String)], workplace: &Workplace) -> Result<Config, Wrong> {
    let id = Id::random().map_err(|error| Wrong::new(format!("making up an id: {error}")))?;
    let variables = proxies.iter().chain(&step.environment);
    Ok(Config {
        id,
        name: String::new(),
        created: String::new(),
        image: container::Image::default(),
        root: workplace.root(),
        process: Process {
            command: step.arguments.clone(),
            env: variables.map(|(name, value)| format!("{name}={value}")).collect(),
            working_dir: step.folder.clone(),
            user: step.user.clone(),
            ..Process::default()
        },
        isolation: Isolation { hostname: HOSTNAME.to_owned(), ..Isolation::default() },
        limits: Limits::default(),
        mounts: Vec::new(),
        network: container::Network {
            mode: match step.network {
                Network::None => NetworkMode::None,
                // There is no network of containers yet.
                Network::Default | Network::Host => NetworkMode::Host,
            },
            ..container::Network::default()
        },
        streams: Streams::Caller,
        care: Care::default(),
        labels: Default::default(),
        goes_too: Vec::new(),
    })
}

/// Runs it to its end, and tells each line that it says: its exit code, and the last lines.
fn run(folder: &Folder, config: &Config, watch: Watch<'_>) -> Result<(i32, Vec<String>), Wrong> {
    let (output, input) = std::io::pipe().map_err(|error| Wrong::new(format!("making a pipe: {error}")))?;
    let began = Instant::now();
    std::thread::scope(|scope| {
        let mut connection = start_apart(folder, config, OwnedFd::from(input))?;
        let killer = connection.killer().map_err(|error| Wrong::new(format!("starting it: {error}")))?;
        let _watched = watch.stop.watch(killer);
        let reading = scope.spawn(move || told(BufReader::new(output), watch, began));
        let ended = connection.started(|_| {}).and_then(|()| connection.ended());
        let lines = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match ended {
            Ok(code) => Ok((code, lines)),
            Err(_) if watch.stop.is_asked() => Err(Wrong::Stopped),
            Err(failure) => Err(failure.into()),
        }
    })
}

/// Tells each line until there are no more; the last ones.
fn told(mut output: impl BufRead, watch: Watch<'_>, began: Instant) -> Vec<String> {
    let mut last = std::collections::VecDeque::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = std::io::Read::take(&mut output, LONGEST_LINE as u64).read_until(b'\n', &mut line);
        // Nothing more can be heard of it.
        if !read.is_ok_and(|length| length > 0) {
            return last.into();
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        let what = What::Said(text, began.elapsed());
        (watch.tell)(Event { step: watch.step, name: watch.name, what });
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(text.to_owned());
    }
}
