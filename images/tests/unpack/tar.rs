//! Archives written block by block, right or wrong.

use std::io::Write;

/// An archive being written.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

/// One header; what isn't said is what a plain file of root's has.
#[derive(Clone)]
pub(crate) struct Head<'h> {
    pub(crate) kind: u8,
    pub(crate) name: &'h str,
    pub(crate) link: &'h str,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) mtime: u64,
    pub(crate) device: (u32, u32),
    pub(crate) size: u64,
}

impl Default for Head<'_> {
    fn default() -> Self {
        Self {
            kind: b'0',
            name: "",
            link: "",
            mode: 0o644,
            owner: own(),
            mtime: 1_000_000,
            device: (0, 0),
            size: 0,
        }
    }
}

/// Whoever runs the tests, so that they run as anyone.
pub(crate) fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

impl Tar {
    /// Adds a header block as it is described.
    pub(crate) fn head(mut self, head: &Head<'_>) -> Self {
        let mut block = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        assert!(head.name.len() <= 100 && head.link.len() <= 100, "use a PAX record for what is long");
        put(0, head.name.as_bytes());
        put(100, format!("{:07o}", head.mode).as_bytes());
        put(108, format!("{:07o}", head.owner.0).as_bytes());
        put(116, format!("{:07o}", head.owner.1).as_bytes());
        put(124, format!("{:011o}", head.size).as_bytes());
        put(136, format!("{:011o}", head.mtime).as_bytes());
        put(148, b"        ");
        put(156, &[head.kind]);
        put(157, head.link.as_bytes());
        put(257, b"ustar\x0000");
        put(329, format!("{:07o}", head.device.0).as_bytes());
        put(337, format!("{:07o}", head.device.1).as_bytes());
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&block);
        self
    }

    /// Adds bytes and what fills their last block.
    pub(crate) fn content(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        let head = Head { name, size: content.len() as u64, ..Head::default() };
        self.head(&head).content(content.as_bytes())
    }

    pub(crate) fn folder(self, name: &str) -> Self {
        self.head(&Head { kind: b'5', name, mode: 0o755, ..Head::default() })
    }

    pub(crate) fn symlink(self, name: &str, link: &str) -> Self {
        self.head(&Head { kind: b'2', name, link, mode: 0o777, ..Head::default() })
    }

    pub(crate) fn hard_link(self, name: &str, link: &str) -> Self {
        self.head(&Head { kind: b'1', name, link, ..Head::default() })
    }

    /// Adds records for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            write!(text, "{length} {key}=").unwrap();
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        self.head(&Head { kind: b'x', name: "pax", size: text.len() as u64, ..Head::default() })
            .content(&text)
    }

    /// Adds a GNU header for a long name (`L`) or link (`K`).
    pub(crate) fn gnu_long(self, kind: u8, text: &str) -> Self {
        let text = format!("{text}\0");
        self.head(&Head { kind, name: "././@LongLink", size: text.len() as u64, ..Head::default() })
            .content(text.as_bytes())
    }

    /// Adds the mark of the end.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}
