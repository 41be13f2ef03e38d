//! The entries of a layer's archive (tar), one after another.
//!
//! Header blocks are read by the crate `tar`; the walk from one to the next is here, because its iterator
//! splits PAX records at line ends (a file capability may contain one), reads extensions of any length into
//! memory, and takes what two readers would read differently. Where Go's reader, which docker uses, and GNU
//! tar disagree, the archive is refused (CVE-2025-62518 lived on such differences).

use std::io::{self, BufRead};
use std::ops::Range;

use tar::{EntryType, Header};

use super::Wrong;

const BLOCK: usize = 512;
/// The longest extension header, in bytes: that of Go's reader.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// One entry: what stands there, without its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands, as written.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions, with the set-id and sticky bits.
    pub mode: u32,
    /// The owner.
    pub uid: u64,
    /// The group.
    pub gid: u64,
    /// The time of the last change: seconds since the epoch, nanoseconds.
    pub mtime: (i64, u32),
    /// The content's length; 0 for all but files.
    pub size: u64,
    /// Extended attributes.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    #[default]
    File,
    /// A folder.
    Folder,
    /// A symbolic link and where it leads.
    Symlink(Vec<u8>),
    /// Another name of the entry at this path.
    HardLink(Vec<u8>),
    /// A character device.
    Character(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

/// Walks through an archive.
pub struct Archive<R> {
    input: R,
    /// What is left of the current entry's content, and of the padding behind it.
    content: u64,
    padding: u64,
}

/// What extension headers said of the next entry.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether there was any.
    any: bool,
}

impl<R: BufRead> Archive<R> {
    /// An archive at its beginning.
    pub fn new(input: R) -> Self {
        Self { input, content: 0, padding: 0 }
    }

