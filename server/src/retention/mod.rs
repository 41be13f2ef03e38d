//! Retention: by which rules images expire, and that they do.
//!
//! Of the rules for a repository's own name, for a prefix of it and for all, those of the longest
//! scope are followed, and no others.

pub(crate) mod document;
mod rules;

use std::time::Duration;

use berth_oci::{Digest, ErrorCode, RepositoryName};
use berth_storage::{
    Actor, Age, Expire, Expired, ImageRecord, KeepUntagged, Lease, Leased, Records, RetentionRecord,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::directory::Directory;
use crate::error::Error;
use crate::moments;
use crate::state::App;
use rules::{Chooser, Chosen, Rule};

/// How often rules are followed.
const EVERY: Duration = Duration::from_secs(3600);
/// How often a process looks whether it is time.
const LOOK: Duration = Duration::from_secs(60);
/// How many images are read at a time.
const PAGE: u64 = 500;

/// What rules are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every repository.
    All,
    /// Those whose names begin so; ends in a slash.
    Prefix(String),
    /// One.
    Repository(RepositoryName),
}

impl std::str::FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix('/') {
            Some(path) => {
                path.parse::<RepositoryName>()?;
                Ok(Self::Prefix(text.to_owned()))
            }
            None => Ok(Self::Repository(text.parse()?)),
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Prefix(prefix) => f.write_str(prefix),
            Self::Repository(name) => f.write_str(name.as_str()),
        }
    }
}

/// An image of which something would expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Expiring {
    /// The image.
    pub digest: String,
    /// The tags that would go.
    pub tags: Vec<String>,
    /// The tags that would stay, and the image with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_tags: Vec<String>,
    /// When it was pushed (RFC 3339).
    pub pushed_at: String,
    /// The rule that chose it.
    pub rule_priority: u32,
    /// Whose rule it is.
    pub scope: String,
}

/// For how long a repository keeps untagged manifests, as people say it: `14d`, `never` (they never go) or
/// `default` (as the server is configured).
///
/// # Errors
/// When it is none of these.
pub fn parse_keep_untagged(text: &str) -> Result<KeepUntagged, Error> {
    Ok(match text {
        "default" => KeepUntagged::AsConfigured,
        "never" => KeepUntagged::Forever,
        text => KeepUntagged::For(humantime::parse_duration(text).map_err(|_| {
            refused(format!("{text:?} is no time to keep untagged images for; write 14d, never or default"))
        })?),
    })
}

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Expired)]
pub struct Gone {
    /// Tags.
    pub tags: u64,
    /// Images.
    pub images: u64,
}

/// Rules that are in force, and for what.
struct Rules {
    scope: String,
    rules: Vec<Rule>,
}

fn refused(sentence: String) -> Error {
    Error::Request(ErrorCode::Unsupported, sentence)
}

/// Whether a scope is about this repository.
fn is_about(scope: &str, name: &RepositoryName) -> bool {
    scope == "*" || scope == name.as_str() || (scope.ends_with('/') && name.as_str().starts_with(scope))
}

/// Those of the longest scope that is about this repository.
fn in_force<'r>(records: &'r [RetentionRecord], name: &RepositoryName) -> Option<&'r RetentionRecord> {
    records.iter().filter(|record| is_about(&record.scope, name)).max_by_key(|record| {
        // A prefix is shorter than any name that it is about; the star is as long as some names are.
        if record.scope == "*" { 0 } else { record.scope.len() }
    })
}

/// A document of the store, read.
fn read(record: &RetentionRecord) -> Result<Rules, Error> {
    let unreadable = |why| refused(format!("the retention policy of {} can't be read: {why}", record.scope));
    let rules = document::parse(&record.document).map_err(unreadable)?;
    Ok(Rules { scope: record.scope.clone(), rules })
}

