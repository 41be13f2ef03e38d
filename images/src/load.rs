//! Images read from an archive or a folder: `docker save`'s, old and new, and OCI layouts.
//!
//! Names in an archive are keys of a table here, and never paths of this machine: nothing in one can lead out
//! of it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use berth_oci::{
    Algorithm, Content, Descriptor, Digest, Hasher, ImageConfig, MAX_IMAGE_CONFIG_BYTES, MAX_MANIFEST_BYTES,
    Manifest, MediaType,
};
use serde::Deserialize;
use serde_json::json;

use crate::error::{Doing, Error, Result};
use crate::reference::ImageReference;
use crate::save::{NAME_OF_CONTAINERD, NAME_OF_OCI};
use crate::store::{Image, LocalImages, Roots};
use crate::unpack::{Archive, Kind, Wrong, plain};

/// The longest chain of links between an archive's entries that is followed.
const MAX_LINKS: usize = 8;
/// An archive is a few entries a layer.
const MAX_MEMBERS: usize = 100_000;

/// An image that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The image.
    pub image: Image,
    /// The names it was given.
    pub names: Vec<ImageReference>,
}

/// What is inside: by its name, a file that holds it.
struct Members {
    files: HashMap<String, PathBuf>,
    links: HashMap<String, String>,
}

/// One image of a `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// An image found in the archive.
struct Found {
    /// Its manifest, if there is one.
    manifest: Option<Vec<u8>>,
    config: Vec<u8>,
    layers: Vec<PathBuf>,
    names: Vec<ImageReference>,
}

/// Reads the archive `input`, compressed or not, and keeps the images in it. Blocks.
///
/// # Errors
/// When it is no archive of images, is damaged, or the machine fails. Then none of it is kept.
pub fn load(local: &LocalImages, input: impl BufRead + Send) -> Result<Vec<Loaded>> {
    let scratch = local.scratch()?;
    let members = Members::unpacked(input, scratch.path())?;
    keep(local, &members)
}

/// The same for an OCI layout in a folder.
///
/// # Errors
/// As [`load`].
pub fn load_folder(local: &LocalImages, folder: &Path) -> Result<Vec<Loaded>> {
    keep(local, &Members::of_folder(folder)?)
}

fn keep(local: &LocalImages, members: &Members) -> Result<Vec<Loaded>> {
    local.repair()?;
    let images = find(members)?;
    if images.is_empty() {
        return Err(Error::Content("there is no image in it".to_owned()));
    }
    images.into_iter().map(|found| keep_one(local, found)).collect()
}

fn keep_one(local: &LocalImages, found: Found) -> Result<Loaded> {
    let config = ImageConfig::parse(&found.config).map_err(|error| Error::Content(error.to_string()))?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != found.layers.len() {
        let (layers, named) = (found.layers.len(), diff_ids.len());
        let sentence = format!("an image has {layers} layers, and its configuration names {named}");
        return Err(Error::Content(sentence));
    }
    let expected = match &found.manifest {
        None => None,
        Some(manifest) => {
            let parsed =
                Manifest::parse(None, manifest).map_err(|error| Error::Content(error.to_string()))?;
            match parsed.content {
                Content::Blobs { config: Some(config), layers } => Some((config.digest, layers)),
                Content::Blobs { config: None, .. } | Content::Children(_) => None,
            }
        }
    };
    if expected.as_ref().is_some_and(|(_, layers)| layers.len() != found.layers.len()) {
        return Err(Error::Content("manifest.json and index.json name different layers".to_owned()));
    }
    let id = match &expected {
        Some((id, _)) => id.clone(),
        None => Digest::of(Algorithm::Sha256, &found.config),
    };
    let mut layers = Vec::new();
    for (at, file) in found.layers.iter().enumerate() {
        let descriptor = match &expected {
            Some((_, layers)) => layers[at].clone(),
            None => described(file)?,
        };
        layers.push(descriptor);
    }
    let roots = Roots {
        blobs: layers.iter().map(|layer| layer.digest.clone()).chain([id.clone()]).collect(),
        layers: diff_ids.clone(),
        ..Roots::default()
    };
    let _lease = local.lease(&roots)?;
    for ((layer, file), diff_id) in layers.iter().zip(&found.layers).zip(diff_ids) {
        keep_layer(local, layer, file, diff_id)?;
    }
    let manifest = match found.manifest {
        Some(manifest) => manifest,
        None => made_manifest(&id, found.config.len(), &layers),
    };
    let digest = Digest::of(Algorithm::Sha256, &manifest);
    local.put_blob(&id, &found.config)?;
    local.put_blob(&digest, &manifest)?;
    local.flush()?;
    match found.names.as_slice() {
        [] => drop(local.name(&id, &digest, None, None)?),
        names => {
            for name in names {
                local.name(&id, &digest, Some(&name.whole()), None)?;
            }
        }
    }
    let image = local.get(id.as_str())?;
    local.lower_folders(&image)?;
    Ok(Loaded { image, names: found.names })
}

