//! GET of blobs that are on S3: streamed through the registry, and from S3 itself.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{KINDS, REPOSITORY};
use crate::bench::Bench;
use crate::client::{Body, Client};
use crate::figures::{Figure, Floor};
use crate::payload::MIB;
use crate::servers::{Delivery, Kind, Server};

const CLIENTS: u64 = 8;
const SIZE: u64 = 100 * MIB;
const TIMES: u64 = 2;

pub(in crate::measures) fn measure_streamed(bench: &mut Bench) -> Result<Vec<Figure>> {
    let floors = [Floor::RatioAtLeast(1.2, Kind::Distribution)];
    let mut rate = Figure::new("blob of 100 MiB × 8 from S3, streamed", "MiB/s", &floors);
    let mut cpu = Figure::new("… server CPU a GiB", "s", &[]);
    measure(bench, Delivery::Streamed, |kind, pulled| {
        rate.add(kind, pulled.mib / pulled.seconds);
        cpu.add(kind, pulled.cpu / (pulled.mib / 1024.0));
    })?;
    Ok(vec![rate, cpu])
}

pub(in crate::measures) fn measure_redirected(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut rate = Figure::new("blob of 100 MiB × 8 from S3, redirected", "MiB/s", &[]);
    let mut passed = Figure::new("… of it through the registry", "bytes", &[Floor::ValueAtMost(0.0)]);
    measure(bench, Delivery::Redirected, |kind, pulled| {
        rate.add(kind, pulled.mib / pulled.seconds);
        passed.add(kind, pulled.through_registry as f64);
    })?;
    Ok(vec![rate, passed])
}

/// What a round of pulls took.
struct Pulled {
    mib: f64,
    seconds: f64,
    /// Of the registry, in seconds.
    cpu: f64,
    /// Bytes of bodies that came from the registry, where it sends clients elsewhere.
    through_registry: u64,
}

fn measure(bench: &mut Bench, delivery: Delivery, mut add: impl FnMut(Kind, Pulled)) -> Result<()> {
    let kinds = bench.kinds(&KINDS);
    let blob = bench.payload.slice(0, SIZE)?;
    let mut servers: Vec<Server> = Vec::new();
    for &kind in &kinds {
        let mut server = bench.fresh_on_s3(kind, delivery)?;
        server.seed_blob(REPOSITORY, &blob)?;
        servers.push(server);
    }
    let path = format!("/v2/{REPOSITORY}/blobs/{}", blob.digest);
    bench.alternate(&kinds, |_, kind| {
        let Some(server) = servers.iter().find(|server| server.kind == kind) else { return Ok(()) };
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(server.client(REPOSITORY)?);
        }
        let before = server.process.cpu_seconds()?;
        let started = Instant::now();
        let pull = |client: &mut Client| match delivery {
            Delivery::Streamed => client.download(&path, SIZE).map(|()| 0),
            Delivery::Redirected => follow(server, client, &path),
        };
        let through_registry = std::thread::scope(|scope| {
            let pullers: Vec<_> = clients
                .iter_mut()
                .map(|client| scope.spawn(|| (0..TIMES).map(|_| pull(client)).sum::<Result<u64>>()))
                .collect();
            pullers.into_iter().map(|puller| puller.join().expect("a puller panicked")).sum::<Result<u64>>()
        })?;
        let seconds = started.elapsed().as_secs_f64();
        let mib = (CLIENTS * TIMES * SIZE / MIB) as f64;
        add(kind, Pulled { mib, seconds, cpu: server.process.cpu_seconds()? - before, through_registry });
        Ok(())
    })
}

/// Gets the blob where the registry says; gives how many bytes of it the registry sent itself. distribution
/// puts a link for people into its answer, which is not the blob's.
fn follow(server: &Server, client: &mut Client, path: &str) -> Result<u64> {
    let head = client.send("GET", path, None, Body::Empty)?;
    ensure!(head.status == 307, "GET {path}: {} instead of 307", head.status);
    let body = client.body(&head)?;
    let url = head.header("location").context("a redirect without a Location")?;
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not plain HTTP"))?;
    let (host, path) = rest.split_at(rest.find('/').with_context(|| format!("{url} has no path"))?);
    let s3 = server.place.as_ref().context("a server without a bucket")?.s3;
    ensure!(host.ends_with(&format!(":{}", s3.port())), "{host} is not the S3 server");
    let mut bucket = Client::connect(s3, None)?;
    bucket.ask_for(host);
    bucket.download(path, SIZE)?;
    Ok(if server.kind == Kind::Berth { body.len() as u64 } else { 0 })
}
