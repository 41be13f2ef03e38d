//! Variables: which are set where, and the instructions in which their values replace them.

use std::collections::BTreeMap;

use berth_oci::Platform;

use super::instructions::{Add, Argument, Copy, Instruction, Kind, Mount, Pair, Paths, Run};
use super::parser::Expansion;
use super::words::{Expanded, Lexer, Variables};
use super::{Dockerfile, Problem, Refusal, Stage};

/// Arguments of BuildKit's own that commands never see.
const NO_VARIABLES: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Arguments that reach commands without being declared, in lower case.
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

/// Variables and their values, in the order in which they were set last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    values: BTreeMap<String, (u64, String)>,
    next: u64,
}

impl Environment {
    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), (self.next, value.into()));
        self.next += 1;
    }

    /// The variables and their values, the one set last at the end.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut all: Vec<_> = self.values.iter().collect();
        all.sort_by_key(|(_, (order, _))| *order);
        all.into_iter().map(|(name, (_, value))| (name.as_str(), value.as_str()))
    }
}

impl Variables for Environment {
    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(_, value)| value.as_str())
    }
}

/// What whoever builds says from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// `--build-arg`.
    pub arguments: BTreeMap<String, String>,
    /// What `RUN` runs on.
    pub build_platform: Platform,
    /// What the image is for.
    pub target_platform: Platform,
    /// The name of the stage that is built; empty where it has none.
    pub target: String,
}

/// The variables in front of the first `FROM`, which every `FROM` may use.
#[derive(Debug, Clone)]
pub struct Global {
    words: Lexer,
    arguments: BTreeMap<String, String>,
    environment: Environment,
    target_platform: Platform,
}

impl Global {
    /// Gives the arguments in front of the first `FROM` their values.
    ///
    /// # Errors
    /// When a default can't be expanded.
    pub fn new(dockerfile: &Dockerfile, inputs: Inputs) -> Result<Self, Problem> {
        let mut environment = Environment::default();
        for (name, value) in platform_arguments(&inputs) {
            environment.set(name, inputs.arguments.get(name).cloned().unwrap_or(value));
        }
        let words = Lexer::words(dockerfile.escape);
        for declared in &dockerfile.arguments {
            for argument in &declared.given {
                let value = match (inputs.arguments.get(&argument.name), &argument.default) {
                    (Some(given), _) => Some(given.clone()),
                    (None, Some(default)) => {
                        let expanded = words.expand(default, &environment);
                        Some(expanded.map_err(|refusal| refusal.at(declared.source.lines))?.text)
                    }
                    (None, None) => None,
                };
                if let Some(value) = value {
                    environment.set(&argument.name, value);
                }
            }
        }
        let Inputs { arguments, target_platform, .. } = inputs;
        Ok(Self { words, arguments, environment, target_platform })
    }

    /// The image or the stage that a stage starts from.
    ///
    /// # Errors
    /// When its name can't be expanded, or nothing is left of it.
    pub fn base(&self, stage: &Stage) -> Result<String, Problem> {
        let expanded = self.expand(&stage.base, stage)?;
        if expanded.text.is_empty() {
            let what = format!("base name ({}) should not be blank", stage.base);
            return Err(Refusal::new(what, unset_remedy(&expanded)).at(stage.source.lines));
        }
        Ok(expanded.text)
    }

    /// The platform that a stage asks for.
    ///
    /// # Errors
    /// When its name can't be expanded, or nothing is left of it.
    pub fn platform(&self, stage: &Stage) -> Result<Option<String>, Problem> {
        if stage.platform.is_empty() {
            return Ok(None);
        }
        let expanded = self.expand(&stage.platform, stage)?;
        if expanded.text.is_empty() {
            let what = format!("empty platform value from expression {}", stage.platform);
            return Err(Refusal::new(what, unset_remedy(&expanded)).at(stage.source.lines));
        }
        Ok(Some(expanded.text))
    }

