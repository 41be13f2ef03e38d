//! From the words of an instruction to what it says.

use super::flags::{Flags, Takes};
use super::stages::description;
use super::{
    Add, Argument, Command, Copy, Device, Healthcheck, Instruction, Kind, MountText, Network, Pair, Paths,
    Run, Security, Source, mount,
};
use crate::dockerfile::parser::{Arguments, Heredoc, NAMES, Node, known};
use crate::dockerfile::problem::one_of;
use crate::dockerfile::{Problem, Refusal};
use crate::go;

/// Gives an instruction other than `FROM` its meaning.
pub(crate) fn instruction(node: &Node) -> Result<Instruction, Problem> {
    let kind = kind(node).map_err(|refusal| refusal.at(node.lines))?;
    Ok(Instruction { source: Source::of(node), kind })
}

impl Source {
    pub(super) fn of(node: &Node) -> Self {
        Self { lines: node.lines, text: node.text.trim().to_owned(), name: node.name.clone() }
    }
}

fn kind(node: &Node) -> Result<Kind, Refusal> {
    match known(&node.name).unwrap_or_default() {
        "ADD" => add(node).map(Kind::Add),
        "ARG" => arg(node).map(Kind::Arg),
        "CMD" => without_flags(node).map(|()| Kind::Cmd(command(node))),
        "COPY" => copy(node).map(Kind::Copy),
        "ENTRYPOINT" => without_flags(node).map(|()| Kind::Entrypoint(command(node))),
        "ENV" => pairs("ENV", node).map(Kind::Env),
        "EXPOSE" => expose(node).map(Kind::Expose),
        "HEALTHCHECK" => healthcheck(node).map(Kind::Healthcheck),
        "LABEL" => pairs("LABEL", node).map(Kind::Label),
        "MAINTAINER" => exactly_one("MAINTAINER", node).map(Kind::Maintainer),
        "ONBUILD" => onbuild(node).map(Kind::Onbuild),
        "RUN" => run(node).map(Kind::Run),
        "SHELL" => shell(node).map(Kind::Shell),
        // As BuildKit: its flags are never looked at.
        "STOPSIGNAL" => one("STOPSIGNAL", node).map(Kind::StopSignal),
        "USER" => exactly_one("USER", node).map(Kind::User),
        "VOLUME" => volume(node).map(Kind::Volume),
        "WORKDIR" => exactly_one("WORKDIR", node).map(Kind::Workdir),
        _ => {
            let what = format!("unknown instruction: {}", node.name);
            Err(Refusal::new(what, one_of(&node.name, &NAMES)))
        }
    }
}

/// The words of an instruction in either form.
fn words(node: &Node) -> &[String] {
    match &node.arguments {
        Arguments::Words(words) | Arguments::Json(words) => words,
        Arguments::Pairs(_) | Arguments::Instruction(_) => &[],
    }
}

fn without_flags(node: &Node) -> Result<(), Refusal> {
    Flags::none(&node.flags)
}

fn at_least_one(name: &str) -> Refusal {
    Refusal::new(format!("{name} requires at least one argument"), "give it one, or remove it")
}

fn one(name: &str, node: &Node) -> Result<String, Refusal> {
    match words(node) {
        [word] => Ok(word.clone()),
        _ => {
            let what = format!("{name} requires exactly one argument");
            Err(Refusal::new(what, "give it one, or remove it"))
        }
    }
}

fn exactly_one(name: &str, node: &Node) -> Result<String, Refusal> {
    let word = one(name, node)?;
    without_flags(node)?;
    Ok(word)
}

fn blank_name(instruction: &str) -> Refusal {
    Refusal::new(format!("{instruction} names can not be blank"), "put a name in front of the =")
}

fn pairs(name: &str, node: &Node) -> Result<Vec<Pair>, Refusal> {
    without_flags(node)?;
    let pairs = match &node.arguments {
        Arguments::Pairs(pairs) if !pairs.is_empty() => pairs,
        _ => return Err(at_least_one(name)),
    };
    let pair = |pair: &crate::dockerfile::parser::Pair| {
        if pair.name.is_empty() {
            return Err(blank_name(name));
        }
        Ok(Pair { name: pair.name.clone(), value: pair.value.clone() })
    };
    pairs.iter().map(pair).collect()
}

fn arg(node: &Node) -> Result<Vec<Argument>, Refusal> {
    if words(node).is_empty() {
        return Err(at_least_one("ARG"));
    }
    let argument = |word: &String| {
        let (name, default) = match word.split_once('=') {
            Some(("", _)) => return Err(blank_name("ARG")),
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (word.as_str(), None),
        };
        Ok(Argument { name: name.to_owned(), default, description: description(&node.comments, name) })
    };
    words(node).iter().map(argument).collect()
}

fn command(node: &Node) -> Command {
    match &node.arguments {
        Arguments::Json(words) => Command::Exec(words.clone()),
        _ => Command::Shell(words(node).join(" ")),
    }
}

