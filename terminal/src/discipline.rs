//! The discipline: what becomes of each byte, when a read may have what.

use signals::Signal;

use crate::echo;
use crate::edit::Editing;
use crate::output::{Column, Wire};
use crate::queue::{CAPACITY, Peek, Position, Queue};
use crate::termios::{InputModes, Key, LocalModes, Termios};

/// How long a read waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// For a line.
    Line,
    /// For so many bytes, or for as many as the read has room for.
    Bytes(usize),
    /// For so many bytes, and behind the first no longer than so many tenths of a second for each.
    Between(usize, u8),
    /// For a byte, so many tenths of a second at most; 0: not at all.
    Limited(u8),
}

/// A terminal between its wire and its programs.
pub struct Discipline {
    termios: Termios,
    queue: Queue,
    column: Column,
    /// Where the line that is being typed began to show.
    line_start: Column,
    /// The next byte means itself.
    is_literal: bool,
    is_stopped: bool,
}

impl Discipline {
    /// A terminal with the usual modes, and nothing typed.
    pub const fn new() -> Self {
        Self {
            termios: Termios::SANE,
            queue: Queue::new(),
            column: Column(0),
            line_start: Column(0),
            is_literal: false,
            is_stopped: false,
        }
    }

    /// The modes.
    pub const fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Changes the modes. What was typed under the old ones stays; where lines begin, it makes one, and where they end,
    /// all of it can be read.
    pub fn set_termios(&mut self, termios: Termios) {
        match (self.termios.is_canonical(), termios.is_canonical()) {
            (false, true) => self.queue.begin_lines(),
            (true, false) => self.queue.end_lines(),
            _ => {}
        }
        self.is_literal = false;
        self.is_stopped &= termios.input.contains(InputModes::IXON);
        self.termios = termios;
    }

    /// Whether a key has stopped the output.
    pub const fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Stops the output or lets it go on.
    pub const fn set_stopped(&mut self, stopped: bool) {
        self.is_stopped = stopped;
    }

    /// Whether [`receive`](Self::receive) has a use for a byte now: there is room, or what has none is part of a line
    /// too long, and is dropped. Else the byte had better wait where it is.
    pub const fn can_receive(&self) -> bool {
        self.queue.room() > 1 || (self.termios.is_canonical() && !self.queue.has_line())
    }

    /// Takes a byte that was typed; what shows of it goes to `wire`. Returns the signal that it sends, if it does: what
    /// was typed and not read is dropped then, unless the modes keep it.
    pub fn receive(&mut self, byte: u8, wire: &mut impl Wire) -> Option<Signal> {
        let byte = if self.is(InputModes::ISTRIP) { byte & 0x7f } else { byte };
        if core::mem::take(&mut self.is_literal) {
            self.add(byte, wire);
            return None;
        }
        if self.is(InputModes::IXON) && self.controls_output(byte) {
            return None;
        }
        if let Some(signal) = self.signal_of(byte) {
            self.interrupt(byte, wire);
            return Some(signal);
        }
        match byte {
            b'\r' if self.is(InputModes::IGNCR) => {}
            b'\r' if self.is(InputModes::ICRNL) => self.typed(b'\n', wire),
            b'\n' if self.is(InputModes::INLCR) => self.typed(b'\r', wire),
            _ => self.typed(byte, wire),
        }
        None
    }

    /// The signal that a byte sends, by the modes.
    pub const fn signal_of(&self, byte: u8) -> Option<Signal> {
        let termios = &self.termios;
        if !termios.local.contains(LocalModes::ISIG) {
            return None;
        }
        if termios.is_key(byte, Key::Interrupt) {
            Some(Signal::INT)
        } else if termios.is_key(byte, Key::Quit) {
            Some(Signal::QUIT)
        } else if termios.is_key(byte, Key::Suspend) {
            Some(Signal::TSTP)
        } else {
            None
        }
    }

    /// Shows the key of a signal, drops what was typed, and lets output go on: the rest of [`receive`](Self::receive)
    /// for a key that is looked at out of its turn.
    pub fn interrupt(&mut self, byte: u8, wire: &mut impl Wire) {
        self.is_stopped = false;
        if !self.local(LocalModes::NOFLSH) {
            self.clear();
        }
        if self.local(LocalModes::ECHO) {
            echo::visible(byte, &self.termios, &mut self.column, wire);
        }
    }

    /// Drops what was typed and not read.
    pub const fn clear(&mut self) {
        self.queue.clear();
        self.is_literal = false;
    }

    /// Sends what a program writes.
    pub fn write(&mut self, bytes: &[u8], wire: &mut impl Wire) {
        self.column.write(bytes, &self.termios, wire);
    }

    /// Bytes that a program may read (FIONREAD).
    pub fn waiting(&self) -> usize {
        if self.termios.is_canonical() { self.queue.in_lines() } else { self.queue.len() }
    }

    /// Whether a read would not wait.
    pub const fn is_readable(&self) -> bool {
        let least = if self.termios.tenths() == 0 { self.termios.least() } else { 1 };
        if self.termios.is_canonical() { self.queue.has_line() } else { self.has(least) && !self.queue.is_empty() }
    }

