//! What every measure is handed: the servers, the rounds, the bytes to move.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::payload::Payload;
use crate::programs::{Programs, versitygw};
use crate::servers::{Delivery, Kind, Server, Stores};

/// One run of the benches.
pub(crate) struct Bench {
    kinds: Vec<Kind>,
    rounds: u32,
    programs: Programs,
    root: PathBuf,
    /// Servers that stay up between measures, so that 10,000 tags are pushed once.
    standing: BTreeMap<Kind, Server>,
    folders: u32,
    stores: Option<Stores>,
    pub(crate) payload: Payload,
}

impl Bench {
    pub(crate) fn new(kinds: Vec<Kind>, rounds: u32, programs: Programs, root: PathBuf) -> Self {
        let payload = Payload::new(root.join("payload"));
        Self { kinds, rounds, programs, root, standing: BTreeMap::new(), folders: 0, stores: None, payload }
    }

    /// The servers taking part that are among `wanted`.
    pub(crate) fn kinds(&self, wanted: &[Kind]) -> Vec<Kind> {
        self.kinds.iter().copied().filter(|kind| wanted.contains(kind)).collect()
    }

    /// Runs `work` once a round and server, another server first each round, after a `sync`.
    pub(crate) fn alternate(
        &mut self,
        kinds: &[Kind],
        mut work: impl FnMut(&mut Self, Kind) -> Result<()>,
    ) -> Result<()> {
        for round in 0..self.rounds as usize {
            for turn in 0..kinds.len() {
                rustix::fs::sync();
                work(self, kinds[(round + turn) % kinds.len()])?;
            }
        }
        Ok(())
    }

    /// The server of this kind that stays up until the end.
    pub(crate) fn standing(&mut self, kind: Kind) -> Result<&mut Server> {
        if !self.standing.contains_key(&kind) {
            let server = self.fresh(kind)?;
            self.standing.insert(kind, server);
        }
        Ok(self.standing.get_mut(&kind).expect("just inserted"))
    }

    /// Another server of this kind with an empty data folder, which goes when it is dropped.
    pub(crate) fn fresh(&mut self, kind: Kind) -> Result<Server> {
        let folder = self.folder(kind);
        Server::start(&self.programs, kind, folder, None)
    }

    /// Another server of this kind on an empty bucket, Berth also on an empty database.
    pub(crate) fn fresh_on_s3(&mut self, kind: Kind, delivery: Delivery) -> Result<Server> {
        let folder = self.folder(kind);
        let place = self.stores()?.place(delivery)?;
        Server::start(&self.programs, kind, folder, Some(place))
    }

    /// The S3 server and the PostgreSQL, which are there from the first time they are asked for.
    pub(crate) fn stores(&mut self) -> Result<&mut Stores> {
        if self.stores.is_none() {
            self.stores = Some(Stores::start(&versitygw()?, self.root.join("stores"))?);
        }
        Ok(self.stores.as_mut().expect("just started"))
    }

    fn folder(&mut self, kind: Kind) -> PathBuf {
        self.folders += 1;
        self.root.join(format!("{}-{}", kind.name(), self.folders))
    }

    /// Starts a stopped server's data folder again; says how long the first answer took.
    pub(crate) fn start_again(&self, server: &mut Server) -> Result<Duration> {
        server.start_again(&self.programs)
    }

    /// Writes and deletes 2 GiB. Memory this machine never touched is two to three times slower, so the
    /// first upload of a comparison would otherwise pay for the others.
    pub(crate) fn warm_memory(&self) -> Result<()> {
        crate::payload::write_and_delete(&self.root.join("warm"), 2 << 30)
    }
}
