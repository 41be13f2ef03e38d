//! How far layers are: a bar each on a terminal, a line each step otherwise.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;

use berth_images::{Event, LayerStep};
use berth_oci::Digest;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// Shows what happens to layers.
pub(crate) enum LayerProgress {
    /// Nothing but results.
    Quiet,
    /// To something that keeps every line.
    Lines,
    /// To a terminal.
    Bars(Bars),
}

pub(crate) struct Bars {
    all: MultiProgress,
    each: Mutex<HashMap<Digest, ProgressBar>>,
}

/// How much a person wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loudness {
    /// Results alone.
    Quiet,
    /// What happens, too.
    Normal,
}

impl LayerProgress {
    pub(crate) fn new(loudness: Loudness) -> Self {
        match loudness {
            Loudness::Quiet => Self::Quiet,
            Loudness::Normal if std::io::stderr().is_terminal() => Self::Bars(Bars {
                all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
                each: Mutex::default(),
            }),
            Loudness::Normal => Self::Lines,
        }
    }

    /// Shows one event.
    pub(crate) fn show(&self, event: Event<'_>) {
        match (self, event) {
            (Self::Quiet, Event::Layer(..)) => {}
            (Self::Quiet | Self::Lines, Event::Note(note)) => output::note(format_args!("berth: {note}")),
            (Self::Lines, Event::Layer(digest, step)) => {
                if is_an_end(step) {
                    output::note(format_args!("{}: {}", short(digest), word(step)));
                }
            }
            (Self::Bars(bars), Event::Note(note)) => {
                // Fails when the terminal is gone; then nobody reads it.
                let _ = bars.all.println(format!("berth: {note}"));
            }
            (Self::Bars(bars), Event::Layer(digest, step)) => bars.show(digest, step),
        }
    }
}

impl Bars {
    fn show(&self, digest: &Digest, step: LayerStep) {
        let mut each = self.each.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bar = each.entry(digest.clone()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::no_length());
            bar.set_prefix(short(digest));
            bar.set_style(plain());
            bar
        });
        match step {
            LayerStep::Downloading { done, total } | LayerStep::Uploading { done, total } => {
                if bar.length() != Some(total) {
                    bar.set_length(total);
                    bar.set_style(counting());
                    bar.set_message(word(step));
                }
                bar.set_position(done);
            }
            step => {
                bar.set_style(plain());
                let message = word(step);
                if is_an_end(step) { bar.finish_with_message(message) } else { bar.set_message(message) }
            }
        }
    }
}

fn plain() -> ProgressStyle {
    ProgressStyle::with_template("{prefix}: {msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn counting() -> ProgressStyle {
    ProgressStyle::with_template("{prefix}: {msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// As docker says it.
fn word(step: LayerStep) -> &'static str {
    match step {
        LayerStep::Waiting => "Waiting",
        LayerStep::Present => "Already exists",
        LayerStep::Downloading { .. } => "Downloading",
        LayerStep::Unpacking => "Extracting",
        LayerStep::Pulled => "Pull complete",
        LayerStep::Uploading { .. } => "Pushing",
        LayerStep::Existed => "Layer already exists",
        LayerStep::Mounted => "Mounted",
        LayerStep::Pushed => "Pushed",
    }
}

fn is_an_end(step: LayerStep) -> bool {
    match step {
        LayerStep::Present
        | LayerStep::Pulled
        | LayerStep::Existed
        | LayerStep::Mounted
        | LayerStep::Pushed => true,
        LayerStep::Waiting
        | LayerStep::Downloading { .. }
        | LayerStep::Unpacking
        | LayerStep::Uploading { .. } => false,
    }
}

fn short(digest: &Digest) -> String {
    digest.hex().chars().take(12).collect()
}
