//! What happens in a build, shown: BuildKit's lines, or one JSON object a line.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use berth_builder::build::{Event, FailedStep, What};
use clap::ValueEnum;
use serde_json::json;

use crate::build_input::DockerfileText;
use crate::layer_progress::Loudness;
use crate::output;

/// What `--progress` may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressKind {
    /// Lines for people.
    Auto,
    /// The same.
    Plain,
    /// A line of JSON for each event.
    Json,
}

/// As many lines of the Dockerfile are shown around one that failed.
const LINES_AROUND: usize = 2;

/// Shows what happens.
pub(crate) struct BuildProgress {
    form: Form,
    /// Which step's lines stand last, so that those of several steps can be told apart.
    last: Mutex<Option<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Nothing,
    Lines,
    Json,
}

impl BuildProgress {
    pub(crate) fn new(kind: ProgressKind, loudness: Loudness) -> Self {
        let form = match (loudness, kind) {
            (Loudness::Quiet, _) => Form::Nothing,
            (Loudness::Normal, ProgressKind::Json) => Form::Json,
            (Loudness::Normal, ProgressKind::Auto | ProgressKind::Plain) => Form::Lines,
        };
        Self { form, last: Mutex::default() }
    }

    /// Shows one event.
    pub(crate) fn show(&self, event: Event<'_>) {
        match self.form {
            Form::Nothing => {}
            Form::Lines => self.lines(event),
            Form::Json => output::note(as_json(event)),
        }
    }

    /// Shows what is no event.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        match self.form {
            Form::Nothing => {}
            Form::Lines => output::note(text),
            Form::Json => output::note(json!({ "note": text.to_string() })),
        }
    }

    fn lines(&self, Event { step, name, what }: Event<'_>) {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.replace(step) != Some(step) {
            // Another step's lines stood here.
            if !matches!(what, What::Began) {
                output::note(format_args!("\n#{step} {name}"));
            } else {
                output::note("");
            }
        }
        match what {
            What::Began => output::note(format_args!("#{step} {name}")),
            What::Said(line, after) => {
                output::note(format_args!("#{step} {:.3} {line}", after.as_secs_f64()));
            }
            What::Cached => output::note(format_args!("#{step} CACHED")),
            What::Done(took) => output::note(format_args!("#{step} DONE {}", seconds(took))),
            What::Failed => output::note(format_args!("#{step} ERROR")),
        }
    }

    /// Shows where a step failed: what its command said last, and its lines of the Dockerfile.
    pub(crate) fn failed_step(&self, step: &FailedStep, dockerfile: &DockerfileText) {
        if self.form == Form::Json {
            output::note(json!({ "failed": step.name, "line": step.lines.first, "output": step.output }));
            return;
        }
        let rule = "------";
        output::note(format_args!("{rule}\n > {}:", step.name));
        step.output.iter().for_each(output::note);
        output::note(format_args!("{rule}\n{}:{}", dockerfile.name, step.lines.first));
        let text = String::from_utf8_lossy(&dockerfile.text);
        let first = step.lines.first.saturating_sub(LINES_AROUND).max(1);
        let count = step.lines.last + LINES_AROUND + 1 - first;
        for (number, line) in text.lines().enumerate().skip(first - 1).take(count) {
            let number = number + 1;
            let mark = if (step.lines.first..=step.lines.last).contains(&number) { ">>>" } else { "   " };
            output::note(format_args!("{number:4} | {mark} {line}"));
        }
        output::note(rule);
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1}s", took.as_secs_f64())
}

fn as_json(Event { step, name, what }: Event<'_>) -> serde_json::Value {
    let mut line = json!({ "step": step, "name": name });
    let (event, more) = match what {
        What::Began => ("began", None),
        What::Said(said, after) => ("output", Some(json!({ "line": said, "seconds": after.as_secs_f64() }))),
        What::Cached => ("cached", None),
        What::Done(took) => ("done", Some(json!({ "seconds": took.as_secs_f64() }))),
        What::Failed => ("failed", None),
    };
    line["event"] = json!(event);
    if let (Some(line), Some(serde_json::Value::Object(more))) = (line.as_object_mut(), more) {
        line.extend(more);
    }
    line
}
