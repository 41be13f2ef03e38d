//! Where the programs are: wrk and the peers as `.ci/install-benches` installs them, `berth` freshly built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::servers::Kind;

/// The program of each server that takes part.
pub(crate) struct Programs(BTreeMap<Kind, PathBuf>);

impl Programs {
    /// Finds them all before anything is measured. `berth` is copied into `root`, so that a build during
    /// the run changes nothing.
    pub(crate) fn find(kinds: &[Kind], berth: Option<&Path>, root: &Path) -> Result<Self> {
        on_path("wrk")?;
        let mut programs = BTreeMap::new();
        for &kind in kinds {
            let program = match kind {
                Kind::DockerRegistry => on_path("docker-registry")?,
                Kind::Distribution => tool("registry")?,
                Kind::Nginx => on_path("nginx")?,
                Kind::Berth => {
                    let built = berth.map_or_else(build_berth, |path| Ok(path.to_owned()))?;
                    let copy = root.join("berth");
                    std::fs::copy(&built, &copy).with_context(|| format!("copying {}", built.display()))?;
                    copy
                }
            };
            programs.insert(kind, program);
        }
        Ok(Self(programs))
    }

    pub(crate) fn of(&self, kind: Kind) -> &Path {
        self.0.get(&kind).expect("found for every server that takes part")
    }
}

/// The S3 server that all keep their blobs on, where they are not on disk.
pub(crate) fn versitygw() -> Result<PathBuf> {
    tool("versitygw")
}

fn on_path(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file());
    found.with_context(|| format!("looking for {name}: not on PATH; run .ci/install-benches"))
}

/// A program in `$BERTH_TOOLS/bin`, or `~/.cache/berth-tools/bin`.
fn tool(name: &str) -> Result<PathBuf> {
    let tools = match (std::env::var_os("BERTH_TOOLS"), std::env::home_dir()) {
        (Some(tools), _) => PathBuf::from(tools),
        (None, Some(home)) => home.join(".cache/berth-tools"),
        (None, None) => bail!("looking for {name}: set HOME or BERTH_TOOLS"),
    };
    let program = tools.join("bin").join(name);
    if !program.is_file() {
        bail!("looking for {name}: no {}; run .ci/install-benches", program.display());
    }
    Ok(program)
}

fn build_berth() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "-p", "berth", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo build")?;
    if !output.status.success() {
        bail!("building berth: cargo said {}", output.status);
    }
    let executable = output.stdout.split(|&byte| byte == b'\n').find_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        (message["target"]["name"] == "berth").then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executable.context("building berth: cargo named no executable")
}
