//! Whoever may do what a handler does: the keys that open its door.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use berth_auth::{Action, Caller, Decision, Target};
use berth_oci::RepositoryName;
use berth_storage::Creation;
use http::request::Parts;
use tokio::time::Instant;

use super::asker::Asker;
use super::challenge::{READ, Refusal, challenge, mount_source, scopes_needed};
use super::credentials::{Shown, credentials};
use super::ecr::ActionType;
use super::even_refusal::refuse_evenly;
use crate::error::Error;
use crate::pack_names::Packed;
use crate::state::App;

/// Someone who may do the action `A` to `repository`. A name, never a row: a push may be to a
/// repository that isn't there yet.
pub(crate) struct Allowed<A> {
    pub(crate) repository: RepositoryName,
    pub(crate) asker: Asker,
    /// Since when it has been looked up what they may do.
    pub(crate) began: Instant,
    action: PhantomData<A>,
}

impl<A> Allowed<A> {
    /// Whether the repository may be made if it isn't there: when the server makes repositories that
    /// are pushed to, and they may do that.
    pub(crate) fn creation(&self, app: &App) -> Creation {
        let covered = self.asker.shown_covers(CREATE, Some(&self.repository));
        let may = covered && self.creation_decided().allowed;
        if may { app.settings.creation } else { Creation::Refused }
    }

    /// The error of a push; where only a right was missing to make the repository, it is refused as
    /// for any missing right.
    pub(crate) fn refusal(&self, app: &App, error: berth_storage::Error) -> Error {
        let not_made =
            matches!(&error, berth_storage::Error::RepositoryUnknown(name) if *name == self.repository);
        let decision = self.creation_decided();
        match &self.asker.caller {
            Caller::Identity(identity)
                if not_made && app.settings.creation == Creation::Allowed && !decision.allowed =>
            {
                let why = decision.reason.to_string();
                self.asker.was_refused(app, CREATE, Some(&self.repository), why);
                let told = self.asker.told(&identity.name, &decision.reason, CREATE, Some(self.absent()));
                Error::Denied(told)
            }
            Caller::Identity(_) | Caller::Anonymous => error.into(),
        }
    }

    fn creation_decided(&self) -> Decision<'_> {
        self.asker.decide(CREATE, Some(self.absent()))
    }

    /// A repository that is to be made has no policy of its own yet.
    const fn absent(&self) -> Target<'_> {
        Target { name: &self.repository, policy: None }
    }
}

/// What making a repository by pushing to it takes.
const CREATE: Action = Action::CreateRepository;

/// Someone who may do the action `A` to the registry as a whole.
pub(crate) struct AllowedHere<A> {
    pub(crate) asker: Asker,
    action: PhantomData<A>,
}

impl<A: ActionType> FromRequestParts<App> for Allowed<A> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let name = parts.extensions.get::<Packed>().map(|packed| packed.name.clone());
        // Who asks comes first: a stranger does not even learn what a name may look like.
        let known = name.as_ref().and_then(|name| name.as_ref().ok());
        let asker = authenticate(parts, app, A::ACTION, known).await?;
        // Nothing is packed where the path is no text.
        let repository = name.ok_or(Error::NoSuchPath)??;
        let began = Instant::now();
        let policy = app.directory.repository_policy(&repository).await?;
        let target = Target { name: &repository, policy: policy.as_deref() };
        if let Err(refusal) = check(parts, app, &asker, A::ACTION, Some(target)) {
            refuse_evenly(began).await;
            return Err(refusal);
        }
        check_mount(parts, app, &asker, A::ACTION, &repository).await?;
        Ok(Self { repository, asker, began, action: PhantomData })
    }
}

impl<A: ActionType> FromRequestParts<App> for AllowedHere<A> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let asker = authenticate(parts, app, A::ACTION, None).await?;
        check(parts, app, &asker, A::ACTION, None)?;
        Ok(Self { asker, action: PhantomData })
    }
}

/// Who asks; refused when they showed nothing or something wrong.
async fn authenticate(
    parts: &Parts,
    app: &App,
    action: Action,
    repository: Option<&RepositoryName>,
) -> Result<Asker, Error> {
    match credentials(parts, app).await? {
        // A repository's policy may allow everyone; nothing else does.
        Shown::Nothing if repository.is_some() => Ok(Asker::anonymous(parts, app)),
        shown => shown.believed(parts, app, || scopes_needed(parts, action, repository)),
    }
}

/// Whether what they showed is good for `action`; 401 asks for more, 403 is final.
fn check(
    parts: &Parts,
    app: &App,
    asker: &Asker,
    action: Action,
    target: Option<Target<'_>>,
) -> Result<(), Error> {
    let repository = target.map(|target| target.name);
    if !asker.shown_covers(action, repository) {
        asker.was_refused(app, action, repository, "the token is not good for this".to_owned());
        let scope = scopes_needed(parts, action, repository);
        return Err(challenge(parts, app, scope, Refusal::InsufficientScope));
    }
    let decision = asker.decide(action, target);
    if decision.allowed {
        return Ok(());
    }
    match &asker.caller {
        Caller::Anonymous => {
            let scope = scopes_needed(parts, action, repository);
            Err(challenge(parts, app, scope, Refusal::NoCredential))
        }
        Caller::Identity(identity) => {
            asker.was_refused(app, action, repository, decision.reason.to_string());
            Err(Error::Denied(asker.told(&identity.name, &decision.reason, action, target)))
        }
    }
}

/// Asks for a token that covers a mount's source, too, if the identity may read that. If it may
/// not, nothing is asked: the mount merely becomes an upload, as for a source that isn't there.
async fn check_mount(
    parts: &Parts,
    app: &App,
    asker: &Asker,
    action: Action,
    target: &RepositoryName,
) -> Result<(), Error> {
    let Some(source) = mount_source(parts, action) else { return Ok(()) };
    if asker.identity_may(app, READ, &source).await? && !asker.may(app, READ, &source).await? {
        let scopes = scopes_needed(parts, action, Some(target));
        return Err(challenge(parts, app, scopes, Refusal::InsufficientScope));
    }
    Ok(())
}
