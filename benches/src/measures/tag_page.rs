//! A page of 100 of 10,000 tags, as a browser of a registry asks for it.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::{MANY, REPOSITORY_OF_MANY};
use crate::bench::Bench;
use crate::figures::{Figure, Floor};
use crate::servers::Kind;

const TIMES: usize = 50;

pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    // Ten times the speed is a tenth of the time.
    let mut page = Figure::new("100 of 10,000 tags", "ms", &[Floor::RatioAtMost(0.1, Kind::Distribution)]);
    let mut whole = Figure::new("all 10,000 tags", "ms", &[]);
    let kinds = bench.kinds(&Kind::REGISTRIES);
    for &kind in &kinds {
        bench.standing(kind)?.seed_tags(REPOSITORY_OF_MANY, MANY)?;
    }
    bench.alternate(&kinds, |bench, kind| {
        let server = bench.standing(kind)?;
        let mut client = server.client(REPOSITORY_OF_MANY)?;
        let path = format!("/v2/{REPOSITORY_OF_MANY}/tags/list");

        let started = Instant::now();
        for time in 0..TIMES {
            // Another page each time: an answer kept from the last one is no listing.
            let last = time * MANY / TIMES / 2;
            let answer = client.get(&format!("{path}?n=100&last=tag-{last:05}"))?;
            if kind != Kind::DockerRegistry {
                check(&answer, last)?;
            }
        }
        page.add(kind, started.elapsed().as_secs_f64() * 1000.0 / TIMES as f64);

        let started = Instant::now();
        client.get(&path)?;
        whole.add(kind, started.elapsed().as_secs_f64() * 1000.0);
        Ok(())
    })?;
    Ok(vec![page, whole])
}

/// docker-registry 2.8 would fail here: it knows no pages and always answers with all tags.
fn check(answer: &[u8], last: usize) -> Result<()> {
    let answer: serde_json::Value = serde_json::from_slice(answer)?;
    let first = answer["tags"][0].as_str();
    ensure!(first == Some(&format!("tag-{:05}", last + 1)), "the page after {last} begins with {first:?}");
    ensure!(answer["tags"].as_array().map(Vec::len) == Some(100), "the page after {last} is not of 100");
    Ok(())
}
