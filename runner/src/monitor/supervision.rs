//! One turn after the other: whatever has happened to the container, its streams and who is connected.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::Pid;

use super::Context;
use super::client::Client;
use super::input::Input;
use super::log::Log;
use crate::container::{Status, Streams};
use crate::exec::Exec;
use crate::streams::Ends;
use crate::wire::{Answer, FromClient, FromMonitor, Request, Stream};
use crate::{cgroup, signals, terminal};

/// How long docker gives a container to end.
const DEFAULT_STOP_TIMEOUT: u64 = 10;

/// How much is read at once, in bytes.
const PIECE: usize = 32 << 10;

/// What a turn brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing that ends the waiting.
    Again,
    /// The process has ended, or the time has come.
    Ended,
    /// Somebody wants the container not to be started again.
    Stop,
}

/// Everything that is watched.
pub(crate) struct Supervision {
    clients: Vec<Client>,
    /// Who is told when the container has ended.
    listener: Option<UnixListener>,
    log: Option<Log>,
    input: Input,
    outputs: Vec<Output>,
    terminal: Option<OwnedFd>,
    /// The size of the terminal that was asked for last.
    size: Option<(u16, u16)>,
    streams: Streams,
    kill_at: Option<Instant>,
    /// What is to run in a container that runs already.
    exec: Option<Exec>,
    /// Whether the caller has said all that is to be known first.
    begun: bool,
    /// Whether the first client is still the one that started it all.
    has_caller: bool,
}

/// An output of the container.
struct Output {
    stream: Stream,
    end: OwnedFd,
    /// Whether nothing more comes.
    ended: bool,
}

/// What a descriptor that is waited for belongs to.
#[derive(Clone, Copy)]
enum Place {
    Process,
    Listener,
    Output(usize),
    Input,
    Client(usize),
}

impl Supervision {
    pub(super) fn new(
        caller: Client,
        listener: Option<UnixListener>,
        log: Option<Log>,
        streams: Streams,
    ) -> Self {
        if let Some(listener) = &listener {
            let _ = listener.set_nonblocking(true);
        }
        Self {
            clients: vec![caller],
            listener,
            log,
            input: Input::default(),
            outputs: Vec::new(),
            terminal: None,
            size: None,
            streams,
            exec: None,
            begun: false,
            kill_at: None,
            has_caller: true,
        }
    }

    /// Takes the streams of a process that has just started.
    pub(crate) fn begin(&mut self, ends: Ends) {
        self.kill_at = None;
        self.outputs.clear();
        let mut input = ends.stdin;
        for (stream, end) in [(Stream::Stdout, ends.stdout), (Stream::Stderr, ends.stderr)] {
            self.outputs.extend(end.map(|end| Output { stream, end, ended: false }));
        }
        if let Some(terminal) = ends.terminal {
            let copy = |terminal: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(terminal, 3);
            if let Ok(output) = copy(&terminal) {
                self.outputs.push(Output { stream: Stream::Stdout, end: output, ended: false });
            }
            input = copy(&terminal).ok();
            self.terminal = Some(terminal);
            self.apply_size();
        }
        for end in self.outputs.iter().map(|output| &output.end).chain(&input) {
            let _ = rustix::io::ioctl_fionbio(end, true);
        }
        self.input.begin(input);
    }

    /// Takes what the caller asks for until it says that this is all.
    pub(crate) fn hear_the_caller(&mut self, context: &mut Context<'_>) {
        while !self.begun && !self.clients[0].gone {
            self.clients[0].wait_for_more();
            self.serve(0, context);
        }
    }

    /// For one more process, which `caller` asked for already.
    pub(crate) fn of_exec(caller: UnixStream) -> Self {
        Self::new(Client::new(caller), None, None, Streams::Caller)
    }

    /// What the caller wants to be run.
    pub(crate) fn asked_for(&mut self, context: &mut Context<'_>) -> Option<Exec> {
        self.hear_the_caller(context);
        self.exec.take()
    }

    /// Tells who started it that it runs, and what is otherwise than asked.
    pub(crate) fn tell_the_caller(&mut self, notes: Vec<String>) {
        if std::mem::take(&mut self.has_caller)
            && let Some(caller) = self.clients.first_mut()
        {
            for note in notes {
                caller.send(&FromMonitor::Answer(Answer::Note(note)));
            }
            caller.send(&FromMonitor::Answer(Answer::Started));
        }
    }

