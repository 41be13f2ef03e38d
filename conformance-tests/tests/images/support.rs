//! A server, a machine of the test's own, and images to move between them.

use std::path::{Path, PathBuf};

use conformance_tests::layout::Layout;
use conformance_tests::{ADMIN_PASSWORD, Berth, Program, binary, rootfs};
use tempfile::TempDir;

/// A server that the administrator is logged in to, and a machine without images.
pub(crate) struct Table {
    pub(crate) berth: Berth,
    pub(crate) folder: TempDir,
}

impl Table {
    pub(crate) fn new() -> Self {
        let table = Self { berth: Berth::start(), folder: tempfile::tempdir().expect("a temporary folder") };
        let login = ["login", "-u", "admin", "--password-stdin", &table.berth.host()];
        table.program().args(login).stdin(ADMIN_PASSWORD).succeeds();
        table
    }

    /// `berth` with this machine's images and this user's logins.
    pub(crate) fn program(&self) -> Program {
        self.program_at(&self.data())
    }

    /// The same with another machine's images.
    pub(crate) fn program_at(&self, data: &Path) -> Program {
        Program::new(binary::berth()).home(self.folder.path()).env("BERTH_DATA", data)
    }

    /// `berth …`
    pub(crate) fn call(&self, arguments: &str) -> Program {
        self.program().args(arguments.split_whitespace())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn reference(&self, rest: &str) -> String {
        self.berth.reference(rest)
    }

    /// Puts an image of these archives, a layer each, on the server and nowhere else, and returns its digest.
    pub(crate) fn put_image(&self, reference: &str, layers: &[PathBuf]) -> String {
        let elsewhere = self.folder.path().join("elsewhere");
        let layout = self.folder.path().join("layout");
        let mut filled = Layout::new(&layout);
        let image = filled.image("amd64", layers);
        filled.tag(reference, &image);
        self.program_at(&elsewhere).args(["load", "-i"]).arg(&layout).succeeds();
        let pushed = self.program_at(&elsewhere).args(["push", "-q", reference]).succeeds();
        std::fs::remove_dir_all(&layout).expect("removing a folder");
        std::fs::remove_dir_all(&elsewhere).expect("removing a folder");
        let digest = image["digest"].as_str().expect("a digest");
        assert_eq!(pushed.line(), digest);
        digest.to_owned()
    }

    /// An image of busybox alone on the server.
    pub(crate) fn put_busybox(&self, rest: &str) -> (String, String) {
        let reference = self.reference(rest);
        let digest = self.put_image(&reference, &[rootfs::busybox()]);
        (reference, digest)
    }
}
