//! Among a million tags as quick as among a thousand: lookups, pages of tags, pages of the catalog.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::bench::Bench;
use crate::client::Client;
use crate::figures::{Figure, Floor};
use crate::generator::{MANY, Rows};
use crate::servers::{Delivery, Kind, Server, basic};

const FEW: u64 = 1_000;
const LOOKUPS: usize = 3_000;
const PAGES: usize = 500;
/// How many different pages of the catalog are asked for.
const CATALOG_PAGES: u64 = 25;
/// What the same work may differ by from round to round.
const NOISE: f64 = 1.5;

/// Berth with rows that a generator made.
struct Filled {
    rows: Rows,
    server: Server,
}

pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if bench.kinds(&[Kind::Berth]).is_empty() {
        return Ok(figures);
    }
    for database in ["SQLite", "PostgreSQL"] {
        let few = filled(bench, database, FEW)?;
        let many = filled(bench, database, MANY)?;
        for (what, ask) in ASKED {
            let mut among_few = Figure::new(format!("{what} of 1,000, {database}, p99"), "ms", &[]);
            let mut among_many = Figure::new("… of 1,000,000", "ms", &[]);
            let mut ratio = Figure::new("… the one by the other", "times", &[Floor::ValueAtMost(NOISE)]);
            bench.alternate(&[Kind::Berth], |_, kind| {
                let (small, large) = (ask(&few)?, ask(&many)?);
                among_few.add(kind, small);
                among_many.add(kind, large);
                Ok(())
            })?;
            if let (Some(small), Some(large)) =
                (among_few.median(Kind::Berth), among_many.median(Kind::Berth))
            {
                ratio.add(Kind::Berth, large / small);
            }
            figures.extend([among_few, among_many, ratio]);
        }
    }
    Ok(figures)
}

fn filled(bench: &mut Bench, database: &str, count: u64) -> Result<Filled> {
    let rows = Rows { count };
    // The first start makes the tables.
    let mut server = match database {
        "SQLite" => bench.fresh(Kind::Berth)?,
        _ => bench.fresh_on_s3(Kind::Berth, Delivery::Streamed)?,
    };
    server.process.stop();
    match &server.place {
        None => rows.into_sqlite(&server.folder.join("data/registry/metadata.db"))?,
        Some(place) => rows.into_postgres(place.database())?,
    }
    bench.start_again(&mut server)?;
    Ok(Filled { rows, server })
}

type Ask = fn(&Filled) -> Result<f64>;
const ASKED: [(&str, Ask); 3] =
    [("tag lookup", look_up), ("page of tags", page_of_tags), ("page of the catalog", page_of_catalog)];

fn look_up(filled: &Filled) -> Result<f64> {
    let Filled { rows, server } = filled;
    let repository = Rows::LARGE_REPOSITORY;
    let mut client = server.client(repository)?;
    percentile(LOOKUPS, |number| {
        let manifest = client.get(&format!("/v2/{repository}/manifests/{}", rows.tag(rows.any(number))))?;
        ensure!(manifest.len() > 100, "a manifest of {} bytes", manifest.len());
        Ok(())
    })
}

fn page_of_tags(filled: &Filled) -> Result<f64> {
    let Filled { rows, server } = filled;
    let path = format!("/v2/{}/tags/list", Rows::LARGE_REPOSITORY);
    let mut client = server.client(Rows::LARGE_REPOSITORY)?;
    percentile(PAGES, |number| {
        let page = client.get(&format!("{path}?n=50&last={}", rows.tag(rows.any(number) / 2)))?;
        names(&page, "tags", 50)
    })
}

fn page_of_catalog(filled: &Filled) -> Result<f64> {
    let Filled { rows, server } = filled;
    let mut client = Client::connect(server.address, Some(basic()))?;
    // The same few pages from the middle: whether the caller may see a repository is remembered, and what is
    // not costs the same among few and among many.
    let middle = (rows.small_repositories() - 100) / 2;
    let mut page = |number: usize| {
        let last = Rows::small_repository(middle + number as u64 % CATALOG_PAGES);
        let page = client.get(&format!("/v2/_catalog?n=50&last={last}"))?;
        names(&page, "repositories", 50)
    };
    (0..CATALOG_PAGES as usize).try_for_each(&mut page)?;
    percentile(PAGES, page)
}

fn names(page: &[u8], key: &str, wanted: usize) -> Result<()> {
    let page: serde_json::Value = serde_json::from_slice(page)?;
    let count = page[key].as_array().map(Vec::len);
    ensure!(count == Some(wanted), "a page of {count:?} {key}");
    Ok(())
}

/// The 99th percentile of how long one of `times` calls takes, in milliseconds.
fn percentile(times: usize, mut call: impl FnMut(usize) -> Result<()>) -> Result<f64> {
    let mut took = Vec::with_capacity(times);
    for number in 0..times {
        let started = Instant::now();
        call(number)?;
        took.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[times * 99 / 100])
}
