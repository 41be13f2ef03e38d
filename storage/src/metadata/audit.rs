//! The audit: what was done, written in the transaction that does it, and what was refused.
//!
//! Actions on images and the rest of the store have names of two words, such as `manifest.put`;
//! those of refused requests come from above, as policies name them.

use std::time::Duration;

use berth_oci::{Digest, RepositoryName, Tag};
use futures_util::future::BoxFuture;

use super::records::Records;
use super::{Row, Tx, args};
use crate::error::{Error, Fault};
use crate::{Actor, By, Timestamp};

/// By how much records may be out of the order of time, since what was done first may be written
/// second.
const DISORDER: Duration = Duration::from_secs(60);

/// Whether something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It did.
    Done,
    /// It was refused.
    Refused,
}

impl AuditOutcome {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// One thing that was done or refused, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Rises in the order of writing.
    pub id: i64,
    /// When; of several times, the first.
    pub at: Timestamp,
    /// What, such as `manifest.put`, or as policies name it.
    pub action: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// The id of the identity that did it, if it was one.
    pub identity: Option<String>,
    /// What people called it then; of a refused login, the name that was given.
    pub user: Option<String>,
    /// The id of the access key that was shown.
    pub access_key: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// The request's id; of several times, the first one's.
    pub request: Option<String>,
    /// The repository that it was about.
    pub repository: Option<String>,
    /// The manifest or blob.
    pub digest: Option<String>,
    /// The manifest's tags, as far as they were named or changed.
    pub tags: Vec<String>,
    /// The user, group, policy or key that it was done to.
    pub subject: Option<String>,
    /// What else there is to say.
    pub detail: Option<String>,
    /// How often, when the same was refused again and again.
    pub times: u64,
}

/// Which records are wanted.
#[derive(Debug, Clone, Copy)]
pub struct AuditPage {
    /// Those of this moment or later.
    pub since: Timestamp,
    /// Those after the one of this id; 0: from the first one on.
    pub after: i64,
    /// At most so many.
    pub limit: u64,
}

/// What a refused request leaves behind; refusals have no transaction of their own.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Who was refused, and when.
    pub by: By,
    /// What.
    pub action: &'static str,
    /// The repository that it was about.
    pub repository: Option<RepositoryName>,
    /// Why.
    pub detail: String,
    /// How often.
    pub times: u64,
}

impl Records {
    /// What was done and refused, in the order of writing; what comes later has a higher id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, page: AuditPage) -> Result<Vec<AuditRecord>, Error> {
        let newest = self.metadata().read(page, newest).await?;
        self.metadata().scan((page, newest), page_of).await
    }

    /// Writes down what was refused, all in one transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_refusals(&self, refusals: Vec<Refusal>) -> Result<(), Error> {
        self.metadata().write(refusals, note_refusals).await
    }
}

/// What a unit of work does, for [`note`].
#[derive(Debug, Clone, Default)]
pub(super) struct Deed<'a> {
    pub(super) action: &'static str,
    pub(super) repository: Option<&'a RepositoryName>,
    pub(super) digest: Option<&'a Digest>,
    pub(super) tags: &'a [Tag],
    pub(super) subject: Option<&'a str>,
    pub(super) detail: Option<String>,
}

/// Writes down what this unit of work does, so that there is either both or neither.
pub(super) async fn note(tx: &mut Tx<'_>, actor: &Actor, at: Timestamp, deed: Deed<'_>) -> Result<(), Fault> {
    insert(tx, actor, at, AuditOutcome::Done, 1, &deed).await
}

fn note_refusals<'t>(tx: &'t mut Tx<'_>, refusals: &'t Vec<Refusal>) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        for refusal in refusals {
            let deed = Deed {
                action: refusal.action,
                repository: refusal.repository.as_ref(),
                detail: Some(refusal.detail.clone()),
                ..Deed::default()
            };
            let By { actor, at } = &refusal.by;
            insert(tx, actor, *at, AuditOutcome::Refused, refusal.times, &deed).await?;
        }
        Ok(())
    })
}