fn paths(name: &str, node: &Node) -> Result<Paths, Refusal> {
    let [sources @ .., destination] = words(node) else { unreachable!("there are two words at least") };
    if matches!(Heredoc::announced(destination), Ok(Some(_))) {
        let what = format!("{name} cannot accept a heredoc as a destination");
        return Err(Refusal::new(what, "write the destination behind the heredoc"));
    }
    let mut paths = Paths { sources: Vec::new(), contents: Vec::new(), destination: destination.clone() };
    for source in sources {
        match Heredoc::announced(source) {
            Ok(Some(announced)) => {
                // Of two with one name the last counts, as in BuildKit.
                let content = node.heredocs.iter().rev().find(|it| it.name == announced.name);
                let content = content.map(|it| it.content.clone()).unwrap_or_default();
                paths.contents.push(Heredoc { content, ..announced });
            }
            Ok(None) | Err(_) => paths.sources.push(source.clone()),
        }
    }
    Ok(paths)
}

fn two_arguments(name: &str, node: &Node) -> Result<(), Refusal> {
    if words(node).len() >= 2 {
        return Ok(());
    }
    let what = format!(
        "{name} requires at least two arguments, but only one was provided. Destination could not be determined"
    );
    Err(Refusal::new(what, format!("write {name} source destination")))
}

fn add(node: &Node) -> Result<Add, Refusal> {
    two_arguments("ADD", node)?;
    let flags = Flags::parse(
        &node.flags,
        &[
            ("chown", Takes::Value),
            ("chmod", Takes::Value),
            ("link", Takes::Bool),
            ("keep-git-dir", Takes::Bool),
            ("checksum", Takes::Value),
            ("unpack", Takes::Bool),
            ("exclude", Takes::Values),
        ],
    )?;
    Ok(Add {
        paths: paths("ADD", node)?,
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        checksum: flags.text("checksum"),
        link: flags.choice("link") == Some(true),
        exclude: flags.values("exclude"),
        keep_git_dir: flags.choice("keep-git-dir"),
        unpack: flags.choice("unpack"),
    })
}

fn copy(node: &Node) -> Result<Copy, Refusal> {
    two_arguments("COPY", node)?;
    let flags = Flags::parse(
        &node.flags,
        &[
            ("chown", Takes::Value),
            ("from", Takes::Value),
            ("chmod", Takes::Value),
            ("link", Takes::Bool),
            ("exclude", Takes::Values),
            ("parents", Takes::Bool),
        ],
    )?;
    Ok(Copy {
        paths: paths("COPY", node)?,
        from: flags.text("from"),
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.choice("link") == Some(true),
        parents: flags.choice("parents") == Some(true),
        exclude: flags.values("exclude"),
    })
}

fn expose(node: &Node) -> Result<Vec<String>, Refusal> {
    if words(node).is_empty() {
        return Err(at_least_one("EXPOSE"));
    }
    without_flags(node)?;
    let mut ports = words(node).to_vec();
    ports.sort();
    Ok(ports)
}

fn volume(node: &Node) -> Result<Vec<String>, Refusal> {
    if words(node).is_empty() {
        return Err(at_least_one("VOLUME"));
    }
    without_flags(node)?;
    let volumes: Vec<_> = words(node).iter().map(|word| word.trim().to_owned()).collect();
    if volumes.iter().any(String::is_empty) {
        return Err(Refusal::new("VOLUME specified can not be an empty string", "name a folder"));
    }
    Ok(volumes)
}

fn shell(node: &Node) -> Result<Vec<String>, Refusal> {
    without_flags(node)?;
    match &node.arguments {
        Arguments::Json(words) if !words.is_empty() => Ok(words.clone()),
        Arguments::Words(words) if !words.is_empty() => {
            let remedy = "write it as SHELL [\"/bin/sh\", \"-c\"]";
            Err(Refusal::new("SHELL requires the arguments to be in JSON form", remedy))
        }
        _ => Err(at_least_one("SHELL")),
    }
}

fn onbuild(node: &Node) -> Result<String, Refusal> {
    let Arguments::Instruction(inner) = &node.arguments else { return Err(at_least_one("ONBUILD")) };
    without_flags(node)?;
    let name = inner.name.to_uppercase();
    if matches!(name.as_str(), "MAINTAINER" | "FROM") {
        let what = format!("{name} isn't allowed as an ONBUILD trigger");
        return Err(Refusal::new(what, "write it into the Dockerfile that builds from this image"));
    }
    let behind = node.text.trim_start().get("ONBUILD".len()..).unwrap_or_default();
    let mut text = behind.trim_start_matches(['\t', '\n', '\x0c', '\r', ' ']).to_owned();
    for heredoc in &node.heredocs {
        text.push('\n');
        text.push_str(&heredoc.content);
        text.push_str(&heredoc.name);
    }
    Ok(text)
}

