//! Images found, named and removed as docker does.

use berth_images::{Force, ImageReference};

use crate::Table;
use crate::image::Layer;

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_found_by_its_names_its_id_and_the_beginning_of_it() {
    let table = Table::new().await;
    table.fake.put_image("1", &[Layer::of("a", b"a")]);
    let image = table.pull("team/app:1").await.unwrap().image;
    let host = &table.fake.host;
    for text in [
        format!("{host}/team/app:1"),
        format!("{host}/team/app@{}", image.manifest_digest),
        format!("{host}/team/app:other@{}", image.manifest_digest),
        image.id.to_string(),
        image.id.hex().to_owned(),
        image.id.hex()[..12].to_owned(),
        format!("sha256:{}", &image.id.hex()[..5]),
    ] {
        assert_eq!(table.images.get(&text).unwrap().id, image.id, "{text}");
    }
    for text in [format!("{host}/team/app"), "app".to_owned(), "zz".to_owned(), String::new()] {
        assert!(table.images.find(&text).unwrap().is_none(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_moves_and_the_image_it_left_stays_without_it() {
    let table = Table::new().await;
    table.fake.put_image("1", &[Layer::of("a", b"a")]);
    table.fake.put_image("2", &[Layer::of("b", b"b")]);
    let first = table.pull("team/app:1").await.unwrap().image;
    let second = table.pull("team/app:2").await.unwrap().image;
    table.images.tag(first.id.as_str(), &reference("app:x")).unwrap();
    table.images.tag(second.id.as_str(), &reference("app:x")).unwrap();
    assert_eq!(table.images.get("app:x").unwrap().id, second.id);
    assert!(!table.images.get(first.id.as_str()).unwrap().tags.contains(&"app:x".to_owned()));
    let missing = table.images.tag("nothing", &reference("app:y")).unwrap_err().to_string();
    assert_eq!(missing, "there is no such image here: nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_goes_with_its_last_name() {
    let table = Table::new().await;
    table.fake.put_image("1", &[Layer::of("a", b"a")]);
    let image = table.pull("team/app:1").await.unwrap().image;
    let own = format!("{}/team/app:1", table.fake.host);
    table.images.tag(&own, &reference("app:x")).unwrap();
    let several = table.images.remove(image.id.hex(), Force::No).unwrap_err().to_string();
    assert!(several.contains("it has several names"), "{several}");
    let removed = table.images.remove("app:x", Force::No).unwrap();
    assert_eq!((removed.untagged, removed.deleted), (vec!["app:x".to_owned()], vec![]));
    let removed = table.images.remove(&own, Force::No).unwrap();
    let digest = format!("{}/team/app@{}", table.fake.host, image.manifest_digest);
    assert_eq!((removed.untagged, removed.deleted), (vec![own, digest], vec![image.id]));
    assert!(table.images.list().unwrap().is_empty());
}
