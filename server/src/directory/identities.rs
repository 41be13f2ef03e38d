//! Identities as they are now: kept in memory until anything about anyone changes.

use std::collections::HashMap;
use std::sync::Arc;

use berth_auth::{Account, Attached, Attachment, Identity, IdentityId, ShippedPolicy};
use berth_storage::{Change, IdentityRecord, Records};
use parking_lot::RwLock;

use crate::error::Error;

/// The identities that were asked for since the last change.
#[derive(Default)]
pub struct Identities(RwLock<Known>);

#[derive(Default)]
struct Known {
    /// Rises with each change, so that who looked before it keeps nothing after it.
    generation: u64,
    by_id: HashMap<IdentityId, Arc<Identity>>,
}

impl Identities {
    /// Forgets what was changed; called by the database's writer after COMMIT.
    pub fn forget(&self, changes: &[Change]) {
        if changes.contains(&Change::Directory) {
            let mut known = self.0.write();
            known.generation += 1;
            known.by_id.clear();
        }
    }

    pub(super) async fn get(
        &self,
        records: &Records,
        account: &Account,
        id: &IdentityId,
    ) -> Result<Option<Arc<Identity>>, Error> {
        let generation = {
            let known = self.0.read();
            if let Some(identity) = known.by_id.get(id) {
                return Ok(Some(Arc::clone(identity)));
            }
            known.generation
        };
        let Some(record) = records.identity(id.to_string()).await? else { return Ok(None) };
        let identity = Arc::new(identity_of(&record, account)?);
        let mut known = self.0.write();
        if known.generation == generation {
            known.by_id.insert(id.clone(), Arc::clone(&identity));
        }
        Ok(Some(identity))
    }
}

/// What a record says, parsed.
pub(super) fn identity_of(record: &IdentityRecord, account: &Account) -> Result<Identity, Error> {
    let attached = |record: &berth_storage::AttachmentRecord| -> Result<Attached, Error> {
        let attachment = Attachment { policy: record.policy.parse()?, prefix: record.prefix.parse()? };
        let policy: ShippedPolicy = record.policy.parse()?;
        let document = policy.document(&attachment.prefix, account)?;
        Ok(Attached { attachment, document: Arc::new(document) })
    };
    Ok(Identity {
        id: record.id.parse()?,
        name: record.name.parse()?,
        attachments: record.attachments.iter().map(attached).collect::<Result<_, _>>()?,
        disabled: record.disabled_at.is_some(),
        credentials_changed_at: record.credentials_changed_at.0,
    })
}
