//! `/api/v1/…`: what `berth admin` speaks. Errors are `application/problem+json` (RFC 9457).

mod attachments;
mod audit;
mod explain;
mod groups;
mod keys;
mod policies;
mod problem;
mod repositories;
mod request;
mod signing_keys;
mod users;

use axum::Router;
use axum::routing::{delete, get, post, put};

use crate::state::App;
pub use keys::NewAccessKey;
pub use users::ChangePassword;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/users", get(users::list).post(users::add))
        .route("/users/{name}", get(users::show).delete(users::remove))
        .route("/users/{name}/password", put(users::set_password))
        .route("/keys", get(keys::list).post(keys::add))
        .route("/keys/{id}", delete(keys::remove))
        .route("/signing-keys", get(signing_keys::list).post(signing_keys::rotate))
        .route("/explain", get(explain::explain))
        .route("/audit", get(audit::list))
        .route("/groups", get(groups::list).post(groups::add))
        .route("/groups/{name}", delete(groups::remove))
        .route("/groups/{name}/members/{user}", put(groups::join).delete(groups::leave))
        .route(
            "/groups/{name}/policies",
            post(attachments::attach_to_group).delete(attachments::detach_from_group),
        )
        .route("/policies", get(policies::list))
        .route("/policies/{name}", get(policies::show).put(policies::keep).delete(policies::remove))
        .route("/repositories", get(repositories::list).post(repositories::add))
        .route("/repositories/{name}", get(repositories::show).delete(repositories::remove))
        .route(
            "/repositories/{name}/policy",
            get(repositories::show_policy).put(repositories::put_policy).delete(repositories::remove_policy),
        )
        .route("/repositories/{name}/public", put(repositories::publish).delete(repositories::unpublish))
        .route("/users/{name}/disabled", put(users::disable).delete(users::enable))
        .route(
            "/users/{name}/policies",
            post(attachments::attach_to_user).delete(attachments::detach_from_user),
        )
}
