//! Clients: what they do, and what they make of the answers.

use std::sync::Arc;
use std::time::Duration;

use berth_oci::{Digest, Reference};
use berth_storage::testing::simulation::{MemoryBlobStore, is_made_up};
use berth_storage::testing::{TestClock, chunk, digest_of};
use berth_storage::{Actor, By, Creation, Error, Expire, Images, Registry};
use parking_lot::Mutex;

use crate::content::{BLOBS, MANIFESTS, REPOSITORIES, TAGS, manifest, repository, tag};
use crate::expectations::{Expectations, Fact, Known, Promised, all_of};

/// How long what nobody needs is kept.
pub(crate) const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Something that a client does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    Push { repository: usize, manifest: usize, tag: Option<usize> },
    PushBlob { repository: usize, blob: usize },
    Mount { from: usize, to: usize, blob: usize },
    DeleteTag { repository: usize, tag: usize },
    DeleteManifest { repository: usize, manifest: usize },
    DeleteBlob { repository: usize, blob: usize },
    Undelete { repository: usize, manifest: usize },
    Expire { repository: usize, image: usize },
    RemoveRepository { repository: usize },
    UndeleteRepository { repository: usize },
    LeaveUpload { repository: usize },
    Sweep,
}

pub(crate) fn any_deed(random: &mut fastrand::Rng) -> Deed {
    let repository = random.usize(..REPOSITORIES.len());
    let (manifest, blob) = (random.usize(..MANIFESTS.len()), random.usize(..BLOBS.len()));
    let tag = random.usize(..TAGS.len());
    match random.u32(..100) {
        0..35 => Deed::Push { repository, manifest, tag: random.bool().then_some(tag) },
        35..40 => Deed::PushBlob { repository, blob },
        40..46 => Deed::Mount { from: random.usize(..REPOSITORIES.len()), to: repository, blob },
        46..54 => Deed::DeleteTag { repository, tag },
        54..64 => Deed::DeleteManifest { repository, manifest },
        64..69 => Deed::DeleteBlob { repository, blob },
        69..74 => Deed::Undelete { repository, manifest },
        74..77 => Deed::RemoveRepository { repository },
        77..80 => Deed::UndeleteRepository { repository },
        80..83 => Deed::LeaveUpload { repository },
        83..87 => Deed::Expire { repository, image: manifest },
        _ => Deed::Sweep,
    }
}

/// One client.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) registry: Registry<MemoryBlobStore>,
    pub(crate) clock: TestClock,
    pub(crate) expectations: Arc<Mutex<Expectations>>,
}

