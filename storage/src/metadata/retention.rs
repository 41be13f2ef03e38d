//! Retention: the rules as text that the store never interprets, the images they look at, and the end
//! of those they chose.

use std::time::Duration;

use berth_oci::{Digest, RepositoryName, Tag};
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::collect::is_held;
use super::manifests::DeleteManifest;
use super::records::Records;
use super::reviews::Delays;
use super::tags::{self, DeleteTag};
use super::{Change, Row, Tx, args, manifests, repositories};
use crate::error::{Error, Fault};
use crate::page::Page;
use crate::{Actor, By, Timestamp};

/// Rules, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRecord {
    /// A repository's name, a prefix that ends in a slash, or `*` for all.
    pub scope: String,
    /// The document, as it was given.
    pub document: String,
}

/// An image that rules may choose: no referrer, and no child of an index unless it has a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRecord {
    /// Its manifest.
    pub digest: Digest,
    /// When it was last pushed.
    pub pushed_at: Timestamp,
    /// When it was last pulled, as far as that is written down.
    pub pulled_at: Option<Timestamp>,
    /// Its tags, in order.
    pub tags: Vec<Tag>,
}

/// An image of which something is to go.
#[derive(Debug, Clone)]
pub struct Expire {
    /// Where it is.
    pub repository: RepositoryName,
    /// As it was when a rule chose it: if it was pushed again since, it stays.
    pub image: ImageRecord,
    /// The tags that go; once the image has none left, it goes too.
    pub tags: Vec<Tag>,
    /// What chose it, for the audit.
    pub because: String,
}

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Tags.
    pub tags: u64,
    /// Images.
    pub images: u64,
}

impl std::ops::AddAssign for Expired {
    fn add_assign(&mut self, other: Self) {
        self.tags += other.tags;
        self.images += other.images;
    }
}

/// For how long a repository keeps manifests that have no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepUntagged {
    /// As the server is configured.
    AsConfigured,
    /// For ever.
    Forever,
    /// For so long.
    For(Duration),
}

impl Records {
    /// All rules, in order of scope.
    ///
    /// # Errors
    /// When the database fails, as everywhere here.
    pub async fn retentions(&self) -> Result<Vec<RetentionRecord>, Error> {
        self.metadata().scan((), all).await
    }

    /// Keeps rules, in place of those of the same scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_retention(&self, record: RetentionRecord, by: By) -> Result<(), Error> {
        self.metadata().write((record, by), put).await
    }

    /// Takes rules away.
    ///
    /// # Errors
    /// [`Error::Missing`] when there are none of this scope.
    pub async fn remove_retention(&self, scope: String, by: By) -> Result<(), Error> {
        self.metadata().write((scope, by), remove).await
    }

    /// The images of a repository that were pushed before `before` (none: all), the last pushed first,
    /// at most `limit`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when it isn't there.
    pub async fn images(
        &self,
        name: RepositoryName,
        before: Option<(Timestamp, Digest)>,
        limit: u64,
    ) -> Result<Page<ImageRecord>, Error> {
        let found = self.metadata().scan((name, before, limit.saturating_add(1)), images).await?;
        Ok(Page::cut(found, limit))
    }

    /// Ends tags of an image, and the image itself if none is left and nothing else holds it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire(&self, expire: Expire, at: Timestamp) -> Result<Expired, Error> {
        self.metadata().write((expire, at, self.delays()), expire_one).await
    }

    /// Sets how long a repository keeps manifests that have no tag, those it has included.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when it isn't there.
    pub async fn keep_untagged(&self, name: RepositoryName, keep: KeepUntagged, by: By) -> Result<(), Error> {
        self.metadata().write((name, keep, by, self.delays()), keep_untagged).await
    }
}

fn all<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<Vec<RetentionRecord>, Error>> {
    Box::pin(async move {
        let rows = tx.rows("SELECT scope, document FROM retention ORDER BY scope", args![]).await?;
        let read = |row: &Row| {
            Ok(RetentionRecord { scope: row.text(0)?.to_owned(), document: row.text(1)?.to_owned() })
        };
        Ok(rows.iter().map(read).collect::<Result<_, Fault>>()?)
    })
}