fn run(node: &Node) -> Result<Run, Refusal> {
    let flags = Flags::parse(
        &node.flags,
        &[
            ("mount", Takes::Values),
            ("network", Takes::Value),
            ("security", Takes::Value),
            ("device", Takes::Values),
        ],
    )?;
    let devices = flags.values("device").iter().map(|text| device(text)).collect::<Result<_, _>>()?;
    let mounts = flags.values("mount").into_iter().map(MountText::parse).collect::<Result<_, _>>()?;
    let network = match flags.value("network") {
        None | Some("default") => Network::Default,
        Some("none") => Network::None,
        Some("host") => Network::Host,
        Some(other) => {
            let what = format!("invalid network mode {}", go::quoted(other));
            return Err(Refusal::new(what, one_of(other, &["default", "none", "host"])));
        }
    };
    let security = match flags.value("security") {
        None | Some("sandbox") => Security::Sandbox,
        Some("insecure") => Security::Insecure,
        Some(other) => {
            let what = format!("security {} is not valid", go::quoted(other));
            return Err(Refusal::new(what, one_of(other, &["sandbox", "insecure"])));
        }
    };
    Ok(Run { command: command(node), heredocs: node.heredocs.clone(), mounts, network, security, devices })
}

fn device(text: &str) -> Result<Device, Refusal> {
    let mut device = Device { name: String::new(), required: false };
    for field in mount::fields(text, "devices")? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), Some(value)),
            None => (field.to_lowercase(), None),
        };
        match (key.as_str(), value) {
            ("required", None) => device.required = true,
            ("required", Some(value)) => {
                device.required = go::parse_bool(value).ok_or_else(|| {
                    Refusal::new(format!("invalid value for {key}: {value}"), "it is true or false")
                })?;
            }
            ("name", Some(value)) if device.name.is_empty() => device.name = value.to_owned(),
            ("name", Some(_)) => {
                let what = format!("device name already set to {}", device.name);
                return Err(Refusal::new(what, "write a --device for each"));
            }
            _ if device.name.is_empty() => device.name = field,
            (_, None) => {
                let what = format!("invalid field '{field}' must be a key=value pair");
                return Err(Refusal::new(what, "write a --device for each"));
            }
            (_, Some(_)) => {
                let what = format!("unexpected key '{key}' in '{field}'");
                return Err(Refusal::new(what, one_of(&key, &["name", "required"])));
            }
        }
    }
    Ok(device)
}

fn healthcheck(node: &Node) -> Result<Healthcheck, Refusal> {
    let [kind, words @ ..] = words(node) else { return Err(at_least_one("HEALTHCHECK")) };
    let kind = kind.to_uppercase();
    if kind == "NONE" {
        // As BuildKit: its flags are never looked at.
        return if words.is_empty() {
            Ok(Healthcheck { test: vec![kind], ..Healthcheck::default() })
        } else {
            Err(Refusal::new("HEALTHCHECK NONE takes no arguments", "remove them"))
        };
    }
    let value = |name| (name, Takes::Value);
    let known = ["interval", "timeout", "start-period", "start-interval", "retries"].map(value);
    let flags = Flags::parse(&node.flags, &known)?;
    if kind != "CMD" {
        let what = format!("Unknown type {} in HEALTHCHECK (try CMD)", go::quoted(&kind));
        return Err(Refusal::new(what, "write HEALTHCHECK CMD and a command, or HEALTHCHECK NONE"));
    }
    if words.is_empty() {
        return Err(Refusal::new("Missing command after HEALTHCHECK CMD", "write the command behind it"));
    }
    let test = match &node.arguments {
        Arguments::Json(_) => std::iter::once(kind).chain(words.iter().cloned()).collect(),
        _ => vec!["CMD-SHELL".to_owned(), words.join(" ")],
    };
    Ok(Healthcheck {
        test,
        interval: interval("interval", &flags)?,
        timeout: interval("timeout", &flags)?,
        start_period: interval("start-period", &flags)?,
        start_interval: interval("start-interval", &flags)?,
        retries: retries(&flags)?,
    })
}

fn interval(name: &str, flags: &Flags<'_>) -> Result<i64, Refusal> {
    let text = flags.text(name);
    if text.is_empty() {
        return Ok(0);
    }
    match go::parse_duration(&text) {
        Ok(nanoseconds) if nanoseconds == 0 || nanoseconds >= 1_000_000 => Ok(nanoseconds),
        Ok(_) => {
            let what = format!("Interval {} cannot be less than 1ms", go::quoted(name));
            Err(Refusal::new(what, "give a longer one, as 30s"))
        }
        Err(what) => Err(Refusal::new(what, "write it as 30s, 1m30s or 500ms")),
    }
}

fn retries(flags: &Flags<'_>) -> Result<i32, Refusal> {
    let text = flags.text("retries");
    if text.is_empty() {
        return Ok(0);
    }
    let remedy = "give a number from 0";
    let retries = go::parse_i32(&text).map_err(|what| Refusal::new(what, remedy))?;
    if retries < 0 {
        return Err(Refusal::new(format!("--retries cannot be negative ({retries})"), remedy));
    }
    Ok(retries)
}