impl Client {
    pub(crate) async fn does(&self, deed: Deed) {
        match deed {
            Deed::Push { repository, manifest, tag } => self.push(repository, manifest, tag).await,
            Deed::PushBlob { repository, blob } => drop(self.push_blob(repository, blob).await),
            Deed::Mount { from, to, blob } => {
                let (from, to, digest) = (repository(from), repository(to), digest_of(BLOBS[blob]));
                allow(self.registry.mount(&to, &from, &digest, Creation::Allowed, &Actor::default()).await);
            }
            Deed::DeleteTag { repository: number, tag: name } => {
                let change = self.expectations.lock().begin(&[Fact::Tag(number, name)]);
                let reference = Reference::Tag(tag(name));
                let result =
                    self.registry.delete_manifest(&repository(number), &reference, &Actor::default()).await;
                let known = match &result {
                    Ok(()) | Err(Error::ManifestUnknown(_)) => Known::IsNot,
                    Err(_) => Known::Nothing,
                };
                self.expectations.lock().end(&change, |_| known);
                allow(result);
            }
            Deed::DeleteManifest { repository, manifest } => self.delete_manifest(repository, manifest).await,
            Deed::DeleteBlob { repository: number, blob } => {
                self.expectations.lock().deletion_begins(number);
                let digest = digest_of(BLOBS[blob]);
                let result = self.registry.delete_blob(&repository(number), &digest, &Actor::default()).await;
                self.expectations.lock().deletion_ends(number);
                allow(result);
            }
            Deed::Undelete { repository: number, manifest: which } => {
                let change = self.expectations.lock().begin(&all_of(number));
                let reference = Reference::Digest(manifest(which).image.digest());
                let result = self.registry.records().undelete(repository(number), reference, self.by()).await;
                // A blob of it may have been deleted by itself meanwhile.
                allow(result.or_else(|error| match error {
                    Error::ManifestBlobUnknown(digest) => Ok(digest),
                    other => Err(other),
                }));
                self.expectations.lock().end(&change, |_| Known::Nothing);
            }
            Deed::Expire { repository, image } => self.expire(repository, image).await,
            Deed::RemoveRepository { repository: number } => {
                let change = self.expectations.lock().begin(&all_of(number));
                self.expectations.lock().deletion_begins(number);
                let records = self.registry.records();
                let result = records.remove_repository(repository(number), Images::Removed, self.by()).await;
                self.expectations.lock().deletion_ends(number);
                let known = if result.is_ok() { Known::IsNot } else { Known::Nothing };
                self.expectations.lock().end(&change, |_| known);
                allow(result);
            }
            Deed::UndeleteRepository { repository: number } => {
                let change = self.expectations.lock().begin(&all_of(number));
                allow(self.registry.records().undelete_repository(repository(number), self.by()).await);
                self.expectations.lock().end(&change, |_| Known::Nothing);
            }
            Deed::LeaveUpload { repository: number } => {
                let (name, actor) = (repository(number), Actor::default());
                let begun = self.registry.begin_upload(&name, None, Creation::Allowed, &actor).await;
                if let Ok(id) = begun {
                    allow(self.registry.append_upload(&name, id, chunk(b"left")).await);
                }
            }
            Deed::Sweep => allow(self.registry.sweep().await),
        }
    }

    fn by(&self) -> By {
        By { actor: Actor::default(), at: self.clock.now() }
    }

    /// As a retention rule does that chose one tag of an image, or an image without any. Other tags stay.
    async fn expire(&self, number: usize, which: usize) {
        let records = self.registry.records();
        let Ok(images) = records.images(repository(number), None, 100).await else { return };
        let Some(image) = images.items.get(which % images.items.len().max(1)) else { return };
        let number_of = |digest: &Digest| MANIFESTS.iter().position(|known| known.image.digest() == *digest);
        let first = image.tags.first().and_then(|tag| TAGS.iter().position(|known| *known == tag.as_str()));
        let mut facts: Vec<Fact> = first.iter().map(|tag| Fact::Tag(number, *tag)).collect();
        facts.extend(number_of(&image.digest).map(|manifest| Fact::Manifest(number, manifest)));
        let change = self.expectations.lock().begin(&facts);
        self.expectations.lock().deletion_begins(number);
        let tags = image.tags.first().into_iter().cloned().collect();
        let because = "a rule".to_owned();
        let expire = Expire { repository: repository(number), image: image.clone(), tags, because };
        let result = records.expire(expire, self.clock.now()).await;
        self.expectations.lock().deletion_ends(number);
        let expired = result.as_ref().copied().unwrap_or_default();
        self.expectations.lock().end(&change, |fact| match fact {
            Fact::Tag(..) if expired.tags > 0 => Known::IsNot,
            Fact::Manifest(..) if expired.images > 0 => Known::IsNot,
            Fact::Manifest(..) | Fact::Tag(..) => Known::Nothing,
        });
        allow(result);
    }

    async fn delete_manifest(&self, number: usize, which: usize) {
        // Every tag on it goes, too.
        let mut facts: Vec<Fact> = (0..TAGS.len()).map(|tag| Fact::Tag(number, tag)).collect();
        facts.push(Fact::Manifest(number, which));
        let change = self.expectations.lock().begin(&facts);
        self.expectations.lock().deletion_begins(number);
        let reference = Reference::Digest(manifest(which).image.digest());
        let result = self.registry.delete_manifest(&repository(number), &reference, &Actor::default()).await;
        self.expectations.lock().deletion_ends(number);
        let gone = matches!(result, Ok(()) | Err(Error::ManifestUnknown(_)));
        self.expectations.lock().end(&change, |fact| match fact {
            Fact::Manifest(..) if gone => Known::IsNot,
            Fact::Manifest(..) | Fact::Tag(..) => Known::Nothing,
        });
        allow(result);
    }

