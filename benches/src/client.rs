//! An HTTP/1.1 client that costs next to nothing, so that what is measured is the server.
//!
//! One connection, kept open, used by one thread. Blobs are sent with `sendfile` and received into one
//! buffer that is never grown.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::payload::Slice;

/// What a puller accepts; distribution answers 404 to a client that doesn't name the OCI types.
pub(crate) const MANIFEST_TYPES: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

const BUFFER: usize = 256 << 10;

/// One connection to one server.
pub(crate) struct Client {
    stream: TcpStream,
    /// The name that it asks for.
    host: String,
    authorization: Option<String>,
    buffer: Box<[u8]>,
    /// What was received and not yet consumed.
    unread: Range<usize>,
}

/// What a request carries.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    Empty,
    Bytes(&'a [u8]),
    Blob(&'a Slice),
    /// The same bytes so many times, one after another.
    Repeated(&'a Slice, u64),
}

/// Status line and headers of an answer.
pub(crate) struct Head {
    pub(crate) status: u16,
    text: String,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Each name with its value, as they came.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key, value.trim()))
    }

    /// The path and query in `Location`, whether it is relative or names the host.
    pub(crate) fn location(&self) -> Result<&str> {
        let location = self.header("location").context("the answer has no Location")?;
        match location.split_once("://") {
            Some((_, rest)) => {
                rest.find('/').map(|slash| &rest[slash..]).context("a Location without a path")
            }
            None => Ok(location),
        }
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, authorization: Option<String>) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self {
            stream,
            host: address.to_string(),
            authorization,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            unread: 0..0,
        })
    }

    /// From now on asks for this host, whatever its address is.
    pub(crate) fn ask_for(&mut self, host: &str) {
        host.clone_into(&mut self.host);
    }

    /// Sends a request, insists on the status and reads the body away; gives the headers.
    pub(crate) fn expect(
        &mut self,
        status: u16,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Body<'_>,
    ) -> Result<Head> {
        let head = self.send(method, path, content_type, body)?;
        let answer = self.body(&head)?;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(head.status == status, "{method} {path}: {} instead of {status}: {answer}", head.status);
        Ok(head)
    }

    /// GETs `path` and gives the whole body: for small ones.
    pub(crate) fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let head = self.send("GET", path, None, Body::Empty)?;
        let body = self.body(&head)?;
        ensure!(head.status == 200, "GET {path}: {}: {}", head.status, String::from_utf8_lossy(&body));
        Ok(body)
    }

    /// GETs a blob and throws it away.
    pub(crate) fn download(&mut self, path: &str, length: u64) -> Result<()> {
        let head = self.send("GET", path, None, Body::Empty)?;
        ensure!(head.status == 200, "GET {path}: {}", head.status);
        let said = head.header("content-length");
        ensure!(said == Some(&length.to_string()), "GET {path}: Content-Length {said:?}, not {length}");
        let mut missing = length.saturating_sub(self.unread.len() as u64);
        self.unread = 0..0;
        while missing > 0 {
            let wanted = (missing as usize).min(BUFFER);
            let received = self.stream.read(&mut self.buffer[..wanted])?;
            ensure!(received > 0, "GET {path}: cut short by {missing} bytes");
            missing -= received as u64;
        }
        Ok(())
    }

    /// Sends a request and reads the answer's headers, not its body.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Body<'_>,
    ) -> Result<Head> {
        let length = match &body {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Blob(slice) => slice.length,
            Body::Repeated(slice, times) => slice.length * times,
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        if method == "GET" {
            request += &format!("Accept: {MANIFEST_TYPES}\r\n");
        } else {
            request += &format!("Content-Length: {length}\r\n");
        }
        if let Some(content_type) = content_type {
            request += &format!("Content-Type: {content_type}\r\n");
        }
        if let Some(authorization) = &self.authorization {
            request += &format!("Authorization: {authorization}\r\n");
        }
        let mut request = (request + "\r\n").into_bytes();
        if let Body::Bytes(bytes) = &body {
            request.extend_from_slice(bytes);
        }
        self.stream.write_all(&request).with_context(|| format!("{method} {path}"))?;
        let (slice, times) = match body {
            Body::Empty | Body::Bytes(_) => (None, 0),
            Body::Blob(slice) => (Some(slice), 1),
            Body::Repeated(slice, times) => (Some(slice), times),
        };
        for slice in slice.into_iter().cycle().take(times as usize) {
            self.send_file(slice).with_context(|| format!("{method} {path}: sending {length} bytes"))?;
        }
        self.head().with_context(|| format!("{method} {path}: waiting for the answer"))
    }

    fn send_file(&self, slice: &Slice) -> Result<()> {
        let mut offset = slice.offset;
        let end = slice.offset + slice.length;
        while offset < end {
            let missing = ((end - offset) as usize).min(1 << 30);
            let sent = rustix::fs::sendfile(&self.stream, &*slice.file, Some(&mut offset), missing)?;
            ensure!(sent > 0, "the file ended before its slice did");
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head> {
        loop {
            let seen = &self.buffer[self.unread.clone()];
            if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
                let text = std::str::from_utf8(&seen[..end])?.to_owned();
                self.unread.start += end + 4;
                let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
                return Ok(Head { status: status.with_context(|| format!("no status in {text:?}"))?, text });
            }
            self.fill()?;
        }
    }

    /// The body of an answer, for small ones.
    pub(crate) fn body(&mut self, head: &Head) -> Result<Vec<u8>> {
        if let Some(length) = head.header("content-length") {
            return self.take(length.parse()?);
        }
        let mut body = Vec::new();
        if head.header("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).context("reading a chunk's size")?;
                body.extend(self.take(size)?);
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        }
        Ok(body)
    }

    fn line(&mut self) -> Result<String> {
        loop {
            let seen = &self.buffer[self.unread.clone()];
            if let Some(end) = seen.windows(2).position(|window| window == b"\r\n") {
                let line = std::str::from_utf8(&seen[..end])?.to_owned();
                self.unread.start += end + 2;
                return Ok(line);
            }
            self.fill()?;
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            if self.unread.is_empty() {
                self.fill()?;
            }
            let part = self.unread.len().min(length - bytes.len());
            bytes.extend_from_slice(&self.buffer[self.unread.start..self.unread.start + part]);
            self.unread.start += part;
        }
        Ok(bytes)
    }

    fn fill(&mut self) -> Result<()> {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.end == self.buffer.len() {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        match self.stream.read(&mut self.buffer[self.unread.end..])? {
            0 => bail!("the server closed the connection"),
            received => self.unread.end += received,
        }
        Ok(())
    }
}
