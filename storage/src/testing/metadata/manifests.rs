//! Manifests, their edges and their tags.

use std::sync::Arc;
use std::time::Duration;

use berth_oci::{Content, Descriptor, Digest, Manifest, MediaType};
use serde_json::json;

use super::{House, Make, name, reference};
use crate::registry::pulls::LastPull;
use crate::testing::{Image, OCI_EMPTY, artifact, digest_of, image, index, push_blob, push_image, rows};
use crate::{Actor, Change, Creation, Error, PushedManifest, Sparse, StoredManifest};

impl House {
    async fn put(&self, image: &Image, tags: &[&str]) -> Result<(), Error> {
        self.registry.put_manifest(image.pushed(&name("app"), tags), &Actor::default()).await
    }

    async fn put_sparse(&self, image: &Image) {
        let pushed = PushedManifest { sparse: Sparse::Allowed, ..image.pushed(&name("app"), &[]) };
        self.registry.put_manifest(pushed, &Actor::default()).await.unwrap();
    }

    /// An image of its own config alone.
    async fn push(&self, config: &str, tags: &[&str]) -> Image {
        push_image(&self.registry, &name("app"), &[config.as_bytes()], tags).await.unwrap()
    }

    async fn delete(&self, what: &str) -> Result<(), Error> {
        self.registry.delete_manifest(&name("app"), &reference(what), &Actor::default()).await
    }

    async fn find(&self, what: &str) -> Option<Arc<StoredManifest>> {
        self.registry.manifest(&name("app"), &reference(what)).await.unwrap()
    }

    /// The digest that a reference leads to.
    async fn leads_to(&self, what: &str) -> Option<Digest> {
        self.find(what).await.map(|found| found.digest.clone())
    }

    /// The one word in each row.
    async fn words(&self, sql: &'static str) -> Vec<Option<String>> {
        let rows = rows(&self.registry, sql, vec![]).await.unwrap();
        rows.iter().map(|row| row.text_or_null(0).unwrap().map(str::to_owned)).collect()
    }

    async fn assert_nothing_is_here(&self) {
        assert_eq!(self.registry.repositories("", 10).await.unwrap().items, []);
        for table in ["manifests", "manifest_blobs", "manifest_children", "tags", "tag_history"] {
            let sql = match table {
                "manifests" => "SELECT COUNT(*) FROM manifests",
                "manifest_blobs" => "SELECT COUNT(*) FROM manifest_blobs",
                "manifest_children" => "SELECT COUNT(*) FROM manifest_children",
                "tags" => "SELECT COUNT(*) FROM tags",
                _ => "SELECT COUNT(*) FROM tag_history",
            };
            assert_eq!(self.number(sql).await, 0, "{table}");
        }
    }
}

fn missing(digest: &Digest) -> Descriptor {
    let mut descriptor = image(&[digest_of(b"config")]).descriptor();
    descriptor.digest = digest.clone();
    descriptor
}

pub async fn a_manifest_is_found_by_its_digest_and_its_tags_as_it_was_pushed(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.push("config", &["latest", "v1"]).await;
    for what in [image.digest().as_str(), "latest", "v1"] {
        let expected = StoredManifest {
            digest: image.digest(),
            media_type: MediaType::OCI_MANIFEST,
            content: image.content.clone(),
            review_after: None,
            last_pull: LastPull::new(None),
        };
        // Once from the database, once from whatever was kept of it.
        for _ in 0..2 {
            assert_eq!(house.find(what).await.as_deref(), Some(&expected), "{what}");
        }
    }
    assert_eq!(house.leads_to("v2").await, None);
    let house = house.reopened(&make).await;
    assert_eq!(house.leads_to("latest").await, Some(image.digest()));
}

pub async fn a_manifest_is_found_in_its_own_repository_alone(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.push("config", &["latest"]).await;
    push_blob(&house.registry, &name("other"), b"config").await.unwrap();
    for what in [image.digest().as_str(), "latest"] {
        for repository in ["other", "nowhere"] {
            let found = house.registry.manifest(&name(repository), &reference(what)).await.unwrap();
            assert_eq!(found, None, "{repository} {what}");
        }
    }
}

