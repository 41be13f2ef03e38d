//! The same work where bytes are on S3: Berth with its names in PostgreSQL beside distribution, each with a
//! bucket of its own on one S3 server.

mod blob_get;
mod large_upload;
mod manifest_get;
mod requests;
mod uploads;

pub(super) use blob_get::{measure_redirected, measure_streamed};
pub(super) use large_upload::measure as measure_large_upload;
pub(super) use manifest_get::measure as measure_manifest_get;
pub(super) use requests::measure as measure_requests;
pub(super) use uploads::{measure_eight, measure_many, measure_one};

use super::REPOSITORY;
use crate::servers::Kind;

/// docker-registry 2.8 is the same work for the same peer, and nginx has no S3.
const KINDS: [Kind; 2] = [Kind::Distribution, Kind::Berth];
