//! An image sent to a registry: what it lacks, side by side, then the manifest.

use std::io::Read;

use berth_oci::{Descriptor, Digest, MediaType};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Body, RequestBuilder, Response, StatusCode, Url};
use tokio::sync::mpsc;

use crate::error::{Doing, Error, Result};
use crate::progress::{Event, LayerStep, Progress};
use crate::reference::ImageReference;
use crate::registry::client::{Registry, Right, Token};
use crate::store::{Image, LocalImages, in_background};

/// How many layers go at a time.
const SIDE_BY_SIDE: usize = 4;
/// How often in a row nothing may come of trying.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: std::time::Duration = std::time::Duration::from_millis(250);
/// How much of a layer is read at a time, and how many such pieces wait to be sent.
const PIECE_BYTES: usize = 256 * 1024;
const PIECES: usize = 4;

/// Sends `image` to the repository of `reference`, under its tag. Returns the digest it has there.
///
/// Layers go as they were pulled, so that their digests stay.
///
/// # Errors
/// When the registry doesn't take it, or the machine fails.
pub async fn push(
    images: &LocalImages,
    registry: &Registry,
    reference: &ImageReference,
    image: &Image,
    progress: Progress<'_>,
) -> Result<Digest> {
    let digest = image.manifest_digest.clone();
    let bytes = images.small_blob(&digest)?;
    let (manifest, _) = images.kept_manifest(&digest)?;
    let pushing = Pushing { images, registry, sources: sources(image, reference), progress };
    let layers = once_each(&image.layers);
    for layer in &layers {
        progress(Event::Layer(&layer.digest, LayerStep::Waiting));
    }
    let sending = layers.iter().map(|layer| pushing.blob(layer));
    stream::iter(sending).buffer_unordered(SIDE_BY_SIDE).try_collect::<Vec<()>>().await?;
    if let berth_oci::Content::Blobs { config: Some(config), .. } = &manifest.content {
        let quiet = Pushing { progress: &|_| {}, ..pushing };
        quiet.blob(config).await?;
    }
    put_manifest(registry, reference.wanted(), &manifest.media_type, bytes.into(), &digest).await?;
    let (id, named, whole) = (image.id.clone(), digest.clone(), reference.at_digest(&digest).whole());
    in_background(images, move |images| images.name(&id, &named, None, Some(&whole)).map(drop)).await?;
    Ok(digest)
}

struct Pushing<'p> {
    images: &'p LocalImages,
    registry: &'p Registry,
    /// Repositories of the same registry that have the image's layers.
    sources: Vec<String>,
    progress: Progress<'p>,
}

/// How far an upload is.
struct Upload {
    location: Url,
    offset: u64,
}

