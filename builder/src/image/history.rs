//! History entries, as BuildKit writes them: which instruction made which layer.

use berth_oci::History;

use super::Argument;
use crate::dockerfile::instructions::{Add, Copy, Pair, Paths};

/// What BuildKit says of whoever wrote an entry. Programs tell by it that `created_by` has no `#(nop)`.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// The entry of an instruction that made a layer.
pub(super) fn layer(text: &str) -> History {
    History { created_by: Some(text.to_owned()), comment: Some(COMMENT.to_owned()), ..History::default() }
}

/// The entry of one that made none.
pub(super) fn no_layer(text: &str) -> History {
    History { empty_layer: true, ..layer(text) }
}

/// `RUN |2 a=b c=d /bin/sh -c …`: the arguments that are declared, and the command.
pub(super) fn run(declared: &[(&str, &str)], command: &[String]) -> String {
    let mut text = String::from("RUN");
    if !declared.is_empty() {
        text += &format!(" |{}", declared.len());
    }
    declared.iter().for_each(|(name, value)| text += &format!(" {name}={value}"));
    command.iter().for_each(|word| text += &format!(" {word}"));
    // Without a command there is still the space in front of it.
    if declared.is_empty() && command.is_empty() { text + " " } else { text }
}

pub(super) fn arg(arguments: &[Argument]) -> String {
    let argument = |Argument { name, default, .. }: &Argument| match default {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    format!("ARG {}", arguments.iter().map(argument).collect::<Vec<_>>().join(" "))
}

pub(super) fn pairs(instruction: &str, pairs: &[Pair]) -> String {
    let pairs = pairs.iter().map(|Pair { name, value }| format!(" {name}={value}"));
    format!("{instruction}{}", pairs.collect::<String>())
}

pub(super) fn copy(copy: &Copy) -> String {
    let parents = if copy.parents { " --parents" } else { "" };
    format!("COPY{parents}{}", of_files(&copy.chown, &copy.chmod, &copy.paths))
}

pub(super) fn add(add: &Add) -> String {
    format!("ADD{}", of_files(&add.chown, &add.chmod, &add.paths))
}

fn of_files(chown: &str, chmod: &str, paths: &Paths) -> String {
    let mut text = String::new();
    for (flag, value) in [("chown", chown), ("chmod", chmod)] {
        if !value.is_empty() {
            text += &format!(" --{flag}={value}");
        }
    }
    paths.sources.iter().for_each(|source| text += &format!(" {}", without_credentials(source)));
    paths.contents.iter().for_each(|heredoc| text += &format!(" <<{}", heredoc.name));
    format!("{text} {} # buildkit", paths.destination)
}

/// An address without the user and password in it: whoever pulls the image reads its history.
fn without_credentials(source: &str) -> String {
    let Some((scheme, rest)) = source.split_once("://") else { return source.to_owned() };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}://xxxxx:xxxxx{}", &rest[at..]),
        None => source.to_owned(),
    }
}
