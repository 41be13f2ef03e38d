//! Which database belongs to which blob store: one id is written into both at the first start. Beside it
//! stands the epoch.

use uuid::Uuid;

use super::{Registry, fault};
use crate::BlobStore;
use crate::error::Error;
use crate::metadata::{blobs, store};

pub(super) const STORE_ID: &str = "id";

impl<B: BlobStore> Registry<B> {
    /// Makes sure that database and blob store belong together; joins them at the first start.
    ///
    /// # Errors
    /// One sentence when they don't, a fault when either can't be asked.
    pub async fn join_stores(&self) -> Result<(), Error> {
        let (metadata, bytes) = (self.metadata(), &self.shared.blobs);
        let doing = "joining the database and the blob store";
        let known = metadata.read(STORE_ID, store::fact).await?;
        let found = bytes.fact(STORE_ID).await?;
        if known.is_some() && found.is_none() && metadata.read((), blobs::any).await? {
            let why = "the database names blobs, but this blob store never belonged to a database; put the \
                       right one into the configuration";
            return Err(fault(doing, why));
        }
        // Database first: replicas that start at once share it, and so agree on one id.
        let id = Uuid::new_v4().simple().to_string();
        let id = metadata.write((STORE_ID, id), store::note_once).await?;
        let theirs = match found {
            Some(theirs) => theirs,
            None => bytes.note_once(STORE_ID, &id).await?,
        };
        if theirs == id {
            return Ok(());
        }
        let why = format!(
            "the blob store belongs to another database (it has the id {theirs}, the database {id}); put the \
             right one of both into the configuration"
        );
        Err(fault(doing, &why))
    }
}
