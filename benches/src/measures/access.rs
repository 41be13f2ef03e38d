//! What showing who one is costs: the same GET of a manifest with a token, with name and password, of a public
//! repository without either, and where nobody is asked.

use anyhow::{Result, ensure};

use super::{PUBLIC_REPOSITORY, REPOSITORY};
use crate::bench::Bench;
use crate::client::{Body, Client};
use crate::figures::{Figure, Floor};
use crate::servers::{Kind, Server, basic};
use crate::wrk;

const CONNECTIONS: u32 = 64;
const SECONDS: u32 = 3;
/// A token, and what is decided of its holder, cost at most 15 % more than asking nobody.
const TOKEN: [Floor; 1] = [Floor::ValueAtMost(1.15)];
/// A name and a password that were right a moment ago cost at most a fifth more than a token.
const BASIC: [Floor; 1] = [Floor::ValueAtMost(1.2)];

pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut with_token = Figure::new("manifest with a token", "× the time where nobody is asked", &TOKEN);
    let mut cpu = Figure::new("… server CPU", "× that where nobody is asked", &TOKEN);
    let mut with_basic = Figure::new("manifest with Basic", "× a token's time", &BASIC);
    let mut public = Figure::new("public manifest without a login", "× a token's time", &[]);
    let path = format!("/v2/{REPOSITORY}/manifests/latest");
    let kinds = bench.kinds(&[Kind::Berth]);
    for &kind in &kinds {
        let server = bench.standing(kind)?;
        server.seed_image(REPOSITORY)?;
        server.seed_image(PUBLIC_REPOSITORY)?;
        publish(server)?;
        let token = server.authorization(REPOSITORY)?;

        let mut open = bench.fresh(kind)?;
        open.seed_image(REPOSITORY)?;
        open.open_the_door()?;
        ensure_same_answer(&open, bench.standing(kind)?, &path, token.as_deref())?;
        bench.alternate(&kinds, |bench, kind| {
            let server = bench.standing(kind)?;
            // The same bytes are asked with, also where nobody reads who asks.
            let token = server.authorization(REPOSITORY)?;
            let open = Cost::of(&open, &path, token.as_deref())?;
            let token = Cost::of(server, &path, token.as_deref())?;
            with_token.add(kind, token.time / open.time);
            cpu.add(kind, token.cpu / open.cpu);
            with_basic.add(kind, Cost::of(server, &path, Some(&basic()))?.time / token.time);
            let path = format!("/v2/{PUBLIC_REPOSITORY}/manifests/latest");
            public.add(kind, Cost::of(server, &path, None)?.time / token.time);
            Ok(())
        })?;
    }
    Ok(vec![with_token, cpu, with_basic, public])
}

/// What one request costs, in seconds.
struct Cost {
    time: f64,
    /// The server's alone, which a busy machine disturbs less.
    cpu: f64,
}

impl Cost {
    fn of(server: &Server, path: &str, authorization: Option<&str>) -> Result<Self> {
        let before = server.process.cpu_seconds()?;
        let seen = wrk::run(&server.url(path), CONNECTIONS, SECONDS, authorization)?;
        let cpu = (server.process.cpu_seconds()? - before) / seen.requests;
        Ok(Self { time: 1.0 / seen.requests_per_second, cpu })
    }
}

fn publish(server: &Server) -> Result<()> {
    let path = format!("/api/v1/repositories/{}/public", PUBLIC_REPOSITORY.replace('/', "%2F"));
    Client::connect(server.address, Some(basic()))?.expect(204, "PUT", &path, None, Body::Empty)?;
    Ok(())
}

/// Otherwise something else than access would be compared.
fn ensure_same_answer(open: &Server, berth: &Server, path: &str, token: Option<&str>) -> Result<()> {
    let headers = |server: &Server| -> Result<Vec<String>> {
        let mut client = Client::connect(server.address, token.map(str::to_owned))?;
        let head = client.expect(200, "GET", path, None, Body::Empty)?;
        let mut headers = head.headers().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
        headers.retain(|header| !header.starts_with("date:") && !header.starts_with("x-request-id:"));
        headers.sort();
        Ok(headers)
    };
    let (open, berth) = (headers(open)?, headers(berth)?);
    ensure!(open == berth, "GET {path} is answered with {berth:?} by berth and with {open:?} without access");
    Ok(())
}
