//! What broke is gone on with.

use axum::http::Method;

use crate::Table;
use crate::image::{Layer, digest};

fn large() -> Layer {
    let mut content = vec![0; 300_000];
    fastrand::Rng::with_seed(1).fill(&mut content);
    Layer::of("random", &content)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_download_goes_on_where_it_broke() {
    let table = Table::new().await;
    let layer = large();
    table.fake.put_image("1", std::slice::from_ref(&layer));
    table.fake.break_answers(3, 70_000);
    table.pull("team/app:1").await.unwrap();
    let ranges: Vec<_> = table
        .fake
        .asked(&Method::GET, digest(&layer.packed).as_str())
        .into_iter()
        .map(|asked| asked.range.unwrap())
        .collect();
    assert_eq!(ranges, ["bytes=0-", "bytes=70000-", "bytes=140000-", "bytes=210000-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_knows_no_ranges_is_put_up_with() {
    let table = Table::new().await;
    table.fake.put_image("1", &[large()]);
    table.fake.ignore_ranges();
    table.fake.break_answers(2, 70_000);
    table.pull("team/app:1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_failed_is_gone_on_with_by_the_next() {
    let table = Table::new().await;
    let layer = large();
    table.fake.put_image("1", std::slice::from_ref(&layer));
    let partial = table.folder.path().join("local/partial").join(digest(&layer.packed).hex());
    std::fs::write(&partial, &layer.packed[..123_456]).unwrap();
    table.pull("team/app:1").await.unwrap();
    let asked = table.fake.asked(&Method::GET, digest(&layer.packed).as_str());
    assert_eq!(asked[0].range.as_deref(), Some("bytes=123456-"));
    assert!(!partial.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_damaged_is_thrown_away_and_the_next_pull_succeeds() {
    let table = Table::new().await;
    let layer = large();
    table.fake.put_image("1", std::slice::from_ref(&layer));
    let partial = table.folder.path().join("local/partial").join(digest(&layer.packed).hex());
    let mut damaged = layer.packed[..123_456].to_vec();
    damaged[100_000] ^= 1;
    std::fs::write(&partial, damaged).unwrap();
    table.pull("team/app:1").await.expect_err("a damaged part");
    table.pull("team/app:1").await.expect("a pull from the beginning");
}
