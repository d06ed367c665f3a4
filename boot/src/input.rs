//! What goes to the guest: standard input, held back until the guest reads.
//!
//! At its end it is sent ^D.

use std::io::{self, IsTerminal, Read, Write};

use crate::settings::Settings;

/// Ends the input of whatever reads the console; on an empty line of the shell it powers off.
const END_OF_INPUT: u8 = 0x04;
/// QEMU's own key sequence on a terminal: the machine is switched off.
const QUIT: &[u8] = b"\x01x";
const CHUNK: usize = 4096;

/// Where the lines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A person.
    Terminal,
    /// A pipe or a file on standard input.
    Pipe,
    /// A script that the guest finds in fw_cfg; standard input stays untouched.
    Script,
}

/// Bytes on their way from standard input to the guest.
#[derive(Debug)]
pub struct Input {
    source: Source,
    at_end: bool,
    waiting: Vec<u8>,
    /// The last bytes taken from the source, for the key sequence and the last line's end.
    tail: Vec<u8>,
}

impl Input {
    /// Standard input, or nothing if the settings name a script.
    pub fn new(settings: &Settings) -> Self {
        let source = match &settings.script {
            Some(_) => Source::Script,
            None if io::stdin().is_terminal() => Source::Terminal,
            None => Source::Pipe,
        };
        Self::from(source)
    }

    fn from(source: Source) -> Self {
        Self { source, at_end: source == Source::Script, waiting: Vec::new(), tail: Vec::new() }
    }

    /// Where the lines come from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Whether more may be read now without piling up: a pipe can wait, a person's keys are wanted at once.
    pub fn wants_more(&self) -> bool {
        !self.at_end && (self.waiting.is_empty() || self.source == Source::Terminal)
    }

    /// Whether there is something to send.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the source has no more.
    pub fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Whether all of a pipe, its ^D included, has gone to the guest.
    pub fn is_spent(&self) -> bool {
        self.source == Source::Pipe && self.at_end && self.waiting.is_empty()
    }

    /// Whether the last keys were the sequence that switches the machine off.
    pub fn quit_was_typed(&self) -> bool {
        self.source == Source::Terminal && self.tail.ends_with(QUIT)
    }

    /// Takes what the source has; at its end, completes the last line and adds ^D.
    pub fn read(&mut self, source: &mut impl Read) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        let count = source.read(&mut chunk)?;
        if count == 0 {
            self.end();
        } else {
            self.waiting.extend_from_slice(&chunk[..count]);
            self.tail.extend_from_slice(&chunk[..count]);
            self.tail.drain(..self.tail.len().saturating_sub(QUIT.len()));
        }
        Ok(())
    }

    /// Adds another ^D: whatever ran last may have taken the first for itself.
    pub fn end_again(&mut self) {
        self.waiting.push(END_OF_INPUT);
    }

    /// Sends what the guest takes; returns the number of bytes sent.
    pub fn send(&mut self, guest: &mut impl Write) -> io::Result<usize> {
        match guest.write(&self.waiting) {
            Ok(count) => {
                self.waiting.drain(..count);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn end(&mut self) {
        self.at_end = true;
        let inside_line = !matches!(self.tail.last(), None | Some(b'\n' | b'\r'));
        if inside_line {
            self.waiting.push(b'\n');
        }
        self.waiting.push(END_OF_INPUT);
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, Source};

    fn sent(source: Source, mut text: &[u8]) -> Vec<u8> {
        let mut input = Input::from(source);
        let mut guest = Vec::new();
        while input.wants_more() {
            input.read(&mut text).expect("a slice reads");
            while input.has_waiting() {
                input.send(&mut guest).expect("a vector takes all");
            }
        }
        guest
    }

    #[test]
    fn end_of_pipe_becomes_control_d_on_a_line_of_its_own() {
        assert_eq!(sent(Source::Pipe, b"true\n"), b"true\n\x04");
        assert_eq!(sent(Source::Pipe, b"true"), b"true\n\x04");
        assert_eq!(sent(Source::Pipe, b""), b"\x04");
    }

    #[test]
    fn a_script_leaves_standard_input_alone() {
        assert_eq!(sent(Source::Script, b"true\n"), b"");
    }

    #[test]
    fn quit_keys_count_on_a_terminal_only() {
        for (source, quits) in [(Source::Terminal, true), (Source::Pipe, false)] {
            let mut input = Input::from(source);
            input.read(&mut b"ls\x01x".as_slice()).expect("a slice reads");
            assert_eq!(input.quit_was_typed(), quits);
        }
    }
}
