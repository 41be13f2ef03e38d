//! Lists by the page: `n`, `last`, and a `Link` to the next one.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use berth_oci::ErrorCode;
use http::header::LINK;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::header;
use crate::error::Error;

/// The most that one page holds, whatever `n` asks for.
const MOST: u64 = 10_000;
const IN_QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Which page is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageOf {
    /// The most items.
    pub(crate) limit: u64,
    /// Whether the client said how many: if so, the links say it again.
    asked: bool,
    /// The item before the page; empty: from the start.
    pub(crate) last: String,
}

impl<S: Sync> FromRequestParts<S> for PageOf {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl PageOf {
    fn parse(query: &str) -> Result<Self, Error> {
        let mut page = Self { limit: MOST, asked: false, last: String::new() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "n" => {
                    let number = value.bytes().all(|b| b.is_ascii_digit()) && !value.is_empty();
                    if !number {
                        let message =
                            format!("n must be a number of 0 or more, not '{}'", value.escape_default());
                        return Err(Error::Request(ErrorCode::Unsupported, message));
                    }
                    // Digits that don't fit are merely more than a page holds.
                    page.limit = value.parse().unwrap_or(MOST).min(MOST);
                    page.asked = true;
                }
                // Behind a NUL nothing matters: no name holds one, and not every database takes it.
                "last" => page.last = value.split('\0').next().unwrap_or_default().to_owned(),
                _ => {}
            }
        }
        Ok(page)
    }

    /// `body`, with a link to the page after `last` if there is one.
    pub(crate) fn answer(&self, body: impl Serialize, path: &str, next: Option<&str>) -> Response {
        let mut response = Json(body).into_response();
        if let Some(last) = next.filter(|_| self.limit > 0) {
            let n = if self.asked { format!("n={}&", self.limit) } else { String::new() };
            let last = utf8_percent_encode(last, IN_QUERY);
            let separator = if path.contains('?') { '&' } else { '?' };
            response
                .headers_mut()
                .insert(LINK, header(format!("<{path}{separator}{n}last={last}>; rel=\"next\"")));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_long_as_asked_up_to_a_bound() {
        for (query, limit, last) in [
            ("", MOST, ""),
            ("n=3&last=a%2Fb", 3, "a/b"),
            ("last=x&ns=docker.io", MOST, "x"),
            ("last=x%00y", MOST, "x"),
            ("n=0", 0, ""),
            ("n=1000000000000", MOST, ""),
            ("n=99999999999999999999999999", MOST, ""),
        ] {
            let page = PageOf::parse(query).unwrap();
            assert_eq!((page.limit, page.last.as_str()), (limit, last), "{query}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for query in ["n=-1", "n=", "n=x", "n=1.5", "n=+1"] {
            assert!(PageOf::parse(query).is_err(), "{query}");
        }
    }
}
