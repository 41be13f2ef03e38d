//! What can be wrong with a bucket, told at the start in one sentence.

use bytes::Bytes;
use uuid::Uuid;

use super::failure::S3Error;
use super::segment::content_of;
use super::{S3BlobStore, Shared};
use crate::Fault;

impl S3BlobStore {
    /// Tries whether the bucket can be read, written and cleared.
    ///
    /// # Errors
    /// One sentence on what is wrong and what to do about it.
    pub async fn check(&self) -> Result<(), Fault> {
        let shared = &self.shared;
        let key = shared.keys.trial(&Uuid::new_v4().simple().to_string());
        let tried = shared.try_out(&key).await;
        if let Some(apart) = shared.bucket.servers_clock.too_far() {
            return Err(Fault::because(
                format!("signing for {}", shared.options),
                format!("{apart}; set it"),
            ));
        }
        tried.map_err(|(operation, error)| {
            let doing = format!("{operation} {}", shared.options);
            match shared.remedy(&error) {
                Some(remedy) => Fault::because(doing, remedy),
                None => Fault::new(doing, error),
            }
        })
    }
}

impl Shared {
    async fn try_out(&self, key: &str) -> Result<(), (&'static str, S3Error)> {
        self.bucket.list(key, None).await.map_err(|error| ("listing", error))?;
        match self.bucket.get_whole(key).await {
            // Nothing was ever put there.
            Ok(_) => return Err(("reading from", S3Error::nonsense(200))),
            Err(error) if error.code.as_deref() == Some("NoSuchKey") => {}
            Err(error) => return Err(("reading from", error)),
        }
        let content = content_of(Bytes::from_static(b"berth"), self.bucket.checks());
        self.bucket.put(key, content).await.map_err(|error| ("writing to", error))?;
        self.bucket.delete(key).await.map_err(|error| ("removing from", error))
    }

    /// What to do about it, where that is known.
    fn remedy(&self, error: &S3Error) -> Option<String> {
        let options = &self.options;
        let (bucket, region) = (&options.bucket, &options.region);
        let endpoint = options.endpoint.as_deref().unwrap_or("AWS");
        let keys = match &options.credentials {
            Some(given) => format!("the key {}", given.access_key_id),
            None => "the credentials of the AWS default chain".to_owned(),
        };
        if let Some(there) = error.region.as_ref().filter(|there| *there != region) {
            return Some(format!("the bucket is in the region {there}, not {region}; set blobs.region"));
        }
        let Some(status) = error.status else {
            return Some(format!(
                "{endpoint} can't be reached or gave no credentials: {error}; is blobs.endpoint right and the \
                 server running?"
            ));
        };
        let Some(code) = error.code.as_deref() else {
            return Some(format!(
                "{endpoint} answers {status} with something that is not S3's; set blobs.endpoint to where S3 \
                 answers"
            ));
        };
        let remedy = match code {
            "NoSuchBucket" => format!("there is no bucket {bucket}; make it, or set blobs.bucket"),
            "InvalidAccessKeyId" | "NoSuchAccessKey" | "NotSignedUp" | "XAdminUserNotFound" => {
                format!("{keys} is not known there; set blobs.access_key_id")
            }
            "SignatureDoesNotMatch" => {
                format!("the secret of {keys} is wrong; set blobs.secret_access_key")
            }
            "RequestTimeTooSkewed" | "RequestExpired" | "ExpiredToken" => {
                format!("this machine's clock and S3's are too far apart ({error}); set the clock")
            }
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
                format!("the bucket is not in the region {region} ({error}); set blobs.region")
            }
            "AccessDenied" | "AllAccessDisabled" => format!(
                "{keys} may not do that ({error}); allow s3:GetObject, s3:ListBucket, s3:PutObject, \
                 s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads"
            ),
            _ => return None,
        };
        Some(remedy)
    }
}
