//! Nobody but the registry itself is told who asks (CVE-2020-15157).

use axum::http::Method;
use berth_images::{Credential, Reach, Registry, pull, push};

use crate::image::Layer;
use crate::registry::Fake;
use crate::{Table, ignored};

fn login() -> Option<Credential> {
    Some(Credential::Password { user: "alice".to_owned(), password: "secret".into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_that_a_blob_is_fetched_from_gets_no_credential() {
    let (table, elsewhere) = (Table::new().await, Fake::start().await);
    let layer = Layer::of("a", b"a");
    table.fake.put_image("1", std::slice::from_ref(&layer));
    elsewhere.put_image("1", &[layer]);
    table.fake.want_login();
    table.fake.send_elsewhere(&elsewhere.host);
    let reference = table.reference("team/app:1");
    let registry = Registry::new(&reference, login(), Reach::default()).unwrap();
    pull(&table.images, &registry, &reference, None, &ignored).await.unwrap();
    let asked = elsewhere.asked(&Method::GET, "/blobs/");
    assert_eq!(asked.len(), 2, "the configuration and the layer");
    assert!(asked.iter().all(|asked| asked.authorization.is_none()), "{asked:?}");
    let own = table.fake.asked(&Method::GET, "/blobs/");
    assert!(!own.is_empty() && own.iter().all(|asked| asked.authorization.is_some()), "{own:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_that_a_blob_is_sent_to_gets_no_credential() {
    let (table, elsewhere) = (Table::new().await, Fake::start().await);
    table.fake.put_image("1", &[]);
    table.pull("team/app:1").await.unwrap();
    let target = table.reference("team/other:2");
    table.images.tag(&table.reference("team/app:1").whole(), &target).unwrap();
    let image = table.images.get(&target.whole()).unwrap();
    let empty = Table::new().await;
    empty.fake.want_login();
    empty.fake.send_elsewhere(&elsewhere.host);
    elsewhere.begin_upload();
    let target = empty.reference("team/other:2");
    let registry = Registry::new(&target, login(), Reach::default()).unwrap();
    push(&table.images, &registry, &target, &image, &ignored).await.unwrap();
    let asked = [elsewhere.asked(&Method::PATCH, ""), elsewhere.asked(&Method::PUT, "")].concat();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|asked| asked.authorization.is_none()), "{asked:?}");
}
