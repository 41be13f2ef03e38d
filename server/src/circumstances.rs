//! The circumstances of a request, as policies' conditions ask for them.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use berth_auth::{AccessKeyId, Account, Context, Identity, Transport};
use berth_storage::{Actor, Timestamp};
use http::request::Parts;

use crate::front_door::Connection;
use crate::observe::{ClientAddress, RequestId};
use crate::state::App;

/// Whence, how and when a request came.
#[derive(Clone)]
pub(crate) struct Circumstances {
    account: Arc<Account>,
    address: Option<IpAddr>,
    transport: Transport,
    now: Timestamp,
    request: Option<RequestId>,
}

impl Circumstances {
    pub(crate) fn of(parts: &Parts, app: &App) -> Self {
        Self {
            account: Arc::clone(app.directory.account()),
            address: parts.extensions.get::<ClientAddress>().map(|ClientAddress(address)| *address),
            transport: transport(parts),
            now: app.registry.now(),
            request: parts.extensions.get::<RequestId>().cloned(),
        }
    }

    /// Where the request comes from, as far as trusted proxies are believed.
    pub(crate) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Who does something here, as it is written down: this identity, who showed this key.
    pub(crate) fn actor(&self, identity: Option<&Identity>, key: Option<&AccessKeyId>) -> Actor {
        Actor {
            identity: identity.map(|identity| identity.id.as_str().into()),
            user: identity.map(|identity| identity.name.as_str().into()),
            access_key: key.map(|key| key.as_str().into()),
            address: self.address,
            request: self.request.as_ref().map(|request| request.to_string().into()),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context { account: &self.account, address: self.address, transport: self.transport, now: self.now.0 }
    }
}

impl FromRequestParts<App> for Circumstances {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(parts, app))
    }
}

/// How a request came: as the connection is, or as the trusted proxy before it says.
pub(crate) fn transport(parts: &Parts) -> Transport {
    let connection = parts.extensions.get::<Connection>();
    let proxied = connection.is_some_and(|connection| connection.proxied);
    let forwarded = parts.headers.get("x-forwarded-proto").filter(|_| proxied);
    let forwarded = forwarded.and_then(|value| value.to_str().ok()?.split(',').next_back());
    match forwarded.map(str::trim) {
        Some("https") => Transport::Tls,
        Some("http") => Transport::Plain,
        _ if connection.is_some_and(|connection| connection.tls) => Transport::Tls,
        _ => Transport::Plain,
    }
}
