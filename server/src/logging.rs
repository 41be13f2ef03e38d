//! Where log events go: to standard error, as text or JSON, without making anyone wait.

use std::io;

use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogConfig, LogFormat};

/// Whether levels are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// For a person at a terminal.
    On,
    /// For everything else, and with `NO_COLOR`.
    Off,
}

/// Keeps the log's thread alive; what is still unwritten is written when it is dropped.
#[must_use = "events that are not written yet are lost without it"]
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Sends this process's events to standard error. When it can't keep up, events are dropped: a log
/// never holds up a request.
///
/// # Errors
/// Someone else already takes this process's events.
pub fn start(config: &LogConfig, colour: Colour) -> Result<LogGuard, TryInitError> {
    let (writer, worker): (NonBlocking, WorkerGuard) = tracing_appender::non_blocking(io::stderr());
    tracing_subscriber::registry()
        .with(layer(config.format, colour, writer))
        .with(config.level.targets())
        .try_init()?;
    Ok(LogGuard { _worker: worker })
}

fn layer<S, W>(format: LogFormat, colour: Colour, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(colour == Colour::On);
    match format {
        LogFormat::Text => Box::new(layer),
        LogFormat::Json => Box::new(layer.json().flatten_event(true).with_span_list(false)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn logged(level: &str, format: LogFormat, events: impl FnOnce()) -> String {
        let written = Arc::new(Mutex::new(Vec::new()));
        let level: crate::config::LogLevel = level.parse().unwrap();
        let writer = {
            let written = written.clone();
            move || Shared(written.clone())
        };
        let subscriber =
            tracing_subscriber::registry().with(layer(format, Colour::Off, writer)).with(level.targets());
        tracing::subscriber::with_default(subscriber, events);
        let bytes = written.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn text_starts_with_the_time_and_ends_with_the_fields() {
        let line =
            logged("info", LogFormat::Text, || tracing::info!(target: "berth::x", size = 3, "blob stored"));
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "{line}");
        assert_eq!(rest.trim(), "INFO berth::x: blob stored size=3");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let lines =
            logged("info", LogFormat::Json, || tracing::info!(target: "berth::x", size = 3, "blob stored"));
        let event: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
        assert_eq!(
            (&event["message"], &event["size"], &event["level"]),
            (&"blob stored".into(), &3.into(), &"INFO".into())
        );
    }

    #[test]
    fn a_bare_level_below_info_is_for_berth_alone() {
        let events = || {
            tracing::debug!(target: "berth_server::x", "ours");
            tracing::debug!(target: "hyper::proto", "theirs");
            tracing::info!(target: "hyper::proto", "chatter");
            tracing::warn!(target: "hyper::proto", "important");
        };
        let lines = logged("debug", LogFormat::Text, events);
        assert!(
            lines.contains("ours")
                && lines.contains("important")
                && !lines.contains("theirs")
                && !lines.contains("chatter"),
            "{lines}"
        );
        let lines = logged("warn,hyper=debug", LogFormat::Text, events);
        assert!(!lines.contains("ours") && lines.contains("theirs"), "{lines}");
        assert_eq!(logged("error", LogFormat::Text, events), "");
    }
}
