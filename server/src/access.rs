//! The key opens the door: [`Allowed`] is the only way for a handler to a repository's name and to
//! whoever asks, so that authorisation stands in the handler's signature.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use berth_auth::{
    AccessKeyId, Action, Caller, Credentials, Decision, Identity, Reason, Scope, Target, UserName, Verified,
    decide,
};
use berth_oci::RepositoryName;
use berth_storage::{Actor, By, Creation, Refusal as Refused};
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::challenge::{Refusal, challenge};
use crate::circumstances::Circumstances;
use crate::error::Error;
use crate::routes::Packed;
use crate::state::App;

/// One action of ECR's, as a type.
pub(crate) trait ActionType: Send + Sync + 'static {
    const ACTION: Action;
}

/// The actions that handlers ask for, by ECR's names.
pub(crate) mod ecr {
    use super::{Action, ActionType};

    macro_rules! action_types {
        ($($name:ident),* $(,)?) => {$(
            pub(crate) struct $name;

            impl ActionType for $name {
                const ACTION: Action = Action::$name;
            }
        )*};
    }

    action_types!(
        BatchCheckLayerAvailability,
        BatchDeleteImage,
        BatchGetImage,
        CompleteLayerUpload,
        DescribeRepositories,
        GetDownloadUrlForLayer,
        InitiateLayerUpload,
        ListImageReferrers,
        ListImages,
        ManageUsers,
        PutImage,
        ReadMetrics,
        UploadLayerPart,
    );
}

/// Who asks, and how they proved it.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) caller: Caller,
    /// What their token is limited to; none for a login with a password.
    token: Option<Arc<Verified>>,
    /// The access key that they logged in with.
    key: Option<AccessKeyId>,
    circumstances: Circumstances,
}

impl Asker {
    /// Who they are, as it is written down.
    pub(crate) fn actor(&self) -> Actor {
        let identity = match &self.caller {
            Caller::Identity(identity) => Some(&**identity),
            Caller::Anonymous => None,
        };
        let key = self.token.as_ref().and_then(|token| token.access_key.as_ref()).or(self.key.as_ref());
        self.circumstances.actor(identity, key)
    }

    /// Notes for the audit that somebody known was refused something.
    pub(crate) fn was_refused(
        &self,
        app: &App,
        action: Action,
        repository: Option<&RepositoryName>,
        why: String,
    ) {
        if let Caller::Identity(_) = &self.caller {
            let (action, repository) = (action.as_str(), repository.cloned());
            let by = By { actor: self.actor(), at: app.registry.now() };
            app.refusals.note(Refused { by, action, repository, detail: why, times: 1 });
        }
    }

    /// Whether they may do `action` with what they have shown.
    pub(crate) async fn may(
        &self,
        app: &App,
        action: Action,
        repository: &RepositoryName,
    ) -> Result<bool, Error> {
        let covered = self.token.as_ref().is_none_or(|token| token.covers(action, Some(repository)));
        Ok(covered && self.identity_may(app, action, repository).await?)
    }

    /// Whether they may do `action`, whatever their token is limited to.
    pub(crate) async fn identity_may(
        &self,
        app: &App,
        action: Action,
        repository: &RepositoryName,
    ) -> Result<bool, Error> {
        let policy = app.directory.repository_policy(repository).await?;
        let target = Target { name: repository, policy: policy.as_deref() };
        Ok(self.decide(action, Some(target)).allowed)
    }

    fn decide<'a>(&'a self, action: Action, target: Option<Target<'a>>) -> Decision<'a> {
        decide(&self.caller, action, target, &self.circumstances.context())
    }

    /// What they are told of a refusal, which must not tell a repository that exists from one that
    /// does not.
    fn told(
        &self,
        name: &UserName,
        reason: &Reason<'_>,
        action: Action,
        target: Option<Target<'_>>,
    ) -> String {
        let nothing = || format!("no policy attached to {name} allows");
        let speaks = match reason {
            Reason::Statement(..) => format!("a policy attached to {name} denies"),
            Reason::OfRepository(..) => {
                // Where there is no repository, there is no policy of it either.
                let absent = target.map(|target| Target { policy: None, ..target });
                if self.decide(action, absent).allowed {
                    "the repository's own policy denies".to_owned()
                } else {
                    nothing()
                }
            }
            Reason::Anonymous | Reason::Disabled(_) | Reason::NothingAllows { .. } => nothing(),
        };
        let to = target.map(|target| format!(" on {}", target.name)).unwrap_or_default();
        format!("{speaks} {action}{to}; ask an administrator")
    }
}

/// Someone who may do the action `A` to `repository`. A name, never a row: a push may be to a
/// repository that isn't there yet.
pub(crate) struct Allowed<A> {
    pub(crate) repository: RepositoryName,
    pub(crate) asker: Asker,
    action: PhantomData<A>,
}

