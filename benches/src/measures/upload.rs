//! Upload of one large blob to disk: received, hashed, made durable.

use std::time::Instant;

use anyhow::Result;

use super::REPOSITORY;
use crate::bench::Bench;
use crate::client::{Body, Client};
use crate::figures::{Figure, Floor};
use crate::payload::{MIB, Slice};
use crate::servers::{Kind, with_digest};

const SIZE: u64 = 512 * MIB;
const QUICK: [Floor; 1] = [Floor::RatioAtLeast(1.1, Kind::Distribution)];
const CHEAP: [Floor; 1] = [Floor::RatioAtMost(0.75, Kind::Distribution)];

pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for way in [Way::InOnePut, Way::AsDocker] {
        let mut rate = Figure::new(format!("upload of 512 MiB, {}", way.name()), "MiB/s", &QUICK);
        let mut cpu = Figure::new("… server CPU a GiB", "s", &CHEAP);
        let kinds = bench.kinds(&Kind::REGISTRIES);
        let blob = bench.payload.slice(0, SIZE)?;
        bench.alternate(&kinds, |bench, kind| {
            // A new server each time: the blob must not be there already, and the disk not fill up.
            let server = bench.fresh(kind)?;
            bench.warm_memory()?;
            let mut client = server.client(REPOSITORY)?;
            rustix::fs::sync();
            let before = server.process.cpu_seconds()?;
            let started = Instant::now();
            upload(&mut client, REPOSITORY, &blob, way)?;
            rate.add(kind, (SIZE / MIB) as f64 / started.elapsed().as_secs_f64());
            cpu.add(kind, (server.process.cpu_seconds()? - before) / (SIZE as f64 / (1 << 30) as f64));
            Ok(())
        })?;
        figures.extend([rate, cpu]);
    }
    Ok(figures)
}

#[derive(Clone, Copy)]
pub(super) enum Way {
    InOnePut,
    /// The whole blob in one PATCH, then an empty PUT.
    AsDocker,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::InOnePut => "POST, PUT",
            Self::AsDocker => "POST, PATCH, PUT",
        }
    }
}

pub(super) fn upload(client: &mut Client, repository: &str, blob: &Slice, way: Way) -> Result<()> {
    let uploads = format!("/v2/{repository}/blobs/uploads/");
    let octets = Some("application/octet-stream");
    let mut answer = client.expect(202, "POST", &uploads, None, Body::Empty)?;
    let last = match way {
        Way::InOnePut => Body::Blob(blob),
        Way::AsDocker => {
            answer = client.expect(202, "PATCH", answer.location()?, octets, Body::Blob(blob))?;
            Body::Empty
        }
    };
    client.expect(201, "PUT", &with_digest(answer.location()?, &blob.digest), octets, last)?;
    Ok(())
}