/// Has a layer here, packed and unpacked, with every digest checked.
fn keep_layer(local: &LocalImages, layer: &Descriptor, file: &Path, diff_id: &Digest) -> Result<()> {
    let _lock = local.fetching(&layer.digest)?;
    if !local.has_blob(&layer.digest, layer.size) {
        // Copied, for it may be the folder of somebody else.
        let reading = || format!("reading {}", file.display());
        let mut input = File::open(file).doing(reading)?;
        let scratch = local.scratch()?;
        let copied = scratch.path().join("layer");
        let mut copy = File::create(&copied).doing(reading)?;
        let (digest, size) = copy_and_hash(&mut input, &mut copy, layer.digest.algorithm()).doing(reading)?;
        if (digest, size) != (layer.digest.clone(), layer.size) {
            let wrong = "what the archive has for it is something else".to_owned();
            return Err(Error::Layer { layer: layer.digest.clone(), wrong });
        }
        local.keep_blob(&layer.digest, &copied)?;
    }
    if local.layer_facts(diff_id).is_none() {
        local.unpack_locked(layer, diff_id)?;
    }
    Ok(())
}

/// What a manifest says of a layer in a file.
fn described(file: &Path) -> Result<Descriptor> {
    let reading = || format!("reading {}", file.display());
    let mut input = File::open(file).doing(reading)?;
    let mut start = [0; 4];
    let length = input.read(&mut start).doing(reading)?;
    let kind = match &start[..length] {
        [0x1f, 0x8b, ..] => "application/vnd.oci.image.layer.v1.tar+gzip",
        [0x28, 0xb5, 0x2f, 0xfd] => "application/vnd.oci.image.layer.v1.tar+zstd",
        _ => "application/vnd.oci.image.layer.v1.tar",
    };
    let mut input = File::open(file).doing(reading)?;
    let (digest, size) = copy_and_hash(&mut input, &mut io::sink(), Algorithm::Sha256).doing(reading)?;
    let media_type = kind.parse::<MediaType>().map_err(|error| Error::Content(error.to_string()))?;
    Ok(Descriptor {
        media_type,
        digest,
        size,
        artifact_type: None,
        urls: Vec::new(),
        annotations: Default::default(),
        platform: None,
    })
}

/// A manifest for an image that came without one; the same image always gets the same.
pub(crate) fn made_manifest(id: &Digest, config_size: usize, layers: &[Descriptor]) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": MediaType::OCI_CONFIG, "digest": id, "size": config_size},
        "layers": layers,
    });
    manifest.to_string().into_bytes()
}

fn copy_and_hash(
    input: &mut impl Read,
    output: &mut impl Write,
    algorithm: Algorithm,
) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut size, mut piece) = (Hasher::new(algorithm), 0, vec![0; 256 * 1024]);
    loop {
        let read = input.read(&mut piece)?;
        if read == 0 {
            return Ok((hasher.finish(), size));
        }
        hasher.update(&piece[..read]);
        output.write_all(&piece[..read])?;
        size += read as u64;
    }
}

