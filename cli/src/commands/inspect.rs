//! `berth inspect`

use berth_images::{Image, LocalImages};
use clap::Args;
use serde_json::{Value, json};

use crate::containers;
use crate::failure::Failure;
use crate::format;
use crate::local::DataArgs;

/// Show all that is known of containers and images, in docker's words
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth inspect 127.0.0.1:5000/team/app
  berth inspect --format '{{json .Config.Env}}' debian")]
pub(crate) struct Inspect {
    /// A template of Go's, 'json' or 'jsonl'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,

    #[command(flatten)]
    data: DataArgs,

    /// The containers and images, by name, id or the beginning of one
    #[arg(value_name = "REF|CONTAINER", required = true)]
    references: Vec<String>,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (images, containers) = (self.data.images()?, containers::open(&self.data)?);
        let mut documents = Vec::new();
        let mut missing = None;
        for reference in &self.references {
            // As docker does: of two that are called the same, the container is meant.
            let container = containers.find(reference).ok();
            if let Some((container, state)) = container.and_then(|container| {
                let state = container.state().ok()?;
                Some((container, state))
            }) {
                documents.push(containers::inspect::document(&container, &state));
                continue;
            }
            match images.get(reference) {
                Ok(image) => documents.push(document(&images, &image)),
                Err(error) => {
                    missing.get_or_insert_with(|| Failure::new(format!("inspecting {reference}"), error));
                }
            }
        }
        // What there is, is shown all the same.
        format::each(self.format.as_deref(), documents)?;
        missing.map_or(Ok(()), Err)
    }
}

/// docker's document of an image.
fn document(images: &LocalImages, image: &Image) -> Value {
    let raw: Value = serde_json::from_slice(&image.config_bytes).unwrap_or_default();
    let text = |field: &str| raw[field].as_str().unwrap_or_default().to_owned();
    let diff_ids = &image.config.rootfs.diff_ids;
    let lower: Vec<String> =
        images.layer_folders(image).iter().rev().map(|folder| folder.display().to_string()).collect();
    let size = images.size(image);
    let mut document = json!({
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": "",
        "Comment": image.config.history.last().and_then(|last| last.comment.clone()).unwrap_or_default(),
        "Created": image.config.created.clone().unwrap_or_default(),
        "DockerVersion": text("docker_version"),
        "Author": image.config.author.clone().unwrap_or_default(),
        "Config": raw.get("config").cloned().unwrap_or(Value::Null),
        "Architecture": image.config.architecture,
        "Variant": image.config.variant,
        "Os": image.config.os,
        "Size": size,
        "VirtualSize": size,
        "GraphDriver": {"Name": "overlay2", "Data": {"LowerDir": lower.join(":")}},
        "RootFS": {"Type": "layers", "Layers": diff_ids},
        "Descriptor": {"digest": image.manifest_digest, "size": image.manifest_size},
    });
    if image.config.variant.is_none()
        && let Some(fields) = document.as_object_mut()
    {
        fields.shift_remove("Variant");
    }
    document
}
