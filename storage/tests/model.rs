//! Whatever is pushed, tagged, mounted and deleted in whatever order: what can be seen is what a
//! plain model in memory says, after every step and after opening the store again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use berth_oci::{Descriptor, Digest, Manifest, MediaType, Reference, RepositoryName, Tag};
use berth_storage::testing::{
    Image, OCI_EMPTY, TestClock, artifact, digest_of, image, index, options, push_blob, read_blob, rows,
};
use berth_storage::{Actor, BlobStore, BufferBudget, Creation, Error, LocalBlobStore, NoTelemetry, Registry};
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy};
use proptest::sample::select;
use proptest::{option, prop_oneof, proptest};

const REPOSITORIES: [&str; 2] = ["a/b", "a"];
const TAGS: [&str; 2] = ["latest", "V1"];
const BLOBS: [&[u8]; 4] = [b"zero", b"one", b"two", OCI_EMPTY];

/// A manifest of the small world that is played with.
struct Known {
    image: Image,
    /// The same bytes as docker's type, where they may be both.
    docker: Option<Image>,
    blobs: &'static [usize],
    children: &'static [usize],
    subject: Option<usize>,
}

static MANIFESTS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let of = |blobs: &'static [usize]| {
        let digests: Vec<Digest> = blobs.iter().map(|&blob| digest_of(BLOBS[blob])).collect();
        let image = image(&digests);
        let docker = Manifest::parse(Some(MediaType::DOCKER_MANIFEST.as_str()), &image.content).unwrap();
        let docker = Some(Image { content: image.content.clone(), manifest: Arc::new(docker) });
        Known { image, docker, blobs, children: &[], subject: None }
    };
    let mut known = vec![of(&[0]), of(&[1, 2]), of(&[0, 2])];
    let many = |known: &[Known], children: &'static [usize]| {
        let descriptors: Vec<Descriptor> =
            children.iter().map(|&child| known[child].image.descriptor()).collect();
        Known { image: index(&descriptors), docker: None, blobs: &[], children, subject: None }
    };
    known.push(many(&known, &[0, 1]));
    known.push(many(&known, &[3, 2]));
    for (subject, kind) in [(0, "a/b"), (0, "c/d"), (3, "a/b")] {
        let image = artifact(&known[subject].image.descriptor(), kind, kind);
        known.push(Known { image, docker: None, blobs: &[3], children: &[], subject: Some(subject) });
    }
    known
});

#[derive(Debug, Clone)]
enum Step {
    PushBlob { repository: usize, blob: usize },
    PushManifest { repository: usize, manifest: usize, tag: Option<usize>, as_docker: bool },
    PushAll { repository: usize, manifest: usize, tag: Option<usize> },
    DeleteTag { repository: usize, tag: usize },
    DeleteManifest { repository: usize, manifest: usize },
    DeleteBlob { repository: usize, blob: usize },
    Mount { source: usize, target: usize, blob: usize },
    Sweep,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let repository = || 0..REPOSITORIES.len();
    let blob = || 0..BLOBS.len();
    let manifest = || 0..MANIFESTS.len();
    let tag = || 0..TAGS.len();
    prop_oneof![
        2 => (repository(), blob()).prop_map(|(repository, blob)| Step::PushBlob { repository, blob }),
        4 => (repository(), manifest(), option::of(tag()), select(vec![false, true])).prop_map(
            |(repository, manifest, tag, as_docker)| Step::PushManifest { repository, manifest, tag, as_docker }
        ),
        5 => (repository(), manifest(), option::of(tag()))
            .prop_map(|(repository, manifest, tag)| Step::PushAll { repository, manifest, tag }),
        1 => (repository(), tag()).prop_map(|(repository, tag)| Step::DeleteTag { repository, tag }),
        2 => (repository(), manifest())
            .prop_map(|(repository, manifest)| Step::DeleteManifest { repository, manifest }),
        2 => (repository(), blob()).prop_map(|(repository, blob)| Step::DeleteBlob { repository, blob }),
        2 => (repository(), repository(), blob())
            .prop_map(|(source, target, blob)| Step::Mount { source, target, blob }),
        1 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

/// What one repository shows.
#[derive(Debug, Clone, Default)]
struct Shown {
    blobs: BTreeSet<usize>,
    manifests: BTreeMap<usize, MediaType>,
    tags: BTreeMap<&'static str, usize>,
}

type Model = BTreeMap<&'static str, Shown>;

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    NotThere,
    InUse,
    NamesWhatIsNotHere,
}

impl Outcome {
    fn of(result: Result<(), Error>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(Error::BlobUnknown(_) | Error::ManifestUnknown(_)) => Self::NotThere,
            Err(Error::BlobInUse { .. }) => Self::InUse,
            Err(Error::ManifestBlobUnknown(_)) => Self::NamesWhatIsNotHere,
            Err(other) => panic!("{other:?} is no outcome of any step"),
        }
    }
}

