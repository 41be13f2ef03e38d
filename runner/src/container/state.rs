//! What became of a container: `state.json`, replaced whenever that changes.

use serde::{Deserialize, Serialize};

use crate::network::Member;

/// What became of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// What it is doing.
    pub status: Status,
    /// Its first process on the host, while it runs.
    pub pid: Option<i32>,
    /// When that process started, in the kernel's ticks since the machine did: it tells it from a later one
    /// of the same number.
    pub pid_started: Option<u64>,
    /// When it was last started, RFC 3339.
    pub started: Option<String>,
    /// When it last ended, RFC 3339.
    pub finished: Option<String>,
    /// With which code; 128 and the signal's number where a signal ended it.
    pub exit_code: i32,
    /// Whether it was ended for using more memory than it may.
    pub oom_killed: bool,
    /// Why it couldn't be started.
    pub error: String,
    /// How often it was started again by itself.
    pub restarts: u32,
    /// Whether somebody stopped it, so that it isn't started again.
    pub stopped_by_hand: bool,
    /// Its place in its network, while it has one.
    pub place: Option<Member>,
    /// What its health check says: empty where it has none, else as docker's words.
    pub health: String,
    /// How many checks in a row have failed.
    pub failing_streak: u32,
}

/// What a container is doing, in docker's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It was never started.
    #[default]
    Created,
    /// It is being started.
    Starting,
    /// Its process is there.
    Running,
    /// Its process is there, and stands still.
    Paused,
    /// It has ended and will be started again.
    Restarting,
    /// It has ended.
    Exited,
}

impl Status {
    /// Docker's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            // Docker has no word for it.
            Self::Created | Self::Starting => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }

    /// Whether somebody looks after it.
    #[must_use]
    pub fn is_alive(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Paused | Self::Restarting => true,
            Self::Created | Self::Exited => false,
        }
    }
}
