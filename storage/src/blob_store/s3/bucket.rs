//! The few things that are asked of S3, each in one function.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::config::{
    Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, Object, ServerSideEncryption,
};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::clock::ServersClock;
use super::failure::S3Error;
use super::options::{Addressing, Checksums, Encryption, S3Options};
use super::silence;

/// How often something is tried that failed on the server's side, the first time included.
const ATTEMPTS: u32 = 6;
/// The first wait before that, on the average; each is twice the one before.
const BACKOFF: Duration = Duration::from_millis(250);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Doesn't ask a server again that was silent for so long: nobody waits for minutes.
#[derive(Debug)]
struct SilenceIsFinal;

impl ClassifyRetry for SilenceIsFinal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = context.output_or_error().and_then(Result::err);
        let connector = failed.and_then(|error| error.as_connector_error());
        match connector {
            Some(error) if error.is_timeout() => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "silence is final"
    }
}

/// One bucket, as one identity reaches it; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    client: Client,
    /// Signs URLs for clients, who may reach the bucket by another name.
    public: Client,
    name: String,
    encryption: Option<Encryption>,
    checksums: Checksums,
    pub(super) servers_clock: ServersClock,
}

/// A part that S3 has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) size: u64,
    pub(super) etag: String,
    /// CRC-32C in base64, as S3 writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc: Option<String>,
}

/// Bytes to be sent, and what proves that they arrived.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) body: Body,
    pub(super) size: u64,
    /// CRC-32C in base64; none: not checked.
    pub(super) crc: Option<String>,
}