fn push_blob_in(model: &mut Model, repository: usize, blob: usize) -> Outcome {
    model.entry(REPOSITORIES[repository]).or_default().blobs.insert(blob);
    Outcome::Done
}

fn push_manifest_in(
    model: &mut Model,
    repository: usize,
    manifest: usize,
    media_type: &MediaType,
    tag: Option<usize>,
) -> Outcome {
    let known = &MANIFESTS[manifest];
    let nothing = Shown::default();
    let shown = model.get(REPOSITORIES[repository]).unwrap_or(&nothing);
    let is_here = shown.manifests.get(&manifest) == Some(media_type);
    let holds_all = known.blobs.iter().all(|blob| shown.blobs.contains(blob))
        && known.children.iter().all(|child| shown.manifests.contains_key(child));
    if !is_here && !holds_all {
        return Outcome::NamesWhatIsNotHere;
    }
    let shown = model.entry(REPOSITORIES[repository]).or_default();
    shown.manifests.insert(manifest, media_type.clone());
    if let Some(tag) = tag {
        shown.tags.insert(TAGS[tag], manifest);
    }
    Outcome::Done
}

/// Does the step to the model.
fn expect(model: &mut Model, step: &Step) -> Outcome {
    let there = |is: bool| if is { Outcome::Done } else { Outcome::NotThere };
    match *step {
        Step::PushBlob { repository, blob } => push_blob_in(model, repository, blob),
        Step::PushManifest { repository, manifest, tag, as_docker } => {
            let media_type = &pushed_as(manifest, as_docker).manifest.media_type;
            push_manifest_in(model, repository, manifest, media_type, tag)
        }
        Step::PushAll { repository, manifest, tag } => {
            for part in parts_of(manifest) {
                for &blob in MANIFESTS[part].blobs {
                    push_blob_in(model, repository, blob);
                }
                let media_type = &MANIFESTS[part].image.manifest.media_type;
                push_manifest_in(model, repository, part, media_type, tag.filter(|_| part == manifest));
            }
            Outcome::Done
        }
        Step::DeleteTag { repository, tag } => {
            let shown = model.get_mut(REPOSITORIES[repository]);
            there(shown.is_some_and(|shown| shown.tags.remove(TAGS[tag]).is_some()))
        }
        Step::DeleteManifest { repository, manifest } => {
            let Some(shown) = model.get_mut(REPOSITORIES[repository]) else { return Outcome::NotThere };
            shown.tags.retain(|_, named| *named != manifest);
            there(shown.manifests.remove(&manifest).is_some())
        }
        Step::DeleteBlob { repository, blob } => {
            let Some(shown) = model.get_mut(REPOSITORIES[repository]) else { return Outcome::NotThere };
            if shown.manifests.keys().any(|&manifest| MANIFESTS[manifest].blobs.contains(&blob)) {
                return Outcome::InUse;
            }
            there(shown.blobs.remove(&blob))
        }
        Step::Mount { source, target, blob } => {
            let shown = model.get(REPOSITORIES[source]);
            if !shown.is_some_and(|shown| shown.blobs.contains(&blob)) {
                return Outcome::NotThere;
            }
            push_blob_in(model, target, blob)
        }
        Step::Sweep | Step::Reopen => Outcome::Done,
    }
}