impl<A> Allowed<A> {
    /// Whether the repository may be made if it isn't there: when the server makes repositories that
    /// are pushed to, and they may do that.
    pub(crate) fn creation(&self, app: &App) -> Creation {
        let covered = |token: &Arc<Verified>| token.covers(CREATE, Some(&self.repository));
        let may = self.asker.token.as_ref().is_none_or(covered) && self.creation_decided().allowed;
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

/// Someone who logged in, and not with a token: no token is good for what only this asks for.
pub(crate) struct LoggedIn {
    pub(crate) identity: Arc<Identity>,
    pub(crate) asker: Asker,
}

impl LoggedIn {
    /// Whether they may do `action` to the registry as a whole.
    pub(crate) fn may(&self, action: Action) -> bool {
        self.asker.decide(action, None).allowed
    }
}

/// Someone who has said who they are, and no more.
pub(crate) struct Known;

impl<A: ActionType> FromRequestParts<App> for Allowed<A> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let name = parts.extensions.get::<Packed>().map(|packed| packed.name.clone());
        // Who asks comes first: a stranger does not even learn what a name may look like.
        let known = name.as_ref().and_then(|name| name.as_ref().ok());
        let asker = authenticate(parts, app, A::ACTION, known).await?;
        // Nothing is packed where the path is no text.
        let repository = name.ok_or(Error::NoSuchPath)??;
        let policy = app.directory.repository_policy(&repository).await?;
        check(parts, app, &asker, A::ACTION, Some(Target { name: &repository, policy: policy.as_deref() }))?;
        check_mount(parts, app, &asker, A::ACTION, &repository).await?;
        Ok(Self { repository, asker, action: PhantomData })
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

impl FromRequestParts<App> for Known {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let asker = match credentials(parts, app).await? {
            Shown::Believed(asker) => asker,
            Shown::Nothing => return Err(challenge(parts, app, None, Refusal::NoCredential)),
            Shown::Wrong(refusal) => return Err(challenge(parts, app, None, refusal)),
        };
        match asker.caller {
            Caller::Identity(_) => Ok(Self),
            Caller::Anonymous => Err(challenge(parts, app, None, Refusal::NoCredential)),
        }
    }
}

impl FromRequestParts<App> for LoggedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let asker = match credentials(parts, app).await? {
            Shown::Believed(asker) => asker,
            Shown::Nothing => return Err(challenge(parts, app, None, Refusal::NoCredential)),
            Shown::Wrong(refusal) => return Err(challenge(parts, app, None, refusal)),
        };
        if asker.token.is_some() {
            return Err(challenge(parts, app, None, Refusal::InsufficientScope));
        }
        let Caller::Identity(identity) = &asker.caller else {
            return Err(challenge(parts, app, None, Refusal::NoCredential));
        };
        Ok(Self { identity: Arc::clone(identity), asker })
    }
}

/// What a request shows of who it is from.
enum Shown {
    Nothing,
    Wrong(Refusal),
    Believed(Asker),
}

async fn credentials(parts: &Parts, app: &App) -> Result<Shown, Error> {
    let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(Shown::Nothing) };
    let circumstances = Circumstances::of(parts, app);
    let parsed = header.to_str().ok().and_then(|header| Credentials::parse(header).ok());
    match parsed {
        None => Ok(Shown::Wrong(Refusal::InvalidToken)),
        Some(Credentials::Basic { user, password }) => {
            let login = app.login(&user, password, &circumstances).await?;
            Ok(login.map_or(Shown::Wrong(Refusal::WrongLogin), |login| {
                let (caller, key) = (Caller::Identity(login.identity), login.key);
                Shown::Believed(Asker { caller, token: None, key, circumstances })
            }))
        }
        Some(Credentials::Bearer(token)) => {
            let bearer = app.directory.bearer(token).await?;
            Ok(bearer.map_or(Shown::Wrong(Refusal::InvalidToken), |bearer| {
                let caller = bearer.identity.map_or(Caller::Anonymous, Caller::Identity);
                Shown::Believed(Asker { caller, token: Some(bearer.verified), key: None, circumstances })
            }))
        }
    }
}

/// Who asks; refused when they showed nothing or something wrong.
async fn authenticate(
    parts: &Parts,
    app: &App,
    action: Action,
    repository: Option<&RepositoryName>,
) -> Result<Asker, Error> {
    let scope = || scopes_needed(parts, action, repository);
    match credentials(parts, app).await? {
        // A repository's policy may allow everyone; nothing else does.
        Shown::Nothing if repository.is_some() => {
            let circumstances = Circumstances::of(parts, app);
            Ok(Asker { caller: Caller::Anonymous, token: None, key: None, circumstances })
        }
        Shown::Nothing => Err(challenge(parts, app, scope(), Refusal::NoCredential)),
        Shown::Wrong(refusal) => Err(challenge(parts, app, scope(), refusal)),
        Shown::Believed(asker) => Ok(asker),
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
    let covered = asker.token.as_ref().is_none_or(|token| token.covers(action, repository));
    if !covered {
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

/// What a client must ask a token for, as it stands in the challenge: for a mount also the right to
/// read its source, so that one token does for both.
fn scopes_needed(parts: &Parts, action: Action, repository: Option<&RepositoryName>) -> Option<String> {
    let needed = Scope::needed(action, repository)?;
    let source = mount_source(parts, action);
    let read = source.and_then(|source| Scope::needed(READ, Some(&source)));
    Some(read.map_or_else(|| needed.to_string(), |read| format!("{needed} {read}")))
}

/// What mounting a blob takes of its source.
pub(crate) const READ: Action = Action::GetDownloadUrlForLayer;

/// The repository that a mount names as its source.
fn mount_source(parts: &Parts, action: Action) -> Option<RepositoryName> {
    if action != Action::InitiateLayerUpload {
        return None;
    }
    let query = || form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    query().find(|(key, _)| key == "mount")?;
    query().find(|(key, _)| key == "from").and_then(|(_, from)| from.parse().ok())
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
