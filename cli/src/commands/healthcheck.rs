//! `berth healthcheck`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use berth_images::root_cause;
use berth_server::config::Flags;
use clap::Args;

use crate::configuration;
use crate::failure::Failure;

/// Longer than a server that can still be called healthy takes.
const PATIENCE: Duration = Duration::from_secs(4);

/// Ask the server on this machine whether it is ready, for containers' health checks
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth healthcheck
  berth healthcheck --config berth.toml")]
pub(crate) struct Healthcheck {
    /// The configuration that the server was started with
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where the server listens [default: as the configuration says]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl Healthcheck {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let flags = Flags { listen: self.listen.clone(), data: None };
        let config = configuration::load(self.config.as_deref(), flags)?;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let address = reachable(config.admin.listen.unwrap_or(config.listen));
        let tried = || format!("asking {scheme}://{address}/readyz");
        let asking = async {
            let client = reqwest::Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                // Its certificate is for the name that clients know it by, not for this address.
                .tls_danger_accept_invalid_certs(true)
                .build()?;
            client.get(format!("{scheme}://{address}/readyz")).send().await
        };
        let answer = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new("starting", error))?
            .block_on(asking)
            .map_err(|error| Failure::new(tried(), root_cause(&error)))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(Failure::new(tried(), format_args!("the server answers {} and is not ready", answer.status())))
    }
}

/// Where this machine reaches a server that listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_every_address_is_asked_on_this_machines_own() {
        for (listen, asked) in
            [("0.0.0.0:5000", "127.0.0.1:5000"), ("[::]:80", "[::1]:80"), ("10.0.0.1:1", "10.0.0.1:1")]
        {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
