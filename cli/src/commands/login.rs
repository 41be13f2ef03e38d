//! `berth login`

use std::io::{self, BufRead, IsTerminal, Read};

use berth_images::{Connection, Credential, Credentials, Kept, Refused, RegistryAddress, check_login};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use crate::args::ConnectionArgs;
use crate::failure::Failure;
use crate::output;

/// Log in to a registry, for berth and docker alike
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth login localhost:5000
  berth login -u alice --password-stdin registry.example.com < password.txt")]
pub(crate) struct Login {
    /// The user's name
    #[arg(short, long, value_name = "USER")]
    username: Option<String>,

    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,

    #[command(flatten)]
    connection: ConnectionArgs,

    /// The registry, as HOST or HOST:PORT
    #[arg(value_name = "SERVER", default_value = "docker.io")]
    server: RegistryAddress,
}

impl Login {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut credentials = Credentials::of_this_user().map_err(|error| self.failed(error))?;
        let stored = match self.username {
            Some(_) => None,
            None => credentials.find(self.server.credentials_key()).map_err(|error| self.failed(error))?,
        };
        if let Some(stored) = &stored {
            self.note_stored(stored);
            match self.check(stored) {
                Ok(()) => return output::result("Login Succeeded"),
                Err(Refused::Credential) => output::note("Stored credentials invalid or expired"),
                Err(Refused::Otherwise(wrong)) => return Err(self.failed(wrong)),
            }
        }
        let credential = self.ask(stored.as_ref()).map_err(|wrong| self.failed(wrong))?;
        self.check(&credential).map_err(|refused| match refused {
            Refused::Credential => self.failed("wrong user name or password"),
            Refused::Otherwise(wrong) => self.failed(wrong),
        })?;
        let kept = credentials
            .store(self.server.credentials_key(), &credential)
            .map_err(|error| Failure::new(format!("keeping the login to {}", self.server), error))?;
        if let Kept::Unencrypted(path) = kept {
            output::note(format_args!(
                "WARNING! Your credentials are stored unencrypted in '{}'.\n\
                 Configure a credential helper to remove this warning. See\n\
                 https://docs.docker.com/go/credential-store/\n",
                path.display()
            ));
        }
        output::result("Login Succeeded")
    }

    fn failed(&self, wrong: impl std::fmt::Display) -> Failure {
        Failure::new(format!("logging in to {}", self.server), wrong)
    }

    fn note_stored(&self, stored: &Credential) {
        match stored {
            Credential::Password { user, .. } => {
                output::note(format_args!("Authenticating with existing credentials... [Username: {user}]"));
            }
            Credential::IdentityToken(_) => output::note("Authenticating with existing credentials..."),
        }
        output::note(format_args!("To log in as somebody else, run 'berth login -u USER {}'", self.server));
    }

    fn check(&self, credential: &Credential) -> Result<(), Refused> {
        let connection =
            Connection::new(&self.server, self.connection.reach()).map_err(Refused::Otherwise)?;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Refused::Otherwise(format!("starting to wait for answers: {error}")))?
            .block_on(check_login(&connection, credential))
    }

    /// The user's name and password, from the command line, standard input, or the terminal.
    fn ask(&self, stored: Option<&Credential>) -> Result<Credential, String> {
        let user = match &self.username {
            Some(user) => user.clone(),
            None if io::stdin().is_terminal() => ask_user(stored)?,
            None => {
                return Err("there is no terminal to ask for the user name on; \
                            use -u USER --password-stdin"
                    .to_owned());
            }
        };
        if user.is_empty() {
            return Err("the user name is empty".to_owned());
        }
        if user.contains(':') {
            return Err("a user name has no colon".to_owned());
        }
        let password = match self.password_stdin {
            true => read_password()?,
            false if io::stdin().is_terminal() => rpassword::prompt_password("Password: ")
                .map_err(|error| format!("asking for the password: {error}"))?,
            false => {
                return Err("there is no terminal to ask for the password on; \
                            pipe it in and use --password-stdin"
                    .to_owned());
            }
        };
        let password = SecretString::from(password);
        if password.expose_secret().is_empty() {
            return Err("the password is empty".to_owned());
        }
        Ok(Credential::Password { user, password })
    }
}

/// Asks for the user's name; just Enter takes the one that logged in before.
fn ask_user(stored: Option<&Credential>) -> Result<String, String> {
    let before = match stored {
        Some(Credential::Password { user, .. }) => Some(user),
        Some(Credential::IdentityToken(_)) | None => None,
    };
    match before {
        Some(before) => output::prompt(format_args!("Username ({before}): ")),
        None => output::prompt("Username: "),
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| format!("asking for the user name: {error}"))?;
    let line = line.trim();
    Ok(match before {
        Some(before) if line.is_empty() => before.clone(),
        _ => line.to_owned(),
    })
}

/// All of standard input but the line's end, as docker reads it.
fn read_password() -> Result<String, String> {
    const MAX_BYTES: u64 = 64 * 1024;
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| format!("reading the password from standard input: {error}"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
