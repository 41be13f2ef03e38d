//! An upload on its way: what came fills segments of the spool, full ones are sent as parts while
//! more is received.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinSet;

use super::bucket::Part;
use super::failure::S3Error;
use super::segment::Segment;
use super::spool::Holder;
use super::{Shared, keys};
use crate::Fault;
use crate::error::OrFault;

/// What another process needs to go on with an upload.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::blob_store) struct Staging {
    /// The multipart upload, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upload: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<Part>,
    /// What follows the parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Tail>,
    /// The name of the tail before this one, which the row names until it is saved again.
    #[serde(skip)]
    pub(super) before: Option<String>,
    /// The name of the tail that this process began with, to which it may go back.
    #[serde(skip)]
    pub(super) began_with: Option<String>,
    /// The length of which all this was said, if this process said it.
    #[serde(skip)]
    pub(super) synced: Option<u64>,
    /// What this process has open.
    #[serde(skip)]
    open: Option<Arc<Mutex<Open>>>,
}

/// An object that holds the end of an upload; if that is all of it, it is what a seal makes of it, too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tail {
    /// The object's, never used again: whoever was stalled while writing one overwrites nothing.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) etag: String,
}

/// An upload in this process.
#[derive(Debug)]
pub(super) struct Open {
    shared: Arc<Shared>,
    id: String,
    pub(super) upload: Option<String>,
    /// By number, from 0; there are gaps while some are on their way.
    done: BTreeMap<u64, Part>,
    sending: JoinSet<Result<(u64, Part), Fault>>,
    /// How many parts were cut, and how many bytes they have.
    cut: u64,
    cut_bytes: u64,
    /// What is no part yet, without gaps; each but the last is full.
    waiting: VecDeque<Segment>,
    holder: Holder,
}

impl Staging {
    /// How many bytes can be gone on from by another process.
    pub(super) fn durable(&self) -> u64 {
        let parts = self.parts.iter().map(|part| part.size);
        parts.sum::<u64>() + self.tail.as_ref().map_or(0, |tail| tail.size)
    }

    /// The object that holds all `length` bytes of the upload, if one does already.
    pub(super) fn whole(&self, length: u64) -> Option<&Tail> {
        let nothing_else = self.upload.is_none() && self.parts.is_empty();
        self.tail.as_ref().filter(|tail| nothing_else && tail.size == length)
    }

    /// Whether this process has something open.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The upload at `length`, opened anew if this process doesn't have it at that length.
    pub(super) async fn open(
        &mut self,
        shared: &Arc<Shared>,
        id: &str,
        length: u64,
    ) -> Result<OwnedMutexGuard<Open>, OpenError> {
        if let Some(open) = &self.open {
            let mut open = Arc::clone(open).lock_owned().await;
            if open.go_back_to(length) {
                return Ok(open);
            }
        }
        let open = Arc::new(Mutex::new(self.load(shared, id, length).await?));
        self.open = Some(Arc::clone(&open));
        self.began_with = self.tail.as_ref().map(|tail| tail.name.clone());
        Ok(open.lock_owned().await)
    }

    /// Takes up what another process, or this one earlier, made durable.
    async fn load(&self, shared: &Arc<Shared>, id: &str, length: u64) -> Result<Open, OpenError> {
        let durable = self.durable();
        if durable != length {
            let why = format!("{durable} bytes are staged where {length} were saved");
            return Err(OpenError::Fault(Fault::because(format!("going on with upload {id}"), why)));
        }
        let mut open = Open {
            shared: Arc::clone(shared),
            id: id.to_owned(),
            upload: self.upload.clone(),
            cut: self.parts.len() as u64,
            cut_bytes: self.parts.iter().map(|part| part.size).sum(),
            done: (0..).zip(self.parts.iter().cloned()).collect(),
            sending: JoinSet::new(),
            waiting: VecDeque::new(),
            holder: shared.spool.holder(),
        };
        if let Some(tail) = &self.tail {
            open.fetch(tail).await?;
        }
        Ok(open)
    }
}

/// Why an upload could not be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// Its end isn't there any more: it was sealed, or aborted.
    TailIsGone(Fault),
    /// Anything else.
    Fault(Fault),
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TailIsGone(fault) | OpenError::Fault(fault) => fault,
        }
    }
}

impl Open {
    /// How many bytes came.
    fn length(&self) -> u64 {
        self.waiting.back().map_or(self.cut_bytes, Segment::end)
    }

