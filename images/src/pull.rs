//! An image brought from a registry: manifest, configuration, then its layers side by side, each unpacked
//! while it comes.

use std::sync::Arc;

use berth_oci::{Content, Descriptor, Digest, ImageConfig, MAX_IMAGE_CONFIG_BYTES};
use futures_util::StreamExt;
use futures_util::stream::{self, TryStreamExt};
use tokio::sync::mpsc;

use crate::chain::{facts_of, make_fs, refused};
use crate::error::{Error, Result};
use crate::platform::WantedPlatform;
use crate::progress::{Event, LayerStep, Progress};
use crate::reference::ImageReference;
use crate::registry::client::{PulledManifest, Registry};
use crate::registry::download::{Came, discard, download};
use crate::store::{Image, LayerFacts, LocalImages, Roots, in_background};
use crate::unpack::{Feed, Limits, Sink, read_layer};

/// How many layers come at a time.
const SIDE_BY_SIDE: usize = 4;
/// How many pieces of a layer wait to be decompressed, some 16 KiB each.
const WAITING_PIECES: usize = 64;
/// overlayfs takes no more lower folders.
const MAX_LAYERS: usize = 500;

/// An image that was pulled.
#[derive(Debug)]
pub struct Pulled {
    /// The image.
    pub image: Image,
    /// The digest of what the reference named: the image's manifest, or the index that it is of.
    pub digest: Digest,
    /// Whether anything came.
    pub freshness: Freshness,
}

/// Whether a pull brought anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It was here already.
    UpToDate,
    /// It is here now.
    Newer,
}

/// Pulls `reference` for `platform`, this machine's if none is asked for.
///
/// # Errors
/// When the registry doesn't give it, it is no image that can be used here, or the machine fails. What came
/// whole is kept for the next try, and nothing is used that is not whole and checked.
pub async fn pull(
    images: &LocalImages,
    registry: &Registry,
    reference: &ImageReference,
    platform: Option<&WantedPlatform>,
    progress: Progress<'_>,
) -> Result<Pulled> {
    in_background(images, LocalImages::repair).await?;
    let named = registry.manifest(reference.wanted()).await?;
    let digest = named.digest.clone();
    let manifest = of_platform(registry, named, platform).await?;
    let (config, layers) = parts(&manifest)?;
    let config_bytes = match images.has_blob(&config.digest, config.size) {
        true => images.small_blob(&config.digest)?.into(),
        false => registry.small_blob(&config, MAX_IMAGE_CONFIG_BYTES).await?,
    };
    let parsed = ImageConfig::parse(&config_bytes).map_err(|error| Error::Content(error.to_string()))?;
    check_platform(&parsed, platform, progress)?;
    let diff_ids = &parsed.rootfs.diff_ids;
    if layers.len() != diff_ids.len() {
        let (layers, named) = (layers.len(), diff_ids.len());
        let sentence = format!("it has {layers} layers, and its configuration names {named}");
        return Err(Error::Content(sentence));
    }
    let mut blobs = vec![manifest.digest.clone(), config.digest.clone()];
    blobs.extend(layers.iter().map(|layer| layer.digest.clone()));
    let roots = Roots { blobs, layers: diff_ids.clone(), ..Roots::default() };
    let lease = in_background(images, move |images| images.lease(&roots)).await?;

    let wanted = once_each(&layers, diff_ids)?;
    for (layer, _) in &wanted {
        progress(Event::Layer(&layer.digest, LayerStep::Waiting));
    }
    let fetching = wanted.iter().map(|(layer, diff_id)| fetch(images, registry, layer, diff_id, progress));
    let fetched: Vec<Fetched> = stream::iter(fetching).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;

    let id = config.digest.clone();
    let tag = reference.tag().filter(|_| reference.digest().is_none()).map(|_| reference.whole());
    let repo_digest = reference.at_digest(&digest).whole();
    let (manifest_digest, manifest_bytes) = (manifest.digest.clone(), manifest.bytes.clone());
    let (image, known) = in_background(images, move |images| {
        images.put_blob(&id, &config_bytes)?;
        images.put_blob(&manifest_digest, &manifest_bytes)?;
        // Named only when it would survive a loss of power.
        images.flush()?;
        let known = images.name(&id, &manifest_digest, tag.as_deref(), Some(&repo_digest))?;
        let image = images.get(id.as_str())?;
        // Those that link to files of others are made now, while somebody waits anyway.
        images.lower_folders(&image)?;
        Ok((image, known))
    })
    .await?;
    drop(lease);
    let came = fetched.contains(&Fetched::Came) || !known;
    Ok(Pulled { image, digest, freshness: if came { Freshness::Newer } else { Freshness::UpToDate } })
}