fn put<'t>(tx: &'t mut Tx<'_>, (record, by): &'t (RetentionRecord, By)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO retention (scope, document) VALUES ($1, $2)
                   ON CONFLICT (scope) DO UPDATE SET document = excluded.document";
        tx.run(sql, args![&record.scope, &record.document]).await?;
        let deed = Deed { action: "retention.put", subject: Some(&record.scope), ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

fn remove<'t>(tx: &'t mut Tx<'_>, (scope, by): &'t (String, By)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let gone = tx.row("DELETE FROM retention WHERE scope = $1 RETURNING scope", args![scope]).await?;
        gone.ok_or_else(|| Error::Missing(format!("a retention policy of {scope}")))?;
        let deed = Deed { action: "retention.rm", subject: Some(scope), ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}

/// A removed repository's own rules don't wait for the next one of its name.
pub(super) async fn forget(tx: &mut Tx<'_>, name: &RepositoryName) -> Result<(), Fault> {
    tx.run("DELETE FROM retention WHERE scope = $1", args![name]).await
}

type Asked = (RepositoryName, Option<(Timestamp, Digest)>, u64);

fn images<'t>(
    tx: &'t mut Tx<'_>,
    (name, before, limit): &'t Asked,
) -> BoxFuture<'t, Result<Vec<ImageRecord>, Error>> {
    Box::pin(async move {
        let repository = repositories::get(tx, name).await?;
        let (pushed_at, digest) = match before {
            Some((pushed_at, digest)) => (*pushed_at, digest.as_str()),
            None => (Timestamp(i64::MAX), ""),
        };
        let sql = "SELECT digest, pushed_at, pulled_at FROM manifests
                   WHERE repository_id = $1 AND (pushed_at, digest) < ($2, $3) AND deleted_at IS NULL
                     AND NOT EXISTS (SELECT 1 FROM manifests AS subjects
                                     WHERE subjects.repository_id = $1
                                       AND subjects.digest = manifests.subject_ref
                                       AND subjects.deleted_at IS NULL)
                     AND (EXISTS (SELECT 1 FROM tags WHERE tags.repository_id = $1
                                                       AND tags.digest = manifests.digest)
                          OR NOT EXISTS (SELECT 1 FROM manifest_children
                                         JOIN manifests AS parents
                                           ON parents.repository_id = manifest_children.repository_id
                                          AND parents.digest = manifest_children.manifest
                                         WHERE manifest_children.repository_id = $1
                                           AND manifest_children.child = manifests.digest
                                           AND parents.deleted_at IS NULL))
                   ORDER BY pushed_at DESC, digest DESC LIMIT $4";
        let mut found = Vec::new();
        for row in tx.rows(sql, args![&repository, pushed_at, digest, *limit]).await? {
            let digest: Digest = row.parsed(0)?;
            let mut tags = tags::all_of(tx, &repository, &digest).await?;
            tags.sort();
            let (pushed_at, pulled_at) = (Timestamp(row.int(1)?), row.int_or_null(2)?.map(Timestamp));
            found.push(ImageRecord { digest, pushed_at, pulled_at, tags });
        }
        Ok(found)
    })
}

fn expire_one<'t>(
    tx: &'t mut Tx<'_>,
    (expire, now, delays): &'t (Expire, Timestamp, Delays),
) -> BoxFuture<'t, Result<Expired, Error>> {
    Box::pin(async move {
        let Expire { repository: name, image, tags, because } = expire;
        let Some(repository) = repositories::find(tx, name).await? else { return Ok(Expired::default()) };
        let sql = "SELECT 1 FROM manifests
                   WHERE repository_id = $1 AND digest = $2 AND pushed_at = $3 AND deleted_at IS NULL";
        if tx.row(sql, args![&repository, &image.digest, image.pushed_at]).await?.is_none() {
            return Ok(Expired::default());
        }
        let actor = Actor { user: Some(because.as_str().into()), ..Actor::default() };
        let mut expired = Expired::default();
        for tag in tags {
            let sql = "SELECT 1 FROM tags WHERE repository_id = $1 AND name = $2 AND digest = $3";
            if tx.row(sql, args![&repository, tag, &image.digest]).await?.is_none() {
                continue;
            }
            let (name, tag, actor) = (name.clone(), tag.clone(), actor.clone());
            tags::delete(tx, &DeleteTag { name, tag, actor, now: *now, delays: *delays }).await?;
            expired.tags += 1;
        }
        if !is_held(tx, &repository, &image.digest).await? {
            let (name, digest) = (name.clone(), image.digest.clone());
            manifests::delete(tx, &DeleteManifest { name, digest, actor, now: *now, delays: *delays })
                .await?;
            expired.images += 1;
        }
        Ok(expired)
    })
}

fn keep_untagged<'t>(
    tx: &'t mut Tx<'_>,
    (name, keep, by, delays): &'t (RepositoryName, KeepUntagged, By, Delays),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let repository = repositories::get(tx, name).await?;
        let micros = |kept: Duration| i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
        let (own, kept) = match keep {
            KeepUntagged::AsConfigured => (None, delays.untagged),
            KeepUntagged::Forever => (Some(-1), None),
            KeepUntagged::For(kept) => (Some(micros(*kept)), Some(*kept)),
        };
        let sql = "UPDATE repositories SET untagged_after = $2 WHERE id = $1";
        tx.run(sql, args![&repository, own]).await?;
        if let Some(kept) = kept {
            // What has no tag already may have had another date, or none.
            let sql = "INSERT INTO reviews (repository_id, kind, digest, cause, review_after)
                       SELECT repository_id, 0, digest, 'untagged', untagged_at + $2 FROM manifests
                       WHERE repository_id = $1 AND untagged_at IS NOT NULL AND deleted_at IS NULL
                       ON CONFLICT (repository_id, kind, digest)
                       DO UPDATE SET review_after = excluded.review_after WHERE reviews.cause = 'untagged'";
            tx.run(sql, args![&repository, micros(kept)]).await?;
        }
        tx.changed(Change::Repository(name.clone()));
        let detail = Some(match keep {
            KeepUntagged::AsConfigured => "untagged manifests as configured".to_owned(),
            KeepUntagged::Forever => "untagged manifests for ever".to_owned(),
            KeepUntagged::For(kept) => format!("untagged manifests for {} s", kept.as_secs()),
        });
        let deed = Deed { action: "repo.untagged", repository: Some(name), detail, ..Deed::default() };
        Ok(note(tx, &by.actor, by.at, deed).await?)
    })
}
