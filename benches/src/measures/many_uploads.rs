//! 32 uploads at once: the memory they need must not grow with their size.

use std::time::Instant;

use anyhow::Result;

use super::REPOSITORY;
use super::upload::{Way, upload};
use crate::bench::Bench;
use crate::client::Client;
use crate::figures::{Figure, Floor};
use crate::payload::MIB;
use crate::servers::{Kind, Server};

const CLIENTS: u64 = 32;
const SIZE: u64 = 64 * MIB;
/// The blobs overlap in the file they are cut from, and differ all the same.
const STEP: u64 = 14 * MIB;

pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut rate = Figure::new("32 uploads of 64 MiB at once", "MiB/s", &[]);
    let mut peak = Figure::new("… peak memory", "MiB", &[Floor::ValueAtMost(64.0)]);
    let mut cpu = Figure::new("… server CPU a GiB", "s", &[]);
    let kinds = bench.kinds(&Kind::REGISTRIES);
    let mut blobs = Vec::new();
    for client in 0..CLIENTS {
        blobs.push(bench.payload.slice(client * STEP, SIZE)?);
    }
    bench.alternate(&kinds, |bench, kind| {
        let server = bench.fresh(kind)?;
        bench.warm_memory()?;
        let mut clients = log_in(&server)?;
        rustix::fs::sync();
        server.process.reset_peak()?;
        let before = server.process.cpu_seconds()?;
        let started = Instant::now();
        std::thread::scope(|scope| {
            let pushers: Vec<_> = clients
                .iter_mut()
                .zip(&blobs)
                .map(|(client, blob)| scope.spawn(move || upload(client, REPOSITORY, blob, Way::AsDocker)))
                .collect();
            pushers.into_iter().try_for_each(|pusher| pusher.join().expect("a pusher panicked"))
        })?;
        let mib = (CLIENTS * SIZE / MIB) as f64;
        rate.add(kind, mib / started.elapsed().as_secs_f64());
        cpu.add(kind, (server.process.cpu_seconds()? - before) / (mib / 1024.0));
        peak.add(kind, server.process.peak_rss_mib()?);
        Ok(())
    })?;
    Ok(vec![rate, peak, cpu])
}

/// All at once, as 32 machines would: checking passwords needs memory too, and must give it back.
fn log_in(server: &Server) -> Result<Vec<Client>> {
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| server.client(REPOSITORY))).collect();
        logins.into_iter().map(|login| login.join().expect("a login panicked")).collect()
    })
}
