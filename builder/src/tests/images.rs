//! `corpus/images`: Dockerfiles, and the images, commands and configurations that BuildKit makes of them.

use std::collections::BTreeMap;
use std::fs;

use berth_oci::{ImageConfig, Platform};
use serde_json::{Value, json};

use super::corpus::{differences, folder};
use crate::dockerfile::instructions::{Network, Security};
use crate::dockerfile::{Dockerfile, Global, Inputs, Lines, Problem, Refusal};
use crate::image::{CommandStep, Draft, Step};
use crate::plan::{Origin, Plan, Written};

/// The images that there are, by their whole names.
struct Bases(BTreeMap<String, Value>);

impl Bases {
    fn whole_name(name: &str) -> String {
        let name = if name.contains('/') { name.to_owned() } else { format!("docker.io/library/{name}") };
        if name.rsplit('/').next().unwrap().contains(':') { name } else { format!("{name}:latest") }
    }

    fn config(&self, name: &str) -> ImageConfig {
        ImageConfig::parse(self.0[&Self::whole_name(name)].to_string().as_bytes()).unwrap()
    }
}

/// What is wrong, with lines where it is on lines.
struct Wrong(Option<Lines>, String);

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self(Some(problem.lines), problem.refusal.what)
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self(None, refusal.what)
    }
}

/// Which images are needed, which commands are run, and the configuration; or what is wrong.
fn made(text: &str, bases: &Bases) -> Result<Value, Wrong> {
    let said = |word: &str| text.lines().filter_map(|line| line.strip_prefix(word)).collect::<Vec<_>>();
    let arguments = said("# build-arg ").into_iter().map(|it| it.split_once('=').unwrap());
    let target = said("# target ").pop();
    let platform = Platform { architecture: "amd64".to_owned(), os: "linux".to_owned(), variant: None };
    let dockerfile = Dockerfile::parse(text.as_bytes())?;
    let last = dockerfile.stages.last().unwrap().name.clone().unwrap_or_default();
    let inputs = Inputs {
        arguments: arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        build_platform: platform.clone(),
        target_platform: platform,
        target: target.map_or(last, str::to_owned),
    };
    let global = Global::new(&dockerfile, inputs)?;
    let mut plan = Plan::new(&dockerfile, &global, dockerfile.target(target)?)?;
    while let Some(number) = plan.without_triggers().first().copied() {
        let Origin::Image(name) = &plan.stage(number).base else { panic!("it starts from an image") };
        let triggers = bases.config(name).config.on_build;
        plan.add_triggers(number, &triggers)?;
    }
    let mut images = Vec::new();
    let mut drafts: BTreeMap<usize, Draft<'_>> = BTreeMap::new();
    let mut commands = Vec::new();
    let mut names = Vec::new();
    for number in plan.order()? {
        let stage = plan.stage(number);
        let mut draft = match &stage.base {
            Origin::Stage(base) => Draft::from_stage(&drafts[base]),
            Origin::Image(name) => Draft::from_image(&global, bases.config(name)),
            Origin::Scratch => Draft::scratch(&global),
        };
        let origins = stage.steps.iter().flat_map(|step| &step.origins).flatten().chain([&stage.base]);
        images.extend(origins.filter_map(|origin| match origin {
            Origin::Image(name) => Some(Bases::whole_name(name)),
            Origin::Stage(_) | Origin::Scratch => None,
        }));
        // An image without layers is nothing to begin with.
        if let Origin::Image(name) = &stage.base
            && !draft.image().rootfs.diff_ids.is_empty()
        {
            names.push(format!("FROM {}", Bases::whole_name(name)));
        }
        for step in &stage.steps {
            let done = draft.apply(&step.instruction)?;
            if done != Step::Nothing {
                let trigger = if step.written == Written::InBase { "ONBUILD " } else { "" };
                names.push(format!("{trigger}{}", draft.shown(&step.instruction)));
            }
            if let Step::Run(command) = done {
                commands.push(shown(&command, &global));
            }
        }
        drafts.insert(number, draft);
    }
    for list in [&mut images, &mut names] {
        list.sort();
        list.dedup();
    }
    let image = serde_json::to_value(drafts[&plan.target()].image()).unwrap();
    Ok(json!({ "bases": images, "names": names, "commands": commands, "image": image }))
}

fn shown(command: &CommandStep, global: &Global) -> Value {
    let mut shown = json!({
        "args": command.arguments,
        "env": command.environment.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
        "cwd": command.folder,
        "network": match command.network {
            Network::Default => "UNSET",
            Network::None => "NONE",
            Network::Host => "HOST",
        },
        "security": match command.security {
            Security::Sandbox => "SANDBOX",
            Security::Insecure => "INSECURE",
        },
    });
    if !command.user.is_empty() {
        shown["user"] = json!(command.user);
    }
    if !global.proxies().is_empty() {
        shown["proxy"] = json!(true);
    }
    shown
}

/// Commands of stages that don't wait for each other have no order.
fn sorted(mut made: Value) -> Value {
    if let Some(commands) = made["commands"].as_array_mut() {
        commands.sort_by_key(Value::to_string);
    }
    made
}

#[test]
fn every_image_is_what_buildkit_makes_of_its_dockerfile() {
    let folder = folder().join("images");
    let bases = fs::read_to_string(folder.join("bases.json")).unwrap();
    let bases = Bases(serde_json::from_str(&bases).unwrap());
    let mut differences = differences("images/");
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "dockerfile") {
            continue;
        }
        count += 1;
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap();
        let wanted = differences.remove(&name).unwrap_or(expected);
        match (made(&fs::read_to_string(&path).unwrap(), &bases), serde_json::from_str::<Value>(&wanted)) {
            (Ok(made), Ok(expected)) if sorted(made.clone()) == sorted(expected.clone()) => {}
            (Ok(made), _) => wrong.push(format!("==== {name}\n{made:#}\n---- expected\n{wanted}")),
            (Err(Wrong(lines, what)), _) => {
                let with_lines = lines.map(|lines| format!("error {lines}: {what}\n"));
                // Some errors of BuildKit's have no lines, where these have.
                if Some(&wanted) != with_lines.as_ref() && wanted != format!("error: {what}\n") {
                    wrong.push(format!("==== {name}\n{with_lines:?} {what}\n---- expected\n{wanted}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.concat());
    assert!(differences.is_empty(), "without a file: {differences:?}");
    assert!(count >= 50, "{count} files");
}
