//! This machine's own images and containers: where they are, and how registries are reached for them.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use berth_images::{Credentials, ImageReference, LocalImages, Reach, Registry};

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Where this machine's own images and containers are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DataArgs {
    /// The folder that holds everything [default: /var/lib/berth, or ~/.local/share/berth]
    #[arg(long, value_name = "DIR", env = "BERTH_DATA", hide_env = true)]
    data: Option<PathBuf>,
}

impl DataArgs {
    /// The folder of this machine's own images and containers, which need not exist yet.
    pub(crate) fn local_folder(&self) -> Result<PathBuf, Failure> {
        let data = self.data.clone().filter(|data| !data.as_os_str().is_empty()).or_else(data_folder);
        data.map(|data| data.join("local")).ok_or_else(|| {
            Failure::new(
                "finding the images",
                "there is no home folder to keep them in; set HOME, or use --data",
            )
        })
    }

    /// The images there.
    pub(crate) fn images(&self) -> Result<LocalImages, Failure> {
        let folder = self.local_folder()?;
        LocalImages::open(&folder).map_err(|error| Failure::new("opening the images", error))
    }
}

/// Where `berth serve` keeps its data too, unless told otherwise.
pub(crate) fn data_folder() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/berth"));
    }
    let absolute = |path: &PathBuf| path.is_absolute();
    let own = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(absolute);
    let own = own.or_else(|| env::home_dir().filter(absolute).map(|home| home.join(".local/share")));
    own.map(|own| own.join("berth"))
}

/// The registry of `reference`, with whatever login there is for it.
pub(crate) fn registry(reference: &ImageReference, reach: Reach) -> Result<Registry, String> {
    let credentials = Credentials::of_this_user().map_err(|error| error.to_string())?;
    let address = reference.address()?;
    let credential = credentials.find(address.credentials_key()).map_err(|error| error.to_string())?;
    Registry::new(reference, credential, reach).map_err(|error| error.to_string())
}

/// How long what was interrupted may take to clear up.
const CLEARED_WITHIN: Duration = Duration::from_secs(10);

/// Waits for `work`, on as many threads as there are processors, until Ctrl-C.
pub(crate) fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting to wait for answers: {error}"))?;
    let done = runtime.block_on(async {
        let terminated =
            signal(SignalKind::terminate()).map_err(|error| format!("waiting for signals: {error}"));
        let mut terminated = terminated?;
        tokio::select! {
            done = work => Ok(done),
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
            _ = terminated.recv() => Err("told to end".to_owned()),
        }
    });
    // What was being made is removed by whoever was making it; who waits for another process waits for nothing.
    runtime.shutdown_timeout(CLEARED_WITHIN);
    done
}

/// Does `work` in this thread, and `stop` in another at Ctrl-C or when this process is told to end.
pub(crate) fn stop_on_signals<T>(stop: impl Fn() + Send, work: impl FnOnce() -> T) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting to wait for signals: {error}"))?;
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    let waiting = {
        let _within = runtime.enter();
        let listen = |kind| signal(kind).map_err(|error| format!("waiting for signals: {error}"));
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    Ok(std::thread::scope(|scope| {
        let (mut interrupted, mut terminated) = waiting;
        scope.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    _ = interrupted.recv() => stop(),
                    _ = terminated.recv() => stop(),
                }
            });
        });
        let worked = work();
        drop(done);
        worked
    }))
}
