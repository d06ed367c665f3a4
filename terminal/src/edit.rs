//! What the editing keys do to the line that is being typed.

use crate::echo;
use crate::output::{Column, Wire, is_inside_character};
use crate::queue::Queue;
use crate::termios::{Key, LocalModes, Termios};

/// The line, how it shows, and where.
pub struct Editing<'a, W: Wire> {
    /// What is typed.
    pub queue: &'a mut Queue,
    /// The modes.
    pub termios: &'a Termios,
    /// Where the cursor is.
    pub column: &'a mut Column,
    /// Where it was when the line began.
    pub start: Column,
    /// Where the line shows.
    pub wire: &'a mut W,
}

impl<W: Wire> Editing<'_, W> {
    /// Takes the last character back, for the key `byte`.
    pub fn erase(&mut self, byte: u8) {
        if self.queue.line().next().is_none() {
            return;
        }
        if self.shows(LocalModes::ECHOE) {
            self.take_back();
        } else {
            self.pop();
            self.show(byte);
        }
    }

    /// Takes the last word back, and what is between it and the cursor. A word is of letters, digits and `_`.
    pub fn erase_word(&mut self) {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        while self.queue.line().next_back().is_some_and(|byte| !is_word(byte)) {
            self.take_back();
        }
        while self.queue.line().next_back().is_some_and(is_word) {
            self.take_back();
        }
    }

    /// Takes the whole line back, for the key `byte`.
    pub fn kill(&mut self, byte: u8) {
        let goes_away = LocalModes::ECHOK | LocalModes::ECHOKE | LocalModes::ECHOE;
        let is_erased = self.shows(goes_away);
        while self.queue.line().next().is_some() {
            if is_erased {
                self.take_back();
            } else {
                self.pop();
            }
        }
        if !is_erased {
            self.show(byte);
            if self.shows(LocalModes::ECHOK) {
                echo::plain(b'\n', self.termios, self.column, self.wire);
            }
        }
    }

    /// Shows the line again, on a line of its own.
    pub fn reprint(&mut self) {
        self.show(self.termios.key(Key::Reprint));
        echo::plain(b'\n', self.termios, self.column, self.wire);
        for byte in self.queue.line() {
            echo::visible(byte, self.termios, self.column, self.wire);
        }
    }

    /// Takes one character back, and what shows of it away.
    fn take_back(&mut self) {
        let Some(byte) = self.pop() else { return };
        if !self.shows(LocalModes::ECHO) {
            return;
        }
        let end = self.queue.line().fold(self.start, |column, byte| echo::column_after(column, byte, self.termios));
        let columns = echo::column_after(end, byte, self.termios).0 - end.0;
        if byte == b'\t' {
            echo::move_back(columns, self.column, self.wire);
        } else {
            echo::rub_out(columns, self.column, self.wire);
        }
    }

    /// Takes the bytes of one character back, and returns the first.
    fn pop(&mut self) -> Option<u8> {
        loop {
            let byte = self.queue.pop()?;
            let goes_on = is_inside_character(byte, self.termios.input) && self.queue.line().next().is_some();
            if !goes_on {
                return Some(byte);
            }
        }
    }

    fn show(&mut self, byte: u8) {
        if self.shows(LocalModes::ECHO) {
            echo::visible(byte, self.termios, self.column, self.wire);
        }
    }

    /// Whether what is typed shows, and does so in the way of `modes`.
    const fn shows(&self, modes: LocalModes) -> bool {
        self.termios.local.contains(modes.union(LocalModes::ECHO))
    }
}
