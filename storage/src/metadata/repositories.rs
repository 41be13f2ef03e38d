//! Repositories by name.

use berth_oci::RepositoryName;
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::records::Records;
use super::{Change, Tx, args};
use crate::error::{Error, Fault};
use crate::ids::new_id;
use crate::registry::Creation;
use crate::{Actor, By, Timestamp};

/// The id of a repository, if there is one of that name.
pub(crate) async fn find(tx: &mut Tx<'_>, name: &RepositoryName) -> Result<Option<String>, Fault> {
    let sql = "SELECT id FROM repositories WHERE name = $1 AND deleted_at IS NULL";
    let row = tx.row(sql, args![name]).await?;
    row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

/// The id of a repository that must be there.
pub(crate) async fn get(tx: &mut Tx<'_>, name: &RepositoryName) -> Result<String, Error> {
    find(tx, name).await?.ok_or_else(|| Error::RepositoryUnknown(name.clone()))
}

/// The id of a repository, which is made when it isn't there and `creation` allows it.
pub(crate) async fn get_or_create(
    tx: &mut Tx<'_>,
    name: &RepositoryName,
    creation: Creation,
    actor: &Actor,
    now: Timestamp,
) -> Result<String, Error> {
    if let Some(id) = find(tx, name).await? {
        return Ok(id);
    }
    if creation == Creation::Refused {
        return Err(Error::RepositoryUnknown(name.clone()));
    }
    let sql = "INSERT INTO repositories (id, name, created_at, created_by) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING RETURNING id";
    if let Some(made) = tx.row(sql, args![&new_id(), name, now, actor.identity.as_deref()]).await? {
        let detail = Some("by a push".to_owned());
        let deed = Deed { action: "repo.create", repository: Some(name), detail, ..Deed::default() };
        note(tx, actor, now, deed).await?;
        return Ok(made.text(0)?.to_owned());
    }
    // Another process may have been first: whatever id stands there is the right one.
    get(tx, name).await
}

/// The names after `last`, in order, at most `limit`.
pub(crate) fn page<'t>(
    tx: &'t mut Tx<'_>,
    (last, limit): &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<RepositoryName>, Error>> {
    Box::pin(async move {
        let sql =
            "SELECT name FROM repositories WHERE name > $1 AND deleted_at IS NULL ORDER BY name LIMIT $2";
        let rows = tx.rows(sql, args![last, *limit]).await?;
        rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
    })
}

/// What came of replacing a policy that had to be a certain one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// It was, and is replaced.
    Done,
    /// It was this one, and stays.
    Kept(Option<String>),
}

/// The policies of repositories, as text that the store never interprets.
impl Records {
    /// A repository's policy; none when it has none, or there is no such repository.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn repository_policy(&self, name: RepositoryName) -> Result<Option<String>, Error> {
        let found = self.metadata().read(name, find_policy).await?;
        Ok(found.flatten())
    }

    /// The policy of a repository that must be there.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when it isn't.
    pub async fn policy_of_repository(&self, name: RepositoryName) -> Result<Option<String>, Error> {
        let found = self.metadata().read(name.clone(), find_policy).await?;
        found.ok_or(Error::RepositoryUnknown(name))
    }

    /// Gives a repository this policy, whatever it had.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when it isn't there.
    pub async fn put_repository_policy(
        &self,
        name: RepositoryName,
        policy: String,
        by: By,
    ) -> Result<(), Error> {
        self.metadata().write((name, policy, by), put_policy).await
    }

    /// Takes a repository's policy away.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when there is no such repository, [`Error::Missing`] when it has
    /// no policy.
    pub async fn remove_repository_policy(&self, name: RepositoryName, by: By) -> Result<(), Error> {
        self.metadata().write((name, by), remove_policy).await
    }

    /// Replaces a repository's policy if it is `from`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when there is no such repository.
    pub async fn swap_repository_policy(
        &self,
        name: RepositoryName,
        from: Option<String>,
        to: Option<String>,
        by: By,
    ) -> Result<Swap, Error> {
        self.metadata().write((name, from, to, by), swap_policy).await
    }
}

fn find_policy<'t>(
    tx: &'t mut Tx<'_>,
    name: &'t RepositoryName,
) -> BoxFuture<'t, Result<Option<Option<String>>, Error>> {
    Box::pin(async move {
        let sql = "SELECT policy FROM repositories WHERE name = $1 AND deleted_at IS NULL";
        let row = tx.row(sql, args![name]).await?;
        row.map(|row| Ok(row.text_or_null(0)?.map(str::to_owned))).transpose()
    })
}

/// The policy of a repository that must be there.
async fn policy_of(tx: &mut Tx<'_>, name: &RepositoryName) -> Result<Option<String>, Error> {
    find_policy(tx, name).await?.ok_or_else(|| Error::RepositoryUnknown(name.clone()))
}

async fn set_policy(
    tx: &mut Tx<'_>,
    name: &RepositoryName,
    policy: Option<&String>,
    by: &By,
) -> Result<(), Fault> {
    let sql = "UPDATE repositories SET policy = $2 WHERE name = $1 AND deleted_at IS NULL";
    tx.run(sql, args![name, policy]).await?;
    tx.changed(Change::Repository(name.clone()));
    let action = if policy.is_some() { "repo.policy.put" } else { "repo.policy.rm" };
    note(tx, &by.actor, by.at, Deed { action, repository: Some(name), ..Deed::default() }).await
}

fn put_policy<'t>(
    tx: &'t mut Tx<'_>,
    (name, policy, by): &'t (RepositoryName, String, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        get(tx, name).await?;
        Ok(set_policy(tx, name, Some(policy), by).await?)
    })
}

fn remove_policy<'t>(
    tx: &'t mut Tx<'_>,
    (name, by): &'t (RepositoryName, By),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        if policy_of(tx, name).await?.is_none() {
            return Err(Error::Missing(format!("a policy of the repository {name}")));
        }
        Ok(set_policy(tx, name, None, by).await?)
    })
}

fn swap_policy<'t>(
    tx: &'t mut Tx<'_>,
    (name, from, to, by): &'t (RepositoryName, Option<String>, Option<String>, By),
) -> BoxFuture<'t, Result<Swap, Error>> {
    Box::pin(async move {
        let present = policy_of(tx, name).await?;
        if present != *from {
            return Ok(Swap::Kept(present));
        }
        set_policy(tx, name, to.as_ref(), by).await?;
        Ok(Swap::Done)
    })
}
