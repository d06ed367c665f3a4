//! The editor against a small terminal.

use super::{Editor, Event, Screen, WINDOW};
use crate::complete::Names;
use std::string::{String, ToString};
use std::vec::Vec;

/// A terminal of one row that scrolls: remembers the rows it scrolled away.
#[derive(Default)]
struct Terminal {
    rows: Vec<String>,
    row: Vec<u8>,
    column: usize,
    escape: Vec<u8>,
}

impl Screen for Terminal {
    fn show(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                _ if !self.escape.is_empty() => self.sequence(byte),
                0x1b => self.escape.push(byte),
                b'\r' => self.column = 0,
                0x08 => self.column -= 1,
                0x07 => {}
                b'\n' => {
                    self.rows.push(self.text());
                    self.row.clear();
                    self.column = 0;
                }
                _ => {
                    self.row.resize(self.row.len().max(self.column + 1), b' ');
                    self.row[self.column] = byte;
                    self.column += 1;
                }
            }
        }
    }
}

impl Terminal {
    fn sequence(&mut self, byte: u8) {
        self.escape.push(byte);
        match self.escape.as_slice() {
            b"\x1b[K" => self.row.truncate(self.column),
            b"\x1b[2J" => self.row.clear(),
            b"\x1b[H" => self.column = 0,
            _ => return,
        }
        self.escape.clear();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.row).trim_end().to_string()
    }
}

struct Fixed;

impl Names for Fixed {
    fn commands(&self, visit: &mut dyn FnMut(&str)) {
        ["head", "hexdump", "ls"].into_iter().for_each(visit);
    }

    fn entries(&self, _: &str, visit: &mut dyn FnMut(&str)) {
        ["scull0", "scull1"].into_iter().for_each(visit);
    }
}

struct Session {
    editor: Editor,
    terminal: Terminal,
}

impl Session {
    fn new() -> Self {
        let mut session = Self { editor: Editor::new("# "), terminal: Terminal::default() };
        session.editor.start(&mut session.terminal);
        session
    }

    /// Types `keys`; the last event but none.
    fn keys(&mut self, keys: &str) -> Event {
        let mut last = Event::None;
        for byte in keys.bytes() {
            let event = self.editor.feed(byte, &Fixed, &mut self.terminal);
            if event != Event::None {
                last = event;
            }
            if event == Event::Line {
                self.terminal.rows.push(std::format!("ran {}", self.editor.line().as_str()));
                self.editor.start(&mut self.terminal);
            }
        }
        last
    }

    /// The line, after checking that the terminal shows it.
    fn line(&self) -> &str {
        assert_eq!(self.terminal.text(), std::format!("# {}", self.editor.line().as_str()).trim_end());
        self.editor.line().as_str()
    }
}

#[test]
fn text_is_inserted_and_deleted_at_the_cursor() {
    let mut session = Session::new();
    session.keys("echo ac\x1b[Db");
    assert_eq!(session.line(), "echo abc");
    session.keys("\x7f\x1b[C\x7f\x01\x1b[3~");
    assert_eq!(session.line(), "cho a");
    assert_eq!(session.terminal.column, 2);
    session.keys("e\x05!");
    assert_eq!(session.line(), "echo a!");
}

#[test]
fn kills_take_a_word_the_start_or_the_rest() {
    let mut session = Session::new();
    session.keys("one two  three \x17");
    assert_eq!(session.line(), "one two  ");
    session.keys("\x17");
    assert_eq!(session.line(), "one ");
    session.keys("two\x1b[D\x0b");
    assert_eq!(session.line(), "one tw");
    session.keys("\x1b[D\x15");
    assert_eq!(session.line(), "w");
}

#[test]
fn history_goes_up_and_down_and_back_to_the_line() {
    let mut session = Session::new();
    session.keys("one\rtwo\rthr\x1b[A");
    assert_eq!(session.line(), "two");
    session.keys("\x1b[A\x1b[A");
    assert_eq!(session.line(), "one");
    session.keys("\x1b[B\x1b[B");
    assert_eq!(session.line(), "thr");
    session.keys("\x10\x10\r");
    assert_eq!(session.terminal.rows.last().unwrap(), "ran one");
}

#[test]
fn tab_completes_and_shows_candidates() {
    let mut session = Session::new();
    session.keys("l\t");
    assert_eq!(session.line(), "ls ");
    session.keys("\x15he\t");
    assert_eq!(session.terminal.rows.last().unwrap(), "head  hexdump");
    assert_eq!(session.line(), "he");
    session.keys("x\t/dev/s\t");
    assert_eq!(session.line(), "hexdump /dev/scull");
}

#[test]
fn control_c_gives_the_line_up_and_control_d_ends_an_empty_one() {
    let mut session = Session::new();
    assert_eq!(session.keys("abc\x1b[D\x03"), Event::Interrupt);
    assert_eq!(session.terminal.rows, ["# abc^C"]);
    session.editor.start(&mut session.terminal);
    assert_eq!(session.keys("ab\x01\x04"), Event::None);
    assert_eq!(session.line(), "b");
    assert_eq!(session.keys("\x04\x04"), Event::EndOfInput);
}

