//! What clients were told, and what therefore must be.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_storage::Timestamp;

use crate::content::{MANIFESTS, REPOSITORIES, TAGS};

/// A fact that clients can learn of. All of them are about one repository, the first number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// What a tag leads to.
    Tag(usize, usize),
    /// That a manifest is there.
    Manifest(usize, usize),
}

/// What is known of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Known {
    /// Several were at it at once, or nobody heard how it ended.
    #[default]
    Nothing,
    /// The tag leads to this manifest, since this moment; or the manifest is there.
    Is(usize, Timestamp),
    /// There is no such tag or manifest.
    IsNot,
}

#[derive(Debug, Default, Clone, Copy)]
struct Entry {
    known: Known,
    /// Who changes it now.
    active: u32,
    /// How many changes began, ever.
    begun: u64,
}

/// A blob or manifest that a client was told is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) repository: usize,
    pub(crate) what: Promised,
    pub(crate) until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promised {
    Blob(usize),
    Manifest(usize),
}

/// A change that a client is about to make.
#[derive(Debug)]
pub(crate) struct Change {
    facts: Vec<(Fact, u64, bool)>,
}

#[derive(Debug, Default)]
pub(crate) struct Expectations {
    facts: BTreeMap<Fact, Entry>,
    promises: Vec<Promise>,
    /// How many deletions began in each repository, and how many are going on.
    deletions: BTreeMap<usize, u64>,
    deleting: BTreeMap<usize, u64>,
}

/// Everything that can be known of a repository.
pub(crate) fn all_of(repository: usize) -> Vec<Fact> {
    let tags = (0..TAGS.len()).map(|tag| Fact::Tag(repository, tag));
    tags.chain((0..MANIFESTS.len()).map(|manifest| Fact::Manifest(repository, manifest))).collect()
}

impl Expectations {
    /// A client begins to change these facts.
    pub(crate) fn begin(&mut self, facts: &[Fact]) -> Change {
        let begun = facts.iter().map(|fact| {
            let entry = self.facts.entry(*fact).or_default();
            let alone = entry.active == 0;
            entry.active += 1;
            entry.begun += 1;
            entry.known = Known::Nothing;
            (*fact, entry.begun, alone)
        });
        Change { facts: begun.collect() }
    }

    /// The client has heard how it ended, or that it can't know.
    pub(crate) fn end(&mut self, change: &Change, known: impl Fn(Fact) -> Known) {
        for (fact, begun, alone) in &change.facts {
            let entry = self.facts.entry(*fact).or_default();
            entry.active -= 1;
            entry.known = if *alone && entry.begun == *begun { known(*fact) } else { Known::Nothing };
        }
    }

    /// What is certain now.
    pub(crate) fn certain(&self) -> impl Iterator<Item = (Fact, Known)> {
        let still = self.facts.iter().filter(|(_, entry)| entry.active == 0);
        still.map(|(fact, entry)| (*fact, entry.known)).filter(|(_, known)| *known != Known::Nothing)
    }

    /// A client was told that something is there, and counts on it, unless somebody deleted something
    /// since it asked, when this many deletions had begun.
    pub(crate) fn promise(
        &mut self,
        repository: usize,
        what: Promised,
        asked_at: u64,
        (now, window): (Timestamp, Duration),
    ) {
        if !self.is_deleting(repository) && self.deletions(repository) == asked_at {
            self.promises.push(Promise { repository, what, until: now.after(window / 2) });
        }
    }

    /// Promises that hold at this moment.
    pub(crate) fn promises(&mut self, now: Timestamp) -> &[Promise] {
        self.promises.retain(|promise| promise.until > now);
        &self.promises
    }

    /// Somebody begins to delete something in a repository: nothing that was said of it counts any more.
    pub(crate) fn deletion_begins(&mut self, repository: usize) {
        *self.deletions.entry(repository).or_default() += 1;
        *self.deleting.entry(repository).or_default() += 1;
        self.promises.retain(|promise| promise.repository != repository);
    }

    /// A deletion is over.
    pub(crate) fn deletion_ends(&mut self, repository: usize) {
        *self.deleting.entry(repository).or_default() -= 1;
    }

    /// Whether somebody deletes something in a repository now.
    pub(crate) fn is_deleting(&self, repository: usize) -> bool {
        self.deleting.get(&repository).is_some_and(|active| *active > 0)
    }

    /// How many deletions began in a repository.
    pub(crate) fn deletions(&self, repository: usize) -> u64 {
        self.deletions.get(&repository).copied().unwrap_or_default()
    }

    /// Every client died: what they were at is known to nobody.
    pub(crate) fn crash(&mut self) {
        self.deleting.clear();
        for entry in self.facts.values_mut() {
            if entry.active > 0 {
                *entry = Entry { active: 0, begun: entry.begun + 1, known: Known::Nothing };
            }
        }
    }

    /// A description for whoever reads a failure.
    pub(crate) fn name(fact: Fact) -> String {
        match fact {
            Fact::Tag(repository, tag) => format!("{}:{}", REPOSITORIES[repository], TAGS[tag]),
            Fact::Manifest(repository, manifest) => {
                format!("{}@{}", REPOSITORIES[repository], MANIFESTS[manifest].image.digest())
            }
        }
    }
}
