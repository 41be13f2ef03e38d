//! How an image's configuration and history become what a stage's instructions say.
//!
//! A [`Draft`] takes one instruction after the other and answers with what remains to be done to files.
//! It never does it.

mod command;
mod expose;
mod health;
mod history;
mod paths;
mod shown;
mod signal;

use berth_oci::{ContainerConfig, Empty, Healthcheck, ImageConfig, RootFs};

use crate::dockerfile::instructions::{Add, Argument, Command, Copy, Pair};
use crate::dockerfile::{Global, Instruction, Kind, Problem, Refusal, Scope};
use crate::go;

pub use command::{CommandStep, Script};
pub(crate) use paths::is_address;

/// Where programs are looked for when an image doesn't say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image that is being made: its configuration so far, and the variables that count.
#[derive(Debug, Clone)]
pub struct Draft<'g> {
    image: ImageConfig,
    scope: Scope<'g>,
    /// Whether this stage has a `CMD`, which an `ENTRYPOINT` then leaves alone.
    has_command: bool,
}

/// What an instruction leaves to be done to files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// A command is run; what it changes is a layer.
    Run(Box<CommandStep>),
    /// Files are copied into a layer.
    Copy {
        /// What, variables replaced.
        copy: Copy,
        /// Where to, absolute; a slash at its end makes it a folder.
        destination: String,
    },
    /// Files are added in a layer.
    Add {
        /// What, variables replaced.
        add: Add,
        /// Where to, absolute; a slash at its end makes it a folder.
        destination: String,
    },
    /// A folder is made where there is none, with those on the way, in a layer, for the user.
    Folder {
        /// Absolute.
        path: String,
        /// Whose it is; empty is root.
        user: String,
    },
}

