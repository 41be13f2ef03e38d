//! A running server, through its management API, with the login of `berth login`.

use std::time::Duration;

use berth_images::{Connection, Credential, Credentials, RegistryAddress};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::ConnectionArgs;
use crate::failure::Failure;

/// How long the server may take for one answer.
const ANSWERED_WITHIN: Duration = Duration::from_mins(1);

/// A running server and who asks it.
pub(super) struct Remote {
    connection: Connection,
    credential: Credential,
}

/// What the management API says went wrong (RFC 9457).
#[derive(serde::Deserialize)]
struct Problem {
    detail: String,
}

/// Why there is no answer that one could use.
pub(super) enum Unheard {
    /// The server can't be reached, or fails, for now.
    Away(Failure),
    /// It answered, and will not answer otherwise.
    Refused(Failure),
}

impl From<Unheard> for Failure {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::Away(failure) | Unheard::Refused(failure) => failure,
        }
    }
}

impl Remote {
    pub(super) fn new(server: Option<&RegistryAddress>, args: &ConnectionArgs) -> Result<Self, Failure> {
        let credentials = Credentials::of_this_user().map_err(|error| finding(&error))?;
        let only;
        let server = match server {
            Some(server) => server,
            None => {
                only = the_only_one(&credentials)?;
                &only
            }
        };
        let found = credentials.find(server.credentials_key()).map_err(|error| finding(&error))?;
        let credential = found
            .ok_or_else(|| finding(&format!("not logged in to {server}; run 'berth login {server}'")))?;
        let connection = Connection::new(server, args.reach())
            .map_err(|error| Failure::new(format!("reaching {server}"), error))?;
        Ok(Self { connection, credential })
    }

    /// Asks for something and reads the answer.
    pub(super) async fn get<T: DeserializeOwned>(&self, tried: &str, path: &str) -> Result<T, Failure> {
        Ok(self.hear(tried, path).await?)
    }

    /// The same, for who would ask again.
    pub(super) async fn hear<T: DeserializeOwned>(&self, tried: &str, path: &str) -> Result<T, Unheard> {
        let request = self.request(tried, Method::GET, path).map_err(Unheard::Refused)?;
        let answer = self.send(tried, request).await?;
        let broken = |error| Unheard::Away(Failure::new(tried, self.connection.describe(&error)));
        answer.json().await.map_err(broken)
    }

    /// Asks for a text and gives it as it is.
    pub(super) async fn get_text(&self, tried: &str, path: &str) -> Result<String, Failure> {
        let answer = self.send(tried, self.request(tried, Method::GET, path)?).await?;
        answer.text().await.map_err(|error| Failure::new(tried, self.connection.describe(&error)))
    }

    /// Sends something whose answer, if it is no error, says nothing.
    pub(super) async fn tell(
        &self,
        tried: &str,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(), Failure> {
        let mut request = self.request(tried, method, path)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(tried, request).await?;
        Ok(())
    }

    /// Sends something and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        tried: &str,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let answer = self.send(tried, self.request(tried, method, path)?.json(body)).await?;
        answer.json().await.map_err(|error| Failure::new(tried, self.connection.describe(&error)))
    }

    /// Asks for something of any length.
    pub(super) async fn fetch(&self, tried: &str, method: Method, path: &str) -> Result<Response, Failure> {
        Ok(self.send(tried, self.endless_request(tried, method, path)?).await?)
    }

    /// The same of what may not be there.
    pub(super) async fn fetch_if_there(&self, tried: &str, path: &str) -> Result<Option<Response>, Failure> {
        let sent = self.endless_request(tried, Method::GET, path)?.send().await;
        let answer = sent.map_err(|error| Failure::new(tried, self.connection.describe(&error)))?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.heard(tried, answer).await.map(Some).map_err(Failure::from)
    }

    /// Sends a text as it is and reads the answer.
    pub(super) async fn ask_with_text<T: DeserializeOwned>(
        &self,
        tried: &str,
        path: &str,
        text: String,
    ) -> Result<T, Failure> {
        let answer = self.send(tried, self.request(tried, Method::POST, path)?.body(text)).await?;
        answer.json().await.map_err(|error| Failure::new(tried, self.connection.describe(&error)))
    }

    /// Sends a text as it is.
    pub(super) async fn put_text(&self, tried: &str, path: &str, text: String) -> Result<(), Failure> {
        self.send(tried, self.request(tried, Method::PUT, path)?.body(text)).await?;
        Ok(())
    }

    fn request(&self, tried: &str, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        Ok(self.endless_request(tried, method, path)?.timeout(ANSWERED_WITHIN))
    }

    /// A request whose answer may take as long as it comes at all.
    fn endless_request(&self, tried: &str, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url =
            self.connection.url(&format!("/api/v1{path}")).map_err(|wrong| Failure::new(tried, wrong))?;
        let request = self.connection.client().request(method, url);
        match &self.credential {
            Credential::Password { user, password } => {
                Ok(request.basic_auth(user, Some(password.expose_secret())))
            }
            Credential::IdentityToken(_) => Err(Failure::new(
                tried,
                "the login is a docker identity token, which administers nothing; run 'berth login' again",
            )),
        }
    }

    async fn send(&self, tried: &str, request: RequestBuilder) -> Result<Response, Unheard> {
        let sent = request.send().await;
        let away = |error| Unheard::Away(Failure::new(tried, self.connection.describe(&error)));
        self.heard(tried, sent.map_err(away)?).await
    }

    /// An answer that says no more than that it was done.
    async fn heard(&self, tried: &str, answer: Response) -> Result<Response, Unheard> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let wrong = match answer.json::<Problem>().await {
            Ok(problem) => problem.detail,
            Err(_) => format!("the server answered {status}; is it a berth server?"),
        };
        let failure = Failure::new(tried, wrong);
        Err(if status.is_server_error() { Unheard::Away(failure) } else { Unheard::Refused(failure) })
    }
}

fn finding(wrong: &impl std::fmt::Display) -> Failure {
    Failure::new("finding the server's login", wrong)
}

fn the_only_one(credentials: &Credentials) -> Result<RegistryAddress, Failure> {
    let servers = credentials.servers();
    match servers.as_slice() {
        [] => Err(finding(&"not logged in anywhere; run 'berth login SERVER' first")),
        [one] => one.parse().map_err(|error: String| finding(&error)),
        several => Err(finding(&format!("logged in to {}; name one with --server", several.join(", ")))),
    }
}