    /// Waits until something happens, and does what follows from it. `process` becomes readable when it ends.
    pub(crate) fn turn(
        &mut self,
        process: Option<&OwnedFd>,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Turn {
        let ready = self.wait(process, until);
        let mut turn = Turn::Again;
        for place in ready {
            match place {
                Place::Process => turn = Turn::Ended,
                Place::Listener => self.accept(),
                Place::Output(index) => drop(self.pass_output_on(index)),
                Place::Input => self.input.flush(),
                Place::Client(index) => {
                    if self.serve(index, context) == Turn::Stop && process.is_none() {
                        turn = Turn::Stop;
                    }
                }
            }
        }
        self.forget_the_gone(context);
        if self.kill_at.is_some_and(|at| at <= Instant::now()) {
            self.kill_at = None;
            signal(context, libc::SIGKILL);
        }
        if turn == Turn::Again && until.is_some_and(|until| until <= Instant::now()) {
            return Turn::Ended;
        }
        turn
    }

    fn wait(&self, process: Option<&OwnedFd>, until: Option<Instant>) -> Vec<Place> {
        let mut places = Vec::new();
        let mut watched = Vec::new();
        let mut watch = |place, descriptor, flags| {
            places.push(place);
            watched.push(PollFd::from_borrowed_fd(descriptor, flags));
        };
        if let Some(process) = process {
            watch(Place::Process, process.as_fd(), PollFlags::IN);
        }
        if let Some(listener) = &self.listener {
            watch(Place::Listener, listener.as_fd(), PollFlags::IN);
        }
        if !self.clients.iter().any(|client| client.attached && client.is_full()) {
            for (index, output) in self.outputs.iter().enumerate() {
                watch(Place::Output(index), output.end.as_fd(), PollFlags::IN);
            }
        }
        if let Some(input) = self.input.waits_for() {
            watch(Place::Input, input, PollFlags::OUT);
        }
        for (index, client) in self.clients.iter().enumerate() {
            let mut flags = PollFlags::empty();
            if !(client.feeds && self.input.is_full()) {
                flags |= PollFlags::IN;
            }
            if client.has_something_waiting() {
                flags |= PollFlags::OUT;
            }
            watch(Place::Client(index), client.socket.as_fd(), flags);
        }
        let deadline = [until, self.kill_at].into_iter().flatten().min();
        let timeout = deadline.map(|at| timespec(at.saturating_duration_since(Instant::now())));
        match rustix::event::poll(&mut watched, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            // Memory is short; the next turn may go better, and must not come at once.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
        let ready = places.into_iter().zip(watched).filter(|(_, watched)| !watched.revents().is_empty());
        ready.map(|(place, _)| place).collect()
    }

    fn accept(&mut self) {
        while let Some(Ok((socket, _))) = self.listener.as_ref().map(UnixListener::accept) {
            self.clients.push(Client::new(socket));
        }
    }

    /// Reads a piece of output, keeps it, and passes it on.
    fn pass_output_on(&mut self, index: usize) -> Read {
        let mut piece = [0; PIECE];
        let output = &mut self.outputs[index];
        match rustix::io::read(&output.end, &mut piece) {
            // A terminal that nobody has open any more can't be read.
            Ok(0) | Err(Errno::IO) => output.ended = true,
            Ok(length) => {
                let (stream, piece) = (output.stream, &piece[..length]);
                if let Some(log) = &mut self.log {
                    log.write(stream, piece, SystemTime::now());
                }
                for client in self.clients.iter_mut().filter(|client| client.attached) {
                    client.send_output(stream, piece);
                }
                return Read::Something;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => output.ended = true,
        }
        Read::Nothing
    }

    /// Passes on what a process that has ended still left in its pipes.
    pub(crate) fn drain(&mut self) {
        for index in 0..self.outputs.len() {
            while self.pass_output_on(index) == Read::Something {}
        }
        self.outputs.clear();
        self.terminal = None;
        self.input = Input::default();
        if let Some(log) = &mut self.log {
            log.finish(SystemTime::now());
        }
    }

    /// Does what a client asks.
    fn serve(&mut self, index: usize, context: &mut Context<'_>) -> Turn {
        let mut turn = Turn::Again;
        self.clients[index].flush();
        for frame in self.clients[index].receive() {
            match frame {
                FromClient::Input(bytes) => self.input.push(&bytes),
                FromClient::InputEnds => self.input_ends(),
                FromClient::Request(request) => {
                    if matches!(request, Request::Stop { .. } | Request::Signal(libc::SIGKILL)) {
                        turn = Turn::Stop;
                    }
                    if let Some(answer) = self.carry_out(request, index, context) {
                        self.clients[index].send(&FromMonitor::Answer(answer));
                    }
                }
            }
        }
        turn
    }

    fn carry_out(&mut self, request: Request, index: usize, context: &mut Context<'_>) -> Option<Answer> {
        match request {
            Request::Attach { stdin } => {
                self.clients[index].attached = true;
                self.clients[index].feeds = stdin;
                None
            }
            Request::Wait => None,
            Request::Begin => {
                self.begun = true;
                None
            }
            Request::Exec(exec) => {
                self.streams = exec.streams;
                self.exec = Some(exec);
                None
            }
            Request::Stop { signal: wanted, timeout } => {
                let own = signals::parse(&context.config.care.stop_signal);
                let timeout = timeout.or(context.config.care.stop_timeout).unwrap_or(DEFAULT_STOP_TIMEOUT);
                self.kill_at = Instant::now().checked_add(Duration::from_secs(timeout));
                context.state.stopped_by_hand = true;
                go_on(context);
                signal(context, wanted.or(own).unwrap_or(libc::SIGTERM));
                None
            }
            Request::Signal(number) => {
                if number == libc::SIGKILL {
                    context.state.stopped_by_hand = true;
                    go_on(context);
                }
                signal(context, number);
                Some(Answer::Done)
            }
            Request::Pause => Some(freeze(context, cgroup::Freezer::Frozen)),
            Request::Unpause => Some(freeze(context, cgroup::Freezer::Thawed)),
            Request::Resize { rows, columns } => {
                self.size = Some((rows, columns));
                self.apply_size();
                None
            }
        }
    }

    fn apply_size(&self) {
        if let (Some(terminal), Some((rows, columns))) = (&self.terminal, self.size) {
            let _ = terminal::set_size(terminal, rows, columns);
        }
    }

    fn input_ends(&mut self) {
        if matches!(self.streams, Streams::Monitor { tty: false, stdin_once: true, .. }) {
            self.input.end();
        }
    }

    fn forget_the_gone(&mut self, context: &mut Context<'_>) {
        self.outputs.retain(|output| !output.ended);
        let is_first_gone = self.has_caller && self.clients.first().is_some_and(|caller| caller.gone);
        let fed = self.clients.iter().any(|client| client.gone && client.feeds);
        let caller_gone = self.clients.first().is_some_and(|caller| caller.gone);
        self.clients.retain(|client| !client.gone);
        if is_first_gone {
            self.has_caller = false;
        }
        if fed {
            self.input_ends();
        }
        if caller_gone && self.streams == Streams::Caller && context.state.pid.is_some() {
            // Nobody is left who would know how it ends.
            context.state.stopped_by_hand = true;
            signal(context, libc::SIGKILL);
        }
    }

    /// Tells all who are connected how it went, and waits until they know.
    pub(crate) fn say_farewell(mut self, outcome: &Answer) {
        self.accept();
        self.listener = None;
        for client in &mut self.clients {
            client.send(&FromMonitor::Answer(outcome.clone()));
        }
        for client in &mut self.clients {
            client.flush_all();
        }
    }
}

/// Whether a piece of output was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Something,
    Nothing,
}

fn timespec(duration: Duration) -> Timespec {
    // A little later rather than a little earlier, which would be another turn.
    let duration = duration + Duration::from_millis(1);
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// Sends a signal to the container's process, if it has one.
fn signal(context: &Context<'_>, number: i32) {
    if let Some(pid) = context.state.pid.and_then(Pid::from_raw) {
        // It is this process's child and not waited for yet, so the number is still its own.
        signals::send(pid, number);
    }
}

/// Lets a container that stands still go on, or no signal would reach it.
fn go_on(context: &mut Context<'_>) {
    if context.state.status == Status::Paused {
        freeze(context, cgroup::Freezer::Thawed);
    }
}

fn freeze(context: &mut Context<'_>, to: cgroup::Freezer) -> Answer {
    let (from, result, verb) = match to {
        cgroup::Freezer::Frozen => (Status::Running, Status::Paused, "running"),
        cgroup::Freezer::Thawed => (Status::Paused, Status::Running, "paused"),
    };
    if context.state.status != from {
        return Answer::Refused(format!("it is not {verb}"));
    }
    match cgroup::freeze(&context.config.id, to) {
        Ok(()) => {
            context.state.status = result;
            let _ = context.folder.write_state(context.state);
            Answer::Done
        }
        Err(error) => Answer::Refused(error.to_string()),
    }
}
