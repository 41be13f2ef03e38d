//! Digest, size and diffID are checked before anything is used; what can't be used is refused in a sentence.

use std::fs;
use std::io::Read;

use axum::http::Method;
use bzip2::read::BzEncoder;
use liblzma::read::XzEncoder;
use serde_json::json;

use crate::Table;
use crate::image::{self, INDEX, Layer, archive, config, digest, manifest};

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_is_unpacked_and_kept_as_it_came() {
    let table = Table::new().await;
    // However a manifest calls those, as docker takes them.
    let packed = |archive: &[u8], encoder: &mut dyn Read| {
        let mut packed = Vec::new();
        encoder.read_to_end(&mut packed).unwrap();
        Layer { packed, ..Layer::gzip(archive) }
    };
    let (xz, bz) = (archive(&[("d", b"xz")]), archive(&[("e", b"bzip2")]));
    let layers = [
        Layer::gzip(&archive(&[("a", b"gzip")])),
        Layer::zstd(&archive(&[("b", b"zstd")])),
        Layer::plain(&archive(&[("c", b"plain")])),
        packed(&xz, &mut XzEncoder::new(&xz[..], 6)),
        packed(&bz, &mut BzEncoder::new(&bz[..], bzip2::Compression::best())),
    ];
    let contents = [("a", "gzip"), ("b", "zstd"), ("c", "plain"), ("d", "xz"), ("e", "bzip2")];
    let expected = table.fake.put_image("1", &layers);
    let pulled = table.pull("team/app:1").await.unwrap();
    assert_eq!(pulled.digest, expected);
    let used = table.images.use_layers(&pulled.image).unwrap();
    for ((folder, layer), (name, content)) in used.lower_to_top().iter().zip(&layers).zip(contents) {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), content);
        let packed = digest(&layer.packed);
        let kept = table.folder.path().join("local/blobs/sha256").join(packed.hex());
        assert_eq!(fs::read(kept).unwrap(), layer.packed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_with_other_bytes_is_refused() {
    let table = Table::new().await;
    let plain = |content| Layer::plain(&archive(&[("a", content)]));
    let (layer, other) = (plain(b"a"), plain(b"b"));
    table.fake.put_image("1", std::slice::from_ref(&layer));
    table.fake.put_blob_as(&digest(&layer.packed), &other.packed);
    assert_eq!(layer.packed.len(), other.packed.len());
    table.assert_refused(table.pull("team/app:1").await, "sent something of the digest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_is_longer_than_announced_is_refused() {
    let table = Table::new().await;
    let layer = Layer::of("a", b"a");
    table.fake.put_image("1", std::slice::from_ref(&layer));
    let longer = [layer.packed.as_slice(), &[0; 4096]].concat();
    table.fake.put_blob_as(&digest(&layer.packed), &longer);
    table.assert_refused(table.pull("team/app:1").await, "sends more than");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_whose_size_the_manifest_lies_about_is_refused() {
    let table = Table::new().await;
    let layer = Layer::of("a", b"a");
    let bytes = config(std::slice::from_ref(&layer)).to_string().into_bytes();
    table.fake.put_blob(&bytes);
    table.fake.put_blob(&layer.packed);
    let mut lying = manifest(&bytes, std::slice::from_ref(&layer));
    lying["layers"][0]["size"] = json!(layer.packed.len() - 1);
    table.fake.put_manifest("1", &lying);
    table.assert_refused(table.pull("team/app:1").await, "sends more than");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_unpacks_to_something_else_than_the_configuration_says_is_refused() {
    let table = Table::new().await;
    let mut layer = Layer::of("a", b"a");
    layer.diff_id = digest(b"something else");
    table.fake.put_image("1", &[layer]);
    table.assert_refused(table.pull("team/app:1").await, "it unpacks to sha256:");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_leads_out_of_the_image_is_refused() {
    let table = Table::new().await;
    let mut tar = archive(&[("aaaaaaa", b"x")]);
    // The name, and what the checksum changes by.
    tar[..7].copy_from_slice(b"../evil");
    tar[148..156].copy_from_slice(b"        ");
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    table.fake.put_image("1", &[Layer::gzip(&tar)]);
    table.assert_refused(table.pull("team/app:1").await, "leads out of the image");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused() {
    let table = Table::new().await;
    // 2 GiB of zeros in a few hundred kilobytes.
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("zeros").unwrap();
    header.set_size(2 << 30);
    header.set_mode(0o644);
    header.set_cksum();
    std::io::Write::write_all(&mut packed, header.as_bytes()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 2 << 30), &mut packed).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 1 << 20);
    table.fake.put_image("1", &[Layer { diff_id: digest(b""), packed, kind: image::ZSTD }]);
    table.assert_refused(table.pull("team/app:1").await, "which is taken for a bomb");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_compression_is_refused() {
    let table = Table::new().await;
    let mut layer = Layer::of("a", &[7; 100_000]);
    let middle = layer.packed.len() / 2;
    layer.packed.truncate(middle);
    table.fake.put_image("1", &[layer]);
    table.assert_refused(table.pull("team/app:1").await, "it can't be read");
    let xz = Layer { packed: b"\xfd7zXZ\0 and so on".to_vec(), ..Layer::of("a", b"a") };
    table.fake.put_image("1", &[xz]);
    table.assert_refused(table.pull("team/app:1").await, "it can't be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_another_digest_is_refused() {
    let table = Table::new().await;
    let wanted = digest(b"wanted");
    let other = manifest(b"{}", &[]);
    table.fake.put_manifest(wanted.as_str(), &other);
    table.assert_refused(
        table.pull(&format!("team/app@{wanted}")).await,
        "the registry sent a manifest of digest",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_two_things_is_refused() {
    let table = Table::new().await;
    let mut both = manifest(b"{}", &[]);
    both["manifests"] = json!([]);
    table.fake.put_manifest("1", &both);
    table.assert_refused(table.pull("team/app:1").await, "both 'manifests' and 'layers'");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_without_an_end_is_refused() {
    let table = Table::new().await;
    let mut long = manifest(b"{}", &[]);
    long["annotations"] = json!({"x": "y".repeat(5 << 20)});
    table.fake.put_manifest("1", &long);
    table.assert_refused(table.pull("team/app:1").await, "the manifest has more than 4194304 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_no_json_or_too_large_is_refused() {
    let table = Table::new().await;
    table.fake.put_blob(b"no json");
    table.fake.put_manifest("1", &manifest(b"no json", &[]));
    table.assert_refused(table.pull("team/app:1").await, "invalid image configuration");
    let mut large = manifest(b"no json", &[]);
    large["config"]["size"] = json!(1_u64 << 40);
    table.fake.put_manifest("1", &large);
    table.assert_refused(table.pull("team/app:1").await, "at most 4194304 are read");
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_that_the_configuration_does_not_count_are_refused() {
    let table = Table::new().await;
    let layers = [Layer::of("a", b"a"), Layer::of("b", b"b")];
    let bytes = config(&layers[..1]).to_string().into_bytes();
    table.fake.put_blob(&bytes);
    table.fake.put_manifest("1", &manifest(&bytes, &layers));
    table.assert_refused(table.pull("team/app:1").await, "it has 2 layers, and its configuration names 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_layer_is_refused_and_nobody_else_is_asked_for_it() {
    let (table, elsewhere) = (Table::new().await, crate::Fake::start().await);
    let layer = Layer::of("a", b"a");
    let bytes = config(std::slice::from_ref(&layer)).to_string().into_bytes();
    table.fake.put_blob(&bytes);
    elsewhere.put_blob(&layer.packed);
    let url = format!("http://{}/v2/x/blobs/{}", elsewhere.host, digest(&layer.packed));
    let mut foreign = manifest(&bytes, &[layer]);
    foreign["layers"][0]["urls"] = json!([url]);
    table.fake.put_manifest("1", &foreign);
    table.assert_refused(table.pull("team/app:1").await, "has no sha256:");
    foreign["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    table.fake.put_manifest("1", &foreign);
    table.assert_refused(table.pull("team/app:1").await, "foreign layer");
    assert!(elsewhere.asked(&Method::GET, "").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_and_layers_of_other_kinds_are_refused() {
    let table = Table::new().await;
    let mut artifact = manifest(b"{}", &[]);
    artifact["config"]["mediaType"] = json!("application/vnd.oci.empty.v1+json");
    artifact["artifactType"] = json!("application/vnd.example.sbom");
    table.fake.put_manifest("1", &artifact);
    table.assert_refused(
        table.pull("team/app:1").await,
        "an artifact of the type application/vnd.example.sbom",
    );
    let encrypted =
        Layer { kind: "application/vnd.oci.image.layer.v1.tar+gzip+encrypted", ..Layer::of("a", b"a") };
    table.fake.put_image("1", &[encrypted]);
    table.assert_refused(table.pull("team/app:1").await, "which is no layer of a file system");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_index_the_image_for_this_machine_is_pulled_and_the_index_is_what_is_named() {
    let table = Table::new().await;
    let layers = [Layer::of("a", b"a")];
    let child = table.fake.put_image("child", &layers);
    let size = table.fake.manifest("child").unwrap().len();
    let architecture = config(&layers)["architecture"].clone();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": image::MANIFEST, "digest": digest(b"x"), "size": 9, "platform": {"os": "windows", "architecture": "amd64"}},
        {"mediaType": image::MANIFEST, "digest": child, "size": size, "platform": {"os": "linux", "architecture": architecture}},
    ]});
    let expected = table.fake.put_manifest("1", &index);
    let pulled = table.pull("team/app:1").await.unwrap();
    assert_eq!(pulled.digest, expected);
    assert_eq!(pulled.image.manifest_digest, child);
    assert_eq!(pulled.image.digests, [format!("{}/team/app@{expected}", table.fake.host)]);
    let found = table.images.get(&format!("{}/team/app@{expected}", table.fake.host)).unwrap();
    assert_eq!(found.id, pulled.image.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_without_this_machines_platform_or_with_a_lie_about_a_size_is_refused() {
    let table = Table::new().await;
    let child = table.fake.put_image("child", &[Layer::of("a", b"a")]);
    let index = |os: &str, architecture: &serde_json::Value, size: usize| {
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": image::MANIFEST, "digest": child, "size": size, "platform": {"os": os, "architecture": architecture}},
        ]})
    };
    table.fake.put_manifest("1", &index("plan9", &json!("mips"), 9));
    table.assert_refused(table.pull("team/app:1").await, "there is plan9/mips: choose with --platform");
    let own = config(&[])["architecture"].clone();
    table.fake.put_manifest("1", &index("linux", &own, 9));
    table.assert_refused(table.pull("team/app:1").await, "where its index says 9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_named_twice_as_two_things_is_refused_and_as_one_is_fetched_once() {
    let table = Table::new().await;
    let layer = Layer::of("a", b"a");
    table.fake.put_image("1", &[layer.clone(), layer.clone()]);
    let pulled = table.pull("team/app:1").await.unwrap();
    let part = digest(&layer.packed).to_string();
    assert_eq!(table.fake.asked(&Method::GET, &part).len(), 1);
    assert_eq!(table.images.use_layers(&pulled.image).unwrap().lower_to_top().len(), 2);
    let other = Table::new().await;
    other.fake.put_image("1", &[layer.clone(), Layer { diff_id: digest(b"x"), ..layer }]);
    other.assert_refused(other.pull("team/app:1").await, "names it twice");
}
