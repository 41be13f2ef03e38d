//! A push sends what is missing, and goes on where it broke.

use axum::http::Method;
use berth_images::{Reach, Registry, push};

use crate::image::{Layer, digest};
use crate::{Table, ignored};

async fn pulled(layers: &[Layer]) -> (Table, Table) {
    let (from, to) = (Table::new().await, Table::new().await);
    from.fake.put_image("1", layers);
    from.pull("team/app:1").await.unwrap();
    (from, to)
}

/// Pushes what `from` has to the registry of `to`.
async fn pushed(from: &Table, to: &Table) -> berth_oci::Digest {
    let target = to.reference("team/app:2");
    from.images.tag(&from.reference("team/app:1").whole(), &target).unwrap();
    let image = from.images.get(&target.whole()).unwrap();
    let registry = Registry::new(&target, None, Reach::default()).unwrap();
    push(&from.images, &registry, &target, &image, &ignored).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_arrives_as_it_was_pulled_and_is_sent_once() {
    let layers = [Layer::of("a", b"a"), Layer::zstd(b""), Layer::of("b", &[1; 100_000])];
    let (from, to) = pulled(&layers).await;
    let digest = pushed(&from, &to).await;
    assert_eq!(to.fake.manifest("2"), from.fake.manifest("1"));
    assert_eq!(to.fake.manifest(digest.as_str()), from.fake.manifest("1"));
    let sent = to.fake.asked(&Method::PATCH, "").len();
    pushed(&from, &to).await;
    assert_eq!(to.fake.asked(&Method::PATCH, "").len(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_goes_on_where_the_registry_has_it() {
    let layer = Layer::plain(&crate::image::archive(&[("a", &[7; 300_000])]));
    let (from, to) = pulled(std::slice::from_ref(&layer)).await;
    to.fake.break_uploads(2, 70_000);
    pushed(&from, &to).await;
    assert!(to.fake.has_blob(&digest(&layer.packed)));
    assert_eq!(
        to.fake.asked(&Method::POST, "uploads").len(),
        2,
        "one for the layer, one for the configuration"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_repository_of_the_registry_has_is_mounted() {
    let table = Table::new().await;
    let layers = [Layer::of("a", b"a"), Layer::of("b", b"b")];
    table.fake.put_image("1", &layers);
    table.pull("team/source:1").await.unwrap();
    table.fake.allow_mounts_from("team/source");
    let target = table.reference("team/app:2");
    table.images.tag(&table.reference("team/source:1").whole(), &target).unwrap();
    // As if the other repository's blobs weren't seen from here.
    let registry = Registry::new(&target, None, Reach::default()).unwrap();
    let image = table.images.get(&target.whole()).unwrap();
    push(&table.images, &registry, &target, &image, &ignored).await.unwrap();
    assert!(table.fake.asked(&Method::PATCH, "").is_empty());
}
