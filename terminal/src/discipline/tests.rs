//! Tests of the discipline: a person, a program, and what each of them sees.

use std::string::String;
use std::vec::Vec;

use signals::Signal;

use super::{Discipline, LONGEST_LINE, Patience, Wire};
use crate::termios::{InputModes, LocalModes, OutputModes, Termios};

#[derive(Default)]
struct Shown(Vec<u8>);

impl Wire for Shown {
    fn send(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

struct Terminal {
    discipline: Discipline,
    shown: Shown,
}

impl Terminal {
    fn new() -> Self {
        Self { discipline: Discipline::new(), shown: Shown::default() }
    }

    fn with(change: impl FnOnce(&mut Termios)) -> Self {
        let mut this = Self::new();
        this.set(change);
        this
    }

    fn set(&mut self, change: impl FnOnce(&mut Termios)) {
        let mut termios = *self.discipline.termios();
        change(&mut termios);
        self.discipline.set_termios(termios);
    }

    /// Types bytes and returns the signals that they sent.
    fn types(&mut self, bytes: &[u8]) -> Vec<Signal> {
        bytes.iter().filter_map(|byte| self.discipline.receive(*byte, &mut self.shown)).collect()
    }

    /// What the next read has; `None` if it waits.
    fn reads(&mut self) -> Option<String> {
        self.reads_at_most(LONGEST_LINE)
    }

    fn reads_at_most(&mut self, room: usize) -> Option<String> {
        if !self.discipline.is_readable() {
            return None;
        }
        let mut bytes = std::vec![0; room];
        let peek = self.discipline.peek(&mut bytes);
        self.discipline.take_up_to(peek.next);
        bytes.truncate(peek.count);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What the screen shows, as a terminal of 80 columns would: the line with the cursor.
    fn shows(&self) -> String {
        let (mut line, mut column) = (Vec::new(), 0);
        for character in String::from_utf8_lossy(&self.shown.0).chars() {
            match character {
                '\x08' => column -= 1,
                '\r' => column = 0,
                '\n' => (line, column) = (Vec::new(), 0),
                '\t' => column = (column / 8 + 1) * 8,
                _ => {
                    line.resize(line.len().max(column + 1), ' ');
                    line[column] = character;
                    column += 1;
                }
            }
        }
        line.iter().collect::<String>().trim_end().into()
    }
}

const fn key(letter: u8) -> u8 {
    letter & 0x1f
}

#[test]
fn a_line_is_there_when_it_is_complete() {
    let mut terminal = Terminal::new();
    assert_eq!(terminal.types(b"ls -l"), []);
    assert_eq!((terminal.reads(), terminal.discipline.waiting()), (None, 0));
    terminal.types(b"\r");
    assert_eq!(terminal.discipline.waiting(), 6);
    assert_eq!((terminal.reads().as_deref(), terminal.reads()), (Some("ls -l\n"), None));
    assert_eq!(terminal.shown.0, b"ls -l\r\n");
}

#[test]
fn a_short_read_leaves_the_rest_of_its_line() {
    let mut terminal = Terminal::new();
    terminal.types(b"abc\ndef\n");
    assert_eq!(terminal.reads_at_most(2).as_deref(), Some("ab"));
    assert_eq!(terminal.reads().as_deref(), Some("c\n"));
    assert_eq!(terminal.reads().as_deref(), Some("def\n"));
}

#[test]
fn the_editing_keys_take_back_what_they_should_and_what_shows_of_it() {
    let cases: [(&[u8], &str); 12] = [
        (b"abc\x7f\x7fx", "ax"),
        (b"\x7f\x7fab", "ab"),
        (b"one two\x17three", "one three"),
        (b"one  two  \x17", "one"),
        (b"a_b-cd\x17", "a_b-"),
        (b"hello\x15bye", "bye"),
        (b"a\tb\x7f\x7fc", "ac"),
        (b"x\x16\x03y\x7f\x7fz", "xz"),
        ("a\u{e4}\u{20ac}\x7fo".as_bytes(), "a\u{e4}o"),
        (b"ab\x12", "ab"),
        (b"\t\x7fz", "z"),
        (b"12345678\t9\x7f\x7f0", "123456780"),
    ];
    for (typed, line) in cases {
        let mut terminal = Terminal::new();
        // Tabs show from wherever the prompt ends.
        terminal.discipline.write(b"$ ", &mut terminal.shown);
        terminal.types(typed);
        assert_eq!(terminal.shows().strip_prefix("$ ").unwrap_or(&terminal.shows()), line, "{typed:?}");
        terminal.types(b"\n");
        assert_eq!(terminal.reads().expect("a line").trim_end(), line, "{typed:?}");
    }
}

#[test]
fn literal_keys_mean_themselves() {
    let mut terminal = Terminal::new();
    assert_eq!(terminal.types(b"a\x16\x03\x16\x04\x16\x16b\n"), []);
    assert_eq!(terminal.reads().as_deref(), Some("a\x03\x04\x16b\n"));
    assert!(terminal.shown.0.starts_with(b"a^\x08^C^\x08^D"));
}

#[test]
fn the_end_of_file_is_an_empty_read_at_the_start_of_a_line_only() {
    let mut terminal = Terminal::new();
    terminal.types(&[key(b'D')]);
    assert_eq!((terminal.reads().as_deref(), terminal.reads()), (Some(""), None));
    terminal.types(b"ab\x04\x04c\n");
    assert_eq!(terminal.reads().as_deref(), Some("ab"));
    assert_eq!(terminal.reads().as_deref(), Some(""));
    assert_eq!(terminal.reads().as_deref(), Some("c\n"));
    assert!(!terminal.shown.0.contains(&key(b'D')));
}

#[test]
fn keys_send_signals_and_drop_what_was_typed() {
    let mut terminal = Terminal::new();
    terminal.types(b"one\ntwo");
    assert_eq!(terminal.types(&[key(b'C')]), [Signal::INT]);
    assert_eq!((terminal.reads(), terminal.shows().as_str()), (None, "two^C"));
    assert_eq!(terminal.types(&[key(b'Z'), 0x1c]), [Signal::TSTP, Signal::QUIT]);
    terminal.set(|termios| termios.local |= LocalModes::NOFLSH);
    terminal.types(b"one\n");
    assert_eq!(terminal.types(&[key(b'C')]), [Signal::INT]);
    assert_eq!(terminal.reads().as_deref(), Some("one\n"));
    terminal.set(|termios| termios.local -= LocalModes::ISIG);
    assert_eq!(terminal.types(b"a\x03\n"), []);
    assert_eq!(terminal.reads().as_deref(), Some("a\x03\n"));
}

#[test]
fn without_lines_every_byte_is_there_at_once() {
    let mut terminal = Terminal::with(|termios| *termios = Termios::RAW);
    assert_eq!(terminal.types(b"\x03\x7f\r\x04"), []);
    assert_eq!((terminal.discipline.waiting(), terminal.shown.0.len()), (4, 0));
    assert_eq!(terminal.reads().as_deref(), Some("\x03\x7f\r\x04"));
}

#[test]
fn carriage_returns_and_newlines_become_what_the_modes_say() {
    let read = |modes: InputModes| {
        let mut terminal = Terminal::with(|termios| *termios = Termios { input: modes, ..Termios::RAW });
        terminal.types(b"a\rb\n");
        terminal.reads().expect("bytes")
    };
    assert_eq!(read(InputModes::ICRNL), "a\nb\n");
    assert_eq!(read(InputModes::INLCR), "a\rb\r");
    assert_eq!(read(InputModes::IGNCR | InputModes::ICRNL), "ab\n");
    assert_eq!(read(InputModes::empty()), "a\rb\n");
}

#[test]
fn a_line_too_long_keeps_its_end_and_its_beginning() {
    let mut terminal = Terminal::with(|termios| termios.input |= InputModes::IMAXBEL);
    for _ in 0..LONGEST_LINE + 100 {
        assert!(terminal.discipline.can_receive());
        terminal.types(b"x");
    }
    assert_eq!(terminal.shown.0.last(), Some(&7));
    terminal.types(b"\n");
    let line = terminal.reads().expect("a line");
    assert_eq!((line.len(), line.ends_with("x\n")), (LONGEST_LINE, true));
}

#[test]
fn behind_complete_lines_bytes_wait_for_room() {
    let mut terminal = Terminal::new();
    terminal.types(b"first\n");
    let mut taken = 0;
    while terminal.discipline.can_receive() {
        terminal.types(b"y");
        taken += 1;
    }
    assert_eq!(taken, LONGEST_LINE - 6 - 1);
    assert_eq!(terminal.reads().as_deref(), Some("first\n"));
    assert!(terminal.discipline.can_receive());
    let mut raw = Terminal::with(|termios| *termios = Termios::RAW);
    while raw.discipline.can_receive() {
        raw.types(b"z");
    }
    assert_eq!(raw.reads().map(|bytes| bytes.len()), Some(LONGEST_LINE - 1));
}

#[test]
fn what_was_typed_ahead_survives_a_change_of_modes() {
    let mut terminal = Terminal::new();
    terminal.types(b"echo a\rpart");
    terminal.set(|termios| *termios = Termios::RAW);
    assert_eq!(terminal.reads_at_most(5).as_deref(), Some("echo "));
    terminal.set(|termios| *termios = Termios::SANE);
    assert_eq!(terminal.reads().as_deref(), Some("a\n"));
    assert_eq!(terminal.reads().as_deref(), Some("part"));
    terminal.types(b"x\n");
    assert_eq!(terminal.reads().as_deref(), Some("x\n"));
}

#[test]
fn keys_stop_output_and_let_it_go_on() {
    let mut terminal = Terminal::new();
    terminal.types(&[key(b'S')]);
    assert!(terminal.discipline.is_stopped());
    terminal.types(b"a");
    assert!(terminal.discipline.is_stopped());
    terminal.types(&[key(b'Q')]);
    assert!(!terminal.discipline.is_stopped());
    terminal.types(&[key(b'S')]);
    assert_eq!(terminal.types(&[key(b'C')]), [Signal::INT]);
    assert!(!terminal.discipline.is_stopped());
    terminal.set(|termios| termios.input |= InputModes::IXANY);
    terminal.types(&[key(b'S'), b'a', b'\n']);
    assert!(!terminal.discipline.is_stopped());
    terminal.types(&[key(b'S')]);
    terminal.set(|termios| termios.input -= InputModes::IXON);
    assert!(!terminal.discipline.is_stopped());
    terminal.types(&[key(b'S'), b'\n']);
    assert_eq!(terminal.reads().as_deref(), Some("a\n"));
    assert_eq!(terminal.reads().as_deref(), Some("\x13\n"));
}

#[test]
fn how_long_a_read_waits_is_in_two_keys() {
    let patience = |least: u8, tenths: u8, room| {
        let mut bytes = Termios::RAW.to_bytes();
        (bytes[17 + 6], bytes[17 + 5]) = (least, tenths);
        let mut discipline = Discipline::new();
        discipline.set_termios(Termios::from_bytes(&bytes));
        discipline.patience(room)
    };
    assert_eq!(Discipline::new().patience(10), Patience::Line);
    assert_eq!(patience(1, 0, 10), Patience::Bytes(1));
    assert_eq!(patience(5, 0, 2), Patience::Bytes(2));
    assert_eq!(patience(5, 3, 10), Patience::Between(5, 3));
    assert_eq!(patience(0, 3, 10), Patience::Limited(3));
    assert_eq!(patience(0, 0, 10), Patience::Limited(0));
}

#[test]
fn what_shows_obeys_the_echo_modes() {
    let shown = |local: LocalModes, typed: &[u8]| {
        let local = LocalModes::ICANON | local;
        let mut terminal = Terminal::with(|termios| *termios = Termios { local, ..Termios::SANE });
        terminal.types(typed);
        String::from_utf8(terminal.shown.0).expect("ASCII")
    };
    assert_eq!(shown(LocalModes::empty(), b"a\x7fb\n"), "");
    assert_eq!(shown(LocalModes::ECHONL, b"ab\n"), "\r\n");
    assert_eq!(shown(LocalModes::ECHO, b"a\x01\x7f"), "a\x01\x7f");
    assert_eq!(shown(LocalModes::ECHO | LocalModes::ECHOCTL, b"a\x01\x7f"), "a^A^?");
    assert_eq!(shown(LocalModes::ECHO | LocalModes::ECHOE, b"ab\x7f"), "ab\x08 \x08");
    assert_eq!(shown(LocalModes::ECHO | LocalModes::ECHOK | LocalModes::ECHOCTL, b"ab\x15"), "ab^U\r\n");
}

#[test]
fn programs_write_through_the_output_modes() {
    let mut terminal = Terminal::new();
    terminal.discipline.write(b"a\nb", &mut terminal.shown);
    terminal.set(|termios| termios.output -= OutputModes::OPOST);
    terminal.discipline.write(b"\nc", &mut terminal.shown);
    assert_eq!(terminal.shown.0, b"a\r\nb\nc");
}

/// Random keys against a naive line: a vector of characters.
#[test]
fn lines_are_what_a_naive_editor_makes_of_the_same_keys() {
    let mut seed = 0x5eed_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    let mut terminal = Terminal::new();
    for round in 0..2000 {
        let mut line: Vec<u8> = Vec::new();
        for _ in 0..random(40) {
            match random(10) {
                0 => {
                    terminal.types(b"\x7f");
                    line.pop();
                }
                1 => {
                    terminal.types(&[key(b'W')]);
                    let end = line.iter().rposition(is_word).map_or(0, |at| at + 1);
                    line.truncate(end);
                    let start = line.iter().rposition(|byte| !is_word(byte)).map_or(0, |at| at + 1);
                    line.truncate(start);
                }
                2 if random(4) == 0 => {
                    terminal.types(&[key(b'U')]);
                    line.clear();
                }
                3 => {
                    let byte = random(32) as u8;
                    terminal.types(&[key(b'V'), byte]);
                    line.push(byte);
                }
                _ => {
                    let byte = b" ab1-"[random(5) as usize];
                    terminal.types(&[byte]);
                    line.push(byte);
                }
            }
        }
        terminal.types(b"\r");
        line.push(b'\n');
        let mut read = std::vec![0; LONGEST_LINE];
        let peek = terminal.discipline.peek(&mut read);
        assert!(peek.ends_line, "round {round}");
        terminal.discipline.take_up_to(peek.next);
        assert_eq!(&read[..peek.count], line, "round {round}");
        assert_eq!(terminal.discipline.waiting(), 0);
    }
}
