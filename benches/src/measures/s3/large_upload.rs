//! One upload of 10 GiB to S3: its memory must not grow with its size.

use std::time::Instant;

use anyhow::Result;

use super::{KINDS, REPOSITORY};
use crate::bench::Bench;
use crate::client::Body;
use crate::figures::{Figure, Floor};
use crate::payload::MIB;
use crate::servers::{Delivery, with_digest};

/// So many times 512 MiB.
const TIMES: u64 = 20;

pub(in crate::measures) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut rate = Figure::new("10 GiB to S3", "MiB/s", &[]);
    let mut peak = Figure::new("… peak memory", "MiB", &[Floor::ValueAtMost(96.0)]);
    let (slice, digest) = bench.payload.repeated(TIMES)?;
    let octets = Some("application/octet-stream");
    for kind in bench.kinds(&KINDS) {
        let server = bench.fresh_on_s3(kind, Delivery::Streamed)?;
        let mut client = server.client(REPOSITORY)?;
        rustix::fs::sync();
        server.process.reset_peak()?;
        let started = Instant::now();
        let uploads = format!("/v2/{REPOSITORY}/blobs/uploads/");
        let begun = client.expect(202, "POST", &uploads, None, Body::Empty)?;
        let patch = Body::Repeated(&slice, TIMES);
        let sent = client.expect(202, "PATCH", begun.location()?, octets, patch)?;
        // A token lives for minutes, and this may take longer.
        let mut client = server.client(REPOSITORY)?;
        client.expect(201, "PUT", &with_digest(sent.location()?, &digest), octets, Body::Empty)?;
        rate.add(kind, (TIMES * slice.length / MIB) as f64 / started.elapsed().as_secs_f64());
        peak.add(kind, server.process.peak_rss_mib()?);
    }
    Ok(vec![rate, peak])
}
