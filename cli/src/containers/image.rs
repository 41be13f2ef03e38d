//! The image of a container: found on this machine, or pulled.

use berth_images::{Image, ImageReference, LocalImages, WantedPlatform};

use super::flags::{ContainerFlags, PullWhen};
use crate::failure::Failure;
use crate::layer_progress::{LayerProgress, Loudness};
use crate::local;

/// The image that `flags` name.
pub(super) fn find(images: &LocalImages, flags: &ContainerFlags) -> Result<Image, Failure> {
    let name = flags.image();
    let failed = |wrong: String| Failure::new(format!("finding the image {name}"), wrong);
    if flags.pull != PullWhen::Always
        && let Some(image) = images.find(name).map_err(|error| failed(error.to_string()))?
    {
        return check(image, flags.platform.as_ref()).map_err(failed);
    }
    if flags.pull == PullWhen::Never {
        return Err(failed(format!("it is not on this machine; pull it with 'berth pull {name}'")));
    }
    pull(images, flags)?;
    let image = images.get(name).map_err(|error| failed(error.to_string()))?;
    check(image, flags.platform.as_ref()).map_err(failed)
}

/// An image for another processor would only fail later, and less clearly.
fn check(image: Image, wanted: Option<&WantedPlatform>) -> Result<Image, String> {
    let platform = wanted.cloned().unwrap_or_else(WantedPlatform::of_this_machine);
    if platform.is_of(&image.config) {
        return Ok(image);
    }
    Err(format!("it is for {}/{}, not for {platform}", image.config.os, image.config.architecture))
}

fn pull(images: &LocalImages, flags: &ContainerFlags) -> Result<(), Failure> {
    let name = flags.image();
    let failed = |wrong: String| Failure::new(format!("pulling {name}"), wrong);
    let reference = name.parse::<ImageReference>().map_err(|error| failed(error.to_string()))?;
    let registry = local::registry(&reference, flags.connection.reach()).map_err(failed)?;
    let progress = LayerProgress::new(if flags.quiet { Loudness::Quiet } else { Loudness::Normal });
    let show = |event: berth_images::Event<'_>| progress.show(event);
    let pulling = berth_images::pull(images, &registry, &reference, flags.platform.as_ref(), &show);
    local::wait_for(pulling).map_err(failed)?.map_err(|error| failed(error.to_string()))?;
    Ok(())
}