    /// Without lines: whether so many bytes wait.
    pub const fn has(&self, bytes: usize) -> bool {
        self.queue.len() >= bytes
    }

    /// How long a read with room for `room` bytes waits.
    pub fn patience(&self, room: usize) -> Patience {
        let (least, tenths) = (self.termios.least(), self.termios.tenths());
        match (self.termios.is_canonical(), least, tenths) {
            (true, ..) => Patience::Line,
            (false, 0, tenths) => Patience::Limited(tenths),
            (false, least, 0) => Patience::Bytes(least.min(room)),
            (false, least, tenths) => Patience::Between(least.min(room), tenths),
        }
    }

    /// Copies what a read may have now; [`take_up_to`](Self::take_up_to) takes it.
    pub fn peek(&self, into: &mut [u8]) -> Peek {
        if self.termios.is_canonical() { self.queue.peek_line(into) } else { self.queue.peek_all(into) }
    }

    /// Where the next read begins.
    pub const fn position(&self) -> Position {
        self.queue.position()
    }

    /// All before `position` was read.
    pub fn take_up_to(&mut self, position: Position) {
        self.queue.take_up_to(position);
    }

    /// Whether `byte` is a key that stops output or lets it go on; if so, it does.
    const fn controls_output(&mut self, byte: u8) -> bool {
        let is_stop = self.termios.is_key(byte, Key::Stop);
        let is_start = self.termios.is_key(byte, Key::Start);
        if is_stop && !(is_start && self.is_stopped) {
            self.is_stopped = true;
        } else if is_start || self.is(InputModes::IXANY) {
            self.is_stopped = false;
        }
        is_stop || is_start
    }

    /// Takes a byte that is neither literal nor a signal.
    fn typed(&mut self, byte: u8, wire: &mut impl Wire) {
        if !self.termios.is_canonical() || !self.edits(byte, wire) {
            self.add(byte, wire);
        }
    }

    /// Does what `byte` does to the line, if it does something.
    fn edits(&mut self, byte: u8, wire: &mut impl Wire) -> bool {
        let is = |key| self.termios.is_key(byte, key);
        let is_extended = |key| self.termios.is_key(byte, key) && self.local(LocalModes::IEXTEN);
        if is(Key::Erase) {
            self.editing(wire).erase(byte);
        } else if is(Key::Kill) {
            self.editing(wire).kill(byte);
        } else if is_extended(Key::Word) {
            self.editing(wire).erase_word();
        } else if is_extended(Key::Reprint) {
            self.editing(wire).reprint();
        } else if is_extended(Key::Literal) {
            self.is_literal = true;
            if self.local(LocalModes::ECHO | LocalModes::ECHOCTL) {
                wire.send(b"^\x08");
            }
        } else if is(Key::EndOfFile) {
            self.end(byte, End::Mark, wire);
        } else if byte == b'\n' {
            if self.local(LocalModes::ECHO) || self.local(LocalModes::ECHONL) {
                echo::plain(b'\n', &self.termios, &mut self.column, wire);
            }
            self.end(byte, End::Shown, wire);
        } else if is(Key::EndOfLine) || is_extended(Key::EndOfLine2) {
            self.show(byte, wire);
            self.end(byte, End::Shown, wire);
        } else {
            return false;
        }
        true
    }

    /// Ends the line.
    fn end(&mut self, byte: u8, end: End, wire: &mut impl Wire) {
        let ended = match end {
            End::Shown => self.queue.push_end(byte),
            End::Mark => self.queue.push_mark(byte),
        };
        if !ended {
            self.refuse(wire);
        }
    }

    /// Adds a byte to what is typed. The last place of a line is its end's.
    fn add(&mut self, byte: u8, wire: &mut impl Wire) {
        let room = self.queue.room();
        if room == 0 || (room == 1 && self.termios.is_canonical()) {
            return self.refuse(wire);
        }
        if self.queue.line().next().is_none() {
            self.line_start = self.column;
        }
        self.show(byte, wire);
        self.queue.push(byte);
    }

    fn show(&mut self, byte: u8, wire: &mut impl Wire) {
        if self.local(LocalModes::ECHO) {
            echo::visible(byte, &self.termios, &mut self.column, wire);
        }
    }

    fn refuse(&self, wire: &mut impl Wire) {
        if self.is(InputModes::IMAXBEL) {
            echo::bell(wire);
        }
    }

    const fn editing<'a, W: Wire>(&'a mut self, wire: &'a mut W) -> Editing<'a, W> {
        Editing {
            queue: &mut self.queue,
            termios: &self.termios,
            column: &mut self.column,
            start: self.line_start,
            wire,
        }
    }

    const fn is(&self, modes: InputModes) -> bool {
        self.termios.input.contains(modes)
    }

    const fn local(&self, modes: LocalModes) -> bool {
        self.termios.local.contains(modes)
    }
}

/// How a line ends.
enum End {
    /// By a byte that the program sees.
    Shown,
    /// By one that it does not.
    Mark,
}

impl Default for Discipline {
    fn default() -> Self {
        Self::new()
    }
}

/// Longest line, its end included.
pub const LONGEST_LINE: usize = CAPACITY;

#[cfg(test)]
mod tests;
