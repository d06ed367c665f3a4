//! Dialogues: keys typed at a terminal, and what must show between them.
//!
//! A file under tests/dialogues/ is a header as a transcript's, and what a person and the machine say in turn:
//!
//! ```text
//! # What it shows, in words.
//! machine: PROGRAMS=busybox APPEND="init=/bin/sh"
//! --- dialogue
//! expect: #
//! type: echo ready; cat\r
//! expect: ready
//! type: ^C
//! ```
//!
//! `expect` waits until the words show behind what was expected last, whatever comes between; `type` types bytes: `^C`
//! is a control character, `\r`, `\n`, `\t`, `\e`, `\\` and `\^` are what they are elsewhere. Escape
//! sequences and carriage returns do not show. At the end the machine is switched off.
//!
//! The runner has a terminal of 80 by 24 of its own as it would have a person's, so all that lies between a key and the
//! guest is tried as well.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::pty::{Winsize, openpty};

use crate::cargo;
use crate::guest::{self, Mode};
use crate::machine::{self, Machine};
use crate::parallel::Job;
use crate::results::TestResult;

const DIRECTORY: &str = "tests/dialogues";
/// How long anything may take to show, on a busy host.
const PATIENCE: Duration = Duration::from_secs(100);
/// Switches the machine off, whatever runs in it.
const QUIT: &[u8] = b"\x01x";
const WINDOW: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Turn {
    Expect(String),
    Type(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Dialogue {
    machines: Vec<Machine>,
    turns: Vec<Turn>,
}

/// One job for each machine of each dialogue.
pub fn jobs() -> Result<Vec<Job>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(DIRECTORY).with_context(|| format!("cannot list {DIRECTORY}"))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut jobs = Vec::new();
    for path in paths {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path)?;
        jobs.extend(jobs_of(&format!("dialogue::{stem}"), &text).with_context(|| path.display().to_string())?);
    }
    Ok(jobs)
}

/// One job for each machine of a dialogue.
pub fn jobs_of(title: &str, text: &str) -> Result<Vec<Job>> {
    let dialogue = parse(text)?;
    let job = |machine: Machine| {
        let name = format!("{title}{}", machine.suffix());
        let (title, turns) = (name.clone(), dialogue.turns.clone());
        Job { name, work: Box::new(move || hold(title, &machine, &turns)) }
    };
    Ok(dialogue.machines.into_iter().map(job).collect())
}

fn parse(text: &str) -> Result<Dialogue> {
    let (header, turns) = text.split_once("--- dialogue\n").context("no line `--- dialogue`")?;
    for line in header.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if !line.starts_with("machine:") && !line.starts_with("no-highmem:") {
            bail!("{line:?} is not understood");
        }
    }
    let machines = machine::all_in(header, "machine:")?;
    let turns = turns.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).map(turn);
    Ok(Dialogue { machines, turns: turns.collect::<Result<_>>()? })
}

fn turn(line: &str) -> Result<Turn> {
    match line.split_once(": ") {
        Some(("expect", words)) => Ok(Turn::Expect(words.to_owned())),
        Some(("type", keys)) => Ok(Turn::Type(bytes(keys)?)),
        _ => bail!("{line:?} is neither `expect: WORDS` nor `type: KEYS`"),
    }
}

/// What the keys send.
fn bytes(keys: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = keys.chars();
    while let Some(key) = rest.next() {
        let mut next = || rest.next().with_context(|| format!("nothing behind {key} in {keys:?}"));
        match key {
            '^' => bytes.push(match next()? {
                '?' => 0x7f,
                letter => u8::try_from(letter)? & 0x1f,
            }),
            '\\' => bytes.push(match next()? {
                'r' => b'\r',
                'n' => b'\n',
                't' => b'\t',
                'e' => 0x1b,
                other => u8::try_from(other)?,
            }),
            _ => bytes.extend(key.to_string().as_bytes()),
        }
    }
    Ok(bytes)
}

/// Boots the machine and holds the dialogue.
fn hold(title: String, machine: &Machine, turns: &[Turn]) -> Result<(Vec<TestResult>, String)> {
    let kernel = cargo::target_dir().join("x86_64-kernel/kernel/kernel");
    let mut terminal = Terminal::start(&kernel, machine)?;
    let failure = turns.iter().find_map(|turn| match turn {
        Turn::Type(bytes) => terminal.types(bytes).err().map(|error| format!("{error:#}")),
        Turn::Expect(words) => terminal.expect(words).err().map(|error| format!("{error:#}")),
    });
    let shown = terminal.end();
    let result = match failure {
        None => TestResult::ok(title),
        Some(failure) => TestResult::failed(title, failure),
    };
    Ok((vec![result], shown))
}

