//! What is mounted into a container: a folder of the host, a volume's folder, or memory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::container::Access;

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where in the container, absolute.
    pub target: PathBuf,
    /// What.
    pub source: Source,
    /// Whether it may be written to.
    pub access: Access,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Source {
    /// A file or folder of the host.
    Bind {
        /// Which.
        path: PathBuf,
        /// How mounts below it travel, as mount(8) names it: `rprivate`, `rshared` and so on.
        propagation: String,
    },
    /// A volume, filled from the image when it is empty.
    Volume {
        /// Its name.
        name: String,
        /// Its folder on the host.
        path: PathBuf,
        /// Whether it goes with the container.
        anonymous: bool,
    },
    /// Memory.
    Tmpfs {
        /// Options of tmpfs, such as `size=1m`.
        options: Vec<String>,
    },
}