#[test]
fn a_line_wider_than_the_terminal_is_shown_around_the_cursor() {
    let mut session = Session::new();
    session.keys(&"0123456789".repeat(10));
    assert_eq!(session.terminal.text().len(), WINDOW);
    assert!(session.terminal.text().ends_with("89"));
    session.keys("\x01");
    assert!(session.terminal.text().starts_with("# 0123"));
    assert_eq!(session.terminal.column, 2);
    assert_eq!(session.keys("\r"), Event::Line);
    assert_eq!(session.terminal.rows.last().unwrap().len(), 4 + 100);
}

#[test]
fn characters_of_several_bytes_are_deleted_whole() {
    let mut session = Session::new();
    session.keys("aäb\x1b[D\x7f");
    assert_eq!(session.editor.line().as_str(), "ab");
}

#[test]
fn characters_of_several_bytes_are_shown_whole() {
    for before in ["", "x"] {
        let mut session = Session::new();
        session.keys(&[before, &"ä".repeat(60)].concat());
        session.editor.feed(0xc3, &Fixed, &mut session.terminal);
        assert!(!session.terminal.text().contains('\u{fffd}'), "{}", session.terminal.text());
        session.editor.feed(0xa4, &Fixed, &mut session.terminal);
        session.keys("\x7f");
        assert!(!session.terminal.text().contains('\u{fffd}'), "{}", session.terminal.text());
        session.keys("\x01");
        assert!(!session.terminal.text().contains('\u{fffd}'), "{}", session.terminal.text());
        session.keys("\x05\x7f");
        assert_eq!(session.editor.line().as_str(), [before, &"ä".repeat(59)].concat());
    }
}

#[test]
fn a_cleared_screen_shows_the_line_again() {
    let mut session = Session::new();
    session.keys("abc\x0c");
    assert_eq!(session.line(), "abc");
}

/// A line as long as can be.
fn longest() -> String {
    ["echo ", &"x".repeat(super::LINE - 5)].concat()
}

#[test]
fn a_line_as_long_as_can_be_runs_and_a_longer_one_does_not() {
    let mut session = Session::new();
    assert_eq!(session.keys(&[&longest(), "\r"].concat()), Event::Line);
    assert_eq!(session.keys(&[&longest(), "x\r"].concat()), Event::TooLong);
}

#[test]
fn a_cut_line_is_no_history() {
    let mut session = Session::new();
    session.keys("one\r");
    assert_eq!(session.keys(&[&longest(), "x\r"].concat()), Event::TooLong);
    session.editor.start(&mut session.terminal);
    session.keys("\x1b[A");
    assert_eq!(session.line(), "one");
}

#[test]
fn a_recalled_line_that_grows_too_long_does_not_run() {
    let mut session = Session::new();
    session.keys(&[&longest(), "\r"].concat());
    assert_eq!(session.keys("\x1b[A\r"), Event::Line);
    assert_eq!(session.keys("\x1b[A\x01y\r"), Event::TooLong);
}

#[test]
fn a_cut_line_stays_one_behind_the_history_and_while_anything_is_left() {
    let mut session = Session::new();
    session.keys("one\r");
    let cut = [&longest(), "x"].concat();
    assert_eq!(session.keys(&[&cut, "\x1b[A\r"].concat()), Event::Line);
    assert_eq!(session.keys(&[&cut, "\x1b[A\x1b[B\r"].concat()), Event::TooLong);
    session.editor.start(&mut session.terminal);
    assert_eq!(session.keys(&[&cut, "\x7f\x7f\r"].concat()), Event::TooLong);
    session.editor.start(&mut session.terminal);
    assert_eq!(session.keys(&[&cut, "\x15two\r"].concat()), Event::Line);
    assert_eq!(session.terminal.rows.last().unwrap(), "ran two");
}

#[test]
fn a_character_or_a_completion_that_does_not_fit_cuts_the_line_too() {
    let mut session = Session::new();
    let line = longest();
    assert_eq!(session.keys(&[&line[..super::LINE - 1], "ä\r"].concat()), Event::TooLong);
    session.editor.start(&mut session.terminal);
    assert_eq!(session.keys(&[&line[..super::LINE - 2], "ä\r"].concat()), Event::Line);
    let blanks = [&"x ".repeat(super::LINE / 2 - 2), "/s\t\r"].concat();
    assert_eq!(session.keys(&blanks), Event::TooLong);
}

#[test]
fn many_candidates_are_counted_only() {
    struct Many;
    impl Names for Many {
        fn commands(&self, visit: &mut dyn FnMut(&str)) {
            (0..500).for_each(|index| visit(&std::format!("{index}")));
        }

        fn entries(&self, _: &str, _: &mut dyn FnMut(&str)) {}
    }
    let mut session = Session::new();
    session.editor.feed(b'\t', &Many, &mut session.terminal);
    assert_eq!(session.terminal.rows.last().unwrap(), "500 names");
}