fn pushed_as(manifest: usize, as_docker: bool) -> &'static Image {
    let known = &MANIFESTS[manifest];
    known.docker.as_ref().filter(|_| as_docker).unwrap_or(&known.image)
}

/// A manifest with all below it, lowest first.
fn parts_of(manifest: usize) -> Vec<usize> {
    let mut parts: Vec<usize> =
        MANIFESTS[manifest].children.iter().flat_map(|&child| parts_of(child)).collect();
    parts.push(manifest);
    parts
}

fn name(repository: usize) -> RepositoryName {
    REPOSITORIES[repository].parse().unwrap()
}

struct Store {
    registry: Registry<LocalBlobStore>,
    blobs: LocalBlobStore,
    clock: TestClock,
}

impl Store {
    async fn open(folder: &Path, clock: TestClock) -> Self {
        let blobs =
            LocalBlobStore::open(&folder.join("blobs"), BufferBudget::new(1 << 20), Arc::new(NoTelemetry));
        let blobs = blobs.unwrap();
        let database = folder.join("berth.db");
        let registry = Registry::open_sqlite(&database, blobs.clone(), options(&clock)).await.unwrap();
        Self { registry, blobs, clock }
    }

    async fn put(&self, repository: usize, image: &Image, tag: Option<usize>) -> Result<(), Error> {
        let tags: Vec<&str> = tag.into_iter().map(|tag| TAGS[tag]).collect();
        self.registry.put_manifest(image.pushed(&name(repository), &tags), &Actor::default()).await
    }

    async fn delete(&self, repository: usize, what: &str) -> Result<(), Error> {
        let reference: Reference = what.parse().unwrap();
        self.registry.delete_manifest(&name(repository), &reference, &Actor::default()).await
    }

    /// Does the step for real; not what needs the whole store anew.
    async fn take(&self, step: &Step) -> Result<(), Error> {
        let registry = &self.registry;
        match *step {
            Step::PushBlob { repository, blob } => {
                push_blob(registry, &name(repository), BLOBS[blob]).await.map(drop)
            }
            Step::PushManifest { repository, manifest, tag, as_docker } => {
                self.put(repository, pushed_as(manifest, as_docker), tag).await
            }
            Step::PushAll { repository, manifest, tag } => {
                for part in parts_of(manifest) {
                    for &blob in MANIFESTS[part].blobs {
                        // As clients do: most of a test's time goes into flushing what is pushed.
                        if registry.blob(&name(repository), &digest_of(BLOBS[blob])).await?.is_none() {
                            push_blob(registry, &name(repository), BLOBS[blob]).await?;
                        }
                    }
                    self.put(repository, &MANIFESTS[part].image, tag.filter(|_| part == manifest)).await?;
                }
                Ok(())
            }
            Step::DeleteTag { repository, tag } => self.delete(repository, TAGS[tag]).await,
            Step::DeleteManifest { repository, manifest } => {
                self.delete(repository, MANIFESTS[manifest].image.digest().as_str()).await
            }
            Step::DeleteBlob { repository, blob } => {
                registry.delete_blob(&name(repository), &digest_of(BLOBS[blob]), &Actor::default()).await
            }
            Step::Mount { source, target, blob } => {
                let (target, source, digest) = (name(target), name(source), digest_of(BLOBS[blob]));
                let actor = Actor::default();
                let mounted = registry.mount(&target, &source, &digest, Creation::Allowed, &actor).await?;
                if mounted { Ok(()) } else { Err(Error::BlobUnknown(digest)) }
            }
            Step::Sweep => {
                self.clock.advance(Duration::from_secs(7200));
                registry.sweep().await.map(drop)
            }
            Step::Reopen => Ok(()),
        }
    }

    async fn assert_shows(&self, model: &Model) {
        let repositories = self.registry.repositories("", 100).await.unwrap().items;
        let repositories: Vec<_> = repositories.iter().map(RepositoryName::as_str).collect();
        assert_eq!(repositories, model.keys().copied().collect::<Vec<_>>());
        for (repository, its_name) in REPOSITORIES.into_iter().enumerate() {
            let tags = self.registry.tags(&name(repository), "", 100).await;
            let nothing = Shown::default();
            let shown = match model.get(its_name) {
                Some(shown) => {
                    let tags = tags.unwrap().items;
                    let tags: Vec<_> = tags.iter().map(Tag::as_str).collect();
                    assert_eq!(tags, shown.tags.keys().copied().collect::<Vec<_>>());
                    shown
                }
                None => {
                    assert!(matches!(tags, Err(Error::RepositoryUnknown(_))), "{tags:?}");
                    &nothing
                }
            };
            self.assert_repository_shows(repository, shown).await;
        }
    }