/// The image's manifest, which an index may name.
async fn of_platform(
    registry: &Registry,
    named: PulledManifest,
    platform: Option<&WantedPlatform>,
) -> Result<PulledManifest> {
    const MAX_DEPTH: u32 = 4;
    let mut current = named;
    for _ in 0..MAX_DEPTH {
        let Content::Children(children) = &current.manifest.content else { return Ok(current) };
        let own = WantedPlatform::of_this_machine();
        let platform = platform.unwrap_or(&own);
        let Some(child) = platform.choose(children) else {
            let there: Vec<String> = children
                .iter()
                .filter_map(|child| child.platform.as_ref())
                .filter(|platform| platform.os != "unknown")
                .map(|platform| format!("{}/{}", platform.os, platform.architecture))
                .collect();
            let there =
                if there.is_empty() { "none that says its platform".to_owned() } else { there.join(", ") };
            let sentence =
                format!("it has no image for {platform}; there is {there}: choose with --platform");
            return Err(Error::NotFound(sentence));
        };
        let size = child.size;
        current = registry.manifest(child.digest.as_str()).await?;
        if current.bytes.len() as u64 != size {
            let (digest, came) = (&current.digest, current.bytes.len());
            let sentence = format!("{digest} has {came} bytes, where its index says {size}");
            return Err(Error::Content(sentence));
        }
    }
    Err(Error::Content("its indexes name one another without an end".to_owned()))
}

/// The configuration and the layers of what is an image that can be run.
fn parts(pulled: &PulledManifest) -> Result<(Descriptor, Vec<Descriptor>)> {
    let Content::Blobs { config: Some(config), layers } = &pulled.manifest.content else {
        return Err(Error::Content("it is an artifact, not an image".to_owned()));
    };
    if !["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"]
        .contains(&config.media_type.as_str())
    {
        let kind = pulled.manifest.artifact_type.as_deref().unwrap_or(config.media_type.as_str());
        let sentence = format!("it is an artifact of the type {kind}, not an image");
        return Err(Error::Content(sentence));
    }
    if layers.len() > MAX_LAYERS {
        let sentence = format!("it has {} layers; at most {MAX_LAYERS} can be stacked", layers.len());
        return Err(Error::Content(sentence));
    }
    for layer in layers {
        check_kind(layer)?;
    }
    Ok((config.clone(), layers.clone()))
}

fn check_kind(layer: &Descriptor) -> Result<()> {
    let refuse = |wrong: String| Err(Error::Layer { layer: layer.digest.clone(), wrong });
    if layer.media_type.is_non_distributable() {
        let kind = &layer.media_type;
        return refuse(format!(
            "it is a foreign layer ({kind}), which its registry does not hold; none is fetched from elsewhere"
        ));
    }
    match layer.media_type.as_str() {
        "application/vnd.oci.image.layer.v1.tar"
        | "application/vnd.oci.image.layer.v1.tar+gzip"
        | "application/vnd.oci.image.layer.v1.tar+zstd"
        | "application/vnd.docker.image.rootfs.diff.tar"
        | "application/vnd.docker.image.rootfs.diff.tar.gzip"
        | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(()),
        other => refuse(format!("it is of the type {other}, which is no layer of a file system")),
    }
}

fn check_platform(
    config: &ImageConfig,
    platform: Option<&WantedPlatform>,
    progress: Progress<'_>,
) -> Result<()> {
    let (os, architecture) = (&config.os, &config.architecture);
    match platform {
        Some(wanted) if !wanted.is_of(config) => {
            Err(Error::NotFound(format!("it is an image for {os}/{architecture}, not for {wanted}")))
        }
        None if !WantedPlatform::of_this_machine().is_of(config) => {
            progress(Event::Note(&format!(
                "the image is for {os}/{architecture}, which this machine is not"
            )));
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

/// Each packed layer once, with what it unpacks to.
fn once_each<'l>(
    layers: &'l [Descriptor],
    diff_ids: &'l [Digest],
) -> Result<Vec<(&'l Descriptor, &'l Digest)>> {
    let mut once: Vec<(&Descriptor, &Digest)> = Vec::new();
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        match once.iter().find(|(known, _)| known.digest == layer.digest) {
            None => once.push((layer, diff_id)),
            Some((known, same)) if *same == diff_id && known.size == layer.size => {}
            Some(_) => {
                let wrong = "the image names it twice, as two different layers".to_owned();
                return Err(Error::Layer { layer: layer.digest.clone(), wrong });
            }
        }
    }
    Ok(once)
}

/// Whether a layer had to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fetched {
    Present,
    Came,
}

