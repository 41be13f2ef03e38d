//! Archives of images, written and read.

use berth_images::{ImageReference, LocalImages, load, save};

use crate::Table;
use crate::image::{Layer, archive, config, digest};

fn elsewhere() -> (tempfile::TempDir, LocalImages) {
    let folder = tempfile::tempdir().unwrap();
    let images = LocalImages::open(folder.path()).unwrap();
    (folder, images)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_loaded_with_its_names_and_digests() {
    let table = Table::new().await;
    let layers = [Layer::of("a", b"a"), Layer::zstd(&archive(&[("b", b"b")]))];
    table.fake.put_image("1", &layers);
    let image = table.pull("team/app:1").await.unwrap().image;
    let name: ImageReference = image.tags[0].parse().unwrap();
    let mut bytes = Vec::new();
    save(&table.images, &[(image.clone(), vec![name.clone()])], &mut bytes).unwrap();
    let mut again = Vec::new();
    save(&table.images, &[(image.clone(), vec![name.clone()])], &mut again).unwrap();
    assert_eq!(bytes, again);
    let (_folder, other) = elsewhere();
    let loaded = load(&other, bytes.as_slice()).unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].names, [name]);
    assert_eq!(loaded[0].image.id, image.id);
    assert_eq!(loaded[0].image.manifest_digest, image.manifest_digest);
    let used = other.use_layers(&loaded[0].image).unwrap();
    assert_eq!(std::fs::read(used.lower_to_top()[1].join("b")).unwrap(), b"b");
}

/// An archive as docker wrote it before it had blobs.
fn old_archive(layer: &Layer, name: &str) -> Vec<u8> {
    let config = config(std::slice::from_ref(layer)).to_string().into_bytes();
    let list = serde_json::json!([{"Config": "c.json", "RepoTags": [name], "Layers": ["1/layer.tar"]}]);
    archive(&[
        ("1/layer.tar", layer.packed.as_slice()),
        ("c.json", &config),
        ("manifest.json", list.to_string().as_bytes()),
    ])
}

#[test]
fn an_archive_of_old_docker_is_loaded_compressed_or_not() {
    let layer = Layer::plain(&archive(&[("f", b"old")]));
    let plain = old_archive(&layer, "app:1");
    for bytes in [plain.clone(), Layer::gzip(&plain).packed] {
        let (_folder, images) = elsewhere();
        let loaded = load(&images, bytes.as_slice()).unwrap();
        assert_eq!(loaded[0].names[0].to_string(), "app:1");
        let used = images.use_layers(&images.get("app:1").unwrap()).unwrap();
        assert_eq!(std::fs::read(used.lower_to_top()[0].join("f")).unwrap(), b"old");
    }
}

#[test]
fn archives_that_lie_are_refused_and_nothing_of_them_is_kept() {
    let layer = Layer::plain(&archive(&[("f", b"x")]));
    let lying = Layer { diff_id: digest(b"something else"), ..layer.clone() };
    let no_list = archive(&[("etc/passwd", b"root")]);
    let outside = archive(&[(
        "manifest.json",
        br#"[{"Config": "../../../etc/passwd", "RepoTags": null, "Layers": []}]"#,
    )]);
    for (bytes, words) in [
        (old_archive(&lying, "app:1"), "damaged"),
        (old_archive(&layer, "App:1"), "capital letters"),
        (no_list, "there is no image in it"),
        (outside, "it has no"),
        (b"no archive".to_vec(), "no archive of images"),
    ] {
        let (_folder, images) = elsewhere();
        let said = load(&images, bytes.as_slice()).expect_err("a refusal").to_string();
        assert!(said.contains(words), "{said}");
        assert!(images.list().unwrap().is_empty());
    }
}
