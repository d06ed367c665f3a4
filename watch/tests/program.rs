//! The program itself, at a terminal and without one.
//!
//! Its machine is one that was made up.

mod common;

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::Machine;
use common::terminal::{PATIENCE, Terminal, WATCH, is_given_back, modes};
use nix::sys::signal::{Signal, kill};

fn runner() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/runner.sh")
}

/// A directory that goes when this is dropped.
struct Directory(PathBuf);

impl Deref for Directory {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // It may be gone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A directory of its own, with the memory of a machine.
fn directory(name: &str) -> Directory {
    let directory = std::env::temp_dir().join(format!("scullery-watch-{}-{name}", std::process::id()));
    fs::create_dir_all(&directory).expect("room");
    let mut machine = Machine::new();
    machine.mark(1, "moment");
    fs::write(directory.join("image"), machine.bytes).expect("room");
    Directory(directory)
}

#[test]
fn keys_go_to_the_console_or_to_the_map() {
    let directory = directory("keys");
    let mut terminal = Terminal::start(&[Path::new("run"), &runner(), &directory.join("image")]);
    terminal.expect("booted");
    terminal.expect("MiB free");
    terminal.press(b"hello\r");
    terminal.expect("got hello");
    terminal.press(b"\x1bOQ");
    terminal.expect("picture 1 of 1");
    terminal.press(b"\x1dh");
    terminal.expect("end the machine");
    terminal.press(b"\x1b[18~\x1b[C");
    terminal.expect("arrows move, F7 ends");
    terminal.press(b"\x1b[18~\x1bOQ");
    terminal.expect("live");
    let screen = terminal.wait("the figures", |screen| screen.contains("size-64") && screen.contains("got hello"));
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/terminal.txt");
    // The line of free memory goes on as time does.
    let still: String =
        screen.lines().filter(|line| !line.contains("█")).map(|line| line.trim_end().to_owned() + "\n").collect();
    if std::env::var_os("GOLDEN").is_some() {
        fs::write(&golden, &still).expect("room");
    }
    assert_eq!(still, fs::read_to_string(&golden).expect("it is in the tree"));
    terminal.press(b"bye\r");
    let (status, sent) = terminal.end();
    assert_eq!(status, Some(0));
    assert!(is_given_back(&sent), "{:?}", String::from_utf8_lossy(&sent));
    // What the console said last stays.
    assert!(String::from_utf8_lossy(&sent).rsplit("1049l").next().is_some_and(|end| end.contains("got hello")));
}

/// The lines of the console, below the status.
fn console(screen: &str) -> Vec<String> {
    screen.lines().skip_while(|line| !line.contains("| F8 help")).skip(1).map(|line| line.trim_end().into()).collect()
}

/// What the console shows from one of the runner's lines on to another, and what stands behind.
fn numbered(first: usize, last: usize, behind: &[&str]) -> Vec<String> {
    let lines = (first..=last).map(|line| format!("line {line}"));
    lines.chain(behind.iter().map(|&line| line.to_owned())).collect()
}

#[test]
fn the_console_goes_back_and_fits_its_window() {
    let directory = directory("window");
    let mut terminal = Terminal::start(&[Path::new("run"), &runner(), &directory.join("image")]);
    terminal.expect("booted");
    terminal.press(b"lines\r");
    let shows =
        |terminal: &mut Terminal, what: &str, lines: &[String]| terminal.wait(what, |screen| console(screen) == lines);
    shows(&mut terminal, "the end", &numbered(20, 30, &["#"]));
    // Half a screen up, by the key and by its letter, and down again.
    terminal.press(b"\x1b[5~");
    terminal.expect(" live, 6 lines back");
    shows(&mut terminal, "half a screen back", &numbered(14, 25, &[]));
    terminal.press(b"\x1du");
    terminal.expect(" live, 12 lines back");
    shows(&mut terminal, "a screen back", &numbered(8, 19, &[]));
    terminal.press(b"\x1b[6~");
    shows(&mut terminal, "half a screen back", &numbered(14, 25, &[]));
    terminal.press(b"\x1b[6~");
    shows(&mut terminal, "the end", &numbered(20, 30, &["#"]));
    // The map, the panel and the console have their places on the new screen.
    for (rows, columns, panel) in [(16, 100, 72), (30, 120, 80)] {
        terminal.resize(rows, columns);
        terminal.wait("the panel", |screen| screen.split("Dma").next().map(|map| map.chars().count()) == Some(panel));
        let top = usize::from(rows - rows / 2 - 1);
        terminal.wait("the status", |screen| screen.lines().position(|line| line.contains("| F8 help")) == Some(top));
        shows(&mut terminal, "the console", &numbered(24, 30, &["#"]));
    }
    terminal.press(b"hello\r");
    shows(&mut terminal, "more", &numbered(24, 30, &["# hello", "got hello", "#"]));
    terminal.press(b"bye\r");
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn the_terminal_comes_back_however_it_ends() {
    let directory = directory("ends");
    let image = directory.join("image");
    let start = || {
        let mut terminal = Terminal::start(&[Path::new("run"), &runner(), &image]);
        terminal.expect("booted");
        terminal
    };
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let terminal = start();
        kill(terminal.pid(), signal).expect("it runs");
        let (status, sent) = terminal.end();
        assert!(status == Some(2) && is_given_back(&sent), "{signal}");
    }
    let mut terminal = start();
    terminal.press(b"\x1dq");
    let (status, sent) = terminal.end();
    assert!(status == Some(0) && is_given_back(&sent));
    let mut terminal = start();
    terminal.press(b"fail\r");
    let (status, sent) = terminal.end();
    assert!(status == Some(1) && is_given_back(&sent));
}

#[test]
fn a_killed_program_leaves_the_terminal_as_it_was() {
    let directory = directory("killed");
    let image = directory.join("image");
    // The one that draws: the other gives the terminal back.
    let mut terminal = Terminal::start(&[Path::new("run"), &runner(), &image]);
    let before = terminal.before;
    terminal.expect("booted");
    assert_ne!(modes(&terminal.slave), before, "no raw mode");
    kill(terminal.children()[0], Signal::SIGKILL).expect("it runs");
    let slave = terminal.slave.try_clone().expect("a descriptor");
    let (status, sent) = terminal.end();
    assert!(status == Some(2) && is_given_back(&sent), "{status:?}");
    assert_eq!(modes(&slave), before);
    // The one that waits: then the one that draws ends by itself.
    let mut terminal = Terminal::start(&[Path::new("run"), &runner(), &image]);
    terminal.expect("booted");
    kill(terminal.pid(), Signal::SIGKILL).expect("it runs");
    let until = Instant::now() + PATIENCE;
    while modes(&terminal.slave) != before {
        assert!(Instant::now() < until, "the terminal stays raw");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(is_given_back(&terminal.end().1));
}

#[test]
fn a_machine_that_dies_gives_the_terminal_back() {
    let directory = directory("dies");
    let mut terminal = Terminal::start(&[Path::new("run"), &runner(), &directory.join("image")]);
    terminal.expect("booted");
    terminal.press(b"die\r");
    let (status, sent) = terminal.end();
    assert!(status == Some(2) && is_given_back(&sent), "{status:?}");
}

#[test]
fn a_recording_is_played_with_its_console() {
    let directory = directory("played");
    let (image, record) = (directory.join("image"), directory.join("record"));
    let output = without_terminal(&[Path::new("run"), &runner(), &image, &record], "first\nmark\nsecond\nbye\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("got second"), "{output:?}");
    let mut terminal = Terminal::start(&[Path::new("replay"), &record]);
    terminal.expect("got second");
    terminal.expect(" played to the end ");
    // The marked moment is the last that was kept: nothing changed behind it. Nobody had said that yet.
    terminal.press(b"\x1bOQ");
    terminal.wait("the marked moment", |text| text.contains("[moment]") && !text.contains("got second"));
    terminal.expect("got first");
    // There is no machine that could be ended.
    terminal.press(b"\x1b[19~");
    terminal.wait("the keys", |text| text.contains("q leave") && !text.contains("machine"));
    terminal.press(b"q");
    let (status, sent) = terminal.end();
    assert!(status == Some(0) && is_given_back(&sent), "{status:?}");
}

fn without_terminal(operands: &[&Path], input: &str) -> Output {
    let mut command = Command::new(WATCH);
    command.args(operands).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[test]
fn marked_moments_are_recorded_and_drawn() {
    let directory = directory("marks");
    let (image, record, out) = (directory.join("image"), directory.join("record"), directory.join("out"));
    let output = without_terminal(&[Path::new("run"), &runner(), &image, &record], "mark\nmark\nbye\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((text.matches("marked").count(), text.contains('\x1b')), (2, false), "{text}");
    let listed = without_terminal(&[Path::new("replay"), &record], "");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(listed.lines().filter(|line| line.contains(" moment ")).count(), 2, "{listed}");
    let drawn = without_terminal(&[Path::new("picture"), &record, &out], "");
    assert_eq!(drawn.status.code(), Some(0), "{drawn:?}");
    let svg = fs::read_to_string(out.join("moment.svg")).expect("it was drawn");
    assert!(svg.contains("moment: 16 MiB"));
    assert!(out.join("strip.svg").exists());
    let failed = without_terminal(&[Path::new("run"), &runner(), &image], "fail\n");
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn a_recording_that_is_none_is_refused() {
    let directory = directory("refused");
    let record = directory.join("record");
    fs::write(&record, b"no recording").expect("room");
    for operands in [[Path::new("replay"), &record].as_slice(), &[Path::new("picture"), &record, &directory]] {
        let output = without_terminal(operands, "");
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("this is no recording"), "{output:?}");
    }
    let output = without_terminal(&[Path::new("replay"), &directory.join("missing")], "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("RECORD="));
}
