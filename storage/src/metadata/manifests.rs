//! Manifests and the edges from them: to blobs, to children, to a subject.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_oci::{Content, Descriptor, Digest, Manifest, Reference, RepositoryName, Tag};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::audit::{Deed, note};
use super::reviews::{self, Cause, Delays};
use super::tags::{self, Tagging};
use super::{Change, Tx, args, repositories};
use crate::error::{Error, Fault};
use crate::registry::pulls::{LastPull, Pull};
use crate::registry::{Creation, Sparse, StoredManifest};
use crate::{Actor, Timestamp};

/// The manifest that `reference` names, if it lives.
pub(crate) fn find<'t>(
    tx: &'t mut Tx<'_>,
    (name, reference): &'t (RepositoryName, Reference),
) -> BoxFuture<'t, Result<Option<StoredManifest>, Error>> {
    Box::pin(async move {
        let row = match reference {
            Reference::Digest(digest) => {
                let sql =
                    "SELECT manifests.digest, manifests.media_type, manifests.content, reviews.review_after,
                            manifests.pulled_at
                           FROM repositories
                           JOIN manifests ON manifests.repository_id = repositories.id
                           LEFT JOIN reviews ON reviews.repository_id = repositories.id AND reviews.kind = 0
                                            AND reviews.digest = manifests.digest
                           WHERE repositories.name = $1 AND repositories.deleted_at IS NULL
                             AND manifests.digest = $2 AND manifests.deleted_at IS NULL";
                tx.row(sql, args![name, digest]).await?
            }
            Reference::Tag(tag) => {
                let sql = "SELECT manifests.digest, manifests.media_type, manifests.content, NULL,
                                  manifests.pulled_at
                           FROM repositories
                           JOIN tags ON tags.repository_id = repositories.id
                           JOIN manifests ON manifests.repository_id = repositories.id
                                         AND manifests.digest = tags.digest
                           WHERE repositories.name = $1 AND repositories.deleted_at IS NULL
                             AND tags.name = $2 AND manifests.deleted_at IS NULL";
                tx.row(sql, args![name, tag]).await?
            }
        };
        let Some(row) = row else { return Ok(None) };
        let (digest, media_type) = (row.parsed(0)?, row.parsed(1)?);
        let review_after = row.int_or_null(3)?.map(Timestamp);
        let last_pull = LastPull::new(row.int_or_null(4)?.map(Timestamp));
        Ok(Some(StoredManifest { digest, media_type, content: row.bytes(2)?, review_after, last_pull }))
    })
}

/// Writes down when manifests were pulled, as far as they are still there.
pub(crate) fn pulled<'t>(tx: &'t mut Tx<'_>, pulls: &'t Vec<Pull>) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "UPDATE manifests SET pulled_at = $3
                   WHERE repository_id = (SELECT id FROM repositories WHERE name = $1 AND deleted_at IS NULL)
                     AND digest = $2 AND (pulled_at IS NULL OR pulled_at < $3)";
        for Pull { repository, digest, at } in pulls {
            tx.run(sql, args![repository, digest, *at]).await?;
        }
        Ok(())
    })
}

/// A manifest that is pushed.
#[derive(Debug)]
pub(crate) struct PutManifest {
    pub(crate) name: RepositoryName,
    pub(crate) digest: Digest,
    pub(crate) tags: Vec<Tag>,
    pub(crate) content: Bytes,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) sparse: Sparse,
    pub(crate) creation: Creation,
    pub(crate) actor: Actor,
    pub(crate) now: Timestamp,
    pub(crate) delays: Delays,
}

