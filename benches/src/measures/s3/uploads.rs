//! Uploads to S3: one large blob, eight at once, and many at once in little memory.

use std::time::Instant;

use anyhow::Result;

use super::{KINDS, REPOSITORY};
use crate::bench::Bench;
use crate::client::Client;
use crate::figures::{Figure, Floor};
use crate::measures::upload::{Way, upload};
use crate::payload::{MIB, Slice};
use crate::servers::{Delivery, Server};

const QUICK: [Floor; 1] = [Floor::RatioAtLeast(2.0, crate::servers::Kind::Distribution)];
const LARGE: u64 = 512 * MIB;
const SIZE: u64 = 64 * MIB;
/// The blobs overlap in the file they are cut from, and differ all the same.
const STEP: u64 = 14 * MIB;
/// What 32 of them may take, in MiB.
const MEMORY: f64 = 96.0;

pub(in crate::measures) fn measure_one(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for way in [Way::InOnePut, Way::AsDocker] {
        let blobs = [bench.payload.slice(0, LARGE)?];
        let name = format!("512 MiB to S3, {}", way.name());
        figures.extend(measure(bench, &name, &blobs, way, &QUICK, &[])?);
    }
    Ok(figures)
}

pub(in crate::measures) fn measure_eight(bench: &mut Bench) -> Result<Vec<Figure>> {
    let blobs = blobs(bench, 8)?;
    measure(bench, "8 × 64 MiB to S3 at once", &blobs, Way::AsDocker, &QUICK, &[])
}

pub(in crate::measures) fn measure_many(bench: &mut Bench) -> Result<Vec<Figure>> {
    let blobs = blobs(bench, 32)?;
    measure(bench, "32 × 64 MiB to S3 at once", &blobs, Way::AsDocker, &[], &[Floor::ValueAtMost(MEMORY)])
}

fn blobs(bench: &mut Bench, count: u64) -> Result<Vec<Slice>> {
    (0..count).map(|number| bench.payload.slice(number * STEP, SIZE)).collect()
}

/// Each blob by a client of its own, all at once.
fn measure(
    bench: &mut Bench,
    name: &str,
    blobs: &[Slice],
    way: Way,
    quick: &[Floor],
    small: &[Floor],
) -> Result<Vec<Figure>> {
    let mut rate = Figure::new(name, "MiB/s", quick);
    let mut peak = Figure::new("… peak memory", "MiB", small);
    let mut cpu = Figure::new("… server CPU a GiB", "s", &[]);
    let mib = blobs.iter().map(|blob| blob.length).sum::<u64>() as f64 / MIB as f64;
    let kinds = bench.kinds(&KINDS);
    bench.alternate(&kinds, |bench, kind| {
        // A new bucket each time: the blobs must not be there already.
        let server = bench.fresh_on_s3(kind, Delivery::Streamed)?;
        bench.warm_memory()?;
        let mut clients = log_in(&server, blobs.len())?;
        rustix::fs::sync();
        server.process.reset_peak()?;
        let before = server.process.cpu_seconds()?;
        let started = Instant::now();
        std::thread::scope(|scope| {
            let pushers: Vec<_> = clients
                .iter_mut()
                .zip(blobs)
                .map(|(client, blob)| scope.spawn(move || upload(client, REPOSITORY, blob, way)))
                .collect();
            pushers.into_iter().try_for_each(|pusher| pusher.join().expect("a pusher panicked"))
        })?;
        rate.add(kind, mib / started.elapsed().as_secs_f64());
        cpu.add(kind, (server.process.cpu_seconds()? - before) / (mib / 1024.0));
        peak.add(kind, server.process.peak_rss_mib()?);
        Ok(())
    })?;
    Ok(vec![rate, peak, cpu])
}

/// All at once, as so many machines would.
fn log_in(server: &Server, count: usize) -> Result<Vec<Client>> {
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..count).map(|_| scope.spawn(|| server.client(REPOSITORY))).collect();
        logins.into_iter().map(|login| login.join().expect("a login panicked")).collect()
    })
}