    fn expand(&self, word: &str, stage: &Stage) -> Result<Expanded, Problem> {
        self.words.expand(word, &self.environment).map_err(|refusal| refusal.at(stage.source.lines))
    }

    /// The scope of a stage, in which nothing is set yet.
    pub fn scope(&self) -> Scope<'_> {
        Scope { global: self, environment: Environment::default(), arguments: Vec::new() }
    }

    /// What the image is for.
    pub fn target_platform(&self) -> &Platform {
        &self.target_platform
    }

    /// The proxies that commands are told of, in both cases, whether or not they are declared.
    /// They are no part of the image, its history or a cache's key.
    pub fn proxies(&self) -> Vec<(String, String)> {
        let given = |(name, value): (&String, &String)| {
            let proxy = PROXIES.iter().find(|proxy| name.eq_ignore_ascii_case(proxy))?;
            Some([(proxy.to_ascii_uppercase(), value.clone()), ((*proxy).to_owned(), value.clone())])
        };
        self.arguments.iter().filter_map(given).flatten().collect()
    }
}

fn unset_remedy(expanded: &Expanded) -> String {
    match expanded.unset.first() {
        Some(name) => {
            format!("declare {name} with ARG in front of the first FROM, or pass --build-arg {name}=…")
        }
        None => "give the variables in it a value".to_owned(),
    }
}

fn platform_arguments(inputs: &Inputs) -> Vec<(&'static str, String)> {
    let Inputs { build_platform: build, target_platform: target, .. } = inputs;
    let name = |platform: &Platform| {
        let parts = [Some(&platform.os), Some(&platform.architecture), platform.variant.as_ref()];
        parts.into_iter().flatten().filter(|it| !it.is_empty()).cloned().collect::<Vec<_>>().join("/")
    };
    let stage = if inputs.target.is_empty() { "default" } else { &inputs.target };
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        ("BUILDPLATFORM", name(build)),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", String::new()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", optional(&build.variant)),
        ("TARGETPLATFORM", name(target)),
        ("TARGETOS", target.os.clone()),
        ("TARGETOSVERSION", String::new()),
        ("TARGETARCH", target.architecture.clone()),
        ("TARGETVARIANT", optional(&target.variant)),
        ("TARGETSTAGE", stage.to_owned()),
    ]
}

/// The variables within a stage. A stage that starts from another one continues a clone of its scope.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    global: &'a Global,
    environment: Environment,
    arguments: Vec<Argument>,
}

