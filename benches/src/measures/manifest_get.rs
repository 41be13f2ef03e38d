//! GET of a manifest by tag: what every pull of every machine begins with.

use anyhow::Result;

use super::{MANY, REPOSITORY, REPOSITORY_OF_MANY};
use crate::bench::Bench;
use crate::figures::{Figure, Floor};
use crate::servers::Kind;
use crate::wrk;

const SECONDS: u32 = 3;
const FLOORS: [Floor; 2] =
    [Floor::RatioAtLeast(8.0, Kind::Distribution), Floor::RatioAtLeast(0.45, Kind::Nginx)];

pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for connections in [1, 16, 64] {
        let floors = if connections == 64 { &FLOORS[..] } else { &[] };
        let mut rate = Figure::new(format!("manifest by tag × {connections}"), "per second", floors);
        let mut p99 = Figure::new("… 99th percentile", "ms", &[]);
        let mut cpu = Figure::new("… server CPU a request", "µs", &[]);
        let kinds = bench.kinds(&Kind::ALL);
        for &kind in &kinds {
            bench.standing(kind)?.seed_image(REPOSITORY)?;
        }
        bench.alternate(&kinds, |bench, kind| {
            let server = bench.standing(kind)?;
            let url = server.url(&format!("/v2/{REPOSITORY}/manifests/latest"));
            let authorization = server.authorization(REPOSITORY)?;
            let before = server.process.cpu_seconds()?;
            let seen = wrk::run(&url, connections, SECONDS, authorization.as_deref())?;
            cpu.add(kind, (server.process.cpu_seconds()? - before) / seen.requests * 1e6);
            rate.add(kind, seen.requests_per_second);
            p99.add(kind, seen.p99_ms);
            Ok(())
        })?;
        figures.extend([rate, p99, cpu]);
    }
    Ok(figures)
}

/// One tag among 10,000: some registries read all of them for it.
pub(super) fn measure_many_tags(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut rate = Figure::new("one of 10,000 tags × 64", "per second", &FLOORS);
    let kinds = bench.kinds(&Kind::ALL);
    for &kind in &kinds {
        bench.standing(kind)?.seed_tags(REPOSITORY_OF_MANY, MANY)?;
    }
    bench.alternate(&kinds, |bench, kind| {
        let server = bench.standing(kind)?;
        let url = server.url(&format!("/v2/{REPOSITORY_OF_MANY}/manifests/tag-05000"));
        let authorization = server.authorization(REPOSITORY_OF_MANY)?;
        rate.add(kind, wrk::run(&url, 64, SECONDS, authorization.as_deref())?.requests_per_second);
        Ok(())
    })?;
    Ok(vec![rate])
}