/// The images in an archive: those that docker's list names, else those of the OCI index.
fn find(members: &Members) -> Result<Vec<Found>> {
    let mut of_index = Vec::new();
    if members.has("index.json") {
        let index = members.read("index.json", MAX_MANIFEST_BYTES)?;
        let index = Manifest::parse(Some(MediaType::OCI_INDEX.as_str()), &index)
            .map_err(|error| Error::Content(format!("index.json: {error}")))?;
        follow(members, &index, &[], 0, &mut of_index)?;
    }
    if !members.has("manifest.json") {
        return Ok(of_index);
    }
    let list = members.read("manifest.json", MAX_MANIFEST_BYTES)?;
    let list: Vec<DockerImage> = serde_json::from_slice(&list)
        .map_err(|error| Error::Content(format!("manifest.json is not docker's: {error}")))?;
    let mut found = Vec::new();
    for image in list {
        let config = members.read(&image.config, MAX_IMAGE_CONFIG_BYTES)?;
        // The manifest that it had before, if the archive has that too, keeps its digest.
        let manifest =
            of_index.iter().find(|known| known.config == config).and_then(|known| known.manifest.clone());
        let layers = image.layers.iter().map(|layer| members.file(layer)).collect::<Result<_>>()?;
        let names = image.repo_tags.unwrap_or_default();
        let names = names.iter().map(|name| name.parse::<ImageReference>());
        let names = names.collect::<Result<_, _>>().map_err(|error| Error::Content(error.to_string()))?;
        found.push(Found { manifest, config, layers, names });
    }
    Ok(found)
}

/// The images that an index names, for whatever platform.
fn follow(
    members: &Members,
    index: &Manifest,
    names: &[ImageReference],
    depth: usize,
    found: &mut Vec<Found>,
) -> Result<()> {
    const MAX_DEPTH: usize = 4;
    let Content::Children(children) = &index.content else { return Ok(()) };
    if depth == MAX_DEPTH {
        return Err(Error::Content("its indexes name one another without an end".to_owned()));
    }
    for child in children {
        // A layout may hold a part of the platforms that an index names.
        if !members.has(&blob(&child.digest)) {
            continue;
        }
        let bytes = members.blob(&child.digest, MAX_MANIFEST_BYTES)?;
        let manifest = Manifest::parse(Some(child.media_type.as_str()), &bytes)
            .map_err(|error| Error::Content(error.to_string()))?;
        let own: Vec<ImageReference> = name_of(child).into_iter().chain(names.iter().cloned()).collect();
        match &manifest.content {
            Content::Children(_) => follow(members, &manifest, &own, depth + 1, found)?,
            Content::Blobs { config: Some(config), layers } if is_image(config) => {
                let config = members.blob(&config.digest, MAX_IMAGE_CONFIG_BYTES)?;
                let layers = layers.iter().map(|layer| members.file(&blob(&layer.digest)));
                let layers = layers.collect::<Result<_>>()?;
                match found.iter_mut().find(|known| known.manifest.as_ref() == Some(&bytes)) {
                    Some(known) => known.names.extend(own),
                    None => found.push(Found { manifest: Some(bytes), config, layers, names: own }),
                }
            }
            Content::Blobs { .. } => {}
        }
    }
    Ok(())
}

fn is_image(config: &Descriptor) -> bool {
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"]
        .contains(&config.media_type.as_str())
}

/// The whole name in a descriptor's annotations; a tag alone names nothing.
fn name_of(child: &Descriptor) -> Option<ImageReference> {
    let text = |key: &str| child.annotations.get(key);
    let whole =
        text(NAME_OF_CONTAINERD).or_else(|| text(NAME_OF_OCI).filter(|name| name.contains([':', '/'])))?;
    whole.parse().ok()
}

