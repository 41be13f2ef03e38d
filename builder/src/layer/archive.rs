//! The archive: ustar headers, with PAX records for what doesn't fit into them (image-spec `layer.md`).

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat, major, minor};
use tar::{EntryType, Header};

use super::PackError;
use super::tree::{Attributes, Content, Entry, Opaque, Tree};

/// Writes the tree below `root`; no time is later than `newest`.
pub(super) fn write<W: Write>(root: &Path, newest: u64, out: W) -> Result<W, PackError> {
    let mut tree = Tree::open(root)?;
    let mut archive = Archive { out, newest, links: HashMap::new() };
    while let Some(entry) = tree.next()? {
        archive.add(entry)?;
    }
    archive.out.write_all(&[0; 1024]).map_err(PackError::Write)?;
    Ok(archive.out)
}

struct Archive<W> {
    out: W,
    newest: u64,
    /// The first path of each file that has several.
    links: HashMap<(u64, u64), PathBuf>,
}

/// A header and the records in front of it.
struct Described {
    header: Header,
    records: Vec<u8>,
}

impl<W: Write> Archive<W> {
    fn add(&mut self, Entry { path, stat, content }: Entry) -> Result<(), PackError> {
        let mut described = Described::new(&stat, self.newest);
        let kind = FileType::from_raw_mode(stat.st_mode);
        match content {
            Content::Folder { opaque, attributes } => {
                let mut name = path.as_os_str().as_bytes().to_vec();
                name.push(b'/');
                described.header.set_entry_type(EntryType::Directory);
                described.name(&name);
                described.attributes(&attributes);
                self.header(&described)?;
                if opaque == Opaque::Yes {
                    self.mark(&path.join(".wh..wh..opq"))?;
                }
                Ok(())
            }
            Content::Removed => {
                let mut name = std::ffi::OsString::from(".wh.");
                name.push(path.file_name().unwrap_or_default());
                self.mark(&path.with_file_name(name))
            }
            Content::Symlink(target) => {
                described.header.set_entry_type(EntryType::Symlink);
                described.name(path.as_os_str().as_bytes());
                described.target(target.to_bytes());
                self.header(&described)
            }
            Content::Special | Content::File { .. } if self.is_known(&stat, &path) => {
                let first = self.links[&(stat.st_dev, stat.st_ino)].clone();
                described.header.set_entry_type(EntryType::Link);
                described.name(path.as_os_str().as_bytes());
                described.target(first.as_os_str().as_bytes());
                self.header(&described)
            }
            Content::Special => {
                described.name(path.as_os_str().as_bytes());
                described.special(kind, stat.st_rdev).map_err(PackError::Write)?;
                self.header(&described)
            }
            Content::File { file, attributes } => {
                let size = u64::try_from(stat.st_size).unwrap_or_default();
                described.header.set_entry_type(EntryType::Regular);
                described.header.set_size(size);
                described.name(path.as_os_str().as_bytes());
                described.attributes(&attributes);
                self.header(&described)?;
                self.contents(&path, file, size)
            }
        }
    }

    /// Whether a file came before under another name.
    fn is_known(&mut self, stat: &Stat, path: &Path) -> bool {
        let id = (stat.st_dev, stat.st_ino);
        if stat.st_nlink < 2 || self.links.contains_key(&id) {
            return stat.st_nlink >= 2;
        }
        self.links.insert(id, path.to_owned());
        false
    }

    /// An empty file whose name removes something below.
    fn mark(&mut self, path: &Path) -> Result<(), PackError> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        for set in [Header::set_size, Header::set_uid, Header::set_gid, Header::set_mtime] {
            set(&mut header, 0);
        }
        header.set_mode(0);
        let mut described = Described { header, records: Vec::new() };
        described.name(path.as_os_str().as_bytes());
        self.header(&described)
    }

    fn header(&mut self, described: &Described) -> Result<(), PackError> {
        described.write(&mut self.out).map_err(PackError::Write)
    }

    fn contents(&mut self, path: &Path, file: impl Read, size: u64) -> Result<(), PackError> {
        let read = |source| PackError::Read { path: path.to_owned(), source };
        let mut file = file.take(size);
        let mut buffer = vec![0; 1 << 17];
        let mut left = size;
        while left > 0 {
            let length = match file.read(&mut buffer) {
                Ok(0) => return Err(read(io::Error::other("it became shorter while it was packed"))),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(read(error)),
            };
            self.out.write_all(&buffer[..length]).map_err(PackError::Write)?;
            left -= length as u64;
        }
        pad(&mut self.out, size).map_err(PackError::Write)
    }
}

/// Entries begin at multiples of 512 bytes.
fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    let over = (size % 512) as usize;
    if over == 0 { Ok(()) } else { out.write_all(&[0; 512][over..]) }
}

impl Described {
    fn new(stat: &Stat, newest: u64) -> Self {
        let mut header = Header::new_ustar();
        header.set_mode(stat.st_mode & 0o7777);
        header.set_uid(stat.st_uid.into());
        header.set_gid(stat.st_gid.into());
        // Before 1970 there is no time in ustar.
        header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or_default().min(newest));
        header.set_size(0);
        Self { header, records: Vec::new() }
    }

    fn name(&mut self, name: &[u8]) {
        let field = &mut self.header.as_mut_bytes()[..100];
        let fits = name.len() <= field.len() && name.is_ascii();
        let length = name.len().min(field.len());
        field[..length].copy_from_slice(&name[..length]);
        if !fits {
            self.record(b"path", name);
        }
    }

    fn target(&mut self, target: &[u8]) {
        let field = &mut self.header.as_mut_bytes()[157..257];
        let fits = target.len() <= field.len() && target.is_ascii();
        let length = target.len().min(field.len());
        field[..length].copy_from_slice(&target[..length]);
        if !fits {
            self.record(b"linkpath", target);
        }
    }

    fn attributes(&mut self, attributes: &Attributes) {
        for (name, value) in attributes {
            self.record(&[b"SCHILY.xattr.", &name[..]].concat(), value);
        }
    }

    fn special(&mut self, kind: FileType, device: u64) -> io::Result<()> {
        self.header.set_entry_type(match kind {
            FileType::CharacterDevice => EntryType::Char,
            FileType::BlockDevice => EntryType::Block,
            _ => EntryType::Fifo,
        });
        let device = if kind == FileType::Fifo { 0 } else { device };
        self.header.set_device_major(major(device))?;
        self.header.set_device_minor(minor(device))
    }

    /// `LENGTH KEY=VALUE`, where the length counts itself.
    fn record(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        self.records.extend_from_slice(format!("{length} ").as_bytes());
        self.records.extend_from_slice(&[key, b"=", value, b"\n"].concat());
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if !self.records.is_empty() {
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::XHeader);
            header.set_path("PaxHeaders.0")?;
            header.set_mode(0o644);
            for set in [Header::set_uid, Header::set_gid, Header::set_mtime] {
                set(&mut header, 0);
            }
            header.set_size(self.records.len() as u64);
            header.set_cksum();
            out.write_all(header.as_bytes())?;
            out.write_all(&self.records)?;
            pad(out, self.records.len() as u64)?;
        }
        let mut header = self.header.clone();
        header.set_cksum();
        out.write_all(header.as_bytes())
    }
}
