//! Listings: keyset pages over an index, in the order of bytes.

use berth_oci::{Descriptor, Digest, Tag};

use super::{House, Make, name};
use crate::testing::{Image, OCI_EMPTY, artifact, digest_of, image, index, push_blob, push_image};
use crate::{Actor, Error, Page};

impl House {
    async fn tagged(&self, tags: &[&str]) -> Image {
        push_image(&self.registry, &name("app"), &[b"config"], tags).await.unwrap()
    }

    async fn tags(&self, last: &str, limit: u64) -> Page<Tag> {
        self.registry.tags(&name("app"), last, limit).await.unwrap()
    }

    /// Pushes artifacts that refer to `subject`, one of each kind; gives them in order of digest.
    async fn refer(&self, repository: &str, subject: &Descriptor, kinds: &[&str]) -> Vec<Image> {
        push_blob(&self.registry, &name(repository), OCI_EMPTY).await.unwrap();
        let mut artifacts = Vec::new();
        for (number, kind) in kinds.iter().enumerate() {
            let artifact = artifact(subject, kind, &number.to_string());
            self.registry
                .put_manifest(artifact.pushed(&name(repository), &[]), &Actor::default())
                .await
                .unwrap();
            artifacts.push(artifact);
        }
        artifacts.sort_by_key(Image::digest);
        artifacts
    }

    async fn referrers(&self, subject: &Descriptor, kind: Option<&str>) -> Vec<Digest> {
        let page = self.registry.referrers(&name("app"), &subject.digest, kind, "", 100).await.unwrap();
        assert!(!page.more);
        page.items.into_iter().map(|descriptor| descriptor.digest).collect()
    }
}

fn digests(images: &[Image]) -> Vec<Digest> {
    images.iter().map(Image::digest).collect()
}

fn tags(texts: &[&str]) -> Vec<Tag> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub async fn tags_are_listed_in_ascii_order(make: impl Make) {
    let house = House::open(&make).await;
    house.tagged(&["b", "a", "B", "A", "0", "_", "a.b", "a-b", "ab", "a_b", "10", "9"]).await;
    let expected = tags(&["0", "10", "9", "A", "B", "_", "a", "a-b", "a.b", "a_b", "ab", "b"]);
    assert_eq!(house.tags("", 100).await, Page { items: expected, more: false });
}

pub async fn tags_are_listed_page_by_page_after_any_word(make: impl Make) {
    let house = House::open(&make).await;
    house.tagged(&["a", "b", "c", "d", "e"]).await;
    for (last, limit, expected, more) in [
        ("", 2, &["a", "b"][..], true),
        ("b", 2, &["c", "d"], true),
        ("d", 2, &["e"], false),
        ("e", 2, &[], false),
        ("", 5, &["a", "b", "c", "d", "e"], false),
        ("", 4, &["a", "b", "c", "d"], true),
        // What isn't there, or is no tag at all, still has a place in the order.
        ("bb", 1, &["c"], true),
        ("!", 1, &["a"], true),
        ("zz", 1, &[], false),
    ] {
        let expected = Page { items: tags(expected), more };
        assert_eq!(house.tags(last, limit).await, expected, "{last} {limit}");
    }
}

pub async fn tags_of_an_unknown_repository_are_an_error(make: impl Make) {
    let house = House::open(&make).await;
    let refused = house.registry.tags(&name("app"), "", 10).await;
    assert!(matches!(refused, Err(Error::RepositoryUnknown(unknown)) if unknown == name("app")));
}

pub async fn tags_of_a_repository_without_any_are_none(make: impl Make) {
    let house = House::open(&make).await;
    house.tagged(&[]).await;
    assert_eq!(house.tags("", 10).await, Page { items: vec![], more: false });
}

pub async fn repositories_are_listed_in_order_page_by_page(make: impl Make) {
    let house = House::open(&make).await;
    for repository in ["b", "a/b", "a", "a-b", "a.b", "a0"] {
        push_blob(&house.registry, &name(repository), b"content").await.unwrap();
    }
    for (last, limit, expected, more) in [
        ("", 10, &["a", "a-b", "a.b", "a/b", "a0", "b"][..], false),
        ("", 2, &["a", "a-b"], true),
        ("a-b", 3, &["a.b", "a/b", "a0"], true),
        ("a0", 3, &["b"], false),
        ("zz", 3, &[], false),
    ] {
        let expected = Page { items: expected.iter().map(|text| name(text)).collect(), more };
        assert_eq!(house.registry.repositories(last, limit).await.unwrap(), expected, "{last} {limit}");
    }
}

