//! Start and rest: how soon it answers on data that is there, and what it holds when nothing is asked.

use std::time::Duration;

use anyhow::Result;

use super::REPOSITORY;
use crate::bench::Bench;
use crate::client::{Body, Client};
use crate::figures::{Figure, Floor};
use crate::servers::Kind;

pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut start = Figure::new("second start to first answer", "ms", &[Floor::ValueAtMost(36.0)]);
    let mut idle = Figure::new("memory when idle", "MiB", &[]);
    let kinds = bench.kinds(&Kind::ALL);
    bench.alternate(&kinds, |bench, kind| {
        let mut server = bench.fresh(kind)?;
        server.seed_image(REPOSITORY)?;
        let took = bench.start_again(&mut server)?;
        start.add(kind, took.as_secs_f64() * 1000.0);

        // One pull, then a second of rest.
        let mut client = server.client(REPOSITORY)?;
        client.expect(200, "GET", &format!("/v2/{REPOSITORY}/manifests/latest"), None, Body::Empty)?;
        drop::<Client>(client);
        std::thread::sleep(Duration::from_secs(1));
        idle.add(kind, server.process.rss_mib()?);
        Ok(())
    })?;
    Ok(vec![start, idle])
}
