//! Identities and access keys as they are now: kept in memory until anything about anyone changes.

use std::collections::HashMap;
use std::sync::Arc;

use berth_auth::{AccessKeyId, Account, Attached, Attachment, Identity, IdentityId, IdentityPolicy};
use berth_storage::{AttachmentRecord, Change, Fault, IdentityRecord, Records};
use parking_lot::RwLock;

use super::keys::KnownKey;
use crate::error::Error;

/// The identities that were asked for since the last change.
#[derive(Default)]
pub struct Identities(RwLock<Known>);

#[derive(Default)]
struct Known {
    /// Rises with each change, so that who looked before it keeps nothing after it.
    generation: u64,
    by_id: HashMap<IdentityId, Arc<Identity>>,
    keys: HashMap<AccessKeyId, Arc<KnownKey>>,
}

impl Identities {
    /// Forgets what was changed; called by the database's writer after COMMIT.
    pub fn forget(&self, changes: &[Change]) {
        if changes.iter().any(|change| matches!(change, Change::Directory | Change::Anything)) {
            let mut known = self.0.write();
            known.generation += 1;
            known.by_id.clear();
            known.keys.clear();
        }
    }

    /// The access key of this id if it was asked for, and the generation for [`Self::keep_key`].
    pub(super) fn key(&self, id: &AccessKeyId) -> (Option<Arc<KnownKey>>, u64) {
        let known = self.0.read();
        (known.keys.get(id).map(Arc::clone), known.generation)
    }

    /// Keeps a key that was looked up, unless something changed since.
    pub(super) fn keep_key(&self, id: &AccessKeyId, key: &Arc<KnownKey>, generation: u64) {
        let mut known = self.0.write();
        if known.generation == generation {
            known.keys.insert(id.clone(), Arc::clone(key));
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
    let own = record.attachments.iter().map(|attachment| attached_of(attachment, None, record, account));
    let through = record.groups.iter().flat_map(|membership| {
        let group = &membership.group;
        membership
            .attachments
            .iter()
            .map(move |attachment| attached_of(attachment, Some(group), record, account))
    });
    let attachments = own.chain(through).collect::<Result<_, _>>()?;
    Ok(Identity {
        id: record.id.parse()?,
        name: record.name.parse()?,
        attachments,
        disabled: record.disabled_at.is_some(),
        credentials_changed_at: record.credentials_changed_at.0,
    })
}

fn attached_of(
    attachment: &AttachmentRecord,
    group: Option<&String>,
    record: &IdentityRecord,
    account: &Account,
) -> Result<Attached, Error> {
    let attachment = Attachment { policy: attachment.policy.parse()?, prefix: attachment.prefix.parse()? };
    let document = match attachment.policy.shipped() {
        Some(policy) => policy.document(&attachment.prefix, account),
        None => {
            let named = record.documents.iter().find(|kept| kept.name == attachment.policy.as_str());
            IdentityPolicy::parse(named.map_or("", |kept| &kept.document), account)
        }
    };
    // It was right when it was kept; what can't be understood now must not be passed over, as it
    // may forbid something.
    let document =
        document.map_err(|error| Fault::new(format!("reading the policy {}", attachment.policy), error))?;
    let through = group.map(|group| group.parse()).transpose()?;
    Ok(Attached { attachment, through, document: Arc::new(document) })
}
