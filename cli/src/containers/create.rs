//! A new container, from flags.

use std::io::Write;
use std::path::Path;

use berth_runner::container::Container;

use super::config::{self, Connected, ImageHere};
use super::flags::ContainerFlags;
use super::{OWN_FAILURE, image};
use crate::failure::Failure;

/// Creates the container that `flags` describe.
pub(crate) fn create(flags: &ContainerFlags, connected: Connected) -> Result<Container, Failure> {
    let own = |failure: Failure| failure.with_code(OWN_FAILURE);
    let failed = |wrong: &dyn std::fmt::Display| {
        Failure::new(format!("creating a container of {}", flags.image()), wrong).with_code(OWN_FAILURE)
    };
    if !rustix::process::geteuid().is_root() {
        return Err(failed(&"that needs root; ordinary users can't run containers yet"));
    }
    if flags.tty && flags.interactive && connected == Connected::Attached && !is_terminal() {
        return Err(failed(&"standard input is not a terminal; leave -t out"));
    }
    // Before anything is made: two containers can't share the file.
    let cidfile = flags.cidfile.as_ref().map(|path| {
        let made = std::fs::File::options().write(true).create_new(true).open(path);
        made.map_err(|error| failed(&format!("the file {} for its id: {error}", path.display())))
    });
    let mut cidfile = cidfile.transpose()?;
    let containers = super::open(&flags.data).map_err(own)?;
    let images = flags.data.images().map_err(own)?;
    let image = image::find(&images, flags).map_err(own)?;
    // From here until the container holds it, nobody removes it.
    let layers = images.use_layers(&image).map_err(|error| failed(&error))?;
    // Who looks after a container has another working folder.
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| failed(&error));
    let lower = layers.lower_to_top().iter().map(|layer| absolute(layer)).collect::<Result<_, _>>()?;
    let here = ImageHere { id: image.id.to_string(), lower, config: image.config.config.clone() };
    let mut config = config::of(flags, here, connected, &containers).map_err(|wrong| failed(&wrong))?;
    let held = images.hold(&image, config.id.as_str()).map_err(|error| failed(&error))?;
    config.goes_too.push(absolute(&held)?);
    let id = config.id.clone();
    let container = containers.create(config).map_err(|failure| {
        // The failure that is told is the first one.
        let _ = images.release(id.as_str());
        failed(&failure)
    })?;
    if let Some(file) = &mut cidfile {
        file.write_all(container.config.id.as_str().as_bytes()).map_err(|error| failed(&error))?;
    }
    Ok(container)
}

fn is_terminal() -> bool {
    rustix::termios::isatty(rustix::stdio::stdin())
}