    async fn assert_repository_shows(&self, repository: usize, shown: &Shown) {
        for (blob, bytes) in BLOBS.into_iter().enumerate() {
            let read = read_blob(&self.registry, &name(repository), &digest_of(bytes)).await.unwrap();
            let expected = shown.blobs.contains(&blob).then_some(bytes);
            assert_eq!(read.as_deref(), expected, "blob {blob} of {repository}");
        }
        for tag in TAGS {
            self.assert_leads_to(repository, tag, shown.tags.get(tag).copied(), shown).await;
        }
        for (number, known) in MANIFESTS.iter().enumerate() {
            let here = shown.manifests.contains_key(&number).then_some(number);
            self.assert_leads_to(repository, known.image.digest().as_str(), here, shown).await;
            self.assert_referrers(repository, number, shown).await;
        }
    }

    async fn assert_leads_to(&self, repository: usize, what: &str, manifest: Option<usize>, shown: &Shown) {
        let found = self.registry.manifest(&name(repository), &what.parse().unwrap()).await.unwrap();
        let found = found.as_ref().map(|found| (&found.digest, &found.media_type, &found.content));
        let digest = manifest.map(|manifest| MANIFESTS[manifest].image.digest());
        let expected = manifest.map(|manifest| {
            (digest.as_ref().unwrap(), &shown.manifests[&manifest], &MANIFESTS[manifest].image.content)
        });
        assert_eq!(found, expected, "{what} of {repository}");
    }

    async fn assert_referrers(&self, repository: usize, subject: usize, shown: &Shown) {
        let digest = MANIFESTS[subject].image.digest();
        for kind in [None, Some("a/b")] {
            let page = self.registry.referrers(&name(repository), &digest, kind, "", 100).await.unwrap();
            let found: Vec<Digest> = page.items.into_iter().map(|descriptor| descriptor.digest).collect();
            let mut expected: Vec<Digest> = shown
                .manifests
                .keys()
                .map(|&manifest| &MANIFESTS[manifest])
                .filter(|known| known.subject == Some(subject))
                .filter(|known| kind.is_none() || known.image.manifest.artifact_type.as_deref() == kind)
                .map(|known| known.image.digest())
                .collect();
            expected.sort();
            assert_eq!(found, expected, "referrers of {subject} in {repository}");
        }
    }

    /// After a sweep the disk holds what rows name, and nothing else.
    async fn assert_disk_is_named(&self) {
        self.clock.advance(Duration::from_secs(7200));
        self.registry.sweep().await.unwrap();
        let found: Vec<_> = self.blobs.list().try_collect().await.unwrap();
        let found: BTreeSet<_> = found.into_iter().map(|found| found.location.to_string()).collect();
        let named = rows(&self.registry, "SELECT location FROM blobs", vec![]).await.unwrap();
        let named: BTreeSet<_> = named.iter().map(|row| row.text(0).unwrap().to_owned()).collect();
        assert_eq!(found, named);
    }
}

async fn play(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), TestClock::new()).await;
    let mut model = Model::new();
    for (number, step) in steps.iter().enumerate() {
        let expected = expect(&mut model, step);
        if matches!(step, Step::Reopen) {
            let clock = store.clock.clone();
            drop(store);
            store = Store::open(folder.path(), clock).await;
        }
        assert_eq!(Outcome::of(store.take(step).await), expected, "step {number}, {step:?}");
        store.assert_shows(&model).await;
    }
    store.assert_disk_is_named().await;
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 50,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // Several stores side by side wait for the disk together.
    #[test]
    fn what_can_be_seen_is_what_the_model_says(games in vec(vec(step(), 1..24), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(join_all(games.into_iter().map(play)));
    }
}
