//! Root file systems and memory mounted for a while, seen by one thread and by what it starts.

use std::path::Path;

use crate::container::RootFs;
use crate::failure::Failure;
use crate::{launch, overlay};

/// Something to be mounted.
#[derive(Debug, Clone, Copy)]
pub enum Mounted<'a> {
    /// Layers, where they say; their folders are made.
    Layers(&'a RootFs),
    /// Memory at this folder, which only root can look into.
    Memory(&'a Path),
}

/// Does `work` in a thread that sees `mounts`, one after the other. Nobody else does, but the processes that
/// `work` starts; the mounts are gone when it and those have ended.
///
/// # Errors
/// When something can't be mounted.
pub fn with_mounted<T: Send>(mounts: &[Mounted<'_>], work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| Failure::own(format!("{what}: {error}"));
    let mounted = || {
        overlay::enter_own_mounts().map_err(|error| failed("making mounts of its own", &error))?;
        for mount in mounts {
            match mount {
                Mounted::Layers(root) => {
                    overlay::make_folders(root)
                        .map_err(|error| failed("making folders to mount at", &error))?;
                    overlay::mount(root)?;
                }
                Mounted::Memory(folder) => {
                    let flags = rustix::mount::MountFlags::NOSUID | rustix::mount::MountFlags::NODEV;
                    rustix::mount::mount("tmpfs", *folder, "tmpfs", flags, c"mode=700")
                        .map_err(|error| failed("mounting memory", &error))?;
                }
            }
        }
        let done = work();
        for mount in mounts.iter().rev() {
            if let Mounted::Layers(root) = mount {
                // They go with the thread in any case.
                let _ = overlay::unmount(root);
            }
        }
        Ok(done)
    };
    // What is started in there needs it.
    launch::read_only_executable().map_err(|error| failed("opening the own program", &error))?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("mounts".to_owned()).spawn_scoped(scope, mounted);
        let thread = thread.map_err(|error| failed("starting a thread", &error))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