impl Bucket {
    pub(super) async fn new(options: &S3Options) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https();
        let http = silence::Impatient::around(http, options.silence);
        let credentials = credentials(options, &http).await;
        let servers_clock = ServersClock::default();
        let config = |endpoint: Option<&str>| {
            let mut config = Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(options.region.clone()))
                .force_path_style(options.addressing == Addressing::Path)
                .http_client(http.clone())
                .retry_config(
                    RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF),
                )
                .retry_classifier(SilenceIsFinal)
                .interceptor(servers_clock.clone())
                .timeout_config(
                    // The SDK's own limit on an answer counts from the beginning of the request.
                    TimeoutConfig::builder().connect_timeout(CONNECT_WITHIN).disable_read_timeout().build(),
                )
                .stalled_stream_protection(
                    // Of what is sent, `silence` takes care; this is for what is received.
                    StalledStreamProtectionConfig::enabled()
                        .upload_enabled(false)
                        .grace_period(options.silence)
                        .build(),
                )
                // What works with every server; where checksums are wanted, they are given.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
            config.set_credentials_provider(credentials.clone());
            config.set_endpoint_url(endpoint.map(str::to_owned));
            Client::from_conf(config.build())
        };
        let endpoint = options.endpoint.as_deref();
        Self {
            client: config(endpoint),
            public: config(options.public_endpoint.as_deref().or(endpoint)),
            name: options.bucket.clone(),
            encryption: options.encryption.clone(),
            checksums: options.checksums,
            servers_clock,
        }
    }

    /// Whether the server is to check what it gets.
    pub(super) fn checks(&self) -> bool {
        self.checksums == Checksums::On
    }

    /// Puts an object there; gives its entity tag.
    pub(super) async fn put(&self, key: &str, content: Content) -> Result<String, S3Error> {
        self.put_if(key, content, None).await
    }

    /// The same, unless something is there.
    pub(super) async fn put_new(&self, key: &str, content: Content) -> Result<String, S3Error> {
        self.put_if(key, content, Some("*".to_owned())).await
    }

    async fn put_if(
        &self,
        key: &str,
        content: Content,
        none_match: Option<String>,
    ) -> Result<String, S3Error> {
        let (encryption, kms_key) = self.encryption();
        let put = self.client.put_object().bucket(&self.name).key(key).body(content.body);
        let put = put.content_length(content.size.cast_signed()).set_checksum_crc32_c(content.crc);
        let put = put.set_server_side_encryption(encryption).set_ssekms_key_id(kms_key);
        let answer = sent(put.set_if_none_match(none_match).send()).await?;
        Ok(answer.e_tag.unwrap_or_default())
    }

    /// The bytes from `first` up to but without `end` of an object.
    pub(super) async fn get(&self, key: &str, first: u64, end: u64) -> Result<GetObjectOutput, S3Error> {
        let range = format!("bytes={first}-{}", end.saturating_sub(1));
        sent(self.client.get_object().bucket(&self.name).key(key).range(range).send()).await
    }

    /// A whole object.
    pub(super) async fn get_whole(&self, key: &str) -> Result<GetObjectOutput, S3Error> {
        sent(self.client.get_object().bucket(&self.name).key(key).send()).await
    }

    /// How large an object is, in bytes.
    pub(super) async fn size(&self, key: &str) -> Result<u64, S3Error> {
        let answer = sent(self.client.head_object().bucket(&self.name).key(key).send()).await?;
        Ok(answer.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or_default())
    }

    /// Removes an object; does no harm when there is none.
    pub(super) async fn delete(&self, key: &str) -> Result<(), S3Error> {
        match sent(self.client.delete_object().bucket(&self.name).key(key).send()).await {
            Err(error) if !error.is_missing() => Err(error),
            _ => Ok(()),
        }
    }

    /// A URL that anyone may GET the object with, as long as `terms` say.
    pub(super) async fn url(&self, key: &str, terms: PresigningConfig) -> Result<String, S3Error> {
        let get = self.public.get_object().bucket(&self.name).key(key);
        Ok(get.presigned(terms).await?.uri().to_owned())
    }

    /// Begins a multipart upload; gives its id.
    pub(super) async fn create(&self, key: &str) -> Result<String, S3Error> {
        let (encryption, kms_key) = self.encryption();
        let algorithm = self.checks().then_some(ChecksumAlgorithm::Crc32C);
        let create = self.client.create_multipart_upload().bucket(&self.name).key(key);
        let create = create.set_server_side_encryption(encryption).set_ssekms_key_id(kms_key);
        let create = create.set_checksum_type(algorithm.as_ref().map(|_| ChecksumType::Composite));
        let answer = sent(create.set_checksum_algorithm(algorithm).send()).await?;
        Ok(answer.upload_id.unwrap_or_default())
    }

    /// Sends one part; parts are numbered from 1.
    pub(super) async fn upload_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        content: Content,
    ) -> Result<Part, S3Error> {
        let Content { body, size, crc } = content;
        let part = self.client.upload_part().bucket(&self.name).key(key).upload_id(upload);
        let part = part.part_number(number).body(body).content_length(size.cast_signed());
        let answer = sent(part.set_checksum_crc32_c(crc.clone()).send()).await?;
        Ok(Part { size, etag: answer.e_tag.unwrap_or_default(), crc })
    }

    /// Makes an object of `parts`.
    pub(super) async fn complete(&self, key: &str, upload: &str, parts: &[Part]) -> Result<(), S3Error> {
        let parts = parts.iter().zip(1..).map(|(part, number)| {
            let completed = CompletedPart::builder().part_number(number).e_tag(&part.etag);
            completed.set_checksum_crc32_c(part.crc.clone()).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.name).key(key);
        sent(complete.upload_id(upload).multipart_upload(parts).send()).await?;
        Ok(())
    }

    /// Ends a multipart upload and removes its parts; does no harm when there is none.
    pub(super) async fn abort(&self, key: &str, upload: &str) -> Result<(), S3Error> {
        let abort = self.client.abort_multipart_upload().bucket(&self.name).key(key).upload_id(upload);
        match sent(abort.send()).await {
            Err(error) if !error.is_missing() => Err(error),
            _ => Ok(()),
        }
    }

    /// The multipart uploads to exactly this key.
    pub(super) async fn uploads_to(&self, key: &str) -> Result<Vec<String>, S3Error> {
        let list = self.client.list_multipart_uploads().bucket(&self.name).prefix(key);
        let answer = match sent(list.send()).await {
            // Such a server can't tell: what nobody remembers stays there until it expires.
            Err(error) if error.is_not_implemented() => return Ok(Vec::new()),
            answer => answer?,
        };
        let to_this = answer.uploads.unwrap_or_default().into_iter().filter(|found| found.key() == Some(key));
        Ok(to_this.filter_map(|found| found.upload_id).collect())
    }

    /// One page of the objects whose keys begin with `prefix`, and where the next begins.
    pub(super) async fn list(
        &self,
        prefix: &str,
        token: Option<String>,
    ) -> Result<(Vec<Object>, Option<String>), S3Error> {
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let answer = sent(list.set_continuation_token(token).send()).await?;
        Ok((answer.contents.unwrap_or_default(), answer.next_continuation_token))
    }

    fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.encryption {
            None => (None, None),
            Some(Encryption::S3) => (Some(ServerSideEncryption::Aes256), None),
            Some(Encryption::Kms(key)) => (Some(ServerSideEncryption::AwsKms), key.clone()),
        }
    }
}

/// The answer to a request. Boxed: the SDK's futures are large, and would make large all that wait
/// for them.
fn sent<'a, T, E>(
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
) -> BoxFuture<'a, Result<T, S3Error>>
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    async move { Ok(request.await?) }.boxed()
}

async fn credentials(options: &S3Options, http: &SharedHttpClient) -> Option<SharedCredentialsProvider> {
    if let Some(given) = &options.credentials {
        let secret = given.secret_access_key.expose_secret();
        let credentials = Credentials::new(&given.access_key_id, secret, None, None, "configuration");
        return Some(SharedCredentialsProvider::new(credentials));
    }
    let chain = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(options.region.clone()))
        .http_client(http.clone());
    chain.load().await.credentials_provider()
}
