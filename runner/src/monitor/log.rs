//! What a container has written, line by line, with its time and stream: as docker's `json-file` keeps it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::container::Care;
use crate::wire::Stream;

/// The longest piece of a line that is one entry, in bytes, as docker cuts it.
const MAX_ENTRY_BYTES: usize = 16 << 10;
const DEFAULT_MAX_SIZE: u64 = 20 << 20;
const DEFAULT_MAX_FILES: u32 = 3;

/// One line, or a piece of a long one, which has no line feed at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// With its line feed; what is no UTF-8 is replaced.
    pub log: String,
    /// Where it was written.
    pub stream: Stream,
    /// When, RFC 3339.
    pub time: String,
}

/// The log of a container that runs.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    max_size: u64,
    max_files: u32,
    unfinished: [Vec<u8>; 2],
}

/// Where the log of the container in `folder` is; older files have a number after it.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// The files of a log that are there, from the oldest.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let older = (1..).map(|number| numbered(&path(folder), number)).take_while(|path| path.exists());
    let mut files: Vec<PathBuf> = older.collect();
    files.reverse();
    files.push(path(folder));
    files
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    path.with_extension(number.to_string())
}

impl Log {
    /// The log in `folder`; a container that is started again goes on with it.
    pub(crate) fn new(folder: &Path, care: &Care) -> Self {
        let path = path(folder);
        let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        Self {
            path,
            file: None,
            size,
            max_size: care.log_max_size.unwrap_or(DEFAULT_MAX_SIZE),
            max_files: care.log_max_files.unwrap_or(DEFAULT_MAX_FILES).max(1),
            unfinished: [Vec::new(), Vec::new()],
        }
    }

    /// Takes what was written to `stream` at `now`.
    ///
    /// What a full disk has no room for is lost; the container goes on.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8], now: SystemTime) {
        let mut lines = std::mem::take(&mut self.unfinished[stream as usize]);
        lines.extend_from_slice(bytes);
        let mut rest = lines.as_slice();
        let mut entries = Vec::new();
        while let Some(length) = entry_length(rest) {
            let (entry, after) = rest.split_at(length);
            self.add(&mut entries, &line(stream, entry, now));
            rest = after;
        }
        self.unfinished[stream as usize] = rest.to_vec();
        self.store(&mut entries);
    }

    /// Takes what had no line feed until the end.
    pub(crate) fn finish(&mut self, now: SystemTime) {
        let mut entries = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(&mut self.unfinished[stream as usize]);
            if !rest.is_empty() {
                self.add(&mut entries, &line(stream, &rest, now));
            }
        }
        self.store(&mut entries);
    }

    /// Adds an entry to those that are stored together, of which each file has room for some.
    fn add(&mut self, entries: &mut Vec<u8>, line: &[u8]) {
        let before = self.size + entries.len() as u64;
        if before > 0 && before + line.len() as u64 > self.max_size {
            self.store(entries);
            // What can't be renamed is written to still.
            let _ = self.rotate();
        }
        entries.extend_from_slice(line);
    }

    fn store(&mut self, entries: &mut Vec<u8>) {
        let _ = self.append(entries);
        entries.clear();
    }

    fn append(&mut self, entries: &[u8]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::options().create(true).append(true).open(&self.path)?),
        };
        file.write_all(entries)?;
        self.size += entries.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        self.size = 0;
        for number in (1..self.max_files).rev() {
            let newer = if number == 1 { self.path.clone() } else { numbered(&self.path, number - 1) };
            match fs::rename(newer, numbered(&self.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.max_files == 1 { fs::remove_file(&self.path) } else { Ok(()) }
    }
}

/// How much of `bytes` is the next entry, if it is whole.
fn entry_length(bytes: &[u8]) -> Option<usize> {
    let searched = &bytes[..bytes.len().min(MAX_ENTRY_BYTES)];
    match searched.iter().position(|byte| *byte == b'\n') {
        Some(at) => Some(at + 1),
        None => (bytes.len() >= MAX_ENTRY_BYTES).then_some(MAX_ENTRY_BYTES),
    }
}

fn line(stream: Stream, entry: &[u8], now: SystemTime) -> Vec<u8> {
    let time = humantime::format_rfc3339_nanos(now).to_string();
    let entry = Entry { log: String::from_utf8_lossy(entry).into_owned(), stream, time };
    let mut line = serde_json::to_vec(&entry).expect("an entry is JSON");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> Vec<(String, Stream)> {
        let read = |file: PathBuf| fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<String> = files(folder).into_iter().map(read).collect();
        let entry = |line: &str| serde_json::from_str::<Entry>(line).unwrap();
        lines.concat().lines().map(entry).map(|entry| (entry.log, entry.stream)).collect()
    }

    #[test]
    fn lines_are_kept_whole_by_stream_and_the_last_without_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::new(folder.path(), &Care::default());
        let now = SystemTime::UNIX_EPOCH;
        log.write(Stream::Stdout, b"one\ntw", now);
        log.write(Stream::Stderr, b"err\n", now);
        log.write(Stream::Stdout, b"o\nend", now);
        log.finish(now);
        let expected = [
            ("one\n", Stream::Stdout),
            ("err\n", Stream::Stderr),
            ("two\n", Stream::Stdout),
            ("end", Stream::Stdout),
        ];
        assert_eq!(entries(folder.path()), expected.map(|(text, stream)| (text.to_owned(), stream)));
    }

    #[test]
    fn a_long_line_is_cut_as_docker_cuts_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::new(folder.path(), &Care::default());
        log.write(Stream::Stdout, &[b'x'; MAX_ENTRY_BYTES * 2 + 5], SystemTime::UNIX_EPOCH);
        log.write(Stream::Stdout, b"\n", SystemTime::UNIX_EPOCH);
        let lengths: Vec<usize> = entries(folder.path()).iter().map(|(text, _)| text.len()).collect();
        assert_eq!(lengths, [MAX_ENTRY_BYTES, MAX_ENTRY_BYTES, 6]);
    }

    #[test]
    fn a_log_never_grows_past_its_files_and_the_newest_lines_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let care = Care { log_max_size: Some(1000), log_max_files: Some(2), ..Care::default() };
        let mut log = Log::new(folder.path(), &care);
        for number in 0..100 {
            log.write(Stream::Stdout, format!("line {number}\n").as_bytes(), SystemTime::UNIX_EPOCH);
        }
        let kept = entries(folder.path());
        assert_eq!(kept.last().unwrap().0, "line 99\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let size: u64 = files(folder.path()).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
        assert!(size <= 2000 && kept.len() > 10, "{size} {}", kept.len());
    }
}
