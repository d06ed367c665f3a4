//! The program at a terminal.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{InputFlags, LocalFlags, tcgetattr};
use nix::unistd::Pid;

pub const WATCH: &str = env!("CARGO_BIN_EXE_watch");
/// The longest wait for something to show, on a busy host.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a terminal treats keys.
pub fn modes(terminal: &OwnedFd) -> (InputFlags, LocalFlags) {
    let modes = tcgetattr(terminal).expect("a terminal");
    (modes.input_flags, modes.local_flags)
}

/// The program at a terminal of 80 by 24.
pub struct Terminal {
    pub child: Child,
    /// The terminal's other side.
    pub slave: OwnedFd,
    /// How it treated keys before the program started.
    pub before: (InputFlags, LocalFlags),
    keys: File,
    sent: Receiver<Vec<u8>>,
    pub screen: vt100::Parser,
    all: Vec<u8>,
}

impl Terminal {
    pub fn start(operands: &[&Path]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(Some(&size), None).expect("a terminal");
        // So that it hangs up when this test ends, however.
        fcntl(&terminal.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("a descriptor");
        let slave = || Stdio::from(terminal.slave.try_clone().expect("a descriptor"));
        let mut command = Command::new(WATCH);
        command.args(operands).stdin(slave()).stdout(slave()).stderr(slave()).env_remove("COLORTERM");
        let before = modes(&terminal.slave);
        let child = command.spawn().expect("it starts");
        drop(command);
        let keys = File::from(terminal.master);
        let mut from = keys.try_clone().expect("a descriptor");
        let (to, sent) = channel();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                if to.send(chunk[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            slave: terminal.slave,
            before,
            keys,
            sent,
            screen: vt100::Parser::new(24, 80, 0),
            all: Vec::new(),
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Its children.
    pub fn children(&self) -> Vec<Pid> {
        let pid = self.child.id();
        let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
    }

    pub fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).expect("it reads");
    }

    /// Makes the terminal so large, as its window would.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let slave = Stdio::from(self.slave.try_clone().expect("a descriptor"));
        let sizes = ["rows", &rows.to_string(), "cols", &columns.to_string()];
        assert!(Command::new("stty").args(sizes).stdin(slave).status().expect("it starts").success());
        self.screen.screen_mut().set_size(rows, columns);
        // The terminal is nobody's own here, so that it signals nobody.
        kill(self.children()[0], Signal::SIGWINCH).expect("it runs");
    }

    /// Waits until the screen is as it should be.
    pub fn wait(&mut self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.screen.screen().contents();
            if is_there(&text) {
                return text;
            }
            assert!(Instant::now() < until, "{what} does not show:\n{text}");
            self.listen();
        }
    }

    /// Takes what was sent by now, or a moment later.
    pub fn listen(&mut self) {
        if let Ok(bytes) = self.sent.recv_timeout(Duration::from_millis(50)) {
            self.screen.process(&bytes);
            self.all.extend_from_slice(&bytes);
        }
    }

    pub fn expect(&mut self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Waits for the end: the status, and all that was sent to the terminal.
    pub fn end(mut self) -> (Option<i32>, Vec<u8>) {
        let status = self.child.wait().expect("it ends");
        while let Ok(bytes) = self.sent.recv_timeout(Duration::from_millis(500)) {
            self.all.extend_from_slice(&bytes);
        }
        (status.code(), self.all)
    }
}

/// Whether the terminal is as it was: its screen, its cursor.
pub fn is_given_back(sent: &[u8]) -> bool {
    let at = |needle: &[u8]| sent.windows(needle.len()).rposition(|window| window == needle);
    at(b"\x1b[?1049l") > at(b"\x1b[?1049h") && at(b"\x1b[?25h") > at(b"\x1b[?25l")
}
