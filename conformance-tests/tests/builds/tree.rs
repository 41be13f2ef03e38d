//! An image's files, as its layers make them, read from an archive with an OCI layout in it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// An image: its configuration, and its files by their paths.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) digest: String,
    pub(crate) config: Value,
    pub(crate) files: BTreeMap<String, Entry>,
    /// The paths in each layer, from the lowest, as they are written there.
    pub(crate) layers: Vec<Vec<String>>,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: char,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    /// A file's SHA-256 or a link's target.
    pub(crate) content: String,
    pub(crate) mtime: u64,
    pub(crate) xattrs: Vec<(String, Vec<u8>)>,
}

/// The first image of an archive.
pub(crate) fn read(archive: &Path) -> Image {
    let mut blobs = HashMap::new();
    let mut tar = tar::Archive::new(File::open(archive).expect("opening an archive"));
    for entry in tar.entries().expect("reading an archive") {
        let mut entry = entry.expect("reading an archive");
        let path = entry.path().expect("a path").to_str().expect("UTF-8").to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("reading an archive");
        blobs.insert(path, content);
    }
    let json = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("JSON") };
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().expect("a digest").replace(':', "/");
        &blobs[&format!("blobs/{digest}")]
    };
    let mut descriptor = json(&blobs["index.json"])["manifests"][0].clone();
    let mut manifest = json(blob(&descriptor));
    if manifest["manifests"].is_array() {
        descriptor = manifest["manifests"][0].clone();
        manifest = json(blob(&descriptor));
    }
    let mut image = Image {
        digest: descriptor["digest"].as_str().expect("a digest").to_owned(),
        config: json(blob(&manifest["config"])),
        files: BTreeMap::new(),
        layers: Vec::new(),
    };
    for layer in manifest["layers"].as_array().expect("layers") {
        image.add(blob(layer));
    }
    image
}

impl Image {
    fn add(&mut self, layer: &[u8]) {
        let mut paths = Vec::new();
        let mut added: BTreeMap<String, Entry> = BTreeMap::new();
        let mut tar = tar::Archive::new(GzDecoder::new(layer));
        for entry in tar.entries().expect("reading a layer") {
            let mut entry = entry.expect("reading a layer");
            let written = entry.path().expect("a path").to_str().expect("UTF-8").to_owned();
            paths.push(written.clone());
            let path = written.trim_start_matches("./").trim_matches('/').to_owned();
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == ".wh..wh..opq" {
                self.remove_below(parent);
                continue;
            }
            if let Some(removed) = name.strip_prefix(".wh.") {
                let removed =
                    if parent.is_empty() { removed.to_owned() } else { format!("{parent}/{removed}") };
                self.remove_below(&removed);
                self.files.remove(&removed);
                continue;
            }
            let mut made = of(&mut entry);
            if made.kind == 'h' {
                // Another name of what came before.
                let target = made.content.trim_start_matches("./").trim_matches('/').to_owned();
                made =
                    added.get(&target).or_else(|| self.files.get(&target)).expect("a link's target").clone();
            }
            added.insert(path, made);
        }
        for (path, entry) in added {
            if entry.kind != 'd' {
                self.remove_below(&path);
            }
            self.files.insert(path, entry);
        }
        self.layers.push(paths);
    }

    fn remove_below(&mut self, folder: &str) {
        let start = format!("{folder}/");
        self.files.retain(|path, _| !path.starts_with(&start));
    }

    /// What is at `path`.
    pub(crate) fn at(&self, path: &str) -> &Entry {
        self.files.get(path).unwrap_or_else(|| panic!("no {path} among {:?}", self.files.keys()))
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }
}

fn of(entry: &mut tar::Entry<'_, impl Read>) -> Entry {
    let header = entry.header().clone();
    let link = entry.link_name().expect("a link").map(|link| link.to_str().expect("UTF-8").to_owned());
    let (kind, content) = match header.entry_type() {
        tar::EntryType::Directory => ('d', String::new()),
        tar::EntryType::Symlink => ('l', link.expect("a target")),
        tar::EntryType::Link => ('h', link.expect("a target")),
        tar::EntryType::Fifo => ('p', String::new()),
        tar::EntryType::Char => ('c', String::new()),
        tar::EntryType::Regular => {
            let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
            loop {
                match entry.read(&mut piece).expect("reading a file") {
                    0 => break,
                    length => hash.update(&piece[..length]),
                }
            }
            ('f', hex::encode(hash.finalize()))
        }
        other => panic!("an entry of the type {other:?}"),
    };
    let mut xattrs = Vec::new();
    if let Some(records) = entry.pax_extensions().expect("records") {
        for record in records.flatten() {
            if let Some(name) = record.key().expect("UTF-8").strip_prefix("SCHILY.xattr.") {
                xattrs.push((name.to_owned(), record.value_bytes().to_vec()));
            }
        }
    }
    xattrs.sort();
    Entry {
        kind,
        mode: header.mode().expect("a mode") & 0o7777,
        owner: (header.uid().expect("an owner"), header.gid().expect("a group")),
        content,
        mtime: header.mtime().expect("a time"),
        xattrs,
    }
}