/// Has one layer here, packed and unpacked. Whoever comes second waits, and finds it.
async fn fetch(
    images: &LocalImages,
    registry: &Registry,
    layer: &Descriptor,
    diff_id: &Digest,
    progress: Progress<'_>,
) -> Result<Fetched> {
    let digest = layer.digest.clone();
    let is_here = || images.has_blob(&layer.digest, layer.size) && images.layer_facts(diff_id).is_some();
    if is_here() {
        progress(Event::Layer(&layer.digest, LayerStep::Present));
        return Ok(Fetched::Present);
    }
    let _lock = in_background(images, move |images| images.fetching(&digest)).await?;
    if is_here() {
        progress(Event::Layer(&layer.digest, LayerStep::Present));
        return Ok(Fetched::Present);
    }
    if images.has_blob(&layer.digest, layer.size) {
        progress(Event::Layer(&layer.digest, LayerStep::Unpacking));
        let (layer, diff_id) = (layer.clone(), diff_id.clone());
        in_background(images, move |images| images.unpack_locked(&layer, &diff_id)).await?;
    } else {
        fetch_and_unpack(images, registry, layer, diff_id, progress).await?;
    }
    progress(Event::Layer(&layer.digest, LayerStep::Pulled));
    Ok(Fetched::Came)
}

async fn fetch_and_unpack(
    images: &LocalImages,
    registry: &Registry,
    layer: &Descriptor,
    diff_id: &Digest,
    progress: Progress<'_>,
) -> Result<()> {
    let (feed, pieces) = mpsc::channel(WAITING_PIECES);
    let unpacking = {
        let (images, layer, diff_id) = (images.clone(), layer.clone(), diff_id.clone());
        tokio::task::spawn_blocking(move || unpack_fed(&images, &layer, &diff_id, pieces))
    };
    let path = images.partial_path(&layer.digest);
    let came = download(registry, layer, &path, feed, progress).await;
    if let Ok(Came::Whole) = came {
        progress(Event::Layer(&layer.digest, LayerStep::Unpacking));
    }
    let unpacked = unpacking.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    // What is wrong with the download is the cause of whatever is wrong with the unpacking.
    if let (Ok(Came::Whole), Err(Error::Layer { .. })) = (&came, &unpacked) {
        // It would not be better next time.
        discard(&path);
    }
    match (came?, unpacked?) {
        (Came::Whole, keep) => {
            images.keep_blob(&layer.digest, &path)?;
            keep()
        }
        (Came::Unwanted, _) => Err(Error::Registry("the unpacking ended too soon".to_owned())),
    }
}

/// Unpacks what comes, and returns what puts it where layers are. Blocks.
fn unpack_fed(
    images: &LocalImages,
    layer: &Descriptor,
    diff_id: &Digest,
    pieces: mpsc::Receiver<bytes::Bytes>,
) -> Result<Box<dyn FnOnce() -> Result<()> + Send>> {
    let scratch = Arc::new(images.scratch()?);
    let is_unpacked = images.layer_facts(diff_id).is_some();
    let folder = make_fs(scratch.path())?;
    let sink = match is_unpacked {
        true => Sink::Nowhere,
        false => Sink::Folder(&folder, images.privilege()),
    };
    let limits = Limits::for_layer(layer.size);
    let read = read_layer(Feed::new(pieces), diff_id.algorithm(), limits, &sink);
    let read = read.map_err(|wrong| refused(&layer.digest, wrong))?;
    if read.diff_id != *diff_id {
        let wrong = format!("it unpacks to {}, where the configuration says {diff_id}", read.diff_id);
        return Err(Error::Layer { layer: layer.digest.clone(), wrong });
    }
    let facts: LayerFacts = facts_of(&read.unpacked);
    let (images, path) = (images.clone(), images.layer_path(diff_id));
    images.make_folders(diff_id.algorithm())?;
    Ok(Box::new(move || if is_unpacked { Ok(()) } else { images.keep_layer(&scratch, &path, &facts) }))
}
