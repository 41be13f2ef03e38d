//! An S3 server in the test's process, on a folder: `s3s-fs`, and what it lacks of S3.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input,
    ListObjectsV2Output, MultipartUpload, PutObjectInput, PutObjectOutput, UploadPartInput, UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3ErrorCode, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const BUCKET: &str = "berth";
pub(crate) const ACCESS_KEY: &str = "AKIATEST";
pub(crate) const SECRET_KEY: &str = "a secret for tests";

/// One request, as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) operation: &'static str,
    pub(crate) key: String,
    /// Bytes of its body.
    pub(crate) size: i64,
}

type Refuse = Box<dyn FnMut(&Asked) -> Option<S3ErrorCode> + Send>;

#[derive(Default)]
struct Watch {
    asked: Vec<Asked>,
    refuse: Option<Refuse>,
    /// Open multipart uploads and their keys.
    uploads: BTreeMap<String, String>,
}

/// A running server; it ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    watch: Arc<Mutex<Watch>>,
    task: JoinHandle<()>,
}

/// The longest key that `s3s-fs` keeps, in bytes: a file's name holds all of it in base64.
const LONGEST_KEY: usize = 160;

struct Watched {
    folder: PathBuf,
    files: FileSystem,
    watch: Arc<Mutex<Watch>>,
}

impl Server {
    /// Serves the folder, in which it makes a bucket.
    pub(crate) async fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder.join(BUCKET)).unwrap();
        let watch = Arc::<Mutex<Watch>>::default();
        let files = FileSystem::new(folder).unwrap();
        let watched = Watched { folder: folder.to_owned(), files, watch: Arc::clone(&watch) };
        let mut service = S3ServiceBuilder::new(watched);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(serve(listener, service));
        Self { address, watch, task }
    }

    /// From now on `refuse` decides which requests are refused.
    pub(crate) fn refuse(&self, refuse: impl FnMut(&Asked) -> Option<S3ErrorCode> + Send + 'static) {
        self.watch.lock().unwrap().refuse = Some(Box::new(refuse));
    }

    /// What was asked so far; forgotten afterwards.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.watch.lock().unwrap().asked)
    }

    /// Knows the multipart uploads that a session's row names, as the server before it did.
    pub(crate) fn adopt_uploads_of(&self, row: &str) {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let upload = row["way"]["s3"]["upload"].as_str().unwrap().to_owned();
        self.watch.lock().unwrap().uploads.insert(upload, String::new());
    }

    /// How many multipart uploads are open.
    pub(crate) fn open_uploads(&self) -> usize {
        self.watch.lock().unwrap().uploads.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            // A client that goes away is no failure.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

impl Watched {
    fn note(&self, operation: &'static str, key: &str, size: Option<i64>) -> S3Result<()> {
        let asked = Asked { operation, key: key.to_owned(), size: size.unwrap_or_default() };
        let mut watch = self.watch.lock().unwrap();
        let refused = watch.refuse.as_mut().and_then(|refuse| refuse(&asked));
        watch.asked.push(asked);
        refused.map_or(Ok(()), |code| Err(s3s::S3Error::new(code)))
    }

    /// Only markers have keys so long, and they are empty.
    fn put_empty(&self, put: &PutObjectInput) -> PutObjectOutput {
        assert_eq!(put.content_length, Some(0), "{}", put.key);
        let path = self.folder.join(&put.bucket).join(&put.key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"").unwrap();
        PutObjectOutput::default()
    }

    /// `s3s-fs` says AccessDenied of uploads that are not there.
    fn known(&self, upload: &str) -> S3Result<()> {
        let known = self.watch.lock().unwrap().uploads.contains_key(upload);
        if known { Ok(()) } else { Err(s3s::S3Error::new(S3ErrorCode::NoSuchUpload)) }
    }
}

#[async_trait::async_trait]
impl S3 for Watched {
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.note("PutObject", &req.input.key, req.input.content_length)?;
        if req.input.key.len() > LONGEST_KEY {
            return Ok(S3Response::new(self.put_empty(&req.input)));
        }
        self.files.put_object(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.note("GetObject", &req.input.key, None)?;
        self.files.get_object(req).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.note("HeadObject", &req.input.key, None)?;
        self.files.head_object(req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.note("DeleteObject", &req.input.key, None)?;
        self.files.delete_object(req).await
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.note("ListObjectsV2", req.input.prefix.as_deref().unwrap_or_default(), None)?;
        self.files.list_objects_v2(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let key = req.input.key.clone();
        self.note("CreateMultipartUpload", &key, None)?;
        let answer = self.files.create_multipart_upload(req).await?;
        let upload = answer.output.upload_id.clone().unwrap();
        self.watch.lock().unwrap().uploads.insert(upload, key);
        Ok(answer)
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.note("UploadPart", &req.input.key, req.input.content_length)?;
        self.known(&req.input.upload_id)?;
        self.files.upload_part(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let upload = req.input.upload_id.clone();
        self.note("CompleteMultipartUpload", &req.input.key, None)?;
        self.known(&upload)?;
        let answer = self.files.complete_multipart_upload(req).await?;
        self.watch.lock().unwrap().uploads.remove(&upload);
        Ok(answer)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let upload = req.input.upload_id.clone();
        self.note("AbortMultipartUpload", &req.input.key, None)?;
        self.known(&upload)?;
        let answer = self.files.abort_multipart_upload(req).await?;
        self.watch.lock().unwrap().uploads.remove(&upload);
        Ok(answer)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let prefix = req.input.prefix.unwrap_or_default();
        self.note("ListMultipartUploads", &prefix, None)?;
        let watch = self.watch.lock().unwrap();
        let found = watch.uploads.iter().filter(|(_, key)| key.starts_with(&prefix));
        let uploads = found.map(|(upload, key)| MultipartUpload {
            key: Some(key.clone()),
            upload_id: Some(upload.clone()),
            ..MultipartUpload::default()
        });
        let uploads = Some(uploads.collect());
        Ok(S3Response::new(ListMultipartUploadsOutput { uploads, ..ListMultipartUploadsOutput::default() }))
    }
}
