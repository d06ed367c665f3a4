//! Programs of the initial files, as tests run them.
#![allow(dead_code, reason = "each test file uses a part of this")]

use alloc::sync::Arc;

use kapi::{Errno, OpenFlags};
use kernel::fs::{self, OpenFile, Place};
use kernel::process::{self, Exit, Process, Role, Start, Terminal};

/// Words that a program is called with at most.
const WORDS: usize = 4;

pub fn null() -> OpenFile {
    fs::open(&Place::root(), "/dev/null", OpenFlags::READ | OpenFlags::WRITE, 0).unwrap()
}

/// How the program ends that is called with these words, the first of which is its path.
pub fn run(words: &[&str]) -> Result<Exit, Errno> {
    run_into(words, null())
}

/// As [`run`], with `output` as the program's standard output.
pub fn run_into(words: &[&str], output: OpenFile) -> Result<Exit, Errno> {
    begin(words, output)?.wait_ended()
}

/// The program that is called with these words, when it has begun.
pub fn begin(words: &[&str], output: OpenFile) -> Result<Arc<Process>, Errno> {
    let mut arguments = [b"".as_slice(); WORDS];
    words.iter().zip(&mut arguments).for_each(|(word, argument)| *argument = word.as_bytes());
    let start = Start {
        path: words[0],
        arguments: &arguments[..words.len()],
        environment: &[],
        streams: [null(), output, null()],
        place: Place::root(),
        terminal: Terminal::Left,
        role: Role::Ordinary,
    };
    process::start(start)
}
