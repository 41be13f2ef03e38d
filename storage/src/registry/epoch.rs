//! Whether the database is of an older state than its blob store: a number that rises in both, in the
//! database first.
//!
//! A database whose number is behind was restored. What it says of expired uploads and condemned bytes may
//! have become wrong since, so nothing is collected until someone has accepted it.

use super::{Registry, fault};
use crate::error::{Error, OrFault};
use crate::metadata::epoch::{self, Rise};
use crate::metadata::store;
use crate::{Actor, BlobStore, By};

const EPOCH: &str = "epoch";

/// How a database and its blob store compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Both are of the same state, as far as one can tell.
    Same,
    /// The database was restored to an older state.
    Restored {
        /// Its epoch.
        database: u64,
        /// The blob store's.
        blob_store: u64,
    },
}

impl<B: BlobStore> Registry<B> {
    /// Compares the epochs of database and blob store.
    ///
    /// # Errors
    /// When either can't be asked.
    pub async fn age(&self) -> Result<Age, Error> {
        Ok(self.epochs().await?.age())
    }

    /// Raises the epoch, in the database first, unless that is behind: then nothing is written.
    ///
    /// # Errors
    /// When either can't be written to.
    pub async fn raise_epoch(&self) -> Result<Age, Error> {
        let epochs = self.epochs().await?;
        if epochs.age() == Age::Same {
            let rise = Rise { from: epochs.database, to: epochs.database + 1 };
            self.rise(rise, None).await?;
        }
        Ok(epochs.age())
    }

    /// Takes a restored database for what is true from now on; gives how they compared.
    ///
    /// # Errors
    /// When either can't be asked or written to.
    pub async fn accept_restore(&self, actor: &Actor) -> Result<Age, Error> {
        let epochs = self.epochs().await?;
        if epochs.age() != Age::Same {
            let rise = Rise { from: epochs.database, to: epochs.blob_store + 1 };
            let by = By { actor: actor.clone(), at: self.now() };
            if !self.rise(rise, Some(by)).await? {
                return Err(fault("accepting a restore", "the database was changed meanwhile; try again"));
            }
        }
        Ok(epochs.age())
    }

    async fn epochs(&self) -> Result<Epochs, Error> {
        // The blob store first: whoever raises it has raised the database before.
        let blob_store = number(self.shared.blobs.fact(EPOCH).await?.as_deref())?;
        let database = number(self.metadata().read(EPOCH, store::fact).await?.as_deref())?;
        Ok(Epochs { database, blob_store })
    }

    /// False when the database's epoch is another by now: a restore came in between, or another process.
    async fn rise(&self, rise: Rise, accepted: Option<By>) -> Result<bool, Error> {
        let to = rise.to.to_string();
        let risen = self.metadata().write((EPOCH, rise, accepted), epoch::rise).await?;
        if risen {
            self.shared.blobs.note(EPOCH, &to).await?;
        }
        Ok(risen)
    }
}

#[derive(Debug, Clone, Copy)]
struct Epochs {
    database: u64,
    blob_store: u64,
}

impl Epochs {
    const fn age(self) -> Age {
        let Self { database, blob_store } = self;
        if database < blob_store { Age::Restored { database, blob_store } } else { Age::Same }
    }
}

fn number(fact: Option<&str>) -> Result<u64, Error> {
    let read = fact.unwrap_or("0").parse::<u64>();
    Ok(read.or_fault(|| format!("reading the store's {EPOCH} {fact:?}"))?)
}
