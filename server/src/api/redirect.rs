//! A blob's bytes from where they are: clients are sent to the store with a URL that it signed.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use berth_storage::BlobInfo;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode, Uri};

use crate::access::Origin;
use crate::error::Error;
use crate::state::App;

/// How long a signed URL is good for: long enough to begin, and to go on after a break.
const GOOD_FOR: Duration = Duration::from_secs(20 * 60);

/// The answer that sends a client on, unless it would take its token along: clients leave it out
/// only when the other host has another name.
pub(super) async fn to_the_store(
    app: &App,
    blob: &BlobInfo,
    Origin(here): &Origin,
) -> Result<Option<Response>, Error> {
    let Some(url) = app.registry.blob_url(blob, GOOD_FOR).await? else { return Ok(None) };
    if takes_its_token_along(here, url.expose()) {
        return Ok(None);
    }
    let Ok(location) = HeaderValue::try_from(url.expose()) else { return Ok(None) };
    let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok(Some((StatusCode::TEMPORARY_REDIRECT, headers).into_response()))
}

/// Whether a client that is sent from one URL to the other still presents its token: to the same
/// name, whatever the port, and to names below it.
fn takes_its_token_along(from: &str, to: &str) -> bool {
    let name = |url: &str| {
        let url: Option<Uri> = url.parse().ok();
        url.and_then(|url| Some(url.host()?.to_ascii_lowercase())).unwrap_or_default()
    };
    let (from, to) = (name(from), name(to));
    from == to || to.strip_suffix(&from).is_some_and(|before| before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_along_to_the_same_name_and_those_below() {
        for (from, to) in [
            ("r.example.com", "r.example.com"),
            ("r.example.com:5000", "R.example.com"),
            ("r.example.com", "s3.r.example.com"),
            ("127.0.0.1:5000", "127.0.0.1:7070"),
            ("[::1]:5000", "[::1]"),
        ] {
            assert!(
                takes_its_token_along(&format!("http://{from}"), &format!("https://{to}/b?X=y")),
                "{from} {to}"
            );
        }
        for (from, to) in [
            ("r.example.com", "s3.example.com"),
            ("r.example.com", "other-r.example.com"),
            ("s3.r.example.com", "r.example.com"),
            ("localhost:5000", "127.0.0.1"),
        ] {
            assert!(
                !takes_its_token_along(&format!("http://{from}"), &format!("https://{to}/b?X=y")),
                "{from} {to}"
            );
        }
    }
}