fn blob(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

impl Members {
    /// Writes every file of an archive into `folder`, under a number.
    fn unpacked(input: impl BufRead, folder: &Path) -> Result<Self> {
        let mut members = Self { files: HashMap::new(), links: HashMap::new() };
        let refused = |wrong: Wrong| match wrong {
            Wrong::Machine { doing, source } => Error::Machine { doing, source },
            wrong => Error::Content(format!("it is no archive of images: {wrong}")),
        };
        let mut archive = Archive::new(BufReader::with_capacity(1 << 20, plain(input).map_err(refused)?));
        while let Some(entry) = archive.next_entry().map_err(refused)? {
            let Some(name) = clean(&entry.path) else { continue };
            if members.files.len() + members.links.len() >= MAX_MEMBERS {
                return Err(Error::Content(format!("it has more than {MAX_MEMBERS} entries")));
            }
            match &entry.kind {
                Kind::File => {
                    let path = folder.join(members.files.len().to_string());
                    let writing = || format!("writing {}", path.display());
                    let mut file = File::create(&path).doing(writing)?;
                    archive
                        .content(|piece| {
                            file.write_all(piece)
                                .map_err(|source| Wrong::Machine { doing: writing(), source })
                        })
                        .map_err(refused)?;
                    members.files.insert(name, path);
                }
                // docker once wrote a layer that two images share once, and a link to it.
                Kind::Symlink(target) => {
                    let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let target = [parent.as_bytes(), b"/", target].concat();
                    members.links.extend(clean(&target).map(|target| (name, target)));
                }
                Kind::HardLink(target) => members.links.extend(clean(target).map(|target| (name, target))),
                Kind::Folder | Kind::Character(..) | Kind::Block(..) | Kind::Fifo => {}
            }
        }
        Ok(members)
    }

    fn of_folder(folder: &Path) -> Result<Self> {
        let mut files = HashMap::new();
        let reading = |path: &Path| format!("reading {}", path.display());
        let mut add = |name: &str| {
            let path = folder.join(name);
            if path.is_file() {
                files.insert(name.to_owned(), path);
            }
        };
        ["index.json", "oci-layout", "manifest.json"].into_iter().for_each(&mut add);
        for algorithm in ["sha256", "sha512"] {
            let blobs = folder.join("blobs").join(algorithm);
            if !blobs.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&blobs).doing(|| reading(&blobs))? {
                let entry = entry.doing(|| reading(&blobs))?;
                add(&format!("blobs/{algorithm}/{}", entry.file_name().to_string_lossy()));
            }
        }
        Ok(Self { files, links: HashMap::new() })
    }

    fn has(&self, name: &str) -> bool {
        self.file(name).is_ok()
    }

    /// The file that holds `name`.
    fn file(&self, name: &str) -> Result<PathBuf> {
        let mut name = clean(name.as_bytes()).unwrap_or_default();
        for _ in 0..MAX_LINKS {
            match (self.files.get(&name), self.links.get(&name)) {
                (Some(file), _) => return Ok(file.clone()),
                (None, Some(target)) => name.clone_from(target),
                (None, None) => break,
            }
        }
        Err(Error::Content(format!("it has no {name:?}")))
    }

    fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>> {
        let file = self.file(name)?;
        let reading = || format!("reading {name}");
        let length = fs::metadata(&file).doing(reading)?.len();
        if length > limit as u64 {
            return Err(Error::Content(format!("{name} has {length} bytes; at most {limit} are read")));
        }
        fs::read(&file).doing(reading)
    }

    /// A small blob of a layout, checked.
    fn blob(&self, digest: &Digest, limit: usize) -> Result<Vec<u8>> {
        let bytes = self.read(&blob(digest), limit)?;
        match Digest::of(digest.algorithm(), &bytes) == *digest {
            true => Ok(bytes),
            false => Err(Error::Content(format!("what it has for {digest} is something else"))),
        }
    }
}

/// A name inside the archive without `.` and `..`; none if it leads out of it.
fn clean(path: &[u8]) -> Option<String> {
    let mut clean: Vec<&str> = Vec::new();
    for part in std::str::from_utf8(path).ok()?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(clean.pop()?),
            part => clean.push(part),
        }
    }
    Some(clean.join("/"))
}
