//! `berth ps`

use berth_runner::container::{Container, State, Status};
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use crate::containers;
use crate::failure::Failure;
use crate::format::{self, Column, Row};
use crate::local::DataArgs;
use crate::output;
use crate::units;

const COLUMNS: [Column; 7] = [
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
];
const MORE: [Column; 4] =
    [("CreatedAt", "CREATED AT"), ("State", "STATE"), ("Labels", "LABELS"), ("Networks", "NETWORKS")];

/// How much of a command is shown, in characters.
const SHOWN: usize = 20;

/// List containers
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth ps -a
  berth ps -aq --filter status=exited
  berth ps --format '{{.Names}} {{.Status}}'")]
pub(crate) struct Ps {
    /// Also those that don't run
    #[arg(short, long)]
    all: bool,

    /// Print ids only
    #[arg(short, long)]
    quiet: bool,

    /// Only those with name=…, id=…, status=…, label=…, ancestor=… or exited=…
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,

    /// Only so many of the newest, running or not
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,

    /// Only the newest, running or not
    #[arg(short, long)]
    latest: bool,

    /// Print ids and commands whole
    #[arg(long)]
    no_trunc: bool,

    /// A template of Go's, 'table TEMPLATE', 'json' or 'jsonl'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    #[command(flatten)]
    data: DataArgs,
}

impl Ps {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |wrong: String| Failure::new("listing the containers", wrong);
        let filters: Vec<Filter> =
            self.filter.iter().map(|text| Filter::parse(text)).collect::<Result<_, _>>().map_err(failed)?;
        let listed = containers::open(&self.data)?.list().map_err(|error| failed(error.to_string()))?;
        let last = if self.latest { Some(1) } else { self.last };
        let of_status = filters.iter().any(Filter::is_about_status);
        let now = Utc::now();
        let mut rows = Vec::new();
        for container in listed {
            // One that is removed at this moment isn't there.
            let Ok(state) = container.state() else { continue };
            let is_shown = self.all || last.is_some() || of_status || state.status.is_alive();
            if is_shown && filters.iter().all(|filter| filter.matches(&container, &state)) {
                rows.push(self.row(&container, &state, now));
            }
        }
        rows.truncate(last.unwrap_or(usize::MAX));
        if self.quiet && self.format.is_none() {
            return rows.iter().filter_map(|row| row["ID"].as_str()).try_for_each(output::result);
        }
        format::list(self.format.as_deref(), &COLUMNS, &[COLUMNS.as_slice(), &MORE].concat(), rows)
    }

    fn row(&self, container: &Container, state: &State, now: DateTime<Utc>) -> Row {
        let config = &container.config;
        let command = [config.process.entrypoint.clone(), config.process.command.clone()].concat().join(" ");
        let command = match command.chars().count() > SHOWN && !self.no_trunc {
            true => command.chars().take(SHOWN - 1).chain(['…']).collect(),
            false => command,
        };
        let created = units::time(&config.created).unwrap_or(now);
        let labels: Vec<String> = config.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let row = json!({
            "ID": if self.no_trunc { config.id.as_str() } else { config.id.short() },
            "Image": config.image.reference,
            "Command": format!("\"{command}\""),
            "RunningFor": units::ago(created, now),
            "CreatedAt": units::moment(created),
            "Status": status(state, now),
            "State": state.status.word(),
            "Ports": containers::ports(state),
            "Names": config.name,
            "Labels": labels.join(","),
            "Networks": containers::network_word(&config.network),
        });
        row.as_object().cloned().unwrap_or_default()
    }
}

/// Docker's sentence about what a container does.
fn status(state: &State, now: DateTime<Utc>) -> String {
    let since = |time: &Option<String>| {
        let time = time.as_deref().and_then(units::time).unwrap_or(now);
        units::span(now.signed_duration_since(time).num_seconds().max(0))
    };
    let health = if state.health.is_empty() { String::new() } else { format!(" ({})", state.health) };
    match state.status {
        Status::Created | Status::Starting => "Created".to_owned(),
        Status::Running => format!("Up {}{health}", since(&state.started)),
        Status::Paused => format!("Up {} (Paused)", since(&state.started)),
        Status::Restarting => format!("Restarting ({}) {} ago", state.exit_code, since(&state.finished)),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, since(&state.finished)),
    }
}

/// One condition.
enum Filter {
    Name(String),
    Id(String),
    Status(String),
    Label(String),
    Ancestor(String),
    Exited(i32),
}

impl Filter {
    fn parse(text: &str) -> Result<Self, String> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| format!("'{text}' is no filter; write it as name=web"))?;
        let value = value.to_owned();
        match key {
            "name" => Ok(Self::Name(value)),
            "id" => Ok(Self::Id(value)),
            "status" => Ok(Self::Status(value)),
            "label" => Ok(Self::Label(value)),
            "ancestor" => Ok(Self::Ancestor(value)),
            "exited" => value.parse().map(Self::Exited).map_err(|_| format!("'{value}' is no exit code")),
            other => Err(format!(
                "there is no filter '{other}'; there are name, id, status, label, ancestor, exited"
            )),
        }
    }

    fn is_about_status(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Exited(_))
    }

    fn matches(&self, container: &Container, state: &State) -> bool {
        let config = &container.config;
        match self {
            Self::Name(part) => config.name.contains(part.trim_start_matches('/')),
            Self::Id(start) => config.id.as_str().starts_with(start),
            Self::Status(word) => state.status.word() == word,
            Self::Label(label) => match label.split_once('=') {
                Some((key, value)) => {
                    config.labels.get(key).is_some_and(|of_container| of_container == value)
                }
                None => config.labels.contains_key(label),
            },
            Self::Ancestor(image) => {
                config.image.reference == *image
                    || config
                        .image
                        .id
                        .trim_start_matches("sha256:")
                        .starts_with(image.trim_start_matches("sha256:"))
            }
            Self::Exited(code) => state.status == Status::Exited && state.exit_code == *code,
        }
    }
}
