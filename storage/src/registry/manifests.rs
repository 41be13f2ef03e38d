//! Manifests, tags, referrers and the catalog.

use std::sync::Arc;

use berth_oci::{Content, Descriptor, Digest, Manifest, Reference, RepositoryName, Tag};
use bytes::Bytes;

use super::{Creation, Registry, Sparse, StoredManifest};
use crate::crash::crash_point;
use crate::error::Error;
use crate::metadata::manifests::{self, DeleteManifest, PutManifest};
use crate::metadata::referrers::{self, ReferrersOf};
use crate::metadata::repositories;
use crate::metadata::reviews::Kind;
use crate::metadata::tags::{self, DeleteTag};
use crate::{Actor, BlobStore, Page};

/// A manifest that is pushed.
#[derive(Debug, Clone)]
pub struct PushedManifest {
    /// Where to.
    pub repository: RepositoryName,
    /// The digest of `content`, by the algorithm that the client uses.
    pub digest: Digest,
    /// The tags that are to name it.
    pub tags: Vec<Tag>,
    /// The pushed bytes.
    pub content: Bytes,
    /// What they say.
    pub manifest: Arc<Manifest>,
    /// Whether it may name what is not here.
    pub sparse: Sparse,
    /// Whether the repository may be made.
    pub creation: Creation,
}

impl<B: BlobStore> Registry<B> {
    /// The manifest that `reference` names, if it is there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Arc<StoredManifest>>, Error> {
        let Some(cache) = &self.shared.cache else {
            let asked = (repository.clone(), reference.clone());
            let Some(found) = self.metadata().read(asked, manifests::find).await? else { return Ok(None) };
            return self.promised(repository, Arc::new(found)).await;
        };
        let cached = cache.get(repository, reference);
        self.shared.telemetry.cache("manifests", cached.is_some());
        if let Some(found) = cached {
            return self.promised(repository, found).await;
        }
        let stamp = cache.stamp(repository);
        let asked = (repository.clone(), reference.clone());
        let Some(found) = self.metadata().read(asked, manifests::find).await? else { return Ok(None) };
        let found = Arc::new(found);
        cache.keep(&stamp, repository, reference, &found);
        self.promised(repository, found).await
    }

    /// Makes sure that a manifest which a client is told of does not go soon; none when it just went.
    async fn promised(
        &self,
        repository: &RepositoryName,
        found: Arc<StoredManifest>,
    ) -> Result<Option<Arc<StoredManifest>>, Error> {
        let kept = self.keep_longer(repository, Kind::Manifest, &found.digest, found.review_after).await?;
        Ok(kept.then_some(found))
    }

    /// Keeps a manifest with its tags, all together or not at all.
    ///
    /// # Errors
    /// [`Error::ManifestBlobUnknown`] when it names something that isn't here;
    /// [`Error::RepositoryUnknown`] when the repository may not be made.
    pub async fn put_manifest(&self, pushed: PushedManifest, actor: &Actor) -> Result<(), Error> {
        let PushedManifest { repository, digest, tags, content, manifest, sparse, creation } = pushed;
        let (actor, now) = (actor.clone(), self.now());
        let put = PutManifest {
            name: repository,
            digest,
            tags,
            content,
            manifest,
            sparse,
            creation,
            actor,
            now,
            delays: self.shared.delays,
        };
        self.metadata().write(put, manifests::put).await?;
        crash_point("manifest.put");
        Ok(())
    }

    /// Deletes a tag alone, or a manifest with every tag on it.
    ///
    /// # Errors
    /// [`Error::ManifestUnknown`] when it isn't there.
    pub async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        actor: &Actor,
    ) -> Result<(), Error> {
        let (name, actor, now, delays) = (repository.clone(), actor.clone(), self.now(), self.shared.delays);
        let deleted = match reference.clone() {
            Reference::Tag(tag) => {
                self.metadata().write(DeleteTag { name, tag, actor, now, delays }, tags::delete).await?
            }
            Reference::Digest(digest) => {
                self.metadata()
                    .write(DeleteManifest { name, digest, actor, now, delays }, manifests::delete)
                    .await?
            }
        };
        crash_point("manifest.deleted");
        if deleted { Ok(()) } else { Err(Error::ManifestUnknown(reference.clone())) }
    }

    /// The tags of a repository after `last`, in ASCII order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`] when there is no such repository.
    pub async fn tags(
        &self,
        repository: &RepositoryName,
        last: &str,
        limit: u64,
    ) -> Result<Page<Tag>, Error> {
        let asked = (repository.clone(), last.to_owned(), limit.saturating_add(1));
        let tags = self.metadata().scan(asked, tags::page).await?;
        let tags = tags.ok_or_else(|| Error::RepositoryUnknown(repository.clone()))?;
        Ok(Page::cut(tags, limit))
    }

    /// The repositories after `last`, in order, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repositories(&self, last: &str, limit: u64) -> Result<Page<RepositoryName>, Error> {
        let asked = (last.to_owned(), limit.saturating_add(1));
        Ok(Page::cut(self.metadata().scan(asked, repositories::page).await?, limit))
    }

    /// What names `subject` as its subject (distribution-spec, *Listing Referrers*), after the
    /// digest `last`, at most `limit`; only of `artifact_type` when one is given. What clients
    /// listed under the fallback tag before this API existed is included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: &str,
        limit: u64,
    ) -> Result<Page<Descriptor>, Error> {
        let asked = ReferrersOf {
            name: repository.clone(),
            subject: subject.clone(),
            artifact_type: artifact_type.map(str::to_owned),
            last: last.to_owned(),
            limit: limit.saturating_add(1),
        };
        let found = self.metadata().scan(asked, referrers::page).await?;
        let mut found: Vec<Descriptor> = found.into_iter().map(Descriptor::from).collect();
        let fallback = self.fallback_referrers(repository, subject).await?;
        found.extend(fallback.into_iter().filter(|descriptor| {
            descriptor.digest.as_str() > last
                && artifact_type.is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted))
        }));
        found.sort_by(|a, b| a.digest.cmp(&b.digest));
        found.dedup_by(|later, first| later.digest == first.digest);
        Ok(Page::cut(found, limit))
    }

    async fn fallback_referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        let Ok(tag) = subject.fallback_tag().parse::<Tag>() else { return Ok(Vec::new()) };
        let Some(stored) = self.manifest(repository, &Reference::Tag(tag)).await? else {
            return Ok(Vec::new());
        };
        let manifest = Manifest::parse(Some(stored.media_type.as_str()), &stored.content);
        let Ok(Manifest { content: Content::Children(children), .. }) = manifest else {
            return Ok(Vec::new());
        };
        let mut here = Vec::with_capacity(children.len());
        for child in children {
            let reference = Reference::Digest(child.digest.clone());
            if self.manifest(repository, &reference).await?.is_some() {
                here.push(child);
            }
        }
        Ok(here)
    }
}