/// Keeps the manifest with its edges and tags.
pub(crate) fn put<'t>(tx: &'t mut Tx<'_>, put: &'t PutManifest) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let PutManifest { name, digest, tags, manifest, actor, now, delays, .. } = put;
        let repository = repositories::get_or_create(tx, name, put.creation, actor, *now).await?;
        let sql = "SELECT media_type, deleted_at FROM manifests WHERE repository_id = $1 AND digest = $2";
        let before = tx.row(sql, args![&repository, digest]).await?;
        let here = match &before {
            Some(row) => row.text(0)? == manifest.media_type.as_str() && row.int_or_null(1)?.is_none(),
            None => false,
        };
        if here {
            // Retention goes by the last push, so that an old image under a new tag is a new one.
            let sql = "UPDATE manifests SET pushed_at = $3 WHERE repository_id = $1 AND digest = $2";
            tx.run(sql, args![&repository, digest, *now]).await?;
        } else {
            insert(tx, &repository, put).await?;
            tx.changed(Change::Reference(name.clone(), digest.as_str().to_owned()));
        }
        if !here && before.is_some() {
            // It was here as another type, which its tags lead to no more.
            for tag in tags::all_of(tx, &repository, digest).await? {
                tx.changed(Change::Reference(name.clone(), tag.as_str().to_owned()));
            }
        }
        let tagging = Tagging { name, repository: &repository, digest, actor, now: *now, delays: *delays };
        let mut moved = Vec::new();
        for tag in tags {
            if let Some(before) = tags::set(tx, tag, &tagging).await? {
                moved.push(format!("{tag} was {before}"));
            }
        }
        if tags.is_empty() {
            stay_untagged(tx, &repository, put).await?;
        }
        let detail = (!moved.is_empty()).then(|| moved.join(", "));
        let (repository, digest) = (Some(name), Some(digest));
        let deed = Deed { action: "manifest.put", repository, digest, tags, detail, ..Deed::default() };
        Ok(note(tx, actor, *now, deed).await?)
    })
}

/// A manifest that was pushed without a tag is kept for a while from now on, if it has none.
async fn stay_untagged(tx: &mut Tx<'_>, repository: &str, put: &PutManifest) -> Result<(), Fault> {
    let sql = "UPDATE manifests SET untagged_at = $3
               WHERE repository_id = $1 AND digest = $2 AND untagged_at IS NOT NULL RETURNING digest";
    if tx.row(sql, args![repository, &put.digest, put.now]).await?.is_none() {
        return Ok(());
    }
    tx.changed(Change::Reference(put.name.clone(), put.digest.as_str().to_owned()));
    reviews::untagged(tx, repository, &put.digest, put.now, put.delays).await
}

async fn insert(tx: &mut Tx<'_>, repository: &str, put: &PutManifest) -> Result<(), Error> {
    let PutManifest { digest, content, manifest, actor, now, .. } = put;
    let annotations = match &manifest.annotations {
        none if none.is_empty() => None,
        some => Some(serde_json::to_string(some).map_err(|error| Fault::new("keeping annotations", error))?),
    };
    let subject = manifest.subject.as_ref().map(|subject| &subject.digest);
    let sql = "INSERT INTO manifests (repository_id, digest, media_type, artifact_type, annotations, subject,
                   size, pushed_at, pushed_by, untagged_at, content)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $10)
               ON CONFLICT (repository_id, digest) DO UPDATE SET
                   media_type = excluded.media_type, artifact_type = excluded.artifact_type,
                   pushed_at = excluded.pushed_at, pushed_by = excluded.pushed_by,
                   untagged_at = excluded.untagged_at, deleted_at = NULL";
    let artifact_type = manifest.artifact_type.as_deref();
    let size = content.len() as u64;
    let by = actor.identity.as_deref();
    let args = args![
        repository,
        digest,
        &manifest.media_type,
        artifact_type,
        annotations.as_ref(),
        subject,
        size,
        *now,
        by,
        content.clone()
    ];
    tx.run(sql, args).await?;
    match &manifest.content {
        Content::Blobs { config, layers } => {
            for blob in unique(config.iter().chain(layers)) {
                link_blob(tx, repository, put, blob).await?;
            }
        }
        Content::Children(children) => {
            for child in unique(children) {
                link_child(tx, repository, put, child).await?;
            }
        }
    }
    fill_in(tx, repository, digest, subject).await?;
    Ok(())
}

/// Each digest once: an image may name the same layer twice.
fn unique<'a>(descriptors: impl IntoIterator<Item = &'a Descriptor>) -> impl Iterator<Item = &'a Descriptor> {
    let by_digest: BTreeMap<_, _> = descriptors.into_iter().map(|item| (&item.digest, item)).collect();
    by_digest.into_values()
}

async fn link_blob(
    tx: &mut Tx<'_>,
    repository: &str,
    put: &PutManifest,
    blob: &Descriptor,
) -> Result<(), Error> {
    let sql = "INSERT INTO manifest_blobs (repository_id, manifest, wanted, blob)
               VALUES ($1, $2, $3, (SELECT digest FROM repository_blobs WHERE repository_id = $1 AND digest = $3))
               ON CONFLICT (repository_id, manifest, wanted) DO UPDATE SET blob = excluded.blob
               RETURNING blob";
    let row = tx.row(sql, args![repository, &put.digest, &blob.digest]).await?;
    let absent = row.is_none_or(|row| !matches!(row.text_or_null(0), Ok(Some(_))));
    if absent && put.sparse == Sparse::Refused && !blob.is_foreign() {
        return Err(Error::ManifestBlobUnknown(blob.digest.clone()));
    }
    Ok(())
}