pub async fn referrers_are_listed_with_what_they_say_of_themselves(make: impl Make) {
    let house = House::open(&make).await;
    let subject = house.tagged(&[]).await.descriptor();
    let artifacts = house.refer("app", &subject, &["a/b"]).await;
    let page = house.registry.referrers(&name("app"), &subject.digest, None, "", 10).await.unwrap();
    let expected = Descriptor {
        artifact_type: Some("a/b".to_owned()),
        annotations: [("note".to_owned(), "0".to_owned())].into(),
        ..artifacts[0].descriptor()
    };
    assert_eq!(page, Page { items: vec![expected], more: false });
}

pub async fn referrers_are_those_of_the_subject_in_the_repository(make: impl Make) {
    let house = House::open(&make).await;
    let subject = house.tagged(&["latest"]).await.descriptor();
    let other = push_image(&house.registry, &name("app"), &[b"other"], &[]).await.unwrap().descriptor();
    let artifacts = house.refer("app", &subject, &["a/b", "c/d"]).await;
    house.refer("app", &other, &["a/b"]).await;
    house.refer("elsewhere", &subject, &["e/f"]).await;
    assert_eq!(house.referrers(&subject, None).await, digests(&artifacts));
}

pub async fn referrers_are_filtered_by_artifact_type(make: impl Make) {
    let house = House::open(&make).await;
    let subject = house.tagged(&[]).await.descriptor();
    let artifacts = house.refer("app", &subject, &["a/b", "c/d", "a/b"]).await;
    for kind in ["a/b", "c/d", "e/f"] {
        let expected: Vec<_> = artifacts
            .iter()
            .filter(|artifact| artifact.manifest.artifact_type.as_deref() == Some(kind))
            .map(Image::digest)
            .collect();
        assert_eq!(house.referrers(&subject, Some(kind)).await, expected, "{kind}");
    }
}

pub async fn referrers_are_listed_page_by_page(make: impl Make) {
    let house = House::open(&make).await;
    let subject = house.tagged(&[]).await.descriptor();
    let expected = digests(&house.refer("app", &subject, &["a/b"; 7]).await);
    for limit in [1, 3, 7, 10] {
        let (mut listed, mut more) = (Vec::<Digest>::new(), true);
        while more {
            let last = listed.last().map(Digest::to_string).unwrap_or_default();
            let page =
                house.registry.referrers(&name("app"), &subject.digest, Some("a/b"), &last, limit).await;
            let page = page.unwrap();
            assert!(page.items.len() as u64 <= limit && (!page.more || page.items.len() as u64 == limit));
            listed.extend(page.items.into_iter().map(|descriptor| descriptor.digest));
            more = page.more;
        }
        assert_eq!(listed, expected, "{limit}");
    }
}

pub async fn a_deleted_referrer_is_listed_no_more(make: impl Make) {
    let house = House::open(&make).await;
    let subject = house.tagged(&[]).await.descriptor();
    let artifacts = house.refer("app", &subject, &["a/b", "c/d"]).await;
    let reference = super::reference(artifacts[0].digest().as_str());
    house.registry.delete_manifest(&name("app"), &reference, &Actor::default()).await.unwrap();
    assert_eq!(house.referrers(&subject, None).await, [artifacts[1].digest()]);
}

pub async fn a_subject_need_not_be_here(make: impl Make) {
    let house = House::open(&make).await;
    let subject = image(&[digest_of(b"never pushed")]).descriptor();
    assert_eq!(house.referrers(&subject, None).await, []);
    let artifacts = house.refer("app", &subject, &["a/b"]).await;
    assert_eq!(house.referrers(&subject, None).await, digests(&artifacts));
}

pub async fn referrers_under_the_fallback_tag_are_listed_once(make: impl Make) {
    let house = House::open(&make).await;
    let subject = house.tagged(&[]).await.descriptor();
    let artifacts = house.refer("app", &subject, &["a/b"]).await;
    // One that says nothing of a subject, and one that both ways lead to.
    let old = push_image(&house.registry, &name("app"), &[b"old"], &[]).await.unwrap();
    let mut listed = old.descriptor();
    listed.artifact_type = Some("old/kind".to_owned());
    let fallback = index(&[listed, artifacts[0].descriptor()]);
    let pushed = fallback.pushed(&name("app"), &[&subject.digest.fallback_tag()]);
    house.registry.put_manifest(pushed, &Actor::default()).await.unwrap();
    let mut expected = vec![old.digest(), artifacts[0].digest()];
    expected.sort();
    assert_eq!(house.referrers(&subject, None).await, expected);
    assert_eq!(house.referrers(&subject, Some("old/kind")).await, [old.digest()]);
    assert_eq!(house.referrers(&subject, Some("a/b")).await, [artifacts[0].digest()]);
}
