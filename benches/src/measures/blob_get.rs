//! GET of blobs: how fast, and for how much of the server's CPU.

use std::time::Instant;

use anyhow::Result;

use super::REPOSITORY;
use crate::bench::Bench;
use crate::figures::{Figure, Floor};
use crate::payload::MIB;
use crate::servers::Kind;

const CLIENTS: u64 = 8;
const CHEAP: [Floor; 1] = [Floor::RatioAtMost(0.6, Kind::Distribution)];

pub(super) fn measure_small(bench: &mut Bench) -> Result<Vec<Figure>> {
    measure(bench, MIB, 400, Floor::RatioAtLeast(2.5, Kind::Distribution))
}

pub(super) fn measure_large(bench: &mut Bench) -> Result<Vec<Figure>> {
    measure(bench, 100 * MIB, 4, Floor::RatioAtLeast(1.0, Kind::Distribution))
}

/// Each client GETs the blob `times` times over one connection.
fn measure(bench: &mut Bench, size: u64, times: u64, floor: Floor) -> Result<Vec<Figure>> {
    let mut rate = Figure::new(format!("blob of {} MiB × {CLIENTS}", size / MIB), "MiB/s", &[floor]);
    let mut cpu = Figure::new("… server CPU a GiB", "s", &CHEAP);
    let kinds = bench.kinds(&Kind::ALL);
    let blob = bench.payload.slice(0, size)?;
    for &kind in &kinds {
        bench.standing(kind)?.seed_blob(REPOSITORY, &blob)?;
    }
    let path = format!("/v2/{REPOSITORY}/blobs/{}", blob.digest);
    bench.alternate(&kinds, |bench, kind| {
        let server = bench.standing(kind)?;
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(server.client(REPOSITORY)?);
        }
        let before = server.process.cpu_seconds()?;
        let started = Instant::now();
        std::thread::scope(|scope| {
            let pullers: Vec<_> = clients
                .iter_mut()
                .map(|client| scope.spawn(|| (0..times).try_for_each(|_| client.download(&path, size))))
                .collect();
            pullers.into_iter().try_for_each(|puller| puller.join().expect("a puller panicked"))
        })?;
        let mib = (CLIENTS * times * size / MIB) as f64;
        rate.add(kind, mib / started.elapsed().as_secs_f64());
        cpu.add(kind, (server.process.cpu_seconds()? - before) / (mib / 1024.0));
        Ok(())
    })?;
    Ok(vec![rate, cpu])
}