pub async fn a_manifest_that_names_a_missing_blob_is_refused_and_leaves_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let absent = digest_of(b"never pushed");
    let image = image(std::slice::from_ref(&absent));
    let refused = house.put(&image, &["latest"]).await;
    assert!(
        matches!(&refused, Err(Error::ManifestBlobUnknown(unknown)) if *unknown == absent),
        "{refused:?}"
    );
    house.assert_nothing_is_here().await;
    // Another repository's blob is none of this one's.
    push_blob(&house.registry, &name("other"), b"never pushed").await.unwrap();
    let refused = house.put(&image, &["latest"]).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(_))), "{refused:?}");
    assert_eq!(house.leads_to("latest").await, None);
}

pub async fn an_index_that_names_a_missing_child_is_refused_and_leaves_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let absent = digest_of(b"never pushed");
    let refused = house.put(&index(&[missing(&absent)]), &["latest"]).await;
    assert!(
        matches!(&refused, Err(Error::ManifestBlobUnknown(unknown)) if *unknown == absent),
        "{refused:?}"
    );
    house.assert_nothing_is_here().await;
}

pub async fn a_manifest_for_a_repository_that_may_not_be_made_is_refused(make: impl Make) {
    let house = House::open(&make).await;
    let pushed =
        PushedManifest { creation: Creation::Refused, ..index(&[]).pushed(&name("app"), &["latest"]) };
    let refused = house.registry.put_manifest(pushed, &Actor::default()).await;
    assert!(matches!(refused, Err(Error::RepositoryUnknown(_))), "{refused:?}");
    house.assert_nothing_is_here().await;
}

pub async fn a_sparse_manifest_may_name_what_is_not_here(make: impl Make) {
    let house = House::open(&make).await;
    let image = image(&[digest_of(b"never pushed")]);
    let index = index(&[missing(&digest_of(b"nor this"))]);
    for sparse in [image, index] {
        house.put_sparse(&sparse).await;
        assert_eq!(house.leads_to(sparse.digest().as_str()).await, Some(sparse.digest()));
    }
    assert_eq!(house.words("SELECT blob FROM manifest_blobs").await, [None]);
    assert_eq!(house.words("SELECT child FROM manifest_children").await, [None]);
}

pub async fn a_blob_that_comes_later_is_held_by_the_manifests_that_waited(make: impl Make) {
    let house = House::open(&make).await;
    let sparse = image(&[digest_of(b"config")]);
    house.put_sparse(&sparse).await;
    let config = push_blob(&house.registry, &name("app"), b"config").await.unwrap();
    assert_eq!(house.words("SELECT blob FROM manifest_blobs").await, [Some(config.to_string())]);
    let refused = house.registry.delete_blob(&name("app"), &config, &Actor::default()).await;
    assert!(matches!(refused, Err(Error::BlobInUse { manifest, .. }) if manifest == sparse.digest()));
}

pub async fn a_child_that_comes_later_is_held_by_the_indexes_that_waited(make: impl Make) {
    let house = House::open(&make).await;
    let child = image(&[digest_of(b"config")]);
    house.put_sparse(&index(&[child.descriptor()])).await;
    house.push("config", &[]).await;
    let held = house.words("SELECT child FROM manifest_children").await;
    assert_eq!(held, [Some(child.digest().to_string())]);
}

pub async fn a_child_may_be_a_blob(make: impl Make) {
    let house = House::open(&make).await;
    let blob = push_blob(&house.registry, &name("app"), b"cache").await.unwrap();
    let index = index(&[missing(&blob)]);
    house.put(&index, &["cache"]).await.unwrap();
    let refused = house.registry.delete_blob(&name("app"), &blob, &Actor::default()).await;
    assert!(matches!(refused, Err(Error::BlobInUse { manifest, .. }) if manifest == index.digest()));
}

pub async fn a_deleted_child_is_missing(make: impl Make) {
    let house = House::open(&make).await;
    let child = house.push("config", &[]).await;
    house.delete(child.digest().as_str()).await.unwrap();
    let refused = house.put(&index(&[child.descriptor()]), &[]).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(unknown)) if unknown == child.digest()));
}

pub async fn a_subject_that_is_here_is_linked(make: impl Make) {
    let house = House::open(&make).await;
    let subject = house.push("config", &[]).await;
    push_blob(&house.registry, &name("app"), OCI_EMPTY).await.unwrap();
    house.put(&artifact(&subject.descriptor(), "a/b", "1"), &[]).await.unwrap();
    let linked = house.words("SELECT subject_ref FROM manifests WHERE subject IS NOT NULL").await;
    assert_eq!(linked, [Some(subject.digest().to_string())]);
}

