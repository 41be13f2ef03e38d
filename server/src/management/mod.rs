//! `/api/v1/…`: what `berth admin` speaks. Errors are `application/problem+json` (RFC 9457).

mod attachments;
mod audit;
mod explain;
mod gc;
mod groups;
mod keys;
mod openapi;
mod policies;
mod problem;
mod repositories;
mod request;
mod retention;
mod signing_keys;
mod undelete;
mod users;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::App;
pub use gc::{AcceptedRestore, Collected};
pub use keys::NewAccessKey;
pub use users::ChangePassword;

pub(crate) fn routes() -> Router<App> {
    table().into()
}

/// The routes and the document that tells of them, which are one table.
fn table() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::beginning())
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::show, users::remove))
        .routes(routes!(users::set_password))
        .routes(routes!(users::disable, users::enable))
        .routes(routes!(attachments::attach_to_user, attachments::detach_from_user))
        .routes(routes!(groups::list, groups::add))
        .routes(routes!(groups::remove))
        .routes(routes!(groups::join, groups::leave))
        .routes(routes!(attachments::attach_to_group, attachments::detach_from_group))
        .routes(routes!(keys::list, keys::add))
        .routes(routes!(keys::remove))
        .routes(routes!(policies::list))
        .routes(routes!(policies::show, policies::keep, policies::remove))
        .routes(routes!(repositories::list, repositories::add))
        .routes(routes!(repositories::show, repositories::remove))
        .routes(routes!(repositories::show_policy, repositories::put_policy, repositories::remove_policy))
        .routes(routes!(repositories::publish, repositories::unpublish))
        .routes(routes!(repositories::keep_untagged))
        .routes(routes!(retention::list))
        .routes(routes!(retention::show, retention::put, retention::remove))
        .routes(routes!(retention::preview, retention::expire))
        .routes(routes!(explain::explain))
        .routes(routes!(audit::list))
        .routes(routes!(signing_keys::list, signing_keys::rotate))
        .routes(routes!(undelete::list, undelete::bring_back_repository))
        .routes(routes!(undelete::bring_back))
        .routes(routes!(undelete::history))
        .routes(routes!(gc::collect))
        .routes(routes!(gc::forecast))
        .routes(routes!(gc::usage))
        .routes(routes!(gc::accept_restore))
        .routes(routes!(openapi::show))
}
