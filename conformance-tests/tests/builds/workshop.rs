//! A machine of the test's own with a base image, and a context to build from.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conformance_tests::layout::Layout;
use conformance_tests::{Outcome, Program, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tree::{self, Image};

/// The base image that every machine has: busybox, with a user.
pub(crate) const BASE: &str = "base:latest";

const PROGRAMS: [&str; 22] = [
    "sh",
    "cat",
    "echo",
    "true",
    "false",
    "ls",
    "id",
    "env",
    "pwd",
    "sleep",
    "touch",
    "mkdir",
    "rm",
    "ln",
    "chmod",
    "chown",
    "stat",
    "readlink",
    "sha256sum",
    "find",
    "mv",
    "grep",
];
const FOLDERS: [&str; 12] = [
    "bin/",
    "etc/",
    "tmp/",
    "root/",
    "home/",
    "home/app/",
    "dev/",
    "proc/",
    "sys/",
    "opt/",
    "opt/old/",
    "opt/old/inner/",
];

pub(crate) struct Workshop {
    folder: TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let workshop = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(workshop.context()).expect("making a context");
        let layout = workshop.base_layout();
        workshop.program().args(["load", "-i"]).arg(&layout).succeeds();
        workshop
    }

    /// A layout with the base image in it.
    pub(crate) fn base_layout(&self) -> PathBuf {
        let path = self.path("layout");
        if path.exists() {
            return path;
        }
        let tar = self.path("base.tar");
        write_base(&tar);
        let mut layout = Layout::new(&path);
        let config = json!({
            "Cmd": ["/bin/sh"],
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "INHERITED=yes"],
            "Labels": {"of": "base"},
        });
        let image = layout.image_with("amd64", &[tar], &config);
        layout.tag(BASE, &image);
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn context(&self) -> PathBuf {
        self.path("context")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file of the context.
    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.context().join(path);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("making a folder");
        fs::write(&path, content).expect("writing a file");
        self
    }

    pub(crate) fn mode(&self, path: &str, mode: u32) -> &Self {
        fs::set_permissions(self.context().join(path), fs::Permissions::from_mode(mode))
            .expect("setting a mode");
        self
    }

    /// Writes the Dockerfile.
    pub(crate) fn dockerfile(&self, text: &str) -> &Self {
        self.file("Dockerfile", text)
    }

    /// `berth`, on this machine.
    pub(crate) fn program(&self) -> Program {
        Program::new(binary::berth()).home(self.folder.path()).env("BERTH_DATA", self.data())
    }

    /// `berth build FLAGS CONTEXT`
    pub(crate) fn build(&self, flags: &str) -> Program {
        self.program().arg("build").args(flags.split_whitespace()).arg(self.context())
    }

    /// Builds and names the image `made`; what was said meanwhile.
    pub(crate) fn make(&self, dockerfile: &str) -> Outcome {
        self.dockerfile(dockerfile);
        self.build("-t made").succeeds()
    }

    /// Builds what must fail, with exit code 1; nothing is left of it.
    pub(crate) fn fails(&self, dockerfile: &str) -> Outcome {
        self.dockerfile(dockerfile);
        let outcome = self.build("-t made").run();
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        self.nothing_is_left();
        outcome
    }

    /// What a script prints in a container of the image `made`.
    pub(crate) fn run(&self, script: &str) -> String {
        let run = ["run", "--rm", "--network", "none", "made", "sh", "-c", script];
        self.program().args(run).succeeds().stdout
    }

    /// What `berth inspect made` says.
    pub(crate) fn inspect(&self) -> Value {
        self.program().args(["inspect", "made"]).succeeds().json()[0].clone()
    }

    /// The image `made`, with its files.
    pub(crate) fn image(&self) -> Image {
        let archive = self.path("made.tar");
        self.program().args(["save", "-o"]).arg(&archive).arg("made").succeeds();
        tree::read(&archive)
    }

    /// No step's leftovers: neither files, mounts nor processes.
    pub(crate) fn nothing_is_left(&self) {
        let tmp = self.data().join("local/tmp");
        let left: Vec<_> = fs::read_dir(&tmp).expect("listing").flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "{left:?}");
        let data = self.data().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mounts").expect("listing mounts");
        assert!(!mounts.contains(&data), "{mounts}");
        // One that was killed may take a moment to go.
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Some(line) = isolated(&data) {
            assert!(Instant::now() < deadline, "{line}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The command line of a process that builds something in `data`, if there is one.
fn isolated(data: &str) -> Option<String> {
    let processes = fs::read_dir("/proc").expect("listing processes").flatten();
    let mut lines = processes.map(|process| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ")
    });
    lines.find(|line| line.contains(" isolated-") && line.contains(data))
}

fn write_base(path: &Path) {
    let mut tar = tar::Builder::new(File::create(path).expect("making a tar"));
    let header = |kind, mode| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        for set in [tar::Header::set_size, tar::Header::set_uid, tar::Header::set_gid, tar::Header::set_mtime]
        {
            set(&mut header, 0);
        }
        header
    };
    for name in FOLDERS {
        let mode = if name == "tmp/" { 0o1777 } else { 0o755 };
        let mut folder = header(tar::EntryType::Directory, mode);
        tar.append_data(&mut folder, name, std::io::empty()).expect("writing a tar");
    }
    let busybox = fs::read("/bin/busybox").expect("reading busybox, of the package busybox-static");
    for (name, mode, content) in [
        ("bin/busybox", 0o755, busybox.as_slice()),
        ("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n"),
        ("etc/group", 0o644, b"root:x:0:root\napp:x:1001:\nstaff:x:50:\n"),
        ("opt/old/file", 0o644, b"old\n"),
        ("opt/old/inner/file", 0o600, b"inner\n"),
    ] {
        let mut file = header(tar::EntryType::Regular, mode);
        file.set_size(content.len() as u64);
        tar.append_data(&mut file, name, content).expect("writing a tar");
    }
    for name in PROGRAMS {
        let mut link = header(tar::EntryType::Symlink, 0o777);
        tar.append_link(&mut link, format!("bin/{name}"), "busybox").expect("writing a tar");
    }
    tar.finish().expect("writing a tar");
}
