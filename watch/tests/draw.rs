//! What is drawn, on terminals of three sizes, compared with what was accepted.
//!
//! `GOLDEN=write cargo test -p watch --test draw` accepts what is drawn now.

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use common::Machine;
use mm::outside::Class;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use watch::guest::Guest;
use watch::keys::Key;
use watch::palette::Colours;
use watch::panel::label;
use watch::record::Entry;
use watch::screen::{Mode, Screen};
use watch::view::draw;

/// A screen with two pictures of the machine: a block was taken in between.
fn screen() -> Screen {
    let mut machine = Machine::new();
    let mut screen = Screen::new();
    let before = Guest::new(machine.bytes.clone()).picture().expect("a kernel");
    screen.add(Entry { picture: before, ..Entry::default() });
    machine.entry(2048 + 512, 0, 2 | 9 << 4 | 1 << 32);
    let now = Guest::new(machine.bytes).picture().expect("a kernel");
    screen.add(Entry { picture: now, ..Entry::default() });
    screen
}

/// The characters of the screen; then, where a colour is not the terminal's own, a letter for each pair of colours.
fn drawn(screen: &mut Screen, console: Option<&str>, width: u16, height: u16, colours: Colours) -> String {
    let parser = console.map(|text| {
        let mut parser = vt100::Parser::new((height / 2).max(2), width.max(2), 0);
        parser.process(text.as_bytes());
        parser
    });
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test's terminal");
    let console = parser.as_ref().map(vt100::Parser::screen);
    let mode = if console.is_some() { Mode::Live } else { Mode::Playing };
    terminal.draw(|frame| draw(frame, screen, console, mode, colours)).expect("it draws");
    let buffer = terminal.backend().buffer();
    let (mut text, mut shades, mut names) = (String::new(), String::new(), BTreeMap::new());
    for row in buffer.content.chunks(width.into()) {
        for cell in row {
            text.push_str(cell.symbol());
            let pair = (cell.fg, cell.bg);
            let next = char::from(b'A' + (names.len() % 58) as u8);
            let is_plain = pair == (Color::Reset, Color::Reset);
            shades.push(if is_plain { ' ' } else { *names.entry(format!("{pair:?}")).or_insert(next) });
        }
        text.push('\n');
        shades.push('\n');
    }
    let mut pairs: Vec<_> = names.into_iter().map(|(pair, name)| (name, pair)).collect();
    pairs.sort();
    text.push_str(&shades);
    for (name, pair) in pairs {
        let _ = writeln!(text, "{name} {pair}");
    }
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn compare(name: &str, drawn: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("GOLDEN").is_some() {
        fs::write(&path, drawn).expect("room");
    }
    let accepted = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, accepted, "{} differs: GOLDEN=write accepts it", path.display());
}

const CONSOLE: &str = "boot: done\r\n\x1b[1m# \x1b[0mcat /proc/memmap\r\n\x1b[31mred\x1b[0m\r\n# ";

#[test]
fn the_smallest_terminal() {
    compare("80x24.txt", &drawn(&mut screen(), Some(CONSOLE), 80, 24, Colours::Indexed));
}

#[test]
fn a_larger_terminal_with_all_colours() {
    compare("120x40.txt", &drawn(&mut screen(), Some(CONSOLE), 120, 40, Colours::True));
}

#[test]
fn a_large_one_with_a_chosen_frame_and_no_console() {
    let mut screen = screen();
    // The first drawing tells how much room there is.
    drawn(&mut screen, None, 200, 60, Colours::True);
    [Key::Choose, Key::Move(5, 0), Key::Move(0, 2), Key::Freeze].iter().for_each(|key| screen.press(key));
    compare("200x60.txt", &drawn(&mut screen, None, 200, 60, Colours::True));
}

#[test]
fn help_names_the_keys_and_the_colours() {
    let mut screen = screen();
    screen.press(&Key::Help);
    let tall = drawn(&mut screen, None, 80, 45, Colours::Indexed);
    // On the smallest terminal it takes the place of the map.
    let low = drawn(&mut screen, Some(CONSOLE), 80, 24, Colours::Indexed);
    compare("help-80x24.txt", &low);
    for word in ["F2", "F9", "kernel image", "page table", "kswapd was woken", "bad free"] {
        assert!(tall.contains(word) && low.contains(word), "{word}: {tall}{low}");
    }
    // Each text is there whole, and a blank behind it.
    let counts = screen.shown().map(|entry| entry.picture.counts()).expect("a picture");
    let there = Class::ALL.iter().zip(counts).filter(|(_, frames)| *frames > 0);
    let texts = there.map(|(class, frames)| format!("{frames:4} {}", label(*class)));
    for text in texts.chain(["F3 ^]b back F4 ^]n forward".into(), "k kswapd was woken".into()]) {
        let is_whole =
            |row: &str| row.split_once(&text).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(' '));
        assert!(low.lines().take(11).any(is_whole), "{text}: {low}");
        assert!(tall.lines().any(is_whole), "{text}: {tall}");
    }
}

#[test]
fn no_size_is_too_small() {
    for (width, height) in [(1, 1), (2, 1), (10, 3), (30, 5), (61, 7), (80, 2), (300, 100)] {
        let mut screen = screen();
        for key in [Key::ZoomIn, Key::ZoomIn, Key::Choose, Key::Move(1, 1), Key::Help, Key::ZoomOut] {
            screen.press(&key);
            drawn(&mut screen, Some(CONSOLE), width, height, Colours::True);
            drawn(&mut screen, None, width, height, Colours::True);
        }
    }
    drawn(&mut Screen::new(), Some(CONSOLE), 80, 24, Colours::True);
}

#[test]
fn whatever_the_console_sends_is_shown_somehow() {
    let mut random = common::Random(99);
    let pieces = [
        "\x1b[", ";", "H", "\x1b", "m", "\u{4e2d}", "\u{301}", "\r", "\n", "\t", "A", "L", "P", "@", "J", "K", "r",
        "999", "0",
    ];
    for (columns, rows) in [(2, 2), (3, 2), (80, 12)] {
        for _ in 0..200 {
            let mut parser = vt100::Parser::new(rows, columns, 10);
            for _ in 0..60 {
                let byte = [random.next() as u8];
                let piece = pieces[random.next() as usize % pieces.len()].as_bytes();
                parser.process(if random.next().is_multiple_of(4) { &byte } else { piece });
            }
        }
    }
}
