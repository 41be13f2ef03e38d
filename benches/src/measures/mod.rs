//! What is measured, one file a measure, each with the floors of Berth beside it.

mod access;
mod blob_get;
mod decisions;
mod manifest_get;
mod many_uploads;
mod start;
mod tag_page;
mod tag_push;
mod upload;

use anyhow::Result;
use clap::ValueEnum;

use crate::bench::Bench;
use crate::figures::Figure;

/// The repository most measures work in.
const REPOSITORY: &str = "bench/app";
/// The one that holds `MANY` tags.
const REPOSITORY_OF_MANY: &str = "bench/many";
/// The one that everyone may pull from.
const PUBLIC_REPOSITORY: &str = "bench/public";
const MANY: usize = 10_000;

/// The measures by name, in the order they run.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Measure {
    Start,
    ManifestGet,
    ManifestGetManyTags,
    Access,
    Decisions,
    TagPage,
    BlobGetSmall,
    BlobGetLarge,
    TagPush,
    Upload,
    ManyUploads,
}

impl Measure {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Start => "from start to the first answer, on data that is there; memory when idle",
            Self::ManifestGet => "GET of a manifest by tag, over 1, 16 and 64 connections",
            Self::ManifestGetManyTags => "the same in a repository of 10,000 tags",
            Self::Access => "GET of a manifest with a token, with name and password, and without either",
            Self::Decisions => "what a decision of 50 statements of policies costs",
            Self::TagPage => "a page of 100 of 10,000 tags",
            Self::BlobGetSmall => "GET of a blob of 1 MiB by 8 clients",
            Self::BlobGetLarge => "GET of a blob of 100 MiB by 8 clients",
            Self::TagPush => "PUT of one manifest under new tags, by 1 and 16 clients",
            Self::Upload => "upload of 512 MiB, in one PUT and as docker does it",
            Self::ManyUploads => "32 uploads of 64 MiB at once",
        }
    }

    pub(crate) fn run(self, bench: &mut Bench) -> Result<Vec<Figure>> {
        match self {
            Self::Start => start::measure(bench),
            Self::ManifestGet => manifest_get::measure(bench),
            Self::ManifestGetManyTags => manifest_get::measure_many_tags(bench),
            Self::Access => access::measure(bench),
            Self::Decisions => decisions::measure(bench),
            Self::TagPage => tag_page::measure(bench),
            Self::BlobGetSmall => blob_get::measure_small(bench),
            Self::BlobGetLarge => blob_get::measure_large(bench),
            Self::TagPush => tag_push::measure(bench),
            Self::Upload => upload::measure(bench),
            Self::ManyUploads => many_uploads::measure(bench),
        }
    }
}