/// The runner at a terminal of its own.
struct Terminal {
    runner: Child,
    keys: File,
    arriving: Receiver<Vec<u8>>,
    screen: Screen,
    /// How much of what has shown was expected already.
    seen: usize,
}

impl Terminal {
    fn start(kernel: &Path, machine: &Machine) -> Result<Self> {
        let pair = openpty(&WINDOW, None).context("no terminal")?;
        let duplicate = |end: &OwnedFd| end.try_clone().map(Stdio::from);
        let mut command = guest::command(Mode::Run, kernel, machine)?;
        command.stdin(duplicate(&pair.slave)?).stdout(duplicate(&pair.slave)?).stderr(duplicate(&pair.slave)?);
        let runner = command.spawn().context("cannot start the runner")?;
        // Only the runner has that end from here on: when it is gone, so is the terminal.
        drop((command, pair.slave));
        let mut output = File::from(pair.master.try_clone()?);
        let (sender, arriving) = mpsc::channel();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                if sender.send(chunk[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { runner, keys: File::from(pair.master), arriving, screen: Screen::default(), seen: 0 })
    }

    fn types(&mut self, bytes: &[u8]) -> Result<()> {
        self.keys.write_all(bytes).context("the terminal is gone")
    }

    /// Waits until `words` show behind what was expected last.
    fn expect(&mut self, words: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // What was seen may have been rubbed out since.
            self.seen = self.screen.text.floor_char_boundary(self.seen);
            if let Some(at) = self.screen.text[self.seen..].find(words) {
                self.seen += at + words.len();
                return Ok(());
            }
            match self.arriving.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.show(&bytes),
                Err(RecvTimeoutError::Timeout) => bail!("{words:?} did not show in {} s", PATIENCE.as_secs()),
                Err(RecvTimeoutError::Disconnected) => bail!("the machine ended before {words:?} showed"),
            }
        }
    }

    /// Switches the machine off; all that it has shown.
    fn end(mut self) -> String {
        // It may be off already.
        let _ = self.keys.write_all(QUIT);
        while let Ok(bytes) = self.arriving.recv_timeout(PATIENCE) {
            self.screen.show(&bytes);
        }
        // The runner ends with the machine; if it does not, nothing else is lost.
        let _ = self.runner.kill();
        let _ = self.runner.wait();
        self.screen.text
    }
}

/// What has shown, without escape sequences and carriage returns, and without what was rubbed out.
#[derive(Debug, Default)]
struct Screen {
    text: String,
    sequence: Sequence,
    /// The bytes of a character that is not complete.
    part: Vec<u8>,
}

/// How far an escape sequence has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    Escape,
    Control,
}

impl Screen {
    fn show(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.sequence = match (self.sequence, byte) {
                (_, 0x1b) => Sequence::Escape,
                (Sequence::Escape, b'[') => Sequence::Control,
                (Sequence::Escape, _) | (Sequence::Control, 0x40..=0x7e) => Sequence::None,
                (Sequence::Control, _) => Sequence::Control,
                (Sequence::None, b'\r') => Sequence::None,
                (Sequence::None, 0x08) => {
                    self.text.pop();
                    Sequence::None
                }
                (Sequence::None, _) => {
                    self.put(byte);
                    Sequence::None
                }
            };
        }
    }

    fn put(&mut self, byte: u8) {
        self.part.push(byte);
        match std::str::from_utf8(&self.part) {
            Ok(text) => self.text.push_str(text),
            Err(error) if error.error_len().is_none() => return,
            Err(_) => self.text.push('\u{fffd}'),
        }
        self.part.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Screen, Turn, bytes, parse};

    #[test]
    fn a_dialogue_has_turns() {
        let text = "# Words.\nmachine: MEM=64M\n--- dialogue\nexpect: # \ntype: ls\\r\n# A comment.\n";
        let dialogue = parse(text).expect("well formed");
        assert_eq!(dialogue.turns, [Turn::Expect("# ".into()), Turn::Type(b"ls\r".to_vec())]);
        assert!(parse("--- dialogue\nsay: hello\n").is_err() && parse("status: 1\n--- dialogue\n").is_err());
    }

    #[test]
    fn keys_have_names() {
        assert_eq!(bytes("a^C^Z\\e[A\\^\\\\\\t^?").expect("well formed"), b"a\x03\x1a\x1b[A^\\\t\x7f");
        assert!(bytes("a^").is_err());
    }

    #[test]
    fn escape_sequences_do_not_show() {
        let mut screen = Screen::default();
        screen.show(b"\x1b[1;32m# \x1b[0m\x1b[6nl\xc3");
        screen.show(b"\xa4s\r\n\x1b7\xffy\x08 \x08x");
        assert_eq!(screen.text, "# l\u{e4}s\n\u{fffd}x");
    }
}
