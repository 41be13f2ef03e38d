//! A machine of the test's own, with an image that has a shell.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conformance_tests::layout::Layout;
use conformance_tests::{Outcome, Program, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What every image has: busybox under these names.
const PROGRAMS: [&str; 31] = [
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
    "head",
    "dd",
    "grep",
    "mount",
    "mknod",
    "hostname",
    "ip",
    "ping",
    "ps",
    "stty",
    "kill",
    "stat",
    "readlink",
    "sha256sum",
    "seq",
];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
const GROUP: &str = "root:x:0:root\nadm:x:4:root,app\nwheel:x:10:app\napp:x:1000:\n";

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A machine, whose containers go when it does.
pub(crate) struct Machine {
    folder: TempDir,
}

/// The image that every machine has.
pub(crate) const IMAGE: &str = "shell:latest";

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let config = json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]});
        machine.add_image(IMAGE, &config, |_| {});
        machine
    }

    /// Adds an image of the shell and of what `more` adds.
    pub(crate) fn add_image(&self, name: &str, config: &Value, more: impl FnOnce(&mut Layer)) {
        let folder = tempfile::tempdir_in(self.folder.path()).expect("a temporary folder");
        let tar = folder.path().join("layer.tar");
        let mut layer = Layer { tar: tar::Builder::new(File::create(&tar).expect("making a tar")) };
        layer.shell();
        more(&mut layer);
        layer.tar.finish().expect("writing a tar");
        let mut layout = Layout::new(&folder.path().join("layout"));
        let image = layout.image_with("amd64", &[tar], config);
        let tagged = if name.contains(':') { name.to_owned() } else { format!("{name}:latest") };
        layout.tag(&tagged, &image);
        self.program().args(["load", "-i"]).arg(layout.folder()).succeeds();
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `berth`, on this machine.
    pub(crate) fn program(&self) -> Program {
        self.at_home(Program::new(binary::berth()))
    }

    /// A program that is to find this machine's data.
    pub(crate) fn at_home(&self, program: Program) -> Program {
        program.home(self.folder.path()).env("BERTH_DATA", self.data()).deadline(Duration::from_secs(60))
    }

    /// `berth …`
    pub(crate) fn call(&self, arguments: &str) -> Program {
        self.program().args(arguments.split_whitespace())
    }

    /// `berth run --rm --network none FLAGS IMAGE sh -c SCRIPT`
    pub(crate) fn shell(&self, flags: &str, script: &str) -> Program {
        self.call(&format!("run --rm --network none {flags} {IMAGE} sh -c")).arg(script)
    }

    /// A container that goes on until it is stopped; its name is `name`.
    pub(crate) fn sleeper(&self, name: &str, flags: &str) {
        let run = format!("run -d --network none --name {name} {flags} {IMAGE} sh -c");
        self.call(&run).arg("trap 'exit 0' TERM; while true; do sleep 0.1; done").succeeds();
    }

    pub(crate) fn inspect(&self, name: &str) -> Value {
        self.call(&format!("inspect {name}")).succeeds().json()[0].clone()
    }

    /// Tries until what `berth …` prints is right.
    pub(crate) fn until(&self, arguments: &str, is_right: impl Fn(&Outcome) -> bool) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let outcome = self.call(arguments).run();
            if is_right(&outcome) {
                return outcome;
            }
            assert!(Instant::now() < deadline, "still not right: {outcome}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whatever is left on the host of this machine's containers: processes, mounts and control groups.
    pub(crate) fn left_on_the_host(&self) -> Vec<String> {
        let data = self.data().display().to_string();
        let mut left: Vec<String> = Vec::new();
        for process in fs::read_dir("/proc").expect("listing processes").filter_map(Result::ok) {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let own_call = line.contains(" isolated-") && line.contains(&data);
            if own_call {
                left.push(line);
            }
        }
        let mounts = fs::read_to_string("/proc/self/mounts").expect("listing mounts");
        left.extend(mounts.lines().filter(|line| line.contains(&data)).map(str::to_owned));
        left
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let listed = self.call("ps -aq --no-trunc").run();
        for id in listed.stdout.split_whitespace() {
            let removed = self.call(&format!("rm -f {id}")).run();
            assert!(removed.code() == Some(0) || std::thread::panicking(), "{removed}");
            for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().filter_map(Result::ok) {
                let group = hierarchy.path().join(format!("berth-{id}"));
                assert!(!group.exists() || std::thread::panicking(), "{} is left", group.display());
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while !self.left_on_the_host().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let left = self.left_on_the_host();
        assert!(left.is_empty() || std::thread::panicking(), "{left:?}");
    }
}

/// The layer of an image, being written.
pub(crate) struct Layer {
    tar: tar::Builder<File>,
}

impl Layer {
    fn shell(&mut self) {
        for name in ["bin/", "etc/", "tmp/", "root/", "home/", "home/app/", "dev/", "proc/", "sys/"] {
            self.folder(name);
        }
        let busybox = fs::read("/bin/busybox").expect("reading busybox, of the package busybox-static");
        self.file("bin/busybox", 0o755, &busybox);
        for name in PROGRAMS {
            self.link(&format!("bin/{name}"), "busybox");
        }
        self.file("etc/passwd", 0o644, PASSWD.as_bytes());
        self.file("etc/group", 0o644, GROUP.as_bytes());
    }

    pub(crate) fn folder(&mut self, name: &str) {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        self.tar.append_data(&mut header, name, std::io::empty()).expect("writing a tar");
    }

    pub(crate) fn file(&mut self, name: &str, mode: u32, bytes: &[u8]) {
        let mut header = tar::Header::new_ustar();
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        self.tar.append_data(&mut header, name, bytes).expect("writing a tar");
    }

    pub(crate) fn link(&mut self, name: &str, target: &str) {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        self.tar.append_link(&mut header, name, target).expect("writing a tar");
    }
}