impl Pushing<'_> {
    async fn blob(&self, blob: &Descriptor) -> Result<()> {
        let end = |step| (self.progress)(Event::Layer(&blob.digest, step));
        if self.is_there(blob).await? {
            end(LayerStep::Existed);
            return Ok(());
        }
        let mut upload = None;
        for source in &self.sources {
            match self.begin(&blob.digest, Some(source)).await? {
                None => {
                    end(LayerStep::Mounted);
                    return Ok(());
                }
                // What can't be mounted has begun as an upload.
                begun => upload = begun,
            }
        }
        self.send(blob, upload).await?;
        end(LayerStep::Pushed);
        Ok(())
    }

    async fn is_there(&self, blob: &Descriptor) -> Result<bool> {
        let path = format!("/v2/{}/blobs/{}", self.registry.repository(), blob.digest);
        let url = self.registry.connection.url(&path).map_err(Error::Registry)?;
        let answer = self.registry.send(&self.scopes(None), || self.client().head(url.clone())).await?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.registry.refusal(answer, blob.digest.as_str()).await),
        }
    }

    /// Begins an upload; none if the blob was mounted from `source` instead.
    async fn begin(&self, digest: &Digest, source: Option<&str>) -> Result<Option<Upload>> {
        let path = format!("/v2/{}/blobs/uploads/", self.registry.repository());
        let mut url = self.registry.connection.url(&path).map_err(Error::Registry)?;
        if let Some(source) = source {
            url.query_pairs_mut().append_pair("mount", digest.as_str()).append_pair("from", source);
        } else if digest.algorithm() != berth_oci::Algorithm::Sha256 {
            url.query_pairs_mut().append_pair("digest-algorithm", digest.algorithm().as_str());
        }
        let scopes = self.scopes(source);
        let answer =
            self.registry.send(&scopes, || self.client().post(url.clone()).header(CONTENT_LENGTH, 0)).await?;
        match answer.status() {
            StatusCode::CREATED if source.is_some() => Ok(None),
            StatusCode::ACCEPTED => Ok(Some(Upload { location: location(&answer, &url)?, offset: 0 })),
            _ => Err(self.registry.refusal(answer, digest.as_str()).await),
        }
    }

    /// Sends a blob, from where the registry has it after each break.
    async fn send(&self, blob: &Descriptor, begun: Option<Upload>) -> Result<()> {
        let mut failures = 0;
        let mut upload = begun;
        loop {
            let before = upload.as_ref().map_or(0, |upload| upload.offset);
            let broke = match self.send_once(blob, &mut upload).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !matches!(broke, Error::Registry(_)) {
                return Err(broke);
            }
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(failures)).await;
            upload = match upload {
                Some(upload) => self.ask_offset(&upload).await,
                None => None,
            };
            let now = upload.as_ref().map_or(0, |upload| upload.offset);
            failures = if now > before { 0 } else { failures + 1 };
            if failures == ATTEMPTS {
                return Err(broke);
            }
        }
    }

    async fn send_once(&self, blob: &Descriptor, upload: &mut Option<Upload>) -> Result<()> {
        if upload.is_none() {
            *upload = self.begin(&blob.digest, None).await?;
        }
        let Some(current) = upload.as_mut() else {
            return Err(Error::Registry("the registry began no upload".to_owned()));
        };
        if current.offset < blob.size {
            // A token that would run out in the middle is renewed before.
            let length = blob.size - current.offset;
            let mut request = self
                .client()
                .patch(current.location.clone())
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, length);
            if current.offset > 0 {
                let range = format!("{}-{}", current.offset, blob.size - 1);
                request = request.header(CONTENT_RANGE, range);
            }
            let body = self.body(blob, current.offset)?;
            let answer = self.send_to(request.body(body), &current.location).await?;
            if !matches!(answer.status(), StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::CREATED)
            {
                return Err(self.transient(answer, &blob.digest).await);
            }
            current.location = location(&answer, &current.location)?;
            current.offset = blob.size;
        }
        let mut url = current.location.clone();
        url.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        let answer = self.send_to(self.client().put(url.clone()).header(CONTENT_LENGTH, 0), &url).await?;
        match answer.status() {
            StatusCode::CREATED | StatusCode::NO_CONTENT | StatusCode::OK => Ok(()),
            _ => Err(self.transient(answer, &blob.digest).await),
        }
    }

    /// How much of an upload the registry has; none if it has forgotten it.
    async fn ask_offset(&self, upload: &Upload) -> Option<Upload> {
        let answer = self.send_to(self.client().get(upload.location.clone()), &upload.location).await.ok()?;
        if answer.status() != StatusCode::NO_CONTENT {
            return None;
        }
        let range = answer.headers().get(RANGE).and_then(|range| range.to_str().ok());
        let last = range.and_then(|range| range.rsplit('-').next()?.parse::<u64>().ok());
        // Nothing is "0-0" as much as one byte is; of one byte no more is lost than that.
        let offset = last.filter(|last| *last > 0).map_or(0, |last| last + 1);
        if offset == 0 {
            return None;
        }
        let location = location(&answer, &upload.location).unwrap_or_else(|_| upload.location.clone());
        Some(Upload { location, offset })
    }

    /// The blob's bytes from `offset` on.
    fn body(&self, blob: &Descriptor, offset: u64) -> Result<Body> {
        use std::io::{Seek, SeekFrom};
        let mut file = self.images.open_blob(&blob.digest)?;
        file.seek(SeekFrom::Start(offset)).doing(|| format!("reading {}", blob.digest))?;
        let (pieces, mut received) = mpsc::channel::<std::io::Result<Bytes>>(PIECES);
        // Ends by itself when the request does.
        tokio::task::spawn_blocking(move || {
            loop {
                let mut piece = vec![0; PIECE_BYTES];
                let read = match file.read(&mut piece) {
                    Ok(0) => return,
                    Ok(read) => {
                        piece.truncate(read);
                        Ok(piece.into())
                    }
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if pieces.blocking_send(read).is_err() || failed {
                    return;
                }
            }
        });
        Ok(Body::wrap_stream(stream::poll_fn(move |context| received.poll_recv(context))))
    }

    /// Sends to an upload's location, which may be on another host; only the registry's own gets a token.
    async fn send_to(&self, request: RequestBuilder, url: &Url) -> Result<Response> {
        let request = match self.is_own(url) {
            true => match self.registry.authorization(&self.scopes(None), Token::Kept).await? {
                Some(value) => request.header(reqwest::header::AUTHORIZATION, value),
                None => request,
            },
            false => request,
        };
        request.send().await.map_err(|error| self.registry.unreachable(&error))
    }

    fn is_own(&self, url: &Url) -> bool {
        let own = self.registry.connection.url("/v2/");
        own.is_ok_and(|own| own.origin() == url.origin())
    }

    /// What a refused upload means; what the registry may do better next time is tried again.
    async fn transient(&self, answer: Response, digest: &Digest) -> Error {
        let status = answer.status();
        match self.registry.refusal(answer, digest.as_str()).await {
            // The upload is forgotten, the token has run out, or the offset is another.
            Error::NotFound(said) | Error::Unauthorized(said)
                if matches!(
                    status,
                    StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::RANGE_NOT_SATISFIABLE
                ) =>
            {
                Error::Registry(said)
            }
            Error::Registry(said)
                if status.is_client_error() && status != StatusCode::RANGE_NOT_SATISFIABLE =>
            {
                Error::Content(said)
            }
            other => other,
        }
    }

    fn scopes(&self, source: Option<&str>) -> Vec<String> {
        let own = self.registry.scope(Right::Push);
        let other = source.map(|source| format!("repository:{source}:pull"));
        std::iter::once(own).chain(other).collect()
    }

    fn client(&self) -> &reqwest::Client {
        self.registry.connection.client()
    }
}

