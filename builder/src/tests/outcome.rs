//! What a Dockerfile says, in the words in which `conformance-tests/tools/dockerfile` writes it.

use std::fmt::Write;

use crate::dockerfile::instructions::{
    Command, Healthcheck, MountText, Network, Pair, Paths, Security, Sharing,
};
use crate::dockerfile::parser::{self, Expansion, Heredoc, Tabs};
use crate::dockerfile::words::{Lexer, NoVariables};
use crate::dockerfile::{Dockerfile, Kind, Source};
use crate::go::{quoted, quoted_list};

/// The tree and the instructions of a Dockerfile, or what is wrong with it.
pub(super) fn outcome(bytes: &[u8]) -> String {
    let dockerfile = match Dockerfile::parse(bytes) {
        Ok(dockerfile) => dockerfile,
        Err(problem) => {
            assert!(!problem.refusal.remedy.is_empty(), "{problem}");
            return format!("error {}: {}\n", problem.lines, problem.refusal.what);
        }
    };
    let tree = parser::parse(bytes).unwrap();
    let escape = dockerfile.escape;
    let mut out = format!("escape {escape}\n{tree}\n");
    for global in &dockerfile.arguments {
        out += &line(&global.source, &Kind::Arg(global.given.clone()), escape);
    }
    for stage in &dockerfile.stages {
        let name = quoted(stage.name.as_deref().unwrap_or_default());
        let [base, platform, description, text] =
            [&stage.base, &stage.platform, &stage.description, &stage.source.text].map(|it| quoted(it));
        let lines = stage.source.lines;
        writeln!(
            out,
            "{lines} FROM base={base} name={name} platform={platform} description={description} text={text}"
        )
        .unwrap();
        for instruction in &stage.instructions {
            out += &line(&instruction.source, &instruction.kind, escape);
        }
    }
    out
}

fn line(source: &Source, kind: &Kind, escape: char) -> String {
    let said = said(kind, escape);
    format!("{} {}{said} text={}\n", source.lines, source.name.to_uppercase(), quoted(&source.text))
}

fn said(kind: &Kind, escape: char) -> String {
    let one = |word: &String| format!(" {}", quoted(word));
    match kind {
        Kind::Add(add) => format!(
            "{} chown={} chmod={} checksum={} link={} exclude={} keep-git-dir={} unpack={}",
            paths(&add.paths),
            quoted(&add.chown),
            quoted(&add.chmod),
            quoted(&add.checksum),
            add.link,
            quoted_list(&add.exclude),
            choice(add.keep_git_dir),
            choice(add.unpack),
        ),
        Kind::Copy(copy) => format!(
            "{} from={} chown={} chmod={} link={} exclude={} parents={}",
            paths(&copy.paths),
            quoted(&copy.from),
            quoted(&copy.chown),
            quoted(&copy.chmod),
            copy.link,
            quoted_list(&copy.exclude),
            copy.parents,
        ),
        Kind::Arg(arguments) => {
            let mut said = String::new();
            for argument in arguments {
                said += &one(&argument.name);
                if let Some(default) = &argument.default {
                    said += &format!("={}", quoted(default));
                }
                if !argument.description.is_empty() {
                    said += &format!(" description={}", quoted(&argument.description));
                }
            }
            said
        }
        Kind::Cmd(it) | Kind::Entrypoint(it) => command(it),
        Kind::Env(pairs) | Kind::Label(pairs) => {
            let pair = |Pair { name, value }: &Pair| format!(" {}={}", quoted(name), quoted(value));
            pairs.iter().map(pair).collect()
        }
        Kind::Expose(words) | Kind::Shell(words) | Kind::Volume(words) => format!(" {}", quoted_list(words)),
        Kind::Healthcheck(Healthcheck { test, interval, timeout, start_period, start_interval, retries }) => {
            format!(
                " {} interval={interval} timeout={timeout} start-period={start_period} \
                 start-interval={start_interval} retries={retries}",
                quoted_list(test)
            )
        }
        Kind::Maintainer(word)
        | Kind::Onbuild(word)
        | Kind::StopSignal(word)
        | Kind::User(word)
        | Kind::Workdir(word) => one(word),
        Kind::Run(run) => {
            let mut said = command(&run.command);
            for Heredoc { name, tabs, content, .. } in &run.heredocs {
                let tabs = match tabs {
                    Tabs::Keep => "keep",
                    Tabs::Remove => "remove",
                };
                said += &format!(" file={} content={} tabs={tabs}", quoted(name), quoted(content));
            }
            let network = match run.network {
                Network::Default => "default",
                Network::None => "none",
                Network::Host => "host",
            };
            let security = match run.security {
                Security::Sandbox => "sandbox",
                Security::Insecure => "insecure",
            };
            said += &format!(" network={network} security={security}");
            for device in &run.devices {
                said += &format!(" device={} required={}", quoted(&device.name), device.required);
            }
            for mount in &run.mounts {
                said += &format!(" mount-from={}", quoted(&mount.from));
            }
            said + &mounts(&run.mounts, escape)
        }
    }
}

fn command(command: &Command) -> String {
    match command {
        Command::Shell(text) if text.is_empty() => " shell []".to_owned(),
        Command::Shell(text) => format!(" shell [{}]", quoted(text)),
        Command::Exec(words) => format!(" exec {}", quoted_list(words)),
    }
}

fn choice(given: Option<bool>) -> String {
    given.map_or("unset".to_owned(), |given| given.to_string())
}

fn paths(paths: &Paths) -> String {
    let mut said = format!(" {} to {}", quoted_list(&paths.sources), quoted(&paths.destination));
    for heredoc in &paths.contents {
        let expand = heredoc.expansion == Expansion::Replace;
        let (name, content) = (quoted(&heredoc.name), quoted(&heredoc.text()));
        said += &format!(" file={name} content={content} expand={expand}");
    }
    said
}

/// The mounts with their variables replaced, none of which is set.
fn mounts(mounts: &[MountText], escape: char) -> String {
    let lexer = Lexer::words(escape);
    let mut expand = |word: &str| lexer.expand(word, &NoVariables).map(|it| it.text);
    let mut said = String::new();
    for mount in mounts {
        let mount = match mount.resolve(&mut expand) {
            Ok(mount) => mount,
            Err(refusal) => return format!(" mounts refused: {}", refusal.what),
        };
        let sharing = match mount.sharing {
            None => "",
            Some(Sharing::Shared) => "shared",
            Some(Sharing::Private) => "private",
            Some(Sharing::Locked) => "locked",
        };
        said += &format!(
            " mount={} from={} source={} target={} read-only={} size={} id={} sharing={} required={}",
            mount.kind.name(),
            quoted(&mount.from),
            quoted(&mount.source),
            quoted(&mount.target),
            mount.read_only,
            mount.size,
            quoted(&mount.id),
            quoted(sharing),
            mount.required,
        );
        let number = |name: &str, number: Option<String>| number.map(|it| format!(" {name}={it}"));
        let given = [
            number("env", mount.env.as_deref().map(quoted)),
            number("mode", mount.mode.map(|it| format!("{it:o}"))),
            number("uid", mount.uid.map(|it| it.to_string())),
            number("gid", mount.gid.map(|it| it.to_string())),
        ];
        said.extend(given.into_iter().flatten());
    }
    said
}