impl<'g> Draft<'g> {
    /// Starts from nothing.
    pub fn scratch(global: &'g Global) -> Self {
        let target = global.target_platform();
        let config = ContainerConfig { working_dir: "/".to_owned(), ..ContainerConfig::default() };
        let image = ImageConfig {
            architecture: target.architecture.clone(),
            config,
            created: None,
            author: None,
            history: Vec::new(),
            os: target.os.clone(),
            os_version: None,
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids: Vec::new() },
            variant: target.variant.clone(),
        };
        Self::new(image, global.scope())
    }

    /// Starts from an image. Its triggers are the plan's.
    pub fn from_image(global: &'g Global, image: ImageConfig) -> Self {
        Self::new(ImageConfig { created: None, ..image }, global.scope())
    }

    /// Starts from what came of another stage, whose arguments are known here, too.
    pub fn from_stage(stage: &Self) -> Self {
        Self::new(stage.image.clone(), stage.scope.clone())
    }

    fn new(mut image: ImageConfig, mut scope: Scope<'g>) -> Self {
        let config = &mut image.config;
        config.on_build.clear();
        if !config.env.iter().any(|it| variable(it).0 == "PATH") {
            config.env.push(format!("PATH={DEFAULT_PATH}"));
        }
        for it in &config.env {
            let (name, value) = variable(it);
            scope.set(name, value);
        }
        if !config.working_dir.is_empty() {
            config.working_dir = paths::folder("", &config.working_dir);
        }
        Self { image, scope, has_command: false }
    }

    /// The configuration so far. The history's entries have no times, and layers no digests yet.
    pub fn image(&self) -> &ImageConfig {
        &self.image
    }

    /// The variables that count.
    pub fn scope(&self) -> &Scope<'g> {
        &self.scope
    }

    /// Takes an instruction.
    ///
    /// # Errors
    /// When its words can't be expanded, or mean nothing then.
    pub fn apply(&mut self, instruction: &Instruction) -> Result<Step, Problem> {
        let lines = instruction.source.lines;
        let entered = self.scope.enter(instruction)?;
        self.take(entered.kind).map_err(|refusal| refusal.at(lines))
    }

    fn take(&mut self, kind: Kind) -> Result<Step, Refusal> {
        let config = &mut self.image.config;
        let text = match kind {
            Kind::Run(run) => {
                let step = self.command(&run)?;
                let text = history::run(&self.scope.arguments(), &step.arguments);
                self.image.history.push(history::layer(&format!("{text} # buildkit")));
                return Ok(Step::Run(Box::new(step)));
            }
            Kind::Copy(copy) => {
                paths::check_copy(&copy)?;
                let destination = paths::destination(&config.working_dir, &copy.paths.destination);
                self.image.history.push(history::layer(&history::copy(&copy)));
                return Ok(Step::Copy { copy, destination });
            }
            Kind::Add(add) => {
                paths::check_add(&add)?;
                let destination = paths::destination(&config.working_dir, &add.paths.destination);
                self.image.history.push(history::layer(&history::add(&add)));
                return Ok(Step::Add { add, destination });
            }
            Kind::Workdir(folder) => {
                let path = paths::folder(&config.working_dir, &folder);
                config.working_dir.clone_from(&path);
                let text = format!("WORKDIR {path}");
                if path == "/" {
                    text
                } else {
                    self.image.history.push(history::layer(&text));
                    return Ok(Step::Folder { path, user: config.user.clone() });
                }
            }
            // It is the business of whoever starts from this image.
            Kind::Onbuild(trigger) => {
                config.on_build.push(trigger);
                return Ok(Step::Nothing);
            }
            Kind::Arg(arguments) => history::arg(&arguments),
            Kind::Env(pairs) => {
                pairs.iter().for_each(|pair| set(&mut config.env, pair));
                history::pairs("ENV", &pairs)
            }
            Kind::Label(pairs) => {
                config.labels.extend(pairs.iter().map(|it| (it.name.clone(), it.value.clone())));
                history::pairs("LABEL", &pairs)
            }
            Kind::Cmd(command) => {
                config.cmd = with_shell(&config.shell, command);
                config.args_escaped = Some(true);
                self.has_command = true;
                format!("CMD {}", go::quoted_list(&config.cmd))
            }
            Kind::Entrypoint(command) => {
                config.entrypoint = with_shell(&config.shell, command);
                if !self.has_command {
                    config.cmd.clear();
                }
                format!("ENTRYPOINT {}", go::quoted_list(&config.entrypoint))
            }
            Kind::Expose(ports) => {
                let ports = expose::ports(&ports)?;
                config.exposed_ports.extend(ports.iter().map(|port| (port.clone(), Empty {})));
                format!("EXPOSE [{}]", ports.join(" "))
            }
            Kind::Healthcheck(check) => {
                let check = Healthcheck {
                    test: check.test,
                    interval: check.interval,
                    timeout: check.timeout,
                    start_period: check.start_period,
                    start_interval: check.start_interval,
                    retries: check.retries.into(),
                };
                let text = health::history(&check);
                config.healthcheck = Some(check);
                text
            }
            Kind::Maintainer(author) => {
                let text = format!("MAINTAINER {author}");
                self.image.author = Some(author);
                text
            }
            Kind::Shell(shell) => {
                config.shell = shell;
                format!("SHELL [{}]", config.shell.join(" "))
            }
            Kind::StopSignal(signal) => {
                signal::check(&signal)?;
                let text = format!("STOPSIGNAL {signal}");
                config.stop_signal = Some(signal);
                text
            }
            Kind::User(user) => {
                config.user = user;
                format!("USER {}", config.user)
            }
            Kind::Volume(volumes) => {
                if volumes.iter().any(String::is_empty) {
                    let remedy = "give the variables in it a value";
                    return Err(Refusal::new("VOLUME specified can not be an empty string", remedy));
                }
                config.volumes.extend(volumes.iter().map(|volume| (volume.clone(), Empty {})));
                format!("VOLUME [{}]", volumes.join(" "))
            }
        };
        self.image.history.push(history::no_layer(&text));
        Ok(Step::Nothing)
    }
}

/// A variable of a configuration.
fn variable(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, ""))
}

fn set(env: &mut Vec<String>, Pair { name, value }: &Pair) {
    let text = format!("{name}={value}");
    match env.iter_mut().find(|it| variable(it).0 == name) {
        Some(known) => *known = text,
        None => env.push(text),
    }
}

/// What is run for a command in either form.
fn with_shell(shell: &[String], command: Command) -> Vec<String> {
    match command {
        Command::Exec(words) => words,
        Command::Shell(text) => {
            let default = ["/bin/sh".to_owned(), "-c".to_owned()];
            let shell = if shell.is_empty() { &default } else { shell };
            shell.iter().cloned().chain([text]).collect()
        }
    }
}
