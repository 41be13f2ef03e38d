//! What a bucket holds, from the bucket alone: a marker says what the bytes of a name are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::Object;
use berth_oci::Digest;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{Shared, keys};
use crate::blob_store::{Found, Item};
use crate::error::{Fault, OrFault};

/// Everything that was sealed: objects that have a marker.
pub(super) fn list(shared: &Arc<Shared>) -> BoxStream<'_, Result<Found, Fault>> {
    let listing = async move {
        let mut digests: HashMap<String, Digest> = HashMap::new();
        let mut markers = objects(shared, shared.keys.markers());
        while let Some(marker) = markers.try_next().await? {
            let said = marker.key().and_then(|key| shared.keys.parse_marker(key));
            digests.extend(said.map(|(digest, name)| (name, digest)));
        }
        let blobs = objects(shared, shared.keys.blobs());
        Ok::<_, Fault>(blobs.try_filter_map(move |blob| {
            let found = found(&blob, &digests);
            async move { Ok(found) }
        }))
    };
    stream::once(listing).try_flatten().boxed()
}

/// Everything: objects, marked or not, and markers of which the objects are gone.
pub(super) fn survey(shared: &Arc<Shared>) -> BoxStream<'_, Result<Item, Fault>> {
    let listing = async move {
        let mut markers: HashMap<String, Digest> = HashMap::new();
        let mut marked = objects(shared, shared.keys.markers());
        while let Some(marker) = marked.try_next().await? {
            let said = marker.key().and_then(|key| shared.keys.parse_marker(key));
            markers.extend(said.map(|(digest, name)| (name, digest)));
        }
        let mut items = Vec::new();
        let mut blobs = objects(shared, shared.keys.blobs());
        while let Some(blob) = blobs.try_next().await? {
            let Some(key) = blob.key() else { continue };
            let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
            let told = markers.remove(name).map(|digest| (digest.clone(), keys::location(&digest, name)));
            let size = blob.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
            items.push(Item { name: key.to_owned(), size, upload: upload_of(name), told });
        }
        let alone = markers.into_iter().map(|(name, digest)| {
            let (key, upload) = (shared.keys.marker(&digest, &name), upload_of(&name));
            let at = keys::location(&digest, &name);
            Item { name: key, size: 0, upload, told: Some((digest, at)) }
        });
        items.extend(alone);
        Ok::<_, Fault>(stream::iter(items).map(Ok))
    };
    stream::once(listing).try_flatten().boxed()
}

/// The upload that bytes of this name came with.
fn upload_of(name: &str) -> Option<String> {
    name.split('-').next().map(str::to_owned)
}

fn found(blob: &Object, digests: &HashMap<String, Digest>) -> Option<Found> {
    let (_, name) = blob.key()?.rsplit_once('/')?;
    let location = keys::location(digests.get(name)?, name);
    let size = blob.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    let seconds = blob.last_modified().and_then(|time| u64::try_from(time.secs()).ok());
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unwrap_or_default());
    Some(Found { location, size, modified })
}

fn objects(shared: &Arc<Shared>, prefix: String) -> BoxStream<'_, Result<Object, Fault>> {
    let pages = stream::try_unfold(Some(None), move |token: Option<Option<String>>| {
        let prefix = prefix.clone();
        async move {
            let Some(token) = token else { return Ok::<_, Fault>(None) };
            let page = shared.bucket.list(&prefix, token).await;
            let (objects, next) = page.or_fault(|| format!("listing {}", shared.options))?;
            Ok(Some((stream::iter(objects).map(Ok), next.map(Some))))
        }
    });
    pages.try_flatten().boxed()
}
