//! Makes a database of so many manifests, each with a tag, without pushing them one by one.
//!
//! Half of them are in one repository, the others in repositories of four each.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;

use crate::payload::digest;
use crate::servers::MANIFEST_TYPE;

/// A registry of years.
pub(crate) const MANY: u64 = 1_000_000;
const IN_A_SMALL_ONE: u64 = 4;

/// So many manifests and tags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub(crate) count: u64,
}

impl Rows {
    /// The repository of half of all tags.
    pub(crate) const LARGE_REPOSITORY: &'static str = "bench/large";

    const fn in_the_large_one(self) -> u64 {
        self.count / 2
    }

    /// How many repositories there are besides.
    pub(crate) const fn small_repositories(self) -> u64 {
        (self.count - self.in_the_large_one()).div_ceil(IN_A_SMALL_ONE)
    }

    /// The name of one of them.
    pub(crate) fn small_repository(number: u64) -> String {
        format!("bench/small-{number:06}")
    }

    /// A tag of the large repository.
    pub(crate) fn tag(self, number: u64) -> String {
        format!("tag-{:06}", number % self.in_the_large_one())
    }

    /// Numbers that are spread over all, the same in every run.
    pub(crate) const fn any(self, turn: usize) -> u64 {
        (turn as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.in_the_large_one()
    }

    /// The id of the repository that a manifest is in, and the tag it has there.
    fn place(self, number: u64) -> (String, String) {
        match number.checked_sub(self.in_the_large_one()) {
            None => ("bench-large".to_owned(), self.tag(number)),
            Some(rest) => {
                let (repository, tag) = (rest / IN_A_SMALL_ONE, rest % IN_A_SMALL_ONE);
                (format!("bench-small-{repository:06}"), format!("tag-{tag:06}"))
            }
        }
    }

    fn repositories(self) -> impl Iterator<Item = (String, String)> {
        let large = ("bench-large".to_owned(), Self::LARGE_REPOSITORY.to_owned());
        let small = (0..self.small_repositories())
            .map(|number| (format!("bench-small-{number:06}"), Self::small_repository(number)));
        std::iter::once(large).chain(small)
    }

    /// Fills the tables that a stopped berth made in a file.
    pub(crate) fn into_sqlite(self, path: &Path) -> Result<()> {
        let mut connection = Connection::open(path).with_context(|| format!("opening {}", path.display()))?;
        let filling = connection.transaction()?;
        {
            let mut repository =
                filling.prepare("INSERT INTO repositories (id, name, created_at) VALUES (?1, ?2, 0)")?;
            for (id, name) in self.repositories() {
                repository.execute((id, name))?;
            }
            let mut manifest = filling.prepare(
                "INSERT INTO manifests (repository_id, digest, media_type, size, pushed_at, content)
                 VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            )?;
            let mut tag = filling.prepare(
                "INSERT INTO tags (repository_id, name, digest, updated_at) VALUES (?1, ?2, ?3, 0)",
            )?;
            for number in 0..self.count {
                let (id, name) = self.place(number);
                let content = content(number);
                let digest = digest(&content);
                let size = i64::try_from(content.len())?;
                manifest.execute((&id, &digest, MANIFEST_TYPE, size, &content))?;
                tag.execute((&id, name, digest))?;
            }
        }
        filling.commit()?;
        Ok(())
    }

    /// Fills the tables that a stopped berth made in a PostgreSQL.
    pub(crate) fn into_postgres(self, url: &str) -> Result<()> {
        let mut psql = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("running psql (.ci/install-benches brings it)")?;
        let mut rows = BufWriter::new(psql.stdin.take().context("psql without standard input")?);
        writeln!(rows, "COPY repositories (id, name, created_at) FROM STDIN;")?;
        for (id, name) in self.repositories() {
            writeln!(rows, "{id}\t{name}\t0")?;
        }
        writeln!(rows, "\\.")?;
        let columns = "repository_id, digest, media_type, size, pushed_at, content";
        writeln!(rows, "COPY manifests ({columns}) FROM STDIN;")?;
        for number in 0..self.count {
            let (id, _) = self.place(number);
            let content = content(number);
            let (digest, size, hex) = (digest(&content), content.len(), hex::encode(&content));
            writeln!(rows, "{id}\t{digest}\t{MANIFEST_TYPE}\t{size}\t0\t\\\\x{hex}")?;
        }
        writeln!(rows, "\\.")?;
        writeln!(rows, "COPY tags (repository_id, name, digest, updated_at) FROM STDIN;")?;
        for number in 0..self.count {
            let (id, name) = self.place(number);
            writeln!(rows, "{id}\t{name}\t{}\t0", digest(&content(number)))?;
        }
        // What PostgreSQL does by itself after a while.
        writeln!(rows, "\\.\nVACUUM ANALYZE;")?;
        rows.flush()?;
        drop(rows);
        let ended = psql.wait()?;
        ensure!(ended.success(), "psql said {ended}");
        Ok(())
    }
}

fn content(number: u64) -> Vec<u8> {
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST_TYPE}\",\"config\":{{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\
         \"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}},\
         \"layers\":[],\"annotations\":{{\"number\":\"{number}\"}}}}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_somewhere_with_a_tag_of_its_own() {
        let rows = Rows { count: 1_000 };
        let places: std::collections::BTreeSet<_> =
            (0..rows.count).map(|number| rows.place(number)).collect();
        assert_eq!(places.len(), 1_000);
        let repositories: std::collections::BTreeSet<_> = rows.repositories().map(|(id, _)| id).collect();
        assert!(places.iter().all(|(id, _)| repositories.contains(id)));
        assert_eq!(repositories.len(), 126);
    }
}
