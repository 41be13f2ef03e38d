//! Policies of repositories: kept in memory, by name, until anything about that repository changes.

use std::sync::Arc;

use berth_auth::{PUBLIC_PULL, ParseError, RepositoryPolicy};
use berth_oci::{ErrorCode, RepositoryName};
use berth_storage::{Actor, Change, Fault, Swap};
use parking_lot::Mutex;
use quick_cache::sync::Cache;

use super::Directory;
use crate::error::Error;

/// Of how many repositories it is remembered what their policy is, or that they have none; names
/// that nobody has count, too.
const REMEMBERED: usize = 10_000;

/// The policies that were asked for lately.
pub struct RepositoryPolicies {
    by_name: Cache<RepositoryName, Option<Arc<RepositoryPolicy>>>,
    /// Rises with each change, so that who looked before it keeps nothing after it.
    generation: Mutex<u64>,
}

impl Default for RepositoryPolicies {
    fn default() -> Self {
        Self { by_name: Cache::new(REMEMBERED), generation: Mutex::new(0) }
    }
}

impl RepositoryPolicies {
    /// Forgets what was changed; called by the database's writer after COMMIT.
    pub fn forget(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Repository(name) => {
                    let mut generation = self.generation.lock();
                    *generation += 1;
                    self.by_name.remove(name);
                }
                Change::Anything => {
                    let mut generation = self.generation.lock();
                    *generation += 1;
                    self.by_name.clear();
                }
                Change::Reference(..) | Change::Directory | Change::SigningKeys => {}
            }
        }
    }

    /// The present state of things, to be taken before looking into the database.
    fn stamp(&self) -> u64 {
        *self.generation.lock()
    }

    /// Keeps what was found, unless something was forgotten since `stamp`.
    fn keep(&self, stamp: u64, name: &RepositoryName, policy: Option<&Arc<RepositoryPolicy>>) {
        let generation = self.generation.lock();
        if *generation == stamp {
            self.by_name.insert(name.clone(), policy.cloned());
        }
    }
}

impl Directory {
    /// A repository's policy as it is now; none also when there is no such repository.
    pub(crate) async fn repository_policy(
        &self,
        name: &RepositoryName,
    ) -> Result<Option<Arc<RepositoryPolicy>>, Error> {
        let cache = &self.repository_policies;
        if let Some(known) = cache.by_name.get(name) {
            return Ok(known);
        }
        let stamp = cache.stamp();
        let text = self.records.repository_policy(name.clone()).await?;
        // It was right when it was kept; what can't be understood now must not be passed over, as it
        // may forbid something.
        let unreadable = |error| Fault::new(format!("reading the policy of the repository {name}"), error);
        let parse = |text: &String| RepositoryPolicy::parse(text, &self.account).map_err(unreadable);
        let policy = text.as_ref().map(parse).transpose()?.map(Arc::new);
        cache.keep(stamp, name, policy.as_ref());
        Ok(policy)
    }

    /// The document of a repository's policy.
    ///
    /// # Errors
    /// When there is no such repository, or it has no policy.
    pub async fn repository_document(&self, name: &RepositoryName) -> Result<String, Error> {
        let document = self.records.policy_of_repository(name.clone()).await?;
        let missing = || berth_storage::Error::Missing(format!("a policy of the repository {name}"));
        Ok(document.ok_or_else(missing)?)
    }

    /// Gives a repository a policy, in place of the one it has. It is in force at the next request.
    ///
    /// # Errors
    /// When the document is broken, or there is no such repository.
    pub async fn put_repository_policy(
        &self,
        name: &RepositoryName,
        document: String,
        actor: &Actor,
    ) -> Result<(), Error> {
        RepositoryPolicy::parse(&document, &self.account).map_err(ParseError::from)?;
        Ok(self.records.put_repository_policy(name.clone(), document, self.by(actor)).await?)
    }

    /// Takes a repository's policy away.
    ///
    /// # Errors
    /// When there is no such repository, or it has no policy.
    pub async fn remove_repository_policy(&self, name: &RepositoryName, actor: &Actor) -> Result<(), Error> {
        Ok(self.records.remove_repository_policy(name.clone(), self.by(actor)).await?)
    }

    /// Lets everyone pull from a repository, also without a login; doing it again changes nothing.
    ///
    /// # Errors
    /// When there is no such repository, or it has a policy that says something else.
    pub async fn publish(&self, name: &RepositoryName, actor: &Actor) -> Result<(), Error> {
        let public = Some(PUBLIC_PULL.to_owned());
        match self.records.swap_repository_policy(name.clone(), None, public, self.by(actor)).await? {
            Swap::Done | Swap::Kept(None) => Ok(()),
            Swap::Kept(Some(present)) if present == PUBLIC_PULL => Ok(()),
            Swap::Kept(Some(_)) => Err(other_policy(name)),
        }
    }

    /// Ends what [`Self::publish`] began; doing it again changes nothing.
    ///
    /// # Errors
    /// When there is no such repository, or it has a policy that says something else.
    pub async fn unpublish(&self, name: &RepositoryName, actor: &Actor) -> Result<(), Error> {
        let public = Some(PUBLIC_PULL.to_owned());
        match self.records.swap_repository_policy(name.clone(), public, None, self.by(actor)).await? {
            Swap::Done | Swap::Kept(None) => Ok(()),
            Swap::Kept(Some(_)) => Err(other_policy(name)),
        }
    }
}

/// A document of somebody's own is neither replaced nor guessed at.
fn other_policy(name: &RepositoryName) -> Error {
    let sentence = format!(
        "the repository {name} has a policy of its own, which this would not understand; \
         change that document, or remove it first"
    );
    Error::Request(ErrorCode::Unsupported, sentence)
}
