//! GET of a manifest by tag, where every one is looked up in PostgreSQL, or in S3.

use anyhow::Result;

use super::{KINDS, REPOSITORY};
use crate::bench::Bench;
use crate::figures::{Figure, Floor};
use crate::servers::{Delivery, Kind, Server};
use crate::wrk;

const SECONDS: u32 = 3;
const FLOORS: [Floor; 1] = [Floor::RatioAtLeast(6.0, Kind::Distribution)];

pub(in crate::measures) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let kinds = bench.kinds(&KINDS);
    let mut servers: Vec<Server> = Vec::new();
    for &kind in &kinds {
        let mut server = bench.fresh_on_s3(kind, Delivery::Streamed)?;
        server.seed_image(REPOSITORY)?;
        servers.push(server);
    }
    let mut figures = Vec::new();
    for connections in [1, 16, 64] {
        let floors = if connections == 16 { &FLOORS[..] } else { &[] };
        let mut rate = Figure::new(
            format!("manifest by tag, on S3 and PostgreSQL × {connections}"),
            "per second",
            floors,
        );
        let mut p99 = Figure::new("… 99th percentile", "ms", &[]);
        let mut cpu = Figure::new("… server CPU a request", "µs", &[]);
        bench.alternate(&kinds, |_, kind| {
            let Some(server) = servers.iter().find(|server| server.kind == kind) else { return Ok(()) };
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
