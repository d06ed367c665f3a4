//! The map of a real machine, driven by keys.
//!
//! What the terminal shows is compared, character by character and colour by colour, with what the recording of the
//! same run gives when the same keys are pressed.

mod common;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::terminal::{Terminal, is_given_back};
use mm::ZoneKind;
use mm::outside::Class;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::Color;
use watch::about::about;
use watch::details::{KINDS, ObjectUse};
use watch::keys::Key;
use watch::palette::Colours;
use watch::picture::Picture;
use watch::record::{Item, Reader};
use watch::screen::{Mode, Screen};
use watch::view::{HasConsole, Parts, draw};

const AREA: Rect = Rect { x: 0, y: 0, width: 80, height: 24 };

/// A screen with the first `wanted` pictures of a recording that may still grow.
fn screen_after(record: &Path, wanted: usize) -> Screen {
    let bytes = fs::read(record).expect("it is recorded");
    let (mut reader, mut screen, mut kept) = (Reader::new(&bytes), Screen::new(), 0);
    while kept < wanted {
        match reader.read_next() {
            Ok(Some(Item::Picture(entry))) => kept += usize::from(screen.add(*entry)),
            Ok(Some(_)) => {}
            other => panic!("{kept} pictures of {wanted}, then {other:?}"),
        }
    }
    screen
}

/// What is drawn of it.
fn drawn(screen: &mut Screen) -> Buffer {
    let console = vt100::Parser::new(12, 80, 0);
    let mut terminal = ratatui::Terminal::new(TestBackend::new(AREA.width, AREA.height)).expect("a test's terminal");
    let drawn = terminal.draw(|frame| draw(frame, screen, Some(console.screen()), Mode::Live, Colours::Indexed));
    drawn.expect("it draws");
    terminal.backend().buffer().clone()
}

/// A colour as a terminal gets it.
fn colour(colour: Color) -> vt100::Color {
    match colour {
        Color::Black => vt100::Color::Idx(0),
        Color::Red => vt100::Color::Idx(1),
        Color::Green => vt100::Color::Idx(2),
        Color::Yellow => vt100::Color::Idx(3),
        Color::Cyan => vt100::Color::Idx(6),
        Color::DarkGray => vt100::Color::Idx(8),
        Color::Indexed(number) => vt100::Color::Idx(number),
        _ => vt100::Color::Default,
    }
}

/// The first row of the panel's line of free memory: it has a point for each look, whether it was kept or not.
fn line_row(picture: &Picture) -> u16 {
    let zones = ZoneKind::ALL.iter().filter(|kind| picture.zones[**kind as usize].managed > 0).count();
    let swap = usize::from(picture.swap.slots > 0);
    (zones + 1 + swap + 3) as u16
}

/// Where the terminal differs from what it should show: of the map and the panel.
fn difference(shown: &vt100::Screen, screen: &mut Screen) -> Option<String> {
    let expected = drawn(screen);
    let line = line_row(&screen.shown().expect("a picture").picture);
    let parts = Parts::of(AREA, HasConsole::Yes);
    let is_figures = screen.chosen().is_none();
    let places = (0..parts.map.height).flat_map(|y| (0..AREA.width).map(move |x| (x, y)));
    let is_line = |x: u16, y: u16| is_figures && x >= parts.panel.x && (line..line + 2).contains(&y);
    places.filter(|(x, y)| !is_line(*x, *y)).find_map(|(x, y)| {
        let want: &Cell = &expected[(x, y)];
        let have = shown.cell(y, x).expect("a cell");
        let text = if have.contents().is_empty() { " " } else { have.contents() };
        let same = (text, have.fgcolor(), have.bgcolor()) == (want.symbol(), colour(want.fg), colour(want.bg));
        (!same).then(|| format!("{x},{y}: {text:?} {:?} {:?}, not {want:?}", have.fgcolor(), have.bgcolor()))
    })
}

/// Waits until the terminal shows what the screen should.
fn compare(terminal: &mut Terminal, screen: &mut Screen, what: &str) {
    let mut last = None;
    for _ in 0..40 {
        last = difference(terminal.screen.screen(), screen);
        if last.is_none() {
            return;
        }
        terminal.listen();
    }
    panic!("{what}: {last:?}\n{}", terminal.screen.screen().contents());
}

/// The picture that the status says is shown: `picture 7 of 9`.
fn place(text: &str) -> Option<usize> {
    let rest = text.lines().find_map(|line| line.trim_start().strip_prefix("picture "))?;
    rest.split(' ').next()?.parse().ok()
}

