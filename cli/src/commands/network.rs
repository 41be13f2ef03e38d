//! `berth network`

use std::time::SystemTime;

use berth_runner::{Member, NetworkRecord, Networks, Outside, Subnet};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::containers;
use crate::containers::inspect::hardware;
use crate::failure::Failure;
use crate::format::{self, Column};
use crate::local::DataArgs;
use crate::output;

const COLUMNS: [Column; 4] =
    [("ID", "NETWORK ID"), ("Name", "NAME"), ("Driver", "DRIVER"), ("Scope", "SCOPE")];
const MORE: [Column; 3] = [("CreatedAt", "CREATED AT"), ("Internal", "INTERNAL"), ("Labels", "LABELS")];

/// Make, list and remove networks of containers
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth network create back
  berth run -d --network back --name db 127.0.0.1:5000/team/db
  berth run --rm --network back 127.0.0.1:5000/team/app ping db")]
pub(crate) struct Network {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(Create),
    Ls(Ls),
    Inspect(Inspect),
    Rm(Rm),
}

/// Make a network; its containers reach each other by name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth network create --subnet 10.7.0.0/24 back")]
struct Create {
    /// Its addresses [default: any that are free]
    #[arg(long, value_name = "ADDRESS/BITS")]
    subnet: Option<Subnet>,

    /// Let its containers reach each other and the host alone
    #[arg(long)]
    internal: bool,

    /// Free words about it, as KEY=VALUE
    #[arg(long, value_name = "K=V")]
    label: Vec<String>,

    #[command(flatten)]
    data: DataArgs,

    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
}

/// List the networks
#[derive(Debug, Args)]
#[command(visible_alias = "list", after_help = "Example:\n  berth network ls --format json")]
struct Ls {
    /// Print ids only
    #[arg(short, long)]
    quiet: bool,

    /// A template of Go's, 'table TEMPLATE', 'json' or 'jsonl'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    #[command(flatten)]
    data: DataArgs,
}

/// Show all that is known of networks, in docker's words
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth network inspect back")]
struct Inspect {
    /// A template of Go's, 'json' or 'jsonl'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,

    #[command(flatten)]
    data: DataArgs,

    /// The networks, by name or id
    #[arg(value_name = "NETWORK", required = true)]
    networks: Vec<String>,
}

/// Remove networks in which no container runs
#[derive(Debug, Args)]
#[command(visible_alias = "remove", after_help = "Example:\n  berth network rm back")]
struct Rm {
    #[command(flatten)]
    data: DataArgs,

    /// The networks, by name or id
    #[arg(value_name = "NETWORK", required = true)]
    networks: Vec<String>,
}

impl Network {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::Create(create) => create.run(),
            Command::Ls(ls) => ls.run(),
            Command::Inspect(inspect) => inspect.run(),
            Command::Rm(rm) => rm.run(),
        }
    }
}

fn open(data: &DataArgs) -> Result<Networks, Failure> {
    Ok(Networks::new(containers::open(data)?.networks()))
}

impl Create {
    fn run(&self) -> Result<(), Failure> {
        let outside = if self.internal { Outside::Closed } else { Outside::Reachable };
        let pair = |label: &String| {
            let (key, value) = label.split_once('=').unwrap_or((label, ""));
            (key.to_owned(), value.to_owned())
        };
        let labels = self.label.iter().map(pair).collect();
        let now = humantime::format_rfc3339_nanos(SystemTime::now()).to_string();
        let record = open(&self.data)?
            .create(&self.name, self.subnet, outside, labels, now)
            .map_err(|wrong| Failure::new(format!("making the network {}", self.name), wrong))?;
        output::result(record.id)
    }
}

impl Ls {
    fn run(&self) -> Result<(), Failure> {
        let listed = open(&self.data)?.list().map_err(|wrong| Failure::new("listing the networks", wrong))?;
        if self.quiet && self.format.is_none() {
            return listed.iter().try_for_each(|record| output::result(record.id.short()));
        }
        let rows = listed.iter().map(|record| {
            let labels: Vec<String> =
                record.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let row = json!({
                "ID": record.id.short(),
                "Name": record.name,
                "Driver": "bridge",
                "Scope": "local",
                "CreatedAt": record.created,
                "Internal": (record.outside == Outside::Closed).to_string(),
                "Labels": labels.join(","),
            });
            row.as_object().cloned().unwrap_or_default()
        });
        let rows = rows.collect();
        format::list(self.format.as_deref(), &COLUMNS, &[COLUMNS.as_slice(), &MORE].concat(), rows)
    }
}

impl Inspect {
    fn run(&self) -> Result<(), Failure> {
        let networks = open(&self.data)?;
        let mut documents = Vec::new();
        let mut missing = None;
        for word in &self.networks {
            let failed = |wrong: String| Failure::new(format!("inspecting the network {word}"), wrong);
            match networks.find(word).map_err(failed)? {
                Some(record) => {
                    let inside = networks.inhabitants(&record.name).map_err(failed)?;
                    documents.push(document(&record, &inside));
                }
                None => drop(missing.get_or_insert_with(|| failed("there is none of that name".to_owned()))),
            }
        }
        format::each(self.format.as_deref(), documents)?;
        missing.map_or(Ok(()), Err)
    }
}

/// docker's document of a network.
fn document(record: &NetworkRecord, inside: &[Member]) -> Value {
    let subnet = inside.first().map(|member| member.subnet).or(record.subnet);
    let configured = subnet.map(|subnet| json!({"Subnet": subnet, "Gateway": subnet.gateway()}));
    let containers: Map<String, Value> = inside
        .iter()
        .map(|member| {
            let own = json!({
                "Name": member.names.first(),
                "MacAddress": hardware(&member.hardware),
                "IPv4Address": format!("{}/{}", member.address, member.subnet.prefix()),
                "IPv6Address": "",
            });
            (member.container.to_string(), own)
        })
        .collect();
    json!({
        "Name": record.name,
        "Id": record.id,
        "Created": record.created,
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv6": false,
        "IPAM": {"Driver": "default", "Config": configured.into_iter().collect::<Vec<_>>()},
        "Internal": record.outside == Outside::Closed,
        "Containers": containers,
        "Options": {"com.docker.network.bridge.name": record.device()},
        "Labels": record.labels,
    })
}

impl Rm {
    fn run(&self) -> Result<(), Failure> {
        let networks = open(&self.data)?;
        let mut last = None;
        for word in &self.networks {
            let removed = networks
                .remove(word)
                .map_err(|wrong| Failure::new(format!("removing the network {word}"), wrong))
                .and_then(|()| output::result(word));
            if let Err(failure) = removed
                && let Some(before) = last.replace(failure)
            {
                output::note(format_args!("berth: {before}"));
            }
        }
        last.map_or(Ok(()), Err)
    }
}