pub async fn a_subject_that_comes_later_is_linked(make: impl Make) {
    let house = House::open(&make).await;
    let subject = image(&[digest_of(b"config")]);
    push_blob(&house.registry, &name("app"), OCI_EMPTY).await.unwrap();
    house.put(&artifact(&subject.descriptor(), "a/b", "1"), &[]).await.unwrap();
    let sql = "SELECT subject_ref FROM manifests WHERE subject IS NOT NULL";
    assert_eq!(house.words(sql).await, [None]);
    house.push("config", &[]).await;
    assert_eq!(house.words(sql).await, [Some(subject.digest().to_string())]);
}

pub async fn a_foreign_layer_may_be_absent(make: impl Make) {
    let house = House::open(&make).await;
    let config = push_blob(&house.registry, &name("app"), b"config").await.unwrap();
    let absent = digest_of(b"distributed elsewhere");
    for (number, layer) in [
        json!({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": absent, "size": 1}),
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": absent, "size": 1, "urls": ["https://a/b"]}),
    ]
    .into_iter()
    .enumerate()
    {
        let config = json!({"mediaType": MediaType::OCI_CONFIG, "digest": config, "size": 1});
        let json = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let content = bytes::Bytes::from(json.to_string());
        let manifest = Manifest::parse(Some(MediaType::OCI_MANIFEST.as_str()), &content).unwrap();
        let image = Image { content, manifest: Arc::new(manifest) };
        house.put(&image, &[]).await.unwrap();
        assert_eq!(house.leads_to(image.digest().as_str()).await, Some(image.digest()), "{number}");
    }
    assert_eq!(house.number("SELECT COUNT(*) FROM manifest_blobs WHERE blob IS NULL").await, 2);
}

pub async fn a_layer_that_is_named_twice_is_one_edge(make: impl Make) {
    let house = House::open(&make).await;
    push_image(&house.registry, &name("app"), &[b"config", b"layer", b"layer"], &[]).await.unwrap();
    assert_eq!(house.number("SELECT COUNT(*) FROM manifest_blobs").await, 2);
}

pub async fn pushing_the_same_again_changes_only_when_it_was_pushed(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.push("config", &["latest"]).await;
    house.told();
    house.clock.advance(Duration::from_secs(60));
    house.put(&image, &["latest"]).await.unwrap();
    assert_eq!(house.told(), []);
    assert_eq!(house.number("SELECT pushed_at FROM manifests").await, house.clock.now().0);
    assert_eq!(house.number("SELECT COUNT(*) FROM tag_history").await, 1);
}

pub async fn a_manifest_pushed_again_as_another_type_is_so_under_every_tag(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.push("config", &["latest", "v1"]).await;
    let references = ["latest", "v1", image.digest().as_str()].map(str::to_owned);
    for what in &references {
        assert_eq!(house.find(what).await.unwrap().media_type, MediaType::OCI_MANIFEST);
    }
    // The bytes don't say what they are, so that both types fit them.
    let docker = Manifest::parse(Some(MediaType::DOCKER_MANIFEST.as_str()), &image.content).unwrap();
    let Content::Blobs { config: Some(_), .. } = &docker.content else { panic!("{docker:?}") };
    let again = Image { content: image.content.clone(), manifest: Arc::new(docker) };
    house.put(&again, &["latest"]).await.unwrap();
    for what in &references {
        assert_eq!(house.find(what).await.unwrap().media_type, MediaType::DOCKER_MANIFEST, "{what}");
    }
}

pub async fn a_moved_tag_names_the_new_manifest_and_leaves_the_old(make: impl Make) {
    let house = House::open(&make).await;
    let old = house.push("old", &["latest"]).await;
    assert_eq!(house.leads_to("latest").await, Some(old.digest()));
    house.told();
    let new = house.push("new", &["latest"]).await;
    assert!(house.told().contains(&Change::Reference(name("app"), "latest".to_owned())));
    assert_eq!(house.leads_to("latest").await, Some(new.digest()));
    assert_eq!(house.leads_to(old.digest().as_str()).await, Some(old.digest()));
}

pub async fn every_move_of_a_tag_is_written_down(make: impl Make) {
    let house = House::open(&make).await;
    let old = house.push("old", &["latest"]).await;
    let new = house.push("new", &["latest"]).await;
    house.delete("latest").await.unwrap();
    house.put(&old, &["latest"]).await.unwrap();
    house.delete(old.digest().as_str()).await.unwrap();
    let (old, new) = (Some(old.digest().to_string()), Some(new.digest().to_string()));
    let written = house.words("SELECT digest FROM tag_history WHERE name = 'latest' ORDER BY id").await;
    assert_eq!(written, [old.clone(), new, None, old, None]);
}

pub async fn a_manifest_is_untagged_since_its_last_tag_went(make: impl Make) {
    let house = House::open(&make).await;
    let old = house.push("old", &["a", "b"]).await;
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM manifests WHERE untagged_at IS NULL";
    assert_eq!(house.number(sql).await, 1);
    house.clock.advance(Duration::from_secs(1));
    house.delete("a").await.unwrap();
    assert_eq!(house.number(sql).await, 1);
    house.clock.advance(Duration::from_secs(1));
    house.push("new", &["b"]).await;
    let since = house.number("SELECT untagged_at FROM manifests WHERE untagged_at IS NOT NULL").await;
    assert_eq!(since, house.clock.now().0);
    house.clock.advance(Duration::from_secs(1));
    house.put(&old, &["c"]).await.unwrap();
    assert_eq!(house.number(sql).await, 2);
}

pub async fn a_deleted_tag_leaves_its_manifest(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.push("config", &["latest", "v1"]).await;
    assert_eq!(house.leads_to("latest").await, Some(image.digest()));
    house.delete("latest").await.unwrap();
    assert_eq!(house.leads_to("latest").await, None);
    for what in ["v1", image.digest().as_str()] {
        assert_eq!(house.leads_to(what).await, Some(image.digest()), "{what}");
    }
}

pub async fn a_deleted_manifest_is_gone_at_once_with_every_tag_on_it(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.push("config", &["latest", "v1"]).await;
    let other = house.push("other", &["v2"]).await;
    let digest = image.digest();
    for what in ["latest", "v1", digest.as_str()] {
        assert_eq!(house.leads_to(what).await, Some(digest.clone()), "{what}");
    }
    house.delete(digest.as_str()).await.unwrap();
    for what in ["latest", "v1", digest.as_str()] {
        assert_eq!(house.leads_to(what).await, None, "{what}");
    }
    let tags = house.registry.tags(&name("app"), "", 10).await.unwrap().items;
    assert_eq!(tags, ["v2".parse().unwrap()]);
    assert_eq!(house.leads_to("v2").await, Some(other.digest()));
}

pub async fn a_deleted_manifest_leaves_its_row_and_its_edges(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.push("config", &["latest"]).await;
    house.clock.advance(Duration::from_secs(1));
    house.delete(image.digest().as_str()).await.unwrap();
    assert_eq!(house.number("SELECT deleted_at FROM manifests").await, house.clock.now().0);
    let held = house.words("SELECT blob FROM manifest_blobs").await;
    assert_eq!(held, [Some(digest_of(b"config").to_string())]);
}

pub async fn a_deleted_manifest_comes_back_when_it_is_pushed_again(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.push("config", &["latest"]).await;
    house.delete(image.digest().as_str()).await.unwrap();
    assert_eq!(house.leads_to(image.digest().as_str()).await, None);
    house.put(&image, &["v2"]).await.unwrap();
    for (what, expected) in
        [("latest", None), ("v2", Some(image.digest())), (image.digest().as_str(), Some(image.digest()))]
    {
        assert_eq!(house.leads_to(what).await, expected, "{what}");
    }
    let refused = house.registry.delete_blob(&name("app"), &digest_of(b"config"), &Actor::default()).await;
    assert!(matches!(refused, Err(Error::BlobInUse { .. })), "{refused:?}");
}

pub async fn deleting_what_is_not_there_says_so(make: impl Make) {
    let house = House::open(&make).await;
    let digest = digest_of(b"never pushed");
    for what in ["latest", digest.as_str()] {
        let refused = house.delete(what).await;
        assert!(matches!(&refused, Err(Error::ManifestUnknown(unknown)) if unknown.as_str() == what));
    }
    let image = house.push("config", &["latest"]).await;
    house.delete(image.digest().as_str()).await.unwrap();
    for what in ["latest", "v1", image.digest().as_str(), digest.as_str()] {
        let refused = house.delete(what).await;
        assert!(matches!(&refused, Err(Error::ManifestUnknown(unknown)) if unknown.as_str() == what));
    }
}
