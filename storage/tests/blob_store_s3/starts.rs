//! What is said at the start when a bucket can't be used.

use std::path::Path;

use berth_storage::S3Options;
use s3s::S3ErrorCode;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{options, served, store};

/// What the check says of a store on this server.
async fn said(folder: &Path, change: impl FnOnce(&mut S3Options)) -> String {
    let (_server, store) = served(folder, change).await;
    store.check().await.unwrap_err().to_string()
}

#[track_caller]
fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains('\n'), "{said}");
}

#[tokio::test]
async fn a_bucket_that_works_leaves_no_trace_of_the_check() {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    store.check().await.unwrap();
    let asked: Vec<_> = server.asked().into_iter().map(|asked| asked.operation).collect();
    assert_eq!(asked, ["ListObjectsV2", "GetObject", "PutObject", "DeleteObject"]);
}

#[tokio::test]
async fn a_wrong_bucket_is_named() {
    let folder = tempdir().unwrap();
    let said = said(folder.path(), |options| options.bucket = "other".to_owned()).await;
    says(&said, &["s3://other/", "there is no bucket other", "blobs.bucket"]);
}

#[tokio::test]
async fn wrong_keys_are_named_and_the_secret_is_not() {
    let folder = tempdir().unwrap();
    let secret = "another secret";
    let wrong = |options: &mut S3Options| {
        options.credentials.as_mut().unwrap().secret_access_key = secret.to_owned().into();
    };
    let wrong_secret = said(folder.path(), wrong).await;
    says(&wrong_secret, &["the secret of the key AKIATEST is wrong"]);
    assert!(!wrong_secret.contains(secret));
    let unknown = |options: &mut S3Options| {
        options.credentials.as_mut().unwrap().access_key_id = "AKIAOTHER".to_owned();
    };
    says(&said(folder.path(), unknown).await, &["the key AKIAOTHER"]);
}

/// What the check says when the server refuses one operation by this code.
async fn refused(operation: &'static str, code: S3ErrorCode) -> String {
    let folder = tempdir().unwrap();
    let (server, store) = served(folder.path(), |_| {}).await;
    server.refuse(move |asked| (asked.operation == operation).then(|| code.clone()));
    store.check().await.unwrap_err().to_string()
}

#[tokio::test]
async fn who_may_read_but_not_write_is_told_what_to_allow() {
    let said = refused("PutObject", S3ErrorCode::AccessDenied).await;
    says(&said, &["writing to s3://berth/", "AKIATEST may not do that", "s3:PutObject"]);
    let said = refused("DeleteObject", S3ErrorCode::AccessDenied).await;
    says(&said, &["removing from s3://berth/", "s3:DeleteObject"]);
}

#[tokio::test]
async fn a_clock_that_is_off_is_named() {
    says(&refused("GetObject", S3ErrorCode::RequestTimeTooSkewed).await, &["clock"]);
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named() {
    let said = refused("GetObject", S3ErrorCode::AuthorizationHeaderMalformed).await;
    says(&said, &["not in the region us-east-1", "blobs.region"]);
}

/// What the check says of something that answers each connection with these bytes.
async fn answered(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 16 * 1024];
            let _ = socket.read(&mut request).await.unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let folder = tempdir().unwrap();
    let said = store(options(endpoint, folder.path())).await.check().await.unwrap_err().to_string();
    answering.abort();
    said
}

#[tokio::test]
async fn an_endpoint_that_is_no_s3_is_named() {
    let said = answered(
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>",
    )
    .await;
    says(&said, &["something that is not S3's", "blobs.endpoint"]);
    let said = answered(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>",
    )
    .await;
    says(&said, &["something that is not S3's", "blobs.endpoint"]);
}

#[tokio::test]
async fn a_redirect_to_another_region_names_it() {
    let said = answered(
        "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )
    .await;
    says(&said, &["the bucket is in the region eu-west-1, not us-east-1", "blobs.region"]);
}

#[tokio::test]
async fn an_endpoint_that_can_not_be_reached_is_named() {
    let folder = tempdir().unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = options(format!("http://{gone}"), &folder.path().join("spool"));
    let said = store(options).await.check().await.unwrap_err().to_string();
    says(&said, &["can't be reached", &gone.to_string(), "blobs.endpoint"]);
}
