//! `berth serve`

use std::io::IsTerminal;
use std::path::PathBuf;

use berth_server::config::{BlobsConfig, Config, Flags, PublicUrl};
use berth_server::logging::{self, Colour};
use berth_server::{FirstAdmin, Server};
use clap::Args;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;
use crate::{configuration, output};

/// Serve a private registry
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth serve
  berth serve --listen 0.0.0.0:5000 --data /srv/berth
  berth serve --config berth.toml --check")]
pub(crate) struct Serve {
    /// The configuration, a TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where to listen [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,

    /// The folder that holds everything [default: /var/lib/berth, or ~/.local/share/berth]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Check the configuration, print it with secrets hidden, and start nothing
    #[arg(long)]
    check: bool,
}

impl Serve {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        // No core dump may hold passwords and keys, and nobody else may look into this process.
        let hidden = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        hidden.map_err(|error| failed("starting", error))?;
        let flags = Flags { listen: self.listen.clone(), data: self.data.clone() };
        let config = configuration::load(self.config.as_deref(), flags)?;
        if self.check {
            return output::raw_result(config.effective().as_bytes());
        }
        let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let colour = if coloured { Colour::On } else { Colour::Off };
        let _log = logging::start(&config.log, colour).map_err(|error| failed("starting the log", error))?;
        tokio::runtime::Builder::new_multi_thread()
            .max_blocking_threads(config.limits.blocking_threads)
            .enable_all()
            .build()
            .map_err(|error| failed("starting", error))?
            .block_on(serve(&config))
    }
}

fn failed(tried: &str, wrong: impl std::fmt::Display) -> Failure {
    Failure::new(tried, wrong)
}

async fn serve(config: &Config) -> Result<(), Failure> {
    // Before the banner: whoever has read it may send a signal at once.
    let listening = |kind| signal(kind).map_err(|error| failed("starting", error));
    let (mut terminate, mut interrupt) =
        (listening(SignalKind::terminate())?, listening(SignalKind::interrupt())?);
    let server = Server::start(config).await.map_err(|error| failed("starting the registry", error))?;
    output::note(banner(config, &server));
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        output::note("berth: finishing what is under way; once more ends at once");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(1);
        });
    };
    server.run(stop).await;
    Ok(())
}

fn banner(config: &Config, server: &Server) -> String {
    let address = server.address().unwrap_or(config.listen);
    let host =
        config.public_url.as_ref().map_or_else(|| address.to_string(), |url| url.authority().to_owned());
    let password = match server.first_admin() {
        FirstAdmin::ThereAlready => "as it was set".to_owned(),
        FirstAdmin::PasswordFromEnvironment => "that of BERTH_ADMIN_PASSWORD".to_owned(),
        FirstAdmin::PasswordIn(path) => format!("in {}", path.display()),
    };
    let blobs = match &config.blobs {
        BlobsConfig::Local { path } => path.display().to_string(),
        BlobsConfig::S3(s3) => {
            let endpoint = s3.endpoint.as_ref().map_or_else(|| "AWS".to_owned(), PublicUrl::origin);
            format!("s3://{}/{} at {endpoint}", s3.bucket, s3.prefix)
        }
    };
    format!(
        "berth {version} is serving at {scheme}://{address}
  metadata  {metadata}
  blobs     {blobs}
  user      admin, password {password}

Try:
  docker login -u admin {host}
  docker push {host}/team/app
  docker pull {host}/team/app
",
        version = env!("CARGO_PKG_VERSION"),
        scheme = server.scheme(),
        metadata = config.metadata.url,
    )
}