impl Scope<'_> {
    /// The variables that a command sees: those of the image, `ENV` and `ARG`; the last one set counts.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The character that escapes others.
    pub(crate) fn escape(&self) -> char {
        self.global.words.escape
    }

    /// Sets a variable, as the image that a stage starts from does.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.set(name, value);
    }

    /// The arguments declared so far, each once, with the values that they have now.
    pub fn arguments(&self) -> Vec<(&str, &str)> {
        let mut arguments: Vec<(&str, &str)> = Vec::new();
        for Argument { name, default, .. } in &self.arguments {
            let value = self.environment.value(name).or(default.as_deref()).unwrap_or_default();
            match arguments.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1 = value,
                None => arguments.push((name, value)),
            }
        }
        arguments
    }

    /// Replaces the variables of an instruction by the values from before it, and then sets those
    /// that it sets. The default of an `ARG` becomes its value.
    ///
    /// # Errors
    /// When a word can't be expanded.
    pub fn enter(&mut self, instruction: &Instruction) -> Result<Instruction, Problem> {
        let kind =
            self.enter_kind(&instruction.kind).map_err(|refusal| refusal.at(instruction.source.lines))?;
        Ok(Instruction { source: instruction.source.clone(), kind })
    }

    /// The mounts of a command, variables replaced.
    ///
    /// # Errors
    /// When a mount can't be read.
    pub fn mounts(&self, run: &Run) -> Result<Vec<Mount>, Refusal> {
        run.mounts.iter().map(|mount| mount.resolve(&mut |value| self.word(value))).collect()
    }

    fn word(&self, word: &str) -> Result<String, Refusal> {
        self.global.words.expand(word, &self.environment).map(|it| it.text)
    }

    fn each(&self, words: &[String]) -> Result<Vec<String>, Refusal> {
        words.iter().map(|word| self.word(word)).collect()
    }

    fn enter_kind(&mut self, kind: &Kind) -> Result<Kind, Refusal> {
        Ok(match kind {
            Kind::Add(add) => Kind::Add(Add {
                chown: self.word(&add.chown)?,
                chmod: self.word(&add.chmod)?,
                checksum: self.word(&add.checksum)?,
                paths: self.paths(&add.paths)?,
                ..add.clone()
            }),
            Kind::Copy(copy) => Kind::Copy(Copy {
                chown: self.word(&copy.chown)?,
                chmod: self.word(&copy.chmod)?,
                paths: self.paths(&copy.paths)?,
                ..copy.clone()
            }),
            Kind::Env(pairs) => {
                let pairs = self.pairs(pairs)?;
                pairs.iter().for_each(|pair| self.environment.set(&pair.name, &pair.value));
                Kind::Env(pairs)
            }
            Kind::Arg(arguments) => {
                Kind::Arg(arguments.iter().map(|argument| self.declare(argument)).collect::<Result<_, _>>()?)
            }
            Kind::Label(pairs) => Kind::Label(self.pairs(pairs)?),
            Kind::Expose(ports) => {
                let expand = |port: &String| self.global.words.expand(port, &self.environment);
                let mut expanded = Vec::new();
                for port in ports {
                    expanded.extend(expand(port)?.words);
                }
                Kind::Expose(expanded)
            }
            Kind::StopSignal(signal) => Kind::StopSignal(self.word(signal)?),
            Kind::User(user) => Kind::User(self.word(user)?),
            Kind::Volume(volumes) => Kind::Volume(self.each(volumes)?),
            Kind::Workdir(folder) => Kind::Workdir(self.word(folder)?),
            Kind::Cmd(_)
            | Kind::Entrypoint(_)
            | Kind::Healthcheck(_)
            | Kind::Maintainer(_)
            | Kind::Onbuild(_)
            | Kind::Run(_)
            | Kind::Shell(_) => kind.clone(),
        })
    }

    fn pairs(&self, pairs: &[Pair]) -> Result<Vec<Pair>, Refusal> {
        let pair = |pair: &Pair| Ok(Pair { name: self.word(&pair.name)?, value: self.word(&pair.value)? });
        pairs.iter().map(pair).collect()
    }

    fn paths(&self, paths: &Paths) -> Result<Paths, Refusal> {
        let mut contents = paths.contents.clone();
        let sources = self.each(&paths.sources)?;
        let destination = self.word(&paths.destination)?;
        for heredoc in contents.iter_mut().filter(|it| it.expansion == Expansion::Replace) {
            // The tabs go first: those in a value stay.
            let text = heredoc.text();
            heredoc.tabs = super::parser::Tabs::Keep;
            heredoc.content = Lexer::contents().expand(&text, &self.environment)?.text;
        }
        Ok(Paths { sources, contents, destination })
    }

    /// One after the other: a default may use the argument in front of it in the same instruction.
    fn declare(&mut self, argument: &Argument) -> Result<Argument, Refusal> {
        let name = &argument.name;
        let value = match (self.global.arguments.get(name), &argument.default) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => Some(self.word(default)?),
            (None, None) => self.global.environment.value(name).map(str::to_owned),
        };
        if let Some(value) = &value
            && !NO_VARIABLES.contains(&name.as_str())
        {
            self.environment.set(name, value);
        }
        let declared = Argument { default: value, ..argument.clone() };
        self.arguments.push(declared.clone());
        Ok(declared)
    }
}