impl Directory {
    /// The document of this scope, as it was given.
    ///
    /// # Errors
    /// When there is none.
    pub async fn retention(&self, scope: &Scope) -> Result<String, Error> {
        let scope = scope.to_string();
        let found = self.records().retentions().await?.into_iter().find(|record| record.scope == scope);
        let missing = || berth_storage::Error::Missing(format!("a retention policy of {scope}"));
        Ok(found.ok_or_else(missing)?.document)
    }

    /// The scopes that have rules, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retention_scopes(&self) -> Result<Vec<String>, Error> {
        Ok(self.records().retentions().await?.into_iter().map(|record| record.scope).collect())
    }

    /// Puts rules in force from the next time on, which is within the hour.
    ///
    /// # Errors
    /// When the document is none, or there is no such repository.
    pub async fn put_retention(&self, scope: &Scope, document: String, actor: &Actor) -> Result<(), Error> {
        document::parse(&document).map_err(refused)?;
        if let Scope::Repository(name) = scope {
            self.records().repository(name.clone()).await?;
        }
        let record = RetentionRecord { scope: scope.to_string(), document };
        Ok(self.records().put_retention(record, self.by(actor)).await?)
    }

    /// Takes rules away.
    ///
    /// # Errors
    /// When there are none of this scope.
    pub async fn remove_retention(&self, scope: &Scope, actor: &Actor) -> Result<(), Error> {
        Ok(self.records().remove_retention(scope.to_string(), self.by(actor)).await?)
    }

    /// What of a repository would expire now, by this document or else by the rules in force.
    ///
    /// # Errors
    /// When there is no such repository, or no rule, or the document is none.
    pub async fn expiring(
        &self,
        name: &RepositoryName,
        document: Option<&str>,
    ) -> Result<Vec<Expiring>, Error> {
        let rules = match document {
            Some(document) => {
                Rules { scope: name.to_string(), rules: document::parse(document).map_err(refused)? }
            }
            None => read(&self.retention_for(name).await?)?,
        };
        let (mut expiring, mut choosing) = (Vec::new(), self.choose(name, &rules));
        while let Some(page) = choosing.next(self.records()).await? {
            expiring.extend(page.into_iter().map(|(image, chosen)| {
                let kept = image.tags.iter().filter(|tag| !chosen.tags.contains(tag));
                Expiring {
                    digest: image.digest.to_string(),
                    tags: chosen.tags.iter().map(ToString::to_string).collect(),
                    kept_tags: kept.map(ToString::to_string).collect(),
                    pushed_at: moments::in_words(image.pushed_at),
                    rule_priority: chosen.priority,
                    scope: rules.scope.clone(),
                }
            }));
        }
        Ok(expiring)
    }

    /// The rules in force for a repository.
    async fn retention_for(&self, name: &RepositoryName) -> Result<RetentionRecord, Error> {
        let records = self.records().retentions().await?;
        let missing = || berth_storage::Error::Missing(format!("a retention policy for {name}"));
        Ok(in_force(&records, name).ok_or_else(missing)?.clone())
    }

    /// Ends now what the rules in force choose in one repository.
    ///
    /// # Errors
    /// When there is no such repository, or no rule for it.
    pub async fn expire_now(&self, name: &RepositoryName) -> Result<Gone, Error> {
        let Expired { tags, images } = self.expire_in(name, &self.retention_for(name).await?).await?;
        Ok(Gone { tags, images })
    }

    /// Ends what rules choose in all repositories that they are about.
    ///
    /// # Errors
    /// When the database fails. A document that can't be read, and a repository that is removed
    /// meanwhile, stop nothing else.
    pub async fn expire(&self) -> Result<Expired, Error> {
        let records = self.records().retentions().await?;
        let mut expired = Expired::default();
        if records.is_empty() {
            return Ok(expired);
        }
        let mut after = String::new();
        loop {
            let page = self.records().repositories(after, PAGE).await?;
            let Some(last) = page.items.last() else { return Ok(expired) };
            after = last.name.to_string();
            for repository in &page.items {
                let Some(record) = in_force(&records, &repository.name) else { continue };
                match self.expire_in(&repository.name, record).await {
                    Ok(gone) => expired += gone,
                    Err(error) => {
                        let repository = repository.name.as_str();
                        warn!(%error, repository, "following the retention policy failed; trying again");
                    }
                }
            }
            if !page.more {
                return Ok(expired);
            }
        }
    }

    async fn expire_in(&self, name: &RepositoryName, record: &RetentionRecord) -> Result<Expired, Error> {
        let rules = read(record)?;
        let (mut expired, mut choosing) = (Expired::default(), self.choose(name, &rules));
        while let Some(page) = choosing.next(self.records()).await? {
            for (image, chosen) in page {
                let because = format!("retention rule {} of {}", chosen.priority, rules.scope);
                let expire = Expire { repository: name.clone(), image, tags: chosen.tags, because };
                expired += self.records().expire(expire, self.now()).await?;
            }
        }
        Ok(expired)
    }

    /// What of a repository rules choose now.
    fn choose(&self, name: &RepositoryName, rules: &Rules) -> Choosing {
        let chooser = Chooser::new(rules.rules.clone(), self.now());
        Choosing { name: name.clone(), chooser, before: None, more: true }
    }
}