/// Names a manifest that the registry has all parts of.
async fn put_manifest(
    registry: &Registry,
    wanted: &str,
    media_type: &MediaType,
    bytes: Bytes,
    digest: &Digest,
) -> Result<()> {
    let path = format!("/v2/{}/manifests/{wanted}", registry.repository());
    let url = registry.connection.url(&path).map_err(Error::Registry)?;
    let scopes = [registry.scope(Right::Push)];
    let request = || {
        let request = registry.connection.client().put(url.clone());
        request.header(CONTENT_TYPE, media_type.as_str()).body(bytes.clone())
    };
    let answer = registry.send(&scopes, request).await?;
    if !answer.status().is_success() {
        return Err(registry.refusal(answer, wanted).await);
    }
    let kept = answer.headers().get("docker-content-digest").and_then(|kept| kept.to_str().ok());
    match kept {
        Some(kept) if kept != digest.as_str() && kept.starts_with(digest.algorithm().as_str()) => {
            Err(Error::Content(format!("the registry keeps {kept}, where {digest} was sent")))
        }
        Some(_) | None => Ok(()),
    }
}

fn location(answer: &Response, base: &Url) -> Result<Url> {
    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let url = location.and_then(|location| base.join(location).ok());
    url.ok_or_else(|| Error::Registry("the registry does not say where to send the layer".to_owned()))
}

/// Where in the same registry the image was pulled from or pushed to.
fn sources(image: &Image, target: &ImageReference) -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for reference in image.digests.iter().filter_map(|digest| digest.parse::<ImageReference>().ok()) {
        let repository = reference.repository().to_owned();
        if reference.registry() == target.registry()
            && repository != target.repository()
            && !sources.contains(&repository)
        {
            sources.push(repository);
        }
    }
    sources
}

fn once_each(layers: &[Descriptor]) -> Vec<&Descriptor> {
    let mut once: Vec<&Descriptor> = Vec::new();
    for layer in layers {
        if !once.iter().any(|known| known.digest == layer.digest) {
            once.push(layer);
        }
    }
    once
}
