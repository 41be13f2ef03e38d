//! `berth admin backup`

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use berth_oci::{Digest, Hasher};
use berth_server::{BackupBlob, DatabasePoint, SQLITE, place_of_copy};
use clap::Args;
use reqwest::{Method, Response};
use serde::{Deserialize, Serialize};

use super::Target;
use super::remote::Remote;
use crate::failure::Failure;
use crate::output;

const TRIED: &str = "backing up the server";

/// Back up a running server
#[derive(Debug, Args)]
#[command(
    after_help = "The folder gets the database (of PostgreSQL: where it stands; its own tools keep it) and the \
list of blobs, with --blobs also copies of all of them; those that are there already are not copied again. Keep the \
master key, too (registry/master-key in the data folder), but elsewhere: it opens the secrets in the backup.

Example:
  berth admin backup --blobs /backup/berth"
)]
pub(super) struct BackupArgs {
    /// Where to
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Copy the blobs, too
    #[arg(long)]
    blobs: bool,
}

/// What `backup.json` says; it is written last.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Backup {
    /// The version that made it.
    pub(super) berth: String,
    /// What keeps the names: "sqlite" or "postgres".
    pub(super) database: String,
    /// Where PostgreSQL stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lsn: Option<String>,
    /// How many blobs are listed.
    pub(super) blobs: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Whether they were copied.
    pub(super) copied: bool,
}

/// The files of a backup.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn of(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub(super) fn about(&self) -> PathBuf {
        self.0.join("backup.json")
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.join("metadata.db")
    }

    fn list(&self) -> PathBuf {
        self.0.join("blobs.jsonl")
    }

    pub(super) fn copies(&self) -> PathBuf {
        self.0.join("blobs")
    }
}

impl BackupArgs {
    pub(super) async fn run(&self, target: &Target) -> Result<(), Failure> {
        let Target::Remote(remote) = target else {
            let why = "that is for a running server; of a stopped one copy the data folder, or start it";
            return Err(Failure::new(TRIED, why));
        };
        let files = Files::of(&self.folder);
        make_folder(&self.folder)?;
        let (lsn, database) = database(remote, &files).await?;
        let (listed, list) = list(remote, &files).await?;
        let mut gone = 0;
        if self.blobs {
            for blob in &listed {
                gone += u64::from(!copy(remote, &files, blob).await?);
            }
        }
        let bytes = listed.iter().map(|blob| blob.size).sum();
        let backup = Backup {
            berth: env!("CARGO_PKG_VERSION").to_owned(),
            database: if lsn.is_some() { "postgres" } else { "sqlite" }.to_owned(),
            lsn,
            blobs: listed.len() as u64,
            bytes,
            copied: self.blobs,
        };
        let about = serde_json::to_vec_pretty(&backup).map_err(|error| Failure::new(TRIED, error))?;
        let mut new = NewFile::beside(&files.about())?;
        new.write(&about)?;
        // An earlier backup is whole until now; while its files are replaced, there is none.
        remove(&files.about())?;
        for file in database.into_iter().chain([list, new]) {
            file.finish()?;
        }
        tell(&backup, gone)
    }
}

fn tell(backup: &Backup, gone: u64) -> Result<(), Failure> {
    if gone > 0 {
        output::note(format_args!(
            "berth: {gone} blobs were damaged, or collected meanwhile, and are not in it"
        ));
    }
    if let Some(lsn) = &backup.lsn {
        output::note(format_args!(
            "berth: names are in PostgreSQL, which stood at {lsn}: back it up now with its own tools (pg_dump)"
        ));
    }
    output::note(
        "berth: keep the master key, too, but elsewhere: registry/master-key in the data folder, or what \
         [auth] master_key_file names",
    );
    let copied = if backup.copied { "copied" } else { "listed" };
    let (blobs, bytes) = (backup.blobs, backup.bytes);
    output::result(format_args!("backed up the database; {blobs} blobs ({bytes} bytes) {copied}"))
}

/// Brings the database; where it is PostgreSQL, where that stands.
async fn database(remote: &Remote, files: &Files) -> Result<(Option<String>, Option<NewFile>), Failure> {
    let mut answer = remote.fetch(TRIED, Method::POST, "/backup/database").await?;
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    if kind != Some(SQLITE) {
        let point: DatabasePoint = answer.json().await.map_err(|error| Failure::new(TRIED, error))?;
        return Ok((Some(point.lsn), None));
    }
    let mut file = NewFile::beside(&files.database())?;
    while let Some(piece) = next(&mut answer).await? {
        file.write(&piece)?;
    }
    Ok((None, Some(file)))
}

async fn list(remote: &Remote, files: &Files) -> Result<(Vec<BackupBlob>, NewFile), Failure> {
    let (mut listed, mut after) = (Vec::<BackupBlob>::new(), String::new());
    loop {
        let page: Vec<BackupBlob> = remote.get(TRIED, &format!("/backup/blobs?after={after}")).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.digest);
        listed.extend(page);
    }
    let mut file = NewFile::beside(&files.list())?;
    for blob in &listed {
        let line = serde_json::to_string(blob).map_err(|error| Failure::new(TRIED, error))?;
        file.write(format!("{line}\n").as_bytes())?;
    }
    Ok((listed, file))
}

/// Copies a blob unless it was copied before; false when there is none that is sound.
async fn copy(remote: &Remote, files: &Files, blob: &BackupBlob) -> Result<bool, Failure> {
    let digest: Digest = blob.digest.parse().map_err(|error| Failure::new(TRIED, error))?;
    let to = files.copies().join(place_of_copy(&digest));
    if fs::metadata(&to).is_ok_and(|there| there.len() == blob.size) {
        return Ok(true);
    }
    let path = format!("/backup/blobs/{digest}");
    let Some(mut answer) = remote.fetch_if_there(TRIED, &path).await? else { return Ok(false) };
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    let (mut file, mut hasher) = (NewFile::beside(&to)?, Hasher::new(digest.algorithm()));
    while let Some(piece) = next(&mut answer).await? {
        hasher.update(&piece);
        file.write(&piece)?;
    }
    if hasher.finish() != digest {
        // It is not kept under a name that says otherwise.
        output::note(format_args!(
            "berth: {digest}: its bytes are others; let the server look (berth fsck --deep)"
        ));
        return Ok(false);
    }
    file.finish()?;
    Ok(true)
}

async fn next(answer: &mut Response) -> Result<Option<Vec<u8>>, Failure> {
    let piece = answer.chunk().await.map_err(|error| Failure::new(TRIED, error))?;
    Ok(piece.map(|piece| piece.to_vec()))
}

/// A file that is there whole or not at all.
struct NewFile {
    file: BufWriter<File>,
    new: PathBuf,
    to: PathBuf,
}

impl NewFile {
    fn beside(to: &Path) -> Result<Self, Failure> {
        let new = to.with_extension("new");
        let opened = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new);
        let file = BufWriter::new(opened.map_err(|error| writing(to, &error))?);
        Ok(Self { file, new, to: to.to_owned() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| writing(&self.to, &error))
    }

    fn finish(self) -> Result<(), Failure> {
        let Self { mut file, new, to } = self;
        let finish = || -> io::Result<()> {
            file.flush()?;
            file.get_ref().sync_all()?;
            fs::rename(new, &to)?;
            File::open(to.parent().ok_or(io::ErrorKind::InvalidInput)?)?.sync_all()
        };
        finish().map_err(|error| writing(&to, &error))
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::new(format!("making the folder {}", folder.display()), error))
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(writing(path, &error)),
        _ => Ok(()),
    }
}

fn writing(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("writing {}", path.display()), error)
}