/// The images of a repository, looked at page by page.
struct Choosing {
    name: RepositoryName,
    chooser: Chooser,
    before: Option<(Timestamp, Digest)>,
    more: bool,
}

impl Choosing {
    /// Those of the next page of which something is to go; none: all were looked at.
    async fn next(&mut self, records: &Records) -> Result<Option<Vec<(ImageRecord, Chosen)>>, Error> {
        if !self.more {
            return Ok(None);
        }
        let page = records.images(self.name.clone(), self.before.take(), PAGE).await?;
        self.before = page.items.last().map(|last| (last.pushed_at, last.digest.clone()));
        self.more = page.more;
        let chosen = page.items.into_iter().filter_map(|image| {
            let chosen = self.chooser.choose(&image)?;
            Some((image, chosen))
        });
        Ok(Some(chosen.collect()))
    }
}

/// Follows the rules again and again, by one of all processes that share the database.
pub(crate) async fn follow(app: App, mut stopped: watch::Receiver<()>) {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopped.changed() => return,
        }
        // Never given back, and another one each time: so it is had once in that time, whoever has it.
        let lease = Lease {
            name: "retention".into(),
            holder: Uuid::new_v4().to_string(),
            shown: "following the retention policies".to_owned(),
            lasts: EVERY,
        };
        let leased = app.directory.records().lease(lease, app.directory.now()).await;
        let expired = match leased {
            Ok(Leased::Yes) => expire(&app).await,
            Ok(Leased::To(_)) => continue,
            Err(error) => Err(error.into()),
        };
        match expired {
            Ok(expired) if expired == Expired::default() => {}
            Ok(expired) => info!(expired.tags, expired.images, "images expired by retention policies"),
            Err(error) => warn!(%error, "following the retention policies failed; trying again"),
        }
    }
}

async fn expire(app: &App) -> Result<Expired, Error> {
    // What a restored database says of pushes and tags may have become wrong since.
    if app.registry.age().await? != Age::Same {
        return Ok(Expired::default());
    }
    app.directory.expire().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scopes: &[&str], name: &str) -> Option<String> {
        let record = |scope: &&str| RetentionRecord { scope: (*scope).to_owned(), document: String::new() };
        let records: Vec<_> = scopes.iter().map(record).collect();
        in_force(&records, &name.parse().unwrap()).map(|record| record.scope.clone())
    }

    #[test]
    fn the_longest_scope_is_in_force_alone() {
        let scopes = ["*", "team/", "team/a/", "team/a/app"];
        for (name, scope) in
            [("team/a/app", "team/a/app"), ("team/a/app2", "team/a/"), ("team/b", "team/"), ("b", "*")]
        {
            assert_eq!(of(&scopes, name).as_deref(), Some(scope), "{name}");
        }
        assert_eq!(of(&["team/"], "team"), None);
        assert_eq!(of(&["team/"], "team2/app"), None);
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for text in ["/", "", "a//", "A/", "**", "a/*"] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
    }
}
