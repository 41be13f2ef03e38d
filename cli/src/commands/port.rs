//! `berth port`

use clap::Args;

use crate::containers;
use crate::failure::Failure;
use crate::local::DataArgs;
use crate::output;

/// Show which ports of the host lead to a container
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  berth port web\n  berth port web 80/tcp")]
pub(crate) struct Port {
    #[command(flatten)]
    data: DataArgs,

    /// The container, by name or id
    #[arg(value_name = "CONTAINER")]
    container: String,

    /// Only those that lead to this port of it
    #[arg(value_name = "PORT[/udp]")]
    port: Option<String>,
}

impl Port {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |wrong: String| Failure::new(format!("showing the ports of {}", self.container), wrong);
        let container = containers::open(&self.data)?
            .find(&self.container)
            .map_err(|failure| failed(failure.sentence))?;
        let state = container.state().map_err(|error| failed(error.to_string()))?;
        let ports = state.place.map(|place| place.ports).unwrap_or_default();
        let Some(wanted) = &self.port else {
            return ports.iter().try_for_each(|port| {
                output::result(format_args!(
                    "{}/{} -> {}:{}",
                    port.container, port.protocol, port.address, port.host
                ))
            });
        };
        let wanted = if wanted.contains('/') { wanted.clone() } else { format!("{wanted}/tcp") };
        let is_wanted =
            |port: &&berth_runner::Publish| format!("{}/{}", port.container, port.protocol) == wanted;
        let mut found = ports.iter().filter(is_wanted).peekable();
        if found.peek().is_none() {
            return Err(failed(format!("no port of the host leads to {wanted}")));
        }
        found.try_for_each(|port| output::result(format_args!("{}:{}", port.address, port.host)))
    }
}
