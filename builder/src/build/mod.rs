//! A build: the stages that the target needs, side by side where they can be, each step a layer.
//!
//! A step's layer is what it wrote over the layers before it. Steps are known by a key of all that their
//! outcome depends on, and one whose key is known from before isn't carried out again.

mod content;
mod context;
mod copy;
mod event;
mod files;
mod glob;
mod hashes;
mod inside;
mod layers;
mod mode;
mod mounts;
mod owner;
mod run;
mod settle;
mod snapshot;
mod source;
mod stages;
mod steps;
mod stop;
mod wrong;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use berth_images::{Image, LayersInUse, LocalImages};
use berth_oci::{Descriptor, ImageConfig, Platform};

use crate::dockerfile::{Dockerfile, Global, Inputs};
use crate::plan::{Origin, Plan};
use snapshot::Snapshot;

pub use context::Context;
pub use event::{Event, Tell, What};
pub use stop::Stop;
pub use wrong::{Error, FailedStep};

/// What is to be built.
#[derive(Debug)]
pub struct Request {
    /// How.
    pub dockerfile: Dockerfile,
    /// From which files.
    pub context: Context,
    /// `--build-arg`.
    pub arguments: BTreeMap<String, String>,
    /// The stage that is asked for; the last without one.
    pub target: Option<String>,
    /// What the image is for, and what this machine is.
    pub platform: Platform,
    /// Labels beside those of the Dockerfile.
    pub labels: BTreeMap<String, String>,
    /// Secrets, by their ids.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// `SOURCE_DATE_EPOCH`: the time of the image and of what was made for it, in seconds since 1970, and the
    /// latest time of anything in it. Without one the image is of 1970.
    pub epoch: Option<u64>,
    /// Whether layers of earlier builds are used.
    pub earlier: Earlier,
    /// The network of commands that ask for none of their own.
    pub network: crate::dockerfile::instructions::Network,
}

/// Whether layers of earlier builds are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// They are, where everything is the same.
    Used,
    /// Everything is done anew.
    Ignored,
}

/// An image that was built, whose layers are kept as long as this is held.
#[derive(Debug)]
pub struct Built {
    /// Its configuration, as JSON.
    pub config: Vec<u8>,
    /// Its layers, from the lowest.
    pub layers: Vec<Descriptor>,
    _snapshot: Snapshot,
}

/// Brings the image of a name to this machine, and says which it is.
pub type FindImage<'f> = &'f dyn Fn(&str) -> Result<Image, String>;

/// An image that the build starts or copies from.
struct Base {
    image: Image,
    folders: Arc<LayersInUse>,
}

/// Images, by the names that the Dockerfile has for them.
type Bases = HashMap<String, Base>;

/// How many bytes of layers are kept for later builds.
const MOST_KEPT_BYTES: u64 = 20 << 30;

/// Builds what `request` says; `began` is now, in seconds since 1970. Blocks.
///
/// # Errors
/// The first thing that is wrong, or that it was stopped. What earlier steps made is kept for the next build.
pub fn build(
    local: &LocalImages,
    request: &Request,
    find: FindImage<'_>,
    began: i64,
    stop: &Stop,
    tell: Tell<'_>,
) -> Result<Built, Error> {
    local.repair().map_err(|error| Error::Other(error.to_string()))?;
    let dockerfile = &request.dockerfile;
    let target = dockerfile.target(request.target.as_deref())?;
    let inputs = Inputs {
        arguments: request.arguments.clone(),
        build_platform: request.platform.clone(),
        target_platform: request.platform.clone(),
        target: dockerfile.stages[target].name.clone().unwrap_or_default(),
    };
    let global = Global::new(dockerfile, inputs)?;
    let mut plan = Plan::new(dockerfile, &global, target)?;
    let mut bases = Bases::new();
    while let Some(number) = plan.without_triggers().first().copied() {
        let stage = plan.stage(number);
        stages::check_platform(stage, &request.platform)?;
        let Origin::Image(name) = stage.base.clone() else { break };
        let triggers = base(local, find, &mut bases, &name, stop)?.image.config.config.on_build.clone();
        plan.add_triggers(number, &triggers)?;
    }
    for number in plan.order()? {
        for origin in plan.stage(number).steps.iter().flat_map(|step| &step.origins).flatten() {
            if let Origin::Image(name) = origin {
                base(local, find, &mut bases, name, stop)?;
            }
        }
    }
    let builder = steps::Builder::new(local, request, &global, &bases, began, stop, tell);
    let done = stages::build(&builder, &plan);
    // Also when it failed: what was done need not be done again.
    let remembered = local
        .remember_made(&builder.made())
        .and_then(|()| builder.file_hashes().map_or(Ok(()), |text| local.remember_file_hashes(&text)))
        .and_then(|()| local.forget_made(MOST_KEPT_BYTES));
    let (draft, snapshot) = done?;
    remembered.map_err(|error| Error::Other(error.to_string()))?;
    let config = finished(draft.image().clone(), request, &snapshot);
    let config = serde_json::to_vec(&config)
        .map_err(|error| Error::Other(format!("writing the configuration: {error}")))?;
    let layers = snapshot.layers.iter().map(|layer| layer.descriptor.clone()).collect();
    Ok(Built { config, layers, _snapshot: snapshot })
}

fn base<'b>(
    local: &LocalImages,
    find: FindImage<'_>,
    bases: &'b mut Bases,
    name: &str,
    stop: &Stop,
) -> Result<&'b Base, Error> {
    if stop.is_asked() {
        return Err(Error::Stopped);
    }
    if !bases.contains_key(name) {
        let image = find(name).map_err(|wrong| Error::Other(format!("the image {name}: {wrong}")))?;
        let folders =
            local.use_layers(&image).map_err(|error| Error::Other(format!("the image {name}: {error}")))?;
        bases.insert(name.to_owned(), Base { image, folders: Arc::new(folders) });
    }
    Ok(&bases[name])
}

/// The configuration with what only the end knows: layers, times and labels.
fn finished(mut config: ImageConfig, request: &Request, snapshot: &Snapshot) -> ImageConfig {
    let seconds = std::time::Duration::from_secs(request.epoch.unwrap_or(0));
    let created = humantime::format_rfc3339(std::time::UNIX_EPOCH + seconds).to_string();
    for entry in &mut config.history {
        // Those of the image that it starts from have theirs.
        if entry.created.is_none() && entry.comment.as_deref() == Some("buildkit.dockerfile.v0") {
            entry.created = Some(created.clone());
        }
    }
    config.created = Some(created);
    config.config.labels.extend(request.labels.clone());
    config.rootfs.diff_ids = snapshot.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    config
}
