//! `berth logout`

use berth_images::{Credentials, RegistryAddress};
use clap::Args;

use crate::failure::Failure;
use crate::output;

/// Forget the login to a registry
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  berth logout registry.example.com")]
pub(crate) struct Logout {
    /// The registry, as HOST or HOST:PORT
    #[arg(value_name = "SERVER", default_value = "docker.io")]
    server: RegistryAddress,
}

impl Logout {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |error| Failure::new(format!("logging out of {}", self.server), error);
        let mut credentials = Credentials::of_this_user().map_err(failed)?;
        if credentials.erase(self.server.credentials_key()).map_err(failed)? {
            output::result(format_args!("Removing login credentials for {}", self.server))
        } else {
            output::note(format_args!("Not logged in to {}", self.server));
            Ok(())
        }
    }
}
