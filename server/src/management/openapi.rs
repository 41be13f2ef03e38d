//! The OpenAPI document of the management API, made of the table that routes it.

use std::sync::LazyLock;

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Content, Info, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, ResponseBuilder,
    SecurityRequirement, Server, path::Operation,
};
use utoipa::{PartialSchema, ToSchema};

use super::problem::{PROBLEM_JSON, Problem, Words};
use crate::access::LoggedIn;
use crate::error::Error;

static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(|| complete(super::table().into_openapi()));

/// The name under which the document speaks of logging in.
const LOGIN: &str = "login";

/// How every operation may be refused, or fail.
const EVERYWHERE: [(&str, &str); 5] = [
    ("401", "The name and the password are missing or wrong"),
    ("403", "No policy allows that"),
    ("429", "Too many wrong logins; Retry-After says how long to wait"),
    ("500", "The server failed; its log says why"),
    ("507", "The server's disk is full"),
];
/// How whatever takes words may be refused besides.
const WORDS: (&str, &str) = ("400", "The path, the query or the body is not what it must be");

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "show_openapi", tag = "about",
    responses((status = 200, body = serde_json::Value, description = "An OpenAPI 3.1 document")),
)]
pub(crate) async fn show(asker: Result<LoggedIn, Error>) -> Result<Json<&'static OpenApi>, Problem> {
    asker?;
    Ok(Json(&DOCUMENT))
}

/// A document of nothing yet.
pub(super) fn beginning() -> OpenApi {
    let login = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("A user's name and password, or an access key's id and secret"));
    let mut components = Components::new();
    components.add_security_scheme(LOGIN, SecurityScheme::Http(login.build()));
    components.schemas.insert(Words::name().into_owned(), Words::schema());
    let mut info = Info::new("Berth's management API", env!("CARGO_PKG_VERSION"));
    info.description = Some("Who may use a registry, and for what.".to_owned());
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/api/v1")]))
        .security(Some([SecurityRequirement::new(LOGIN, [""; 0])]))
        .components(Some(components))
        .build()
}

/// Adds to all operations what they have in common, so that none can lack it.
fn complete(mut document: OpenApi) -> OpenApi {
    document.paths.paths.values_mut().flat_map(operations).for_each(add_refusals);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

fn add_refusals(operation: &mut Operation) {
    let takes_words = operation.parameters.is_some() || operation.request_body.is_some();
    let responses = &mut operation.responses.responses;
    for (status, description) in EVERYWHERE.into_iter().chain(takes_words.then_some(WORDS)) {
        let response = || ResponseBuilder::new().description(description).build().into();
        responses.entry(status.to_owned()).or_insert_with(response);
    }
    let refusals = responses.iter_mut().filter(|(status, _)| !status.starts_with('2'));
    for (_, response) in refusals {
        if let RefOr::T(response) = response {
            let problem = Content::new(Some(Ref::from_schema_name(Words::name())));
            response.content.insert(PROBLEM_JSON.to_owned(), problem.into());
        }
    }
}
