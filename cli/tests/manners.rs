//! What every command of `berth` has in common.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

use std::process::{Command, Output};

fn berth(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// The commands that `--help` lists.
fn commands() -> Vec<String> {
    let help = berth(&["--help"]);
    let lines = stdout(&help).lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[test]
fn every_command_has_a_description_and_an_example() {
    let commands = commands();
    assert!(commands.contains(&"login".to_owned()), "{commands:?}");
    for command in commands.iter().filter(|command| *command != "help") {
        let output = berth(&[command, "--help"]);
        let help = stdout(&output);
        assert!(help.lines().next().is_some_and(|line| !line.is_empty()), "{command}: {help}");
        assert!(
            help.contains("\nExample") && help.contains(&format!("berth {command}")),
            "{command}: {help}"
        );
    }
}

#[test]
fn the_version_is_one_line() {
    let expected = concat!("berth ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(stdout(&berth(&["version"])), expected);
    assert_eq!(stdout(&berth(&["--version"])), expected);
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = berth(&["completions", shell]);
        assert!(output.status.success() && stdout(&output).contains("logout"), "{shell}");
    }
}

#[test]
fn manual_pages_are_written_one_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    assert!(berth(&["man", pages.to_str().unwrap()]).status.success());
    for command in commands().iter().filter(|command| *command != "help") {
        let page = std::fs::read_to_string(pages.join(format!("berth-{command}.1"))).unwrap();
        assert!(page.contains(".TH"), "{command}");
    }
}

#[test]
fn what_failed_is_one_sentence_with_exit_code_1() {
    let output = berth(&["man", "/dev/null/man1"]);
    assert_eq!(output.status.code(), Some(1));
    let sentence = std::str::from_utf8(&output.stderr).unwrap();
    assert_eq!(sentence, "berth: writing manual pages to /dev/null/man1: Not a directory (os error 20)\n");
}