    /// The next entry; content of the one before that was not read is skipped.
    ///
    /// # Errors
    /// When the archive is damaged, ambiguous or ends too soon, or its bytes can't be had.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Wrong> {
        let mut extensions = Extensions::default();
        loop {
            self.content(|_| Ok(()))?;
            let Some(header) = self.header()? else {
                return match extensions.any {
                    true => Err(Wrong::archive("it ends after an extension header")),
                    false => Ok(None),
                };
            };
            let size = field(&header, 124..136, Header::entry_size)
                .ok_or_else(|| Wrong::archive("an entry's size is no number"))?;
            match header.entry_type() {
                EntryType::XHeader => extensions.take_pax(&self.extension(size)?)?,
                EntryType::GNULongName => {
                    extensions.long_path = Some(self.extension_text(size)?);
                    extensions.any = true;
                }
                EntryType::GNULongLink => {
                    extensions.long_link = Some(self.extension_text(size)?);
                    extensions.any = true;
                }
                // Go's reader doesn't apply them either.
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                kind => return self.entry(&header, kind, size, extensions).map(Some),
            }
        }
    }

    /// Gives the rest of the current entry's content to `sink`, piece by piece.
    ///
    /// # Errors
    /// When the archive ends too soon, its bytes can't be had, or `sink` fails.
    pub fn content(&mut self, mut sink: impl FnMut(&[u8]) -> Result<(), Wrong>) -> Result<(), Wrong> {
        while self.content > 0 {
            let available = self.input.fill_buf().map_err(Wrong::Source)?;
            if available.is_empty() {
                return Err(Wrong::archive("it ends in the middle of an entry"));
            }
            let length = available.len().min(usize::try_from(self.content).unwrap_or(usize::MAX));
            sink(&available[..length])?;
            self.input.consume(length);
            self.content -= length as u64;
        }
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..usize::try_from(self.padding).unwrap_or(0)];
        self.input.read_exact(padding).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Wrong::archive("it ends in the middle of an entry"),
            _ => Wrong::Source(error),
        })?;
        self.padding = 0;
        Ok(())
    }

    /// The next header; none at the end, which two blocks of zeros or the end of the bytes mark.
    fn header(&mut self) -> Result<Option<Header>, Wrong> {
        let Some(header) = self.block()? else { return Ok(None) };
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return match self.block()? {
                Some(next) if next.as_bytes().iter().any(|byte| *byte != 0) => {
                    Err(Wrong::archive("it goes on after the mark of its end"))
                }
                Some(_) | None => Ok(None),
            };
        }
        let bytes = header.as_bytes();
        let sum: u32 = bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum();
        if header.cksum().ok() != Some(sum + 8 * u32::from(b' ')) {
            return Err(Wrong::archive("the checksum of a header is wrong"));
        }
        Ok(Some(header))
    }

    fn block(&mut self) -> Result<Option<Header>, Wrong> {
        let (mut header, mut filled) = (Header::new_old(), 0);
        while filled < BLOCK {
            match self.input.read(&mut header.as_mut_bytes()[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(Wrong::archive("it ends in the middle of a header")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Wrong::Source(error)),
            }
        }
        Ok(Some(header))
    }

    /// The content of an extension header.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Wrong> {
        if size > MAX_EXTENSION_BYTES {
            return Err(Wrong::archive(format!("an extension header has {size} bytes")));
        }
        self.expect(size);
        let mut bytes = Vec::new();
        self.content(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The content of a GNU extension header, which ends at its first zero.
    fn extension_text(&mut self, size: u64) -> Result<Vec<u8>, Wrong> {
        let mut text = self.extension(size)?;
        text.truncate(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
        Ok(text)
    }

    fn expect(&mut self, size: u64) {
        self.content = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    fn entry(
        &mut self,
        header: &Header,
        kind: EntryType,
        size: u64,
        extensions: Extensions,
    ) -> Result<Entry, Wrong> {
        let path =
            extensions.long_path.or(extensions.path).unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = String::from_utf8_lossy(&path).into_owned();
        let no_number = |field: &str| Wrong::archive(format!("the {field} of {shown:?} is no number"));
        let link = || {
            let own = || header.link_name_bytes().unwrap_or_default().into_owned();
            extensions.long_link.clone().or(extensions.link.clone()).unwrap_or_else(own)
        };
        let device = || -> Result<(u32, u32), Wrong> {
            let major =
                field(header, 329..337, |header| header.device_major().map(Option::unwrap_or_default));
            let minor =
                field(header, 337..345, |header| header.device_minor().map(Option::unwrap_or_default));
            major.zip(minor).ok_or_else(|| no_number("device"))
        };
        let kind = match kind {
            // As in archives from before there were types.
            EntryType::Regular if header.as_bytes()[156] == 0 && path.ends_with(b"/") => Kind::Folder,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink => Kind::Symlink(link()),
            EntryType::Link => Kind::HardLink(link()),
            EntryType::Char => device().map(|(major, minor)| Kind::Character(major, minor))?,
            EntryType::Block => device().map(|(major, minor)| Kind::Block(major, minor))?,
            EntryType::Fifo => Kind::Fifo,
            EntryType::GNUSparse => {
                return Err(Wrong::archive(format!("{shown:?} is a sparse file, which is not supported")));
            }
            other => {
                let kind = other.as_byte().escape_ascii();
                return Err(Wrong::archive(format!("{shown:?} is of the unknown type '{kind}'")));
            }
        };
        let size = extensions.size.unwrap_or(size);
        match kind {
            Kind::File if size > i64::MAX as u64 - BLOCK as u64 => {
                return Err(Wrong::archive(format!("{shown:?} has {size} bytes")));
            }
            Kind::File => self.expect(size),
            // Some write the linked file's length there; all readers know it for no content.
            Kind::HardLink(_) => {}
            _ if size == 0 => {}
            // Go's reader takes this for no content, GNU tar for content.
            _ => {
                return Err(Wrong::archive(format!("{shown:?} is no file, and {size} bytes belong to it")));
            }
        }
        let mode = field(header, 100..108, Header::mode).ok_or_else(|| no_number("mode"))?;
        let uid = || field(header, 108..116, Header::uid).ok_or_else(|| no_number("owner"));
        let gid = || field(header, 116..124, Header::gid).ok_or_else(|| no_number("group"));
        let mtime = || {
            let seconds = field(header, 136..148, Header::mtime).ok_or_else(|| no_number("time"))?;
            Ok((i64::try_from(seconds).unwrap_or(0), 0))
        };
        Ok(Entry {
            size: if kind == Kind::File { size } else { 0 },
            kind,
            mode: mode & 0o7777,
            uid: extensions.uid.map_or_else(uid, Ok)?,
            gid: extensions.gid.map_or_else(gid, Ok)?,
            mtime: extensions.mtime.map_or_else(mtime, Ok)?,
            xattrs: extensions.xattrs,
            path,
        })
    }
}

impl Extensions {
    /// Takes records of the form `LENGTH KEY=VALUE\n`, where the length counts the whole record.
    fn take_pax(&mut self, mut records: &[u8]) -> Result<(), Wrong> {
        let malformed = || Wrong::archive("an extended header is malformed");
        self.any = true;
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
            let length: usize = number(&records[..space]).ok_or_else(malformed)?;
            if length <= space + 1 || length > records.len() || records[length - 1] != b'\n' {
                return Err(malformed());
            }
            let record = &records[space + 1..length - 1];
            records = &records[length..];
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
            self.take(&record[..equals], &record[equals + 1..]).ok_or_else(malformed)?;
        }
        Ok(())
    }

    /// Takes one record; none if its value makes no sense.
    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        // No value: as if it hadn't been said.
        let said = !value.is_empty();
        let text = said.then(|| value.to_vec());
        match key {
            b"path" | b"linkpath" if value.contains(&0) => return None,
            b"path" => self.path = text,
            b"linkpath" => self.link = text,
            b"size" if said => self.size = Some(number(value)?),
            b"uid" if said => self.uid = Some(number(value)?),
            b"gid" if said => self.gid = Some(number(value)?),
            b"mtime" if said => self.mtime = Some(time(value)?),
            // Another way to say the size; no reader of layers that we know of needs it.
            key if key.starts_with(b"GNU.sparse.") => return None,
            key => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    if name.is_empty() || name.contains(&0) {
                        return None;
                    }
                    self.xattrs.retain(|(known, _)| known != name);
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Some(())
    }
}

/// A number of a header; 0 where nothing is written.
fn field<T: Default>(
    header: &Header,
    at: Range<usize>,
    read: impl Fn(&Header) -> io::Result<T>,
) -> Option<T> {
    match header.as_bytes()[at].iter().all(|byte| matches!(byte, 0 | b' ')) {
        true => Some(T::default()),
        false => read(header).ok(),
    }
}

/// A decimal number without sign.
fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    let is_plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

/// Seconds, with a fraction, possibly before the epoch.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let seconds: i64 = number(parts.next()?)?;
    let mut nanoseconds = 0;
    if let Some(fraction) = parts.next().filter(|fraction| !fraction.is_empty()) {
        let mut digits: Vec<u8> = fraction.iter().copied().take(9).collect();
        digits.resize(9, b'0');
        nanoseconds = number(&digits)?;
    }
    Some(match (negative, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}
