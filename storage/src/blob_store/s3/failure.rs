//! What S3 said when it did not do what was asked.

use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::Fault;

/// An answer of S3 that is none, or none that helps.
#[derive(Debug)]
pub(super) struct S3Error {
    /// The status of the answer; none when there was no answer.
    pub(super) status: Option<u16>,
    /// S3's own word, such as `NoSuchKey`.
    pub(super) code: Option<String>,
    /// The region that the bucket is in, where the answer says so.
    pub(super) region: Option<String>,
    message: String,
}

impl S3Error {
    /// An answer that S3 does not give.
    pub(super) fn nonsense(status: u16) -> Self {
        let message = format!("it answered {status} where S3 does not");
        Self { status: Some(status), code: None, region: None, message }
    }

    /// Whether nothing is there.
    pub(super) fn is_missing(&self) -> bool {
        self.status == Some(404) && self.code.as_deref() != Some("NoSuchBucket")
    }

    /// Whether the object ends before the range that was asked for.
    pub(super) fn is_beyond_the_end(&self) -> bool {
        self.status == Some(416)
    }

    /// Whether the server doesn't know this operation.
    pub(super) fn is_not_implemented(&self) -> bool {
        self.status == Some(501)
    }

    /// Whether a condition on the request was not met.
    pub(super) fn is_precondition_failed(&self) -> bool {
        matches!(self.status, Some(409 | 412))
    }
}

impl<E> From<SdkError<E, HttpResponse>> for S3Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let response = error.raw_response();
        let header = |name| response.and_then(|response| response.headers().get(name)).map(str::to_owned);
        let status = response.map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let region = header("x-amz-bucket-region");
        let message = match (&code, error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.clone(),
            (None, _) => chain(&error),
        };
        let message = match (status, header("x-amz-request-id")) {
            (Some(status), Some(request)) => format!("S3 answered {status}, {message} (request {request})"),
            (Some(status), None) => format!("S3 answered {status}, {message}"),
            (None, _) => message,
        };
        Self { status, code, region, message }
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for S3Error {}

/// An error and all that it came from.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Nothing where something may be missing.
pub(super) fn unless_missing<T>(
    answer: Result<T, S3Error>,
    doing: impl FnOnce() -> String,
) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(Fault::new(doing(), error)),
    }
}
