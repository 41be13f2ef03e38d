//! What is measured, one file a measure, each with the floors of Berth beside it.

mod a_million;
mod access;
mod blob_get;
mod decisions;
mod manifest_get;
mod many_uploads;
mod s3;
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
    S3Upload,
    S3Uploads,
    S3ManyUploads,
    S3BlobGet,
    S3BlobRedirect,
    S3ManifestGet,
    S3Requests,
    AMillion,
    /// Only where it is asked for by name.
    S3LargeUpload,
}

impl Measure {
    /// All that are taken where nothing is said.
    pub(crate) fn usual() -> Vec<Self> {
        let all = Self::value_variants().iter().copied();
        all.filter(|measure| !matches!(measure, Self::S3LargeUpload)).collect()
    }

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
            Self::S3Upload => "upload of 512 MiB to S3",
            Self::S3Uploads => "8 uploads of 64 MiB to S3 at once",
            Self::S3ManyUploads => "32 uploads of 64 MiB to S3 at once, and their memory",
            Self::S3BlobGet => "GET of a blob of 100 MiB on S3 by 8 clients",
            Self::S3BlobRedirect => "the same from S3 itself, where the registry sends clients",
            Self::S3ManifestGet => "GET of a manifest by tag, looked up in PostgreSQL or S3",
            Self::S3Requests => "requests to S3 a pushed and a pulled layer",
            Self::AMillion => "tag lookups and pages among 1,000 and 1,000,000 tags",
            Self::S3LargeUpload => "one upload of 10 GiB to S3, and its memory",
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
            Self::S3Upload => s3::measure_one(bench),
            Self::S3Uploads => s3::measure_eight(bench),
            Self::S3ManyUploads => s3::measure_many(bench),
            Self::S3BlobGet => s3::measure_streamed(bench),
            Self::S3BlobRedirect => s3::measure_redirected(bench),
            Self::S3ManifestGet => s3::measure_manifest_get(bench),
            Self::S3Requests => s3::measure_requests(bench),
            Self::AMillion => a_million::measure(bench),
            Self::S3LargeUpload => s3::measure_large_upload(bench),
        }
    }
}