#[test]
#[ignore = "needs a kernel and a runner: a part of make test-qemu"]
fn keys_drive_the_map_of_a_real_machine() {
    let program = |name: &str| PathBuf::from(env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")));
    let record = env::temp_dir().join(format!("scullery-live-{}", std::process::id()));
    let operands = [Path::new("run"), &program("WATCH_RUNNER"), &program("WATCH_KERNEL"), &record];
    let mut terminal = Terminal::start(&operands);
    terminal.wait("the prompt", |text| text.contains("MiB free") && text.lines().any(|line| line.trim_end() == "#"));
    terminal.press(b"kmalloc 100\r");
    terminal.wait("m1", |text| address_of(text, "m1 = ").is_some());
    terminal.press(b"vmalloc 10000; getpages 3; dd if=/tmp/bigfile of=/dev/ram0 bs=64k count=2 status=none\r");
    terminal.wait("m3", |text| address_of(text, "m3 = ").is_some());
    terminal.press(b"picture here; getpages 5\r");
    terminal.wait("m4", |text| address_of(text, "m4 = ").is_some());
    // Freeze: the console goes on, the map does not.
    terminal.press(b"\x1bOQ");
    let text = terminal.wait("the picture's number", |text| place(text).is_some());
    let number = place(&text).expect("a number");
    let mut screen = screen_after(&record, number);
    screen.press(&Key::Freeze);
    compare(&mut terminal, &mut screen, "frozen");
    terminal.press(b"repeat 100 getpages 0 > /dev/null; echo d''one\r");
    terminal.expect("done");
    compare(&mut terminal, &mut screen, "still frozen");
    // A picture back, until the marked one.
    let keys: [(&[u8], &[Key]); 6] = [
        (b"\x1bOR", &[Key::Back]),
        (b"\x1b[15~\x1b[15~", &[Key::ZoomIn, Key::ZoomIn]),
        (b"\x1b[18~", &[Key::Choose]),
        (b"\x1b[C\x1b[B\x1b[B", &[Key::Move(1, 0), Key::Move(0, 1), Key::Move(0, 1)]),
        (b"\x1b[17~\x1dc", &[Key::ZoomOut, Key::Choose]),
        (b"\x1bOS", &[Key::Forward]),
    ];
    for (bytes, keys) in keys {
        terminal.press(bytes);
        keys.iter().for_each(|key| screen.press(key));
        compare(&mut terminal, &mut screen, &format!("{keys:?}"));
    }
    terminal.press(b"\x1bOQ");
    terminal.expect(" live ");
    terminal.press(b"poweroff\r");
    let asked = Instant::now();
    let (status, sent) = terminal.end();
    // The disk has what was written by then; nobody waited for it half a minute.
    assert!(asked.elapsed() < Duration::from_secs(25), "{:?}", asked.elapsed());
    assert!(status == Some(0) && is_given_back(&sent), "{status:?}");
    check_marked(&fs::read(&record).expect("it is recorded"));
    fs::remove_file(&record).expect("it is there");
}

/// The address behind these words, once all of it is there: what is typed before that is echoed into it.
fn address_of(text: &str, words: &str) -> Option<u64> {
    let digits = text.lines().find_map(|line| line.split_once(words))?.1.get(..16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// Checks the marked picture against what the console said before it.
fn check_marked(recording: &[u8]) {
    let (mut reader, mut said) = (Reader::new(recording), String::new());
    let picture = loop {
        match reader.read_next().expect("it is whole") {
            Some(Item::Picture(entry)) if entry.mark.as_deref() == Some("here") => break entry.picture,
            Some(Item::Console(_, bytes)) => said.push_str(&String::from_utf8_lossy(&bytes)),
            Some(_) => {}
            None => panic!("nothing is marked: {said}"),
        }
    };
    let address = |words: &str| address_of(&said, words).unwrap_or_else(|| panic!("no {words}: {said:?}"));
    let frame = |address: u64| (address - 0xffff_8880_0000_0000) / 4096;
    let (object, area, block) = (address("m1 = "), address("m2 = "), address("m3 = "));
    // The object is live, in its place in a slab of its size.
    let cell = picture.cells[frame(object) as usize];
    let cache = picture.cache_of(cell).expect("a slab");
    assert_eq!((cache.name.as_str(), cache.stride), ("size-128", 128));
    let slab = picture.details.slab_of(frame(object) as u32).expect("a slab");
    let offset = object - 0xffff_8880_0000_0000 - u64::from(slab.frame) * 4096 - u64::from(slab.start);
    assert_eq!((offset % 128, slab.objects[(offset / 128) as usize]), (0, ObjectUse::Live));
    // The area has its pages, its caller, and a guard page behind it.
    let named = *picture.details.area_of(area).expect("an area");
    assert_eq!((named.start, named.pages, KINDS[usize::from(named.kind)]), (area, 3, "vmalloc"));
    assert!(picture.details.area_of(area + 3 * 4096).is_none_or(|next| next.start != area));
    let site = picture.details.site(named.site).expect("a caller");
    assert!(site.starts_with("kernel/src/mm/handouts/"), "{site}");
    // The block has its order and its caller.
    let told = about(&picture, frame(block) as usize);
    assert!(told.iter().any(|line| line.starts_with("block of order 3 ")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("by kernel/src/mm/handouts/")), "{told:?}");
    // What was written to the disk is in memory, and not yet on the disk. A file of /tmp, of 256 pages, has no disk.
    let counts = picture.counts();
    assert!(
        (32..200).contains(&counts[Class::Dirty as usize]) && counts[Class::PageCache as usize] >= 256,
        "{counts:?}"
    );
    assert!((200..256).contains(&picture.swap.slots) && picture.swap.free == picture.swap.slots, "{:?}", picture.swap);
}
