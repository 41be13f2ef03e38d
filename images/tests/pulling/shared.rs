//! Two who pull at once share the work, and what one has need not come again.

use axum::http::Method;
use berth_images::{Force, Freshness, LocalImages, Reach, Registry, pull};

use crate::image::{Layer, digest};
use crate::{Table, ignored};

#[tokio::test(flavor = "multi_thread")]
async fn two_that_pull_the_same_at_once_fetch_each_layer_once() {
    let table = Table::new().await;
    let layers: Vec<Layer> = (0..6).map(|n| Layer::of(&format!("f{n}"), &[n; 200_000])).collect();
    table.fake.put_image("1", &layers);
    let reference = table.reference("team/app:1");
    // As two processes would: each opens the images itself, and nothing is shared but the files.
    let one = |images: LocalImages| {
        let reference = reference.clone();
        async move {
            let registry = Registry::new(&reference, None, Reach::default()).unwrap();
            pull(&images, &registry, &reference, None, &ignored).await.unwrap()
        }
    };
    let open = || LocalImages::open(&table.folder.path().join("local")).unwrap();
    let (a, b, c) = tokio::join!(one(open()), one(open()), one(open()));
    assert_eq!((&a.digest, &b.digest), (&b.digest, &c.digest));
    for layer in &layers {
        let asked = table.fake.asked(&Method::GET, digest(&layer.packed).as_str());
        assert_eq!(asked.len(), 1, "{asked:?}");
    }
    assert_eq!(std::fs::read_dir(table.folder.path().join("local/locks")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(table.folder.path().join("local/leases")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_image_fetches_only_the_layer_that_is_new() {
    let table = Table::new().await;
    let (base, one, two) = (Layer::of("base", b"b"), Layer::of("one", b"1"), Layer::of("two", b"2"));
    table.fake.put_image("1", &[base.clone(), one]);
    table.fake.put_image("2", &[base.clone(), two.clone()]);
    table.pull("team/app:1").await.unwrap();
    table.pull("team/app:2").await.unwrap();
    assert_eq!(table.fake.asked(&Method::GET, digest(&base.packed).as_str()).len(), 1);
    assert_eq!(table.fake.asked(&Method::GET, digest(&two.packed).as_str()).len(), 1);
    assert_eq!(std::fs::read_dir(table.folder.path().join("local/layers/sha256")).unwrap().count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_of_what_is_here_fetches_no_layer_and_says_so() {
    let table = Table::new().await;
    let layer = Layer::of("a", b"a");
    table.fake.put_image("1", std::slice::from_ref(&layer));
    assert_eq!(table.pull("team/app:1").await.unwrap().freshness, Freshness::Newer);
    assert_eq!(table.pull("team/app:1").await.unwrap().freshness, Freshness::UpToDate);
    assert_eq!(table.fake.asked(&Method::GET, digest(&layer.packed).as_str()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_kept_as_long_as_an_image_a_user_or_a_container_needs_them() {
    let table = Table::new().await;
    let (base, one, two) = (Layer::of("base", b"b"), Layer::of("one", b"1"), Layer::of("two", b"2"));
    table.fake.put_image("1", &[base.clone(), one.clone()]);
    table.fake.put_image("2", &[base.clone(), two.clone()]);
    let first = table.pull("team/app:1").await.unwrap().image;
    let second = table.pull("team/app:2").await.unwrap().image;
    let layers = table.folder.path().join("local/layers/sha256");
    let has = |layer: &Layer| layers.join(layer.diff_id.hex()).exists();
    let host = &table.fake.host;

    let used = table.images.use_layers(&first).unwrap();
    let removed = table.images.remove(&format!("{host}/team/app:1"), Force::No).unwrap();
    assert_eq!(removed.deleted, std::slice::from_ref(&first.id));
    assert!(has(&base) && has(&one) && has(&two), "a layer went that is in use");
    drop(used);

    table.images.hold(&second, "c0ffee").unwrap();
    let refused = table.images.remove(&format!("{host}/team/app:2"), Force::No).unwrap_err().to_string();
    assert!(refused.contains("the container c0ffee uses it"), "{refused}");
    table.images.remove(&format!("{host}/team/app:2"), Force::Yes).unwrap();
    assert!(has(&base) && has(&two) && !has(&one), "the container's layers stay, the first image's go");
    assert!(table.images.list().unwrap().is_empty());

    table.images.release("c0ffee").unwrap();
    table.fake.put_image("3", &[Layer::of("three", b"3")]);
    table.pull("team/app:3").await.unwrap();
    table.images.remove(&format!("{host}/team/app:3"), Force::No).unwrap();
    assert_eq!(std::fs::read_dir(&layers).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(table.folder.path().join("local/blobs/sha256")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_removed_by_the_next_call() {
    let table = Table::new().await;
    let local = table.folder.path().join("local");
    std::fs::create_dir_all(local.join("tmp/0123456789abcdef/fs/half")).unwrap();
    std::fs::write(local.join("leases/1-0"), r#"{"blobs":[]}"#).unwrap();
    let old = local.join("layers/sha256").join("0".repeat(64));
    std::fs::create_dir_all(old.join("fs")).unwrap();
    std::fs::write(old.join("layer.json"), r#"{"size":1,"boot":"another start of the machine"}"#).unwrap();
    let blob = local.join("blobs/sha256").join("0".repeat(64));
    std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&blob).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
    std::fs::write(local.join("locks/0123"), "").unwrap();
    table.fake.put_image("1", &[Layer::of("a", b"a")]);
    table.pull("team/app:1").await.unwrap();
    assert!(!blob.exists() && !local.join("locks/0123").exists());
    assert_eq!(std::fs::read_dir(local.join("tmp")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(local.join("leases")).unwrap().count(), 0);
    assert!(!old.exists());
}
