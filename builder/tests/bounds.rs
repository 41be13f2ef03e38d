//! What nobody writes by hand: very long, very deep, very large, not text at all.

use berth_builder::dockerfile::words::{Lexer, Variables};
use berth_builder::dockerfile::{Global, Inputs, Kind};
use berth_builder::ignore::Ignore;
use berth_builder::{Dockerfile, Problem};
use berth_oci::Platform;
use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

/// Runs on a stack that a thread of any program has.
fn on_a_small_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn_scoped(scope, run);
        thread.expect("a thread starts").join().expect("the stack is enough")
    })
}

fn refused(text: &str) -> Problem {
    on_a_small_stack(|| Dockerfile::parse(text.as_bytes()).expect_err("it is refused"))
}

/// The shape of the time, not the time itself: what takes the square of it takes minutes. It is the
/// processor's time, however much else the machine does.
fn in_little_time(run: impl FnOnce()) {
    let now = || clock_gettime(ClockId::ThreadCPUTime).tv_sec;
    let start = now();
    run();
    let seconds = now() - start;
    assert!(seconds < 10, "{seconds} s");
}

#[test]
fn ten_megabytes_of_instructions_are_read_in_little_time() {
    let mut text = String::from("FROM alpine\n");
    while text.len() < 10_000_000 {
        text +=
            "RUN echo one two three && \\\n  # a comment\n  echo \"four\" > /five\nENV a=1 b=\"$a\" c=d\n";
        text += "COPY --from=0 --chown=1:2 [\"a b\", \"c\"]\nRUN <<EOF\necho $six\nEOF\n";
    }
    in_little_time(|| {
        let dockerfile = Dockerfile::parse(text.as_bytes()).unwrap();
        assert!(dockerfile.stages[0].instructions.len() > 200_000);
    });
}

#[test]
fn two_megabytes_of_anything_are_read_in_little_time() {
    for unit in [
        "\n",
        "#\n",
        "\\\n",
        "RUN a \\\n",
        "FROM a\n",
        "ENV a=b \\\n c=d",
        "RUN <<EOF\nEOF\n",
        "ARG a\n",
        "# a\n",
    ] {
        let text = unit.repeat(2_000_000 / unit.len());
        in_little_time(|| drop(Dockerfile::parse(text.as_bytes())));
    }
    let joined = format!("FROM a\nRUN {}\n", "a <<EOF \\\n".repeat(200_000));
    in_little_time(|| drop(Dockerfile::parse(joined.as_bytes())));
}

#[test]
fn a_line_may_be_as_long_as_for_buildkit_and_no_longer() {
    let line = |letters: usize| format!("FROM alpine\nRUN {}\nUSER a\n", "x".repeat(letters));
    assert!(Dockerfile::parse(line(65_531).as_bytes()).is_ok());
    let sentence = refused(&line(65_532)).to_string();
    assert_eq!(
        sentence,
        "line 2: dockerfile line greater than max allowed size of 65535; continue it on further lines, or COPY a file"
    );
    let heredoc = format!("FROM a\nRUN <<EOF\n{}\nEOF\n", "x".repeat(65_536));
    assert_eq!(refused(&heredoc).lines.first, 3);
}

