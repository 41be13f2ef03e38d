//! How many requests to S3 a layer costs, as the S3 server's own log says: each has a price and a delay.

use anyhow::Result;

use super::{KINDS, REPOSITORY};
use crate::bench::Bench;
use crate::figures::{Figure, Floor};
use crate::measures::upload::{Way, upload};
use crate::payload::MIB;
use crate::servers::{Delivery, Kind};

pub(in crate::measures) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let fewer = [Floor::RatioAtMost(1.0, Kind::Distribution)];
    let mut figures = Vec::new();
    for size in [1, 64] {
        let mut pushed = Figure::new(format!("S3 requests a pushed layer of {size} MiB"), "requests", &fewer);
        let mut pulled = Figure::new(format!("… a pulled layer of {size} MiB"), "requests", &fewer);
        let blob = bench.payload.slice(0, size * MIB)?;
        for kind in bench.kinds(&KINDS) {
            let server = bench.fresh_on_s3(kind, Delivery::Streamed)?;
            let mut client = server.client(REPOSITORY)?;
            let before = bench.stores()?.requests()?;
            upload(&mut client, REPOSITORY, &blob, Way::AsDocker)?;
            let between = bench.stores()?.requests()?;
            client.download(&format!("/v2/{REPOSITORY}/blobs/{}", blob.digest), size * MIB)?;
            let after = bench.stores()?.requests()?;
            pushed.add(kind, (between - before) as f64);
            pulled.add(kind, (after - between) as f64);
        }
        figures.extend([pushed, pulled]);
    }
    Ok(figures)
}