/// A child is looked for among the repository's manifests, then among its blobs (BuildKit's older
/// cache export), and may be absent only where sparse indexes are allowed.
async fn link_child(
    tx: &mut Tx<'_>,
    repository: &str,
    put: &PutManifest,
    child: &Descriptor,
) -> Result<(), Error> {
    let sql = "SELECT 1 FROM manifests WHERE repository_id = $1 AND digest = $2 AND deleted_at IS NULL";
    let is_manifest = tx.row(sql, args![repository, &child.digest]).await?.is_some();
    if !is_manifest {
        let sql = "SELECT 1 FROM repository_blobs WHERE repository_id = $1 AND digest = $2";
        if tx.row(sql, args![repository, &child.digest]).await?.is_some() {
            return link_blob(tx, repository, put, child).await;
        }
        if put.sparse == Sparse::Refused && !child.is_foreign() {
            return Err(Error::ManifestBlobUnknown(child.digest.clone()));
        }
    }
    let sql = "INSERT INTO manifest_children (repository_id, manifest, wanted, child) VALUES ($1, $2, $3, $4)
               ON CONFLICT (repository_id, manifest, wanted) DO UPDATE SET child = excluded.child";
    let reference = is_manifest.then_some(&child.digest);
    tx.run(sql, args![repository, &put.digest, &child.digest, reference]).await?;
    Ok(())
}

/// Fills in the edges that waited for this manifest, and its own edge to a subject that is here.
async fn fill_in(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    subject: Option<&Digest>,
) -> Result<(), Fault> {
    if let Some(subject) = subject {
        let sql = "UPDATE manifests SET subject_ref =
                       (SELECT digest FROM manifests WHERE repository_id = $1 AND digest = $3)
                   WHERE repository_id = $1 AND digest = $2";
        tx.run(sql, args![repository, digest, subject]).await?;
    }
    let sql = "UPDATE manifests SET subject_ref = $2
               WHERE repository_id = $1 AND subject = $2 AND subject_ref IS NULL";
    tx.run(sql, args![repository, digest]).await?;
    let sql = "UPDATE manifest_children SET child = $2
               WHERE repository_id = $1 AND wanted = $2 AND child IS NULL";
    tx.run(sql, args![repository, digest]).await
}

/// A manifest that is to go.
#[derive(Debug)]
pub(crate) struct DeleteManifest {
    pub(crate) name: RepositoryName,
    pub(crate) digest: Digest,
    pub(crate) actor: Actor,
    pub(crate) now: Timestamp,
    pub(crate) delays: Delays,
}

/// Hides the manifest at once, with every tag on it; whether it was there. Its row and edges stay
/// until they are collected.
pub(crate) fn delete<'t>(
    tx: &'t mut Tx<'_>,
    delete: &'t DeleteManifest,
) -> BoxFuture<'t, Result<bool, Error>> {
    Box::pin(async move {
        let DeleteManifest { name, digest, actor, now, delays } = delete;
        let Some(repository) = repositories::find(tx, name).await? else { return Ok(false) };
        let sql = "UPDATE manifests SET deleted_at = $3
                   WHERE repository_id = $1 AND digest = $2 AND deleted_at IS NULL RETURNING digest";
        if tx.row(sql, args![&repository, digest, *now]).await?.is_none() {
            return Ok(false);
        }
        let tagging = Tagging { name, repository: &repository, digest, actor, now: *now, delays: *delays };
        let tags = tags::delete_all_of(tx, &tagging).await?;
        // What it holds has as long as itself: until then it may come back whole.
        let until = now.after(delays.unreferenced);
        reviews::manifest(tx, &repository, digest, Cause::Orphaned, until).await?;
        for around in reviews::all_around(tx, &repository, digest, until).await? {
            tx.changed(Change::Reference(name.clone(), around.as_str().to_owned()));
        }
        tx.changed(Change::Reference(name.clone(), digest.as_str().to_owned()));
        let (repository, digest) = (Some(name), Some(digest));
        let deed = Deed { action: "manifest.delete", repository, digest, tags: &tags, ..Deed::default() };
        note(tx, actor, *now, deed).await?;
        Ok(true)
    })
}
