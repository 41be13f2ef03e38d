//! PUT of one manifest under ever new tags: what a busy CI does, each push durable before it is answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::Bench;
use crate::client::Body;
use crate::figures::{Figure, Floor};
use crate::servers::{Kind, MANIFEST_TYPE};

const REPOSITORY: &str = "bench/pushed";
const DURATION: Duration = Duration::from_secs(3);

pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let tags = AtomicU64::new(0);
    for clients in [1, 16] {
        let floors: &[Floor] =
            if clients == 16 { &[Floor::RatioAtLeast(5.0, Kind::Distribution)] } else { &[] };
        let mut rate = Figure::new(format!("tag pushes × {clients}"), "per second", floors);
        let kinds = bench.kinds(&Kind::REGISTRIES);
        bench.alternate(&kinds, |bench, kind| {
            let server = bench.standing(kind)?;
            let manifest = server.seed_image(REPOSITORY)?;
            let mut connections = Vec::new();
            for _ in 0..clients {
                connections.push(server.client(REPOSITORY)?);
            }
            let started = Instant::now();
            let pushed: u64 = std::thread::scope(|scope| {
                let push = |client: &mut crate::client::Client| -> Result<u64> {
                    let mut pushed = 0;
                    while started.elapsed() < DURATION {
                        let tag = tags.fetch_add(1, Ordering::Relaxed);
                        let path = format!("/v2/{REPOSITORY}/manifests/push-{tag}");
                        client.expect(201, "PUT", &path, Some(MANIFEST_TYPE), Body::Bytes(&manifest))?;
                        pushed += 1;
                    }
                    Ok(pushed)
                };
                let pushers: Vec<_> =
                    connections.iter_mut().map(|client| scope.spawn(move || push(client))).collect();
                pushers
                    .into_iter()
                    .map(|pusher| pusher.join().expect("a pusher panicked"))
                    .sum::<Result<u64>>()
            })?;
            rate.add(kind, pushed as f64 / started.elapsed().as_secs_f64());
            Ok(())
        })?;
        figures.push(rate);
    }
    Ok(figures)
}
