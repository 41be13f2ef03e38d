//! How far this machine's clock is from the server's.
//!
//! The SDK signs again by the server's clock when it was refused for its own, so most requests succeed all
//! the same, each at the second try; signed URLs do not.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

/// More than this, and a request is refused.
const MOST: Duration = Duration::from_secs(15 * 60);

/// The server's clock, as its latest answer told it.
#[derive(Debug, Clone, Default)]
pub(super) struct ServersClock {
    /// In seconds; less than none: it is behind this machine's.
    ahead: Arc<AtomicI64>,
}

impl ServersClock {
    /// By how much it is too far from this machine's, if it is.
    pub(super) fn too_far(&self) -> Option<Apart> {
        let ahead = self.ahead.load(Ordering::Relaxed);
        (ahead.unsigned_abs() > MOST.as_secs()).then_some(Apart(ahead))
    }
}

impl Intercept for ServersClock {
    fn name(&self) -> &'static str {
        "the server's clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        let own = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if let Some(date) = date {
            self.ahead.store(date.secs() - own.as_secs().cast_signed(), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// How far two clocks are apart, in seconds; less than none: the server's is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Apart(i64);

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.0 > 0 { "behind" } else { "ahead of" };
        write!(f, "this machine's clock is {} minutes {which} S3's", self.0.unsigned_abs() / 60)
    }
}