    /// Forgets what lies behind `length`; false when parts have been cut there already.
    fn go_back_to(&mut self, length: u64) -> bool {
        if length < self.cut_bytes || length > self.length() {
            return false;
        }
        self.waiting.retain(|segment| segment.first < length);
        if let Some(last) = self.waiting.back_mut() {
            last.cut(length);
        }
        true
    }

    /// Appends `bytes`. What came before is settled: whoever appends here won't go back behind.
    pub(super) async fn append(&mut self, bytes: Vec<Bytes>) -> Result<(), Fault> {
        while let Some(segment) = self.waiting.pop_front_if(|segment| segment.is_full()) {
            self.send(segment).await?;
        }
        self.reap()?;
        let mut bytes = VecDeque::from(bytes);
        bytes.retain(|piece| !piece.is_empty());
        while !bytes.is_empty() {
            if self.waiting.back().is_none_or(Segment::is_full) {
                self.begin_segment()?;
            }
            let Some(last) = self.waiting.back_mut() else { continue };
            let (fitting, size) = take(&mut bytes, last.left());
            // What this append has beyond its part can't be sent before the next one.
            let whole = last.full + size + size_of(&bytes);
            let room = self.holder.room(size, whole).await;
            last.write(fitting, room).await?;
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<(), Fault> {
        let (first, number) = (self.length(), self.cut + self.waiting.len() as u64);
        let full = self.shared.options.parts.size(first, number);
        let file = self.shared.spool.file().or_fault(|| "making a file in the spool".to_owned())?;
        self.waiting.push_back(Segment::new(file, first, full));
        Ok(())
    }

    /// Cuts a part and sends it, in a task of its own.
    async fn send(&mut self, segment: Segment) -> Result<(), Fault> {
        let upload = self.multipart_upload().await?;
        let number = self.cut;
        self.cut += 1;
        self.cut_bytes += segment.length;
        let (shared, id) = (Arc::clone(&self.shared), self.id.clone());
        self.sending.spawn(async move {
            let doing = || format!("sending part {} of upload {id}", number + 1);
            let _turn = shared.sends.acquire().await.or_fault(doing)?;
            let content = segment.content(&shared.budget, shared.bucket.checks()).await?;
            let numbered = i32::try_from(number + 1).or_fault(doing)?;
            let sent = shared.bucket.upload_part(&shared.keys.blob(&id), &upload, numbered, content).await;
            Ok((number, sent.or_fault(doing)?))
        });
        Ok(())
    }

    /// The multipart upload, begun if there is none yet.
    async fn multipart_upload(&mut self) -> Result<String, Fault> {
        if let Some(upload) = &self.upload {
            return Ok(upload.clone());
        }
        let key = self.shared.keys.blob(&self.id);
        let create = async {
            // A process that was killed before it could save may have begun one.
            self.shared.abort_all(&key).await?;
            self.shared.bucket.create(&key).await
        };
        let upload = create.await.or_fault(|| format!("beginning upload {}", self.id))?;
        self.upload = Some(upload.clone());
        Ok(upload)
    }

    /// Takes note of parts that have arrived.
    fn reap(&mut self) -> Result<(), Fault> {
        while let Some(sent) = self.sending.try_join_next() {
            let (number, part) = sent.or_fault(|| "sending a part".to_owned())??;
            self.done.insert(number, part);
        }
        Ok(())
    }

    /// Waits until all parts that were cut have arrived; gives them in order.
    async fn all_parts(&mut self) -> Result<Vec<Part>, Fault> {
        while let Some(sent) = self.sending.join_next().await {
            let (number, part) = sent.or_fault(|| "sending a part".to_owned())??;
            self.done.insert(number, part);
        }
        if self.done.len() as u64 != self.cut {
            return Err(Fault::because(format!("sending upload {}", self.id), "a part did not arrive"));
        }
        Ok(self.done.values().cloned().collect())
    }

    /// Makes everything durable: as parts where it may be one, the rest as an object of its own.
    pub(super) async fn sync(&mut self) -> Result<(Vec<Part>, Option<Tail>), Fault> {
        while let Some(segment) = self.waiting.pop_front() {
            let parts = self.shared.options.parts;
            if !segment.is_full() && !parts.may_cut_short(segment.length, segment.first, self.cut) {
                self.waiting.push_front(segment);
                break;
            }
            self.send(segment).await?;
        }
        let parts = self.all_parts().await?;
        let Some(rest) = self.waiting.front().filter(|segment| segment.length > 0) else {
            return Ok((parts, None));
        };
        let content = rest.content(&self.shared.budget, self.shared.bucket.checks()).await?;
        let size = content.size;
        let name = keys::piece(&self.id);
        let put = self.shared.bucket.put(&self.shared.keys.blob(&name), content).await;
        let etag = put.or_fault(|| format!("saving the end of upload {}", self.id))?;
        Ok((parts, Some(Tail { name, size, etag })))
    }

    /// Fills the spool with what another process had saved of the end.
    async fn fetch(&mut self, tail: &Tail) -> Result<(), OpenError> {
        let key = self.shared.keys.blob(&tail.name);
        let id = self.id.clone();
        let doing = || format!("fetching the end of upload {id}");
        let mut answer = match self.shared.bucket.get_whole(&key).await {
            Ok(answer) => answer,
            Err(error) if error.is_missing() => {
                return Err(OpenError::TailIsGone(Fault::new(doing(), error)));
            }
            Err(error) => return Err(Fault::new(doing(), error).into()),
        };
        if answer.e_tag() != Some(&tail.etag) {
            return Err(Fault::because(doing(), "it is not what was saved").into());
        }
        self.begin_segment()?;
        let Some(segment) = self.waiting.back_mut() else { return Ok(()) };
        while let Some(bytes) = answer.body.try_next().await.or_fault(doing)? {
            let room = self.holder.room(bytes.len() as u64, segment.full.max(tail.size)).await;
            segment.write(vec![bytes], room).await?;
        }
        if segment.length != tail.size {
            let why = format!("{} bytes came of {}", segment.length, tail.size);
            return Err(Fault::because(doing(), why).into());
        }
        Ok(())
    }

    /// Makes the final object of everything that came.
    pub(super) async fn complete(&mut self) -> Result<(), Completion> {
        let key = self.shared.keys.blob(&self.id);
        if self.cut == 0 && self.length() <= super::SMALL {
            return self.put_whole(&key).await;
        }
        while let Some(segment) = self.waiting.pop_front_if(|segment| segment.is_full()) {
            self.send(segment).await?;
        }
        let upload = self.multipart_upload().await?;
        let mut parts = self.all_parts().await?;
        // Not cut: if this comes to nothing, more may be appended.
        if let Some(rest) = self.waiting.front().filter(|segment| segment.length > 0) {
            let doing = || format!("sending the last part of upload {}", self.id);
            let number = i32::try_from(self.cut + 1).or_fault(doing)?;
            let content = rest.content(&self.shared.budget, self.shared.bucket.checks()).await?;
            let sent = self.shared.bucket.upload_part(&key, &upload, number, content).await;
            parts.push(sent.map_err(Completion::Refused)?);
        }
        self.shared.bucket.complete(&key, &upload, &parts).await.map_err(Completion::Refused)?;
        // Seen: a server that was killed while it put the parts together takes this request, tried again,
        // for one that another is busy with, and says yes to what never comes.
        let there = self.shared.bucket.size(&key).await.map_err(Completion::Refused)?;
        if there == self.length() {
            return Ok(());
        }
        let why = format!("{there} bytes are there of {}", self.length());
        Err(Fault::because(format!("sealing upload {}", self.id), why).into())
    }

    async fn put_whole(&self, key: &str) -> Result<(), Completion> {
        let doing = || format!("writing upload {}", self.id);
        let kibibytes = u32::try_from(self.length() / 1024 + 1).or_fault(doing)?;
        let _memory = self.shared.puts.acquire_many(kibibytes).await.or_fault(doing)?;
        let bytes = match self.waiting.front() {
            Some(segment) => segment.read().await?,
            None => Bytes::new(),
        };
        let content = super::segment::content_of(bytes, self.shared.bucket.checks());
        self.shared.bucket.put(key, content).await.map_err(Completion::Refused)?;
        Ok(())
    }
}

/// Takes as much as `limit` from the front of `bytes`; tells how much that is.
fn take(bytes: &mut VecDeque<Bytes>, limit: u64) -> (Vec<Bytes>, u64) {
    let (mut taken, mut size) = (Vec::new(), 0);
    while let Some(piece) = bytes.front_mut().filter(|_| size < limit) {
        let fits = usize::try_from(limit - size).unwrap_or(usize::MAX).min(piece.len());
        size += fits as u64;
        taken.push(piece.split_to(fits));
        if piece.is_empty() {
            bytes.pop_front();
        }
    }
    (taken, size)
}

fn size_of(bytes: &VecDeque<Bytes>) -> u64 {
    bytes.iter().map(|piece| piece.len() as u64).sum()
}

/// Why a final object was not made.
#[derive(Debug)]
pub(super) enum Completion {
    /// S3 would not; perhaps it has it already.
    Refused(S3Error),
    /// It did not come to asking.
    Fault(Fault),
}

impl From<Fault> for Completion {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
