//! Layers that link to files of the layers below.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::Table;
use crate::image::{Layer, archive};

/// An archive with one hard link.
fn hard_link(path: &str, target: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    tar.append_link(&mut header, path, target).unwrap();
    tar.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_link_into_a_lower_layer_is_made_for_each_chain_it_stands_on() {
    let table = Table::new().await;
    let linking = Layer::gzip(&hard_link("etc/copy", "etc/original"));
    let (one, two) = (Layer::of("etc/original", b"one"), Layer::of("etc/original", b"two"));
    table.fake.put_image("1", &[one, linking.clone()]);
    table.fake.put_image("2", &[two, linking]);
    for (tag, content) in [("1", "one"), ("2", "two")] {
        let image = table.pull(&format!("team/app:{tag}")).await.unwrap().image;
        let used = table.images.use_layers(&image).unwrap();
        let [lower, top] = used.lower_to_top() else { panic!("two layers") };
        assert_eq!(fs::read_to_string(top.join("etc/copy")).unwrap(), content);
        assert_eq!(
            fs::metadata(top.join("etc/copy")).unwrap().ino(),
            fs::metadata(lower.join("etc/original")).unwrap().ino()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_link_to_what_no_layer_has_is_refused() {
    let table = Table::new().await;
    let linking = Layer::gzip(&hard_link("copy", "missing"));
    table.fake.put_image("1", &[Layer::gzip(&archive(&[("a", b"a")])), linking]);
    let said = table.pull("team/app:1").await.expect_err("a refusal").to_string();
    assert!(said.contains("which no layer has"), "{said}");
}