    /// Pushes as docker does: what is there already isn't sent.
    async fn push(&self, number: usize, which: usize, tagged: Option<usize>) {
        let (began, deletions) = (self.clock.now(), self.expectations.lock().deletions(number));
        let alone = !self.expectations.lock().is_deleting(number);
        let Err(error) = self.push_all(number, which, tagged).await else { return };
        let unknown = matches!(error, Error::ManifestBlobUnknown(_));
        assert!(unknown || is_expected(&error), "a push: {error}");
        let in_time = self.clock.now() < began.after(WINDOW / 2);
        let undisturbed = alone && self.expectations.lock().deletions(number) == deletions;
        assert!(!(unknown && in_time && undisturbed), "a push lost what it was told is there: {error}");
    }

    async fn push_all(&self, number: usize, which: usize, tagged: Option<usize>) -> Result<(), Error> {
        let known = manifest(which);
        for &blob in known.blobs {
            let digest = digest_of(BLOBS[blob]);
            let (asked_at, time) = (self.expectations.lock().deletions(number), (self.clock.now(), WINDOW));
            let there = self.registry.blob_to_count_on(&repository(number), &digest).await?;
            if there.is_some() {
                self.expectations.lock().promise(number, Promised::Blob(blob), asked_at, time);
            } else {
                self.push_blob(number, blob).await?;
            }
        }
        for &child in known.children {
            let reference = Reference::Digest(manifest(child).image.digest());
            let (asked_at, time) = (self.expectations.lock().deletions(number), (self.clock.now(), WINDOW));
            if self.registry.manifest(&repository(number), &reference).await?.is_some() {
                self.expectations.lock().promise(number, Promised::Manifest(child), asked_at, time);
            } else {
                Box::pin(self.push_all(number, child, None)).await?;
            }
        }
        let mut facts = vec![Fact::Manifest(number, which)];
        facts.extend(tagged.map(|tag| Fact::Tag(number, tag)));
        let change = self.expectations.lock().begin(&facts);
        let now = self.clock.now();
        let tags: Vec<&str> = tagged.into_iter().map(|tag| TAGS[tag]).collect();
        let pushed = known.image.pushed(&repository(number), &tags);
        let result = self.registry.put_manifest(pushed, &Actor::default()).await;
        let heard = if result.is_ok() { Known::Is(which, now) } else { Known::Nothing };
        self.expectations.lock().end(&change, |_| heard);
        result
    }

    async fn push_blob(&self, number: usize, blob: usize) -> Result<(), Error> {
        let (name, actor) = (repository(number), Actor::default());
        let (bytes, digest): (_, Digest) = (BLOBS[blob], digest_of(BLOBS[blob]));
        let asked_at = self.expectations.lock().deletions(number);
        let id = self.registry.begin_upload(&name, None, Creation::Allowed, &actor).await?;
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        self.registry.append_upload(&name, id, chunk(first)).await?;
        // From when it asked: a long wait for its turn is none of the client's time.
        let time = (self.clock.now(), WINDOW);
        self.registry.finish_upload(&name, id, &digest, chunk(rest), Creation::Allowed, &actor).await?;
        self.expectations.lock().promise(number, Promised::Blob(blob), asked_at, time);
        Ok(())
    }
}

/// Fails unless it went well, was refused for a reason that others can have made, or failed on purpose.
fn allow<T>(result: Result<T, Error>) {
    if let Err(error) = result {
        assert!(is_expected(&error), "{error}");
    }
}

fn is_expected(error: &Error) -> bool {
    match error {
        Error::ManifestUnknown(_)
        | Error::BlobUnknown(_)
        | Error::BlobInUse { .. }
        | Error::UploadUnknown(_)
        | Error::UploadBusy
        | Error::RepositoryUnknown(_)
        | Error::Missing(_)
        | Error::Exists(_) => true,
        other => is_made_up(other),
    }
}