#[test]
fn triggers_in_triggers_end_at_the_second() {
    let text = format!("FROM a\n{}RUN b\n", "ONBUILD \\\n".repeat(500_000));
    assert_eq!(refused(&text).refusal.what, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
}

#[test]
fn arrays_in_arrays_have_no_depth_to_go_to() {
    let part = |bracket: &str| format!("{}\\\n", bracket.repeat(60_000)).repeat(20);
    let text = format!("FROM a\nCMD {}{}\n", part("["), part("]"));
    assert!(refused(&text).refusal.what.ends_with("arrays must be comprised of strings only"));
}

struct One(String);

impl Variables for One {
    fn value(&self, name: &str) -> Option<&str> {
        (name == "one").then_some(self.0.as_str())
    }
}

#[test]
fn substitutions_in_substitutions_are_bounded() {
    let nested = |depth: usize| format!("{}x{}", "${a:-".repeat(depth), "}".repeat(depth));
    let expand = |word: &str| Lexer::words('\\').expand(word, &One(String::new()));
    assert_eq!(on_a_small_stack(|| expand(&nested(100))).unwrap().text, "x");
    for word in [nested(101), nested(1_000_000), "${a#".repeat(1_000_000), "\"${a/".repeat(1_000_000)] {
        let refusal = on_a_small_stack(|| expand(&word)).unwrap_err();
        assert!(refusal.what.ends_with("more than 100 substitutions inside each other"), "{refusal}");
    }
}

#[test]
fn what_grows_without_bounds_is_refused() {
    let value = One("x".repeat(100_000));
    for word in [
        "$one".repeat(100),
        format!("\"{}\"", "$one".repeat(100)),
        "${one//x/yyyyyyyyyyyyyyyyyyyy}".to_owned(),
    ] {
        let refusal = Lexer::words('\\').expand(&word, &value).unwrap_err();
        assert!(refusal.what.contains("the outcome is larger than"), "{refusal}");
    }
}

#[test]
fn a_template_that_opens_many_groups_is_read_once() {
    let value = One("x".repeat(1_000));
    let word = format!("${{one//x/{}}}", "\\${\\".repeat(30_000));
    in_little_time(|| drop(Lexer::words('\\').expand(&word, &value)));
}

fn platform() -> Platform {
    Platform { architecture: "amd64".to_owned(), os: "linux".to_owned(), variant: None }
}

fn inputs() -> Inputs {
    Inputs {
        arguments: [("http_proxy".to_owned(), "http://p".to_owned())].into(),
        build_platform: platform(),
        target_platform: platform(),
        target: String::new(),
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(Dockerfile::parse(&bytes));
        drop(Ignore::read(&bytes));
    }

    #[test]
    fn what_looks_like_a_dockerfile_is_read_or_refused(
        parts in proptest::collection::vec(
            prop_oneof![
                "(FROM|RUN|COPY|ADD|ENV|LABEL|ARG|ONBUILD|HEALTHCHECK|CMD|SHELL|VOLUME|EXPOSE) ",
                "--(from|link|mount|chown|interval)(=[a-z$\"]{0,4})? ",
                "[a-z${}\\[\\]\"'<=#%/:\\\\ \t-]{0,12}",
                "<<-?EOF\nx\nEOF\n",
                "\\\\?\r?\n",
            ],
            0..30,
        ),
    ) {
        let text = format!("FROM a\n{}", parts.concat());
        let Ok(dockerfile) = Dockerfile::parse(text.as_bytes()) else { return Ok(()) };
        let lines = text.lines().count();
        let mut last = 0;
        for source in dockerfile.stages.iter().flat_map(|stage| {
            std::iter::once(&stage.source).chain(stage.instructions.iter().map(|it| &it.source))
        }) {
            prop_assert!(source.lines.first > last && source.lines.last >= source.lines.first);
            last = source.lines.last;
        }
        prop_assert!(last <= lines);
        let Ok(global) = Global::new(&dockerfile, inputs()) else { return Ok(()) };
        for stage in &dockerfile.stages {
            drop((global.base(stage), global.platform(stage)));
            let mut scope = global.scope();
            for instruction in &stage.instructions {
                let Ok(entered) = scope.enter(instruction) else { break };
                if let Kind::Run(run) = &entered.kind {
                    drop(scope.mounts(run));
                }
            }
        }
    }

    #[test]
    fn a_word_without_marks_stays_as_it_is(word in "[^$\"'<\\\\\u{feff}]{0,40}") {
        let expanded = Lexer::words('\\').expand(&word, &One(String::new())).unwrap();
        prop_assert_eq!(&expanded.text, &word);
        prop_assert_eq!(expanded.words, word.split_whitespace().collect::<Vec<_>>());
        prop_assert!(expanded.unset.is_empty());
    }

    #[test]
    fn a_quoted_value_stays_as_it_is(value in "[^']{0,40}") {
        let expanded = Lexer::words('\\').expand(&format!("'{value}'"), &One(String::new())).unwrap();
        prop_assert_eq!(expanded.text, value);
    }

    #[test]
    fn a_pattern_without_marks_leaves_out_itself_and_what_is_in_it(name in "[a-z0-9.]{0,3}[a-z0-9]{1,6}") {
        let ignore = Ignore::read(name.as_bytes()).unwrap();
        prop_assert!(ignore.ignores(&name));
        let inside = format!("{name}/x/y");
        prop_assert!(ignore.ignores(&inside));
        let others = [format!("{name}x"), format!("-/{name}")];
        prop_assert!(!others.iter().any(|other| ignore.ignores(other)));
    }
}