async fn insert(
    tx: &mut Tx<'_>,
    actor: &Actor,
    at: Timestamp,
    outcome: AuditOutcome,
    times: u64,
    deed: &Deed<'_>,
) -> Result<(), Fault> {
    let sql =
        "INSERT INTO audit (at, action, outcome, identity_id, user_name, access_key, address, request_id,
                   repository, digest, tags, subject, detail, times)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let address = actor.address.map(|address| address.to_string());
    let tags: Vec<&str> = deed.tags.iter().map(Tag::as_str).collect();
    let args = args![
        at,
        deed.action,
        outcome.as_str(),
        actor.identity.as_deref(),
        actor.user.as_deref(),
        actor.access_key.as_deref(),
        address.as_ref(),
        actor.request.as_deref(),
        deed.repository,
        deed.digest,
        &tags.join(" "),
        deed.subject,
        deed.detail.as_ref(),
        times,
    ];
    tx.run(sql, args).await
}

fn read(row: &Row) -> Result<AuditRecord, Fault> {
    let text = |column| Ok::<_, Fault>(row.text_or_null(column)?.map(str::to_owned));
    Ok(AuditRecord {
        id: row.int(0)?,
        at: Timestamp(row.int(1)?),
        action: row.text(2)?.to_owned(),
        outcome: row.text(3)?.to_owned(),
        identity: text(4)?,
        user: text(5)?,
        access_key: text(6)?,
        address: text(7)?,
        request: text(8)?,
        repository: text(9)?,
        digest: text(10)?,
        tags: row.text(11)?.split_whitespace().map(str::to_owned).collect(),
        subject: text(12)?,
        detail: text(13)?,
        times: row.size(14)?,
    })
}

/// The id up to which all records after `page.after` can be seen.
fn newest<'t>(tx: &'t mut Tx<'_>, page: &'t AuditPage) -> BoxFuture<'t, Result<i64, Error>> {
    Box::pin(async move {
        let row = tx.row("SELECT COALESCE(MAX(id), 0) FROM audit", args![]).await?;
        let newest = row.map_or(Ok(0), |row| row.int(0))?;
        if newest > page.after {
            tx.await_writers_of_audit().await?;
        }
        Ok(newest)
    })
}

fn page_of<'t>(
    tx: &'t mut Tx<'_>,
    (page, newest): &'t (AuditPage, i64),
) -> BoxFuture<'t, Result<Vec<AuditRecord>, Error>> {
    Box::pin(async move {
        let AuditPage { since, after, limit } = *page;
        // What is much older is not read only to be passed over.
        let sql = "SELECT id FROM audit WHERE at < $1 ORDER BY at DESC, id DESC LIMIT 1";
        let older = tx.row(sql, args![since.before(DISORDER)]).await?;
        let older = older.map(|row| row.int(0)).transpose()?.unwrap_or(0);
        let sql = "SELECT id, at, action, outcome, identity_id, user_name, access_key, address, request_id,
                       repository, digest, tags, subject, detail, times
                   FROM audit WHERE id > $1 AND id <= $4 AND at >= $2 ORDER BY id LIMIT $3";
        let rows = tx.rows(sql, args![after.max(older), since, limit, *newest]).await?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    })
}

/// How much of the audit is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trim {
    /// What is older goes.
    pub(crate) since: Timestamp,
    /// What is more goes, the oldest first.
    pub(crate) most: u64,
    /// How many records are looked at.
    pub(crate) step: u64,
}

/// Takes the oldest records away as far as they are too old or too many; gives how many.
pub(crate) fn trim<'t>(tx: &'t mut Tx<'_>, trim: &'t Trim) -> BoxFuture<'t, Result<u64, Error>> {
    Box::pin(async move {
        let sql = "DELETE FROM audit
                   WHERE id IN (SELECT id FROM audit WHERE id < (SELECT MAX(id) FROM audit)
                                ORDER BY id LIMIT $3)
                     AND (at < $1 OR id <= (SELECT MAX(id) FROM audit) - $2)
                   RETURNING id";
        let gone = tx.rows(sql, args![trim.since, trim.most, trim.step]).await?;
        Ok(gone.len() as u64)
    })
}
