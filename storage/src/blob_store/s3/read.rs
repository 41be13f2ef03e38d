//! A blob's bytes as they come from S3, taken up again where a connection broke.

use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream as Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tracing::debug;

use super::{Shared, keys, unless_missing};
use crate::blob_store::{ByteRange, ByteStream, Location};
use crate::error::{Fault, OrFault};

/// How often one answer may break off before its reader is told.
const RESUMES: u32 = 3;

const SHORTER: &str = "the object is shorter than its blob";

struct Reading {
    shared: Arc<Shared>,
    key: String,
    body: Body,
    next: u64,
    end: u64,
    resumes: u32,
}

pub(super) async fn read(
    shared: &Arc<Shared>,
    at: &Location,
    range: ByteRange,
) -> Result<Option<ByteStream>, Fault> {
    let doing = || format!("reading blob {at}");
    let (_, name) = keys::parse_location(at)?;
    let key = shared.keys.blob(name);
    if range.first >= range.end {
        let there = unless_missing(shared.bucket.size(&key).await, doing)?;
        return Ok(there.map(|_| stream::empty().boxed()));
    }
    let answer = match shared.bucket.get(&key, range.first, range.end).await {
        Err(error) if error.is_beyond_the_end() => return Err(Fault::cut_short(doing(), SHORTER)),
        answer => answer,
    };
    let Some(answer) = unless_missing(answer, doing)? else { return Ok(None) };
    let body = answer.body;
    let ByteRange { first: next, end } = range;
    let reading = Reading { shared: Arc::clone(shared), key, body, next, end, resumes: 0 };
    Ok(Some(stream_of(reading)))
}

fn stream_of(reading: Reading) -> ByteStream {
    stream::unfold(reading, |mut reading| async move {
        if reading.next >= reading.end {
            return None;
        }
        match reading.piece().await {
            Ok(bytes) => Some((Ok(bytes), reading)),
            Err(fault) => {
                // Nothing follows an error.
                reading.next = reading.end;
                Some((Err(fault), reading))
            }
        }
    })
    .boxed()
}

impl Reading {
    async fn piece(&mut self) -> Result<Bytes, Fault> {
        loop {
            match self.body.try_next().await {
                Ok(Some(mut bytes)) => {
                    let wanted = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
                    bytes.truncate(wanted);
                    self.next += bytes.len() as u64;
                    return Ok(bytes);
                }
                Ok(None) => {
                    return Err(Fault::cut_short(self.doing(), SHORTER));
                }
                Err(error) if self.resumes < RESUMES => {
                    self.resumes += 1;
                    debug!(%error, key = self.key, offset = self.next, "reading from S3 broke off; going on");
                    self.body = self.again().await?.body;
                }
                Err(error) => return Err(Fault::new(self.doing(), error)),
            }
        }
    }

    async fn again(&self) -> Result<GetObjectOutput, Fault> {
        self.shared.bucket.get(&self.key, self.next, self.end).await.or_fault(|| self.doing())
    }

    fn doing(&self) -> String {
        format!("reading {} of {}", self.key, self.shared.options)
    }
}
