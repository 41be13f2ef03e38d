//! The audit, as people and programs see it.

use berth_storage::{AuditPage, AuditRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Directory;
use crate::error::Error;
use crate::moments;

/// One thing that was done or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Rises in the order of writing.
    pub id: i64,
    /// When (RFC 3339, microseconds); of several times, the first.
    pub time: String,
    /// What, such as `manifest.put`; of a refused permission, the action as policies name it.
    pub action: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// The id of the identity that did it; none: it was not known, or the server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Its name then; of a refused login, the name that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The access key that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The request's id, as it stands in the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The repository that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The manifest or blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The manifest's tags, as far as they were named or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The user, group, policy or key that it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What else there is to say, such as why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How often, when the same was refused again and again.
    pub times: u64,
}

impl AuditEntry {
    fn of(record: AuditRecord) -> Self {
        Self {
            id: record.id,
            time: moments::in_words(record.at),
            action: record.action,
            outcome: record.outcome,
            identity: record.identity,
            user: record.user,
            access_key: record.access_key,
            address: record.address,
            request: record.request,
            repository: record.repository,
            digest: record.digest,
            tags: record.tags,
            subject: record.subject,
            detail: record.detail,
            times: record.times,
        }
    }
}

impl Directory {
    /// What was done and refused, in the order of writing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, page: AuditPage) -> Result<Vec<AuditEntry>, Error> {
        Ok(self.records.audit(page).await?.into_iter().map(AuditEntry::of).collect())
    }
}
