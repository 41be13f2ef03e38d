//! Terminals: a real one on the caller's side.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::machine::{IMAGE, Machine};

/// A command with a terminal, of which this is the other side.
struct Terminal {
    ours: File,
    child: Child,
    seen: String,
}

impl Terminal {
    /// A command that starts a shell.
    fn new(machine: &Machine, arguments: &str) -> Self {
        let mut terminal = Self::attached(machine, arguments);
        // A shell that has just started throws away what was typed before.
        terminal.sees("/ # ");
        terminal
    }

    fn attached(machine: &Machine, arguments: &str) -> Self {
        let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        rustix::pty::grantpt(&ours).expect("a terminal");
        rustix::pty::unlockpt(&ours).expect("a terminal");
        set_size(&ours, 33, 77);
        let name = rustix::pty::ptsname(&ours, Vec::new()).expect("a terminal");
        let open = || {
            File::options().read(true).write(true).open(name.to_str().expect("a path")).expect("a terminal")
        };
        let mut command = machine.call(arguments).into_command();
        command.stdin(open()).stdout(open()).stderr(open()).process_group(0);
        let child = command.spawn().expect("starting berth");
        rustix::io::ioctl_fionbio(&ours, true).expect("a terminal");
        Self { ours: ours.into(), child, seen: String::new() }
    }

    fn type_keys(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).expect("typing");
    }

    /// Waits until this was printed.
    fn sees(&mut self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.seen.contains(words) {
            assert!(Instant::now() < deadline, "no {words:?} in {:?}", self.seen);
            let mut bytes = [0; 4096];
            match self.ours.read(&mut bytes) {
                Ok(length) => self.seen.push_str(&String::from_utf8_lossy(&bytes[..length])),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        self.seen = self.seen.split_off(self.seen.find(words).unwrap_or_default() + words.len());
    }

    fn code(mut self) -> Option<i32> {
        self.child.wait().expect("waiting for berth").code()
    }
}

fn set_size(terminal: &OwnedFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(terminal.as_fd(), size).expect("setting a size");
}

#[test]
fn a_shell_on_a_terminal_knows_its_size_and_how_it_ends() {
    let machine = Machine::new();
    let mut terminal = Terminal::new(&machine, &format!("run --rm -it --network none {IMAGE} sh"));
    terminal.type_keys("stty size; echo 'a'b\n");
    terminal.sees("33 77");
    terminal.sees("ab");
    terminal.type_keys("ls -l /dev/console; exit 6\n");
    terminal.sees("crw");
    assert_eq!(terminal.code(), Some(6));
}

#[test]
fn the_detach_keys_leave_it_running_and_attach_comes_back() {
    let machine = Machine::new();
    let mut terminal = Terminal::new(&machine, &format!("run -it --network none --name web {IMAGE} sh"));
    terminal.type_keys("echo 'fi'rst\n");
    terminal.sees("first");
    terminal.type_keys("\u{10}\u{11}");
    assert_eq!(terminal.code(), Some(0));
    assert_eq!(machine.inspect("web")["State"]["Running"], true);
    let mut terminal = Terminal::attached(&machine, "attach web");
    terminal.type_keys("\n");
    terminal.sees("/ # ");
    terminal.type_keys("echo 'sec'ond; exit 3\n");
    terminal.sees("second");
    assert_eq!(terminal.code(), Some(3));
}

#[test]
fn exec_has_a_terminal_of_its_own() {
    let machine = Machine::new();
    machine.sleeper("web", "");
    let mut terminal = Terminal::new(&machine, "exec -it web sh");
    terminal.type_keys("stty size; echo 'a'b; exit 5\n");
    terminal.sees("33 77");
    terminal.sees("ab");
    assert_eq!(terminal.code(), Some(5));
}
