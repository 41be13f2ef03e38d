//! What a monitor and who is connected to it say to each other, over a Unix socket.
//!
//! A frame is a letter, the length of what follows in four bytes, and that.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::exec::Exec;
use crate::failure::Failure;

/// The longest frame that is read, in bytes: one piece of input or output, or a request.
const MAX_FRAME_BYTES: usize = 1 << 20;

const HEADER_BYTES: usize = 5;

/// What a client asks of a monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// To be given the output from now on, and to be heard as input.
    Attach {
        /// Whether what it sends is the container's input.
        stdin: bool,
    },
    /// To run one more process in a container.
    Exec(Exec),
    /// To begin: whoever starts a process of ours has said all that it is to know.
    Begin,
    /// To be told when the container has ended.
    Wait,
    /// To end the container: with a signal, and after so many seconds with SIGKILL; `None` is the container's own.
    Stop { signal: Option<i32>, timeout: Option<u64> },
    /// To send a signal.
    Signal(i32),
    /// To let it stand still.
    Pause,
    /// To let it go on.
    Unpause,
    /// That its terminal is this large.
    Resize { rows: u16, columns: u16 },
}

/// What a monitor tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// Something is otherwise than asked.
    Note(String),
    /// The container runs.
    Started,
    /// It couldn't be started.
    Failed(Failure),
    /// What was asked for is done.
    Done,
    /// What was asked for can't be done.
    Refused(String),
    /// The container has ended and isn't started again.
    Exited { code: i32 },
}

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FromClient {
    Input(Vec<u8>),
    InputEnds,
    Request(Request),
}

/// A frame from a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FromMonitor {
    Output(Stream, Vec<u8>),
    Answer(Answer),
}

/// Which output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl FromClient {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Input(bytes) => frame(b'i', bytes),
            Self::InputEnds => frame(b'e', &[]),
            Self::Request(request) => frame(b'q', &json(request)),
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Option<Self> {
        match kind {
            b'i' => Some(Self::Input(body.to_vec())),
            b'e' => Some(Self::InputEnds),
            b'q' => serde_json::from_slice(body).ok().map(Self::Request),
            _ => None,
        }
    }
}

impl FromMonitor {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Output(stream, bytes) => output(*stream, bytes),
            Self::Answer(answer) => frame(b'a', &json(answer)),
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Option<Self> {
        match kind {
            b'o' => Some(Self::Output(Stream::Stdout, body.to_vec())),
            b'r' => Some(Self::Output(Stream::Stderr, body.to_vec())),
            b'a' => serde_json::from_slice(body).ok().map(Self::Answer),
            _ => None,
        }
    }
}

/// A frame of output, made without a copy of its own.
pub(crate) fn output(stream: Stream, bytes: &[u8]) -> Vec<u8> {
    match stream {
        Stream::Stdout => frame(b'o', bytes),
        Stream::Stderr => frame(b'r', bytes),
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("requests and answers are JSON")
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("frames are short");
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.push(kind);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// Bytes that have arrived, until they are frames.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: VecDeque<u8>,
}

/// Who sent something else than frames.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

impl Incoming {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(crate) fn next_from_client(&mut self) -> Result<Option<FromClient>, Garbled> {
        self.next(FromClient::decode)
    }

    pub(crate) fn next_from_monitor(&mut self) -> Result<Option<FromMonitor>, Garbled> {
        self.next(FromMonitor::decode)
    }

    fn next<T>(&mut self, decode: impl Fn(u8, &[u8]) -> Option<T>) -> Result<Option<T>, Garbled> {
        let bytes = self.bytes.make_contiguous();
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let [kind, length @ ..] = *header;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| Garbled)?;
        if length > MAX_FRAME_BYTES {
            return Err(Garbled);
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let decoded = decode(kind, body).ok_or(Garbled)?;
        self.bytes.drain(..HEADER_BYTES + length);
        Ok(Some(decoded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back_however_they_arrive() {
        let frames = [
            FromClient::Request(Request::Stop { signal: Some(3), timeout: None }),
            FromClient::Input(b"hello".to_vec()),
            FromClient::InputEnds,
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(FromClient::encode).collect();
        let mut incoming = Incoming::default();
        let mut read = Vec::new();
        for byte in bytes {
            incoming.push(&[byte]);
            read.extend(incoming.next_from_client().unwrap());
        }
        assert_eq!(read, frames);
        assert_eq!(incoming.next_from_client(), Ok(None));
    }

    #[test]
    fn answers_are_read_back() {
        let mut incoming = Incoming::default();
        let answer = FromMonitor::Answer(Answer::Exited { code: 137 });
        incoming.push(&output(Stream::Stderr, b"oh"));
        incoming.push(&answer.encode());
        assert_eq!(
            incoming.next_from_monitor(),
            Ok(Some(FromMonitor::Output(Stream::Stderr, b"oh".to_vec())))
        );
        assert_eq!(incoming.next_from_monitor(), Ok(Some(answer)));
    }

    #[test]
    fn what_is_no_frame_is_noticed() {
        let mut incoming = Incoming::default();
        incoming.push(b"zzzzzzzz");
        assert_eq!(incoming.next_from_client(), Err(Garbled));
        let mut incoming = Incoming::default();
        incoming.push(&frame(b'q', b"\"fly\""));
        assert_eq!(incoming.next_from_client(), Err(Garbled));
    }
}
