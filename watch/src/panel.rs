//! What stands beside the map: figures, or help, or one frame.

use mm::ZoneKind;
use mm::outside::Class;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::{Clear, Widget};

use crate::about::about;
use crate::palette::{self, Colours};
use crate::picture::{Picture, SwapFigures, ZoneFigures};
use crate::screen::{Event, Mode, Screen, Side};

const PAGE: u64 = 4096;
/// Eighths of a character, from empty to full.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of a zone's gauge; its right end is four times `high`.
const GAUGE: u64 = 12;

/// Rows of a panel up to which figures alone have room.
const ROOM_FOR_HEADS: u16 = 14;

/// What the keys do.
const KEYS: [&str; 5] = [
    "F2 ^]f freeze, go on",
    "F3 ^]b back F4 ^]n forward",
    "F5 ^]i zoom in F6 ^]o out",
    "F7 ^]c choose a frame",
    "F8 ^]h this help",
];
/// Those of a machine that runs.
const LIVE_KEYS: [&str; 3] = ["F9 ^]q end the machine", "PgUp ^]u PgDn ^]d console", "^]^] is ^] for the console"];
/// Those of a recording.
const PLAYING_KEYS: [&str; 1] = ["F9 ^]q q leave"];

/// A panel that is written line by line.
struct Lines<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    row: u16,
}

impl Lines<'_> {
    fn left(&self) -> usize {
        self.area.height.saturating_sub(self.row).into()
    }

    fn add(&mut self, text: &str) {
        self.add_in(text, Style::new());
    }

    fn add_in(&mut self, text: &str, style: Style) {
        if self.left() > 0 {
            self.buffer.set_stringn(self.area.x, self.area.y + self.row, text, self.area.width.into(), style);
            self.row += 1;
        }
    }

    /// A line that says what comes, where there is room for more than the figures.
    fn head(&mut self, text: &str) {
        if self.area.height > ROOM_FOR_HEADS {
            self.add_in(text, Style::new().fg(Color::DarkGray));
        }
    }

    /// A line whose characters have colours of their own.
    fn add_coloured(&mut self, characters: impl Iterator<Item = (char, Style)>) {
        if self.left() > 0 {
            for (x, (character, style)) in (0..self.area.width).zip(characters) {
                if let Some(cell) = self.buffer.cell_mut((self.area.x + x, self.area.y + self.row)) {
                    cell.set_char(character).set_style(style);
                }
            }
            self.row += 1;
        }
    }
}

/// Draws the panel.
pub fn draw(buffer: &mut Buffer, area: Rect, screen: &Screen, colours: Colours) {
    let Some(entry) = screen.shown() else { return };
    let mut lines = Lines { buffer, area, row: 0 };
    match screen.side {
        Side::Figures => figures(&mut lines, screen, &entry.picture, colours),
        Side::Help => {}
        Side::Frame => frame(&mut lines, &entry.picture, screen.chosen().unwrap_or(0)),
    }
}

fn figures(lines: &mut Lines<'_>, screen: &Screen, picture: &Picture, colours: Colours) {
    for (kind, zone) in ZoneKind::ALL.iter().zip(&picture.zones).filter(|(_, zone)| zone.managed > 0) {
        gauge(lines, *kind, zone);
    }
    files(lines, picture);
    blocks(lines, picture);
    line(lines, screen);
    strip(lines, picture, colours);
    lines.head("caches          bytes  memory");
    for (cache, pages) in picture.largest_caches().into_iter().take(lines.left()) {
        let kib = u64::from(pages) * PAGE / 1024;
        lines.add(&format!("{:<15}{:>6} {:>4}K", cache.name.chars().take(15).collect::<String>(), cache.stride, kib));
    }
}

/// Free pages of a zone, and where its watermarks are.
fn gauge(lines: &mut Lines<'_>, kind: ZoneKind, zone: &ZoneFigures) {
    let full = (4 * zone.high).max(1);
    let column = |pages: u64| pages.saturating_mul(GAUGE) / full;
    let colour = match zone.free() {
        free if free < zone.min => Color::Red,
        free if free < zone.low => Color::Yellow,
        _ => Color::Green,
    };
    let marks = [(column(zone.min), 'm'), (column(zone.low), 'l'), (column(zone.high), 'h')];
    let name = format!("{kind:?}   ");
    let head = name.chars().take(3).chain([' ']).map(|letter| (letter, Style::new()));
    let bar = (0..GAUGE).map(|at| {
        let mark = marks.iter().find(|(column, _)| *column == at).map_or(' ', |(_, letter)| *letter);
        let is_filled = at < column(zone.free()).max(u64::from(zone.free() > 0));
        (mark, if is_filled { Style::new().bg(colour).fg(Color::Black) } else { Style::new().bg(Color::DarkGray) })
    });
    let tail: Vec<char> = format!(" {}/{}", zone.free(), zone.managed).chars().collect();
    lines.add_coloured(head.chain(bar).chain(tail.into_iter().map(|letter| (letter, Style::new()))));
}

/// What files and processes have, and how much of that waits for a disk.
fn files(lines: &mut Lines<'_>, picture: &Picture) {
    let counts = picture.counts();
    let size = |classes: &[Class]| size(classes.iter().map(|class| u64::from(counts[*class as usize])).sum());
    let (dirty, out) = (size(&[Class::Dirty]), size(&[Class::Writeback]));
    lines.add(&format!("file {} dirty {dirty} out {out}", size(&[Class::PageCache, Class::Dirty])));
    let SwapFigures { slots, free } = picture.swap;
    if slots > 0 {
        lines.add(&format!("swap {}/{}", self::size(slots.saturating_sub(free)), self::size(slots)));
    }
}

/// So many pages, in few characters.
fn size(pages: u64) -> String {
    match pages.saturating_mul(PAGE / 1024) {
        kib @ ..10_000 => format!("{kib}K"),
        kib => format!("{}M", kib / 1024),
    }
}

/// Free blocks by order: bars that grow with the number of digits, and the numbers.
fn blocks(lines: &mut Lines<'_>, picture: &Picture) {
    let blocks = picture.blocks();
    let bars: String = blocks.iter().map(|&count| format!(" {}", BARS[height(count)])).collect();
    lines.add("order  0 1 2 3 4 5 6 7 8 9");
    lines.add_in(&format!("free  {bars}"), Style::new().fg(Color::Green));
    let numbers: Vec<String> = blocks.iter().map(u32::to_string).collect();
    lines.add(&numbers.join(" "));
}

/// The height of a bar: one more for each doubling.
fn height(count: u32) -> usize {
    (u32::BITS - count.leading_zeros()).min(8) as usize
}

/// Free memory over time, and events below it.
fn line(lines: &mut Lines<'_>, screen: &Screen) {
    let moments: Vec<_> = screen.line().iter().rev().take(lines.area.width.into()).rev().collect();
    lines.head("free memory");
    let most = moments.iter().map(|moment| moment.free).max().unwrap_or(0).max(1);
    let bars: String = moments.iter().map(|moment| BARS[(moment.free * 8).div_ceil(most).min(8) as usize]).collect();
    let events: String = moments.iter().map(|moment| moment.event.map_or(' ', Event::letter)).collect();
    lines.add_in(&bars, Style::new().fg(Color::Cyan));
    lines.add_in(&events, Style::new().fg(Color::Red));
}

/// The first addresses of vmalloc, a character a page: mapped, or a guard page between.
fn strip(lines: &mut Lines<'_>, picture: &Picture, colours: Colours) {
    let Some(first) = picture.areas.first() else { return };
    lines.head(&format!("vmalloc from {:x}", first.start));
    let rows = if lines.left() > 6 { 2 } else { 1 };
    let (mapped, guard) = (colours.get(palette::of_class(Class::Vmalloc)), Color::DarkGray);
    let is_mapped = |at: u64| {
        let next = picture.areas.partition_point(|area| area.end() <= at);
        picture.areas.get(next).is_some_and(|area| area.start <= at)
    };
    for row in 0..rows {
        let start = first.start.saturating_add(row * u64::from(lines.area.width) * PAGE);
        let pages = (0..u64::from(lines.area.width)).map(|page| {
            let at = start.saturating_add(page * PAGE);
            if is_mapped(at) { ('▆', Style::new().fg(mapped)) } else { ('·', Style::new().fg(guard)) }
        });
        lines.add_coloured(pages);
    }
}

/// Draws the meaning of keys, colours and letters: in the panel, or, where that is too low, in columns over the map.
pub fn help(buffer: &mut Buffer, (panel, whole): (Rect, Rect), screen: &Screen, mode: Mode, colours: Colours) {
    let Some(entry) = screen.shown() else { return };
    let texts = help_texts(&entry.picture, mode, colours);
    let area = if usize::from(panel.height) >= texts.len() { panel } else { whole };
    Clear.render(area, buffer);
    let mut left = area;
    for column in texts.chunks(usize::from(area.height).max(1)) {
        let mut lines = Lines { buffer, area: left, row: 0 };
        for (mark, text) in column {
            let mark = mark.map(|(mark, colour)| (mark, Style::new().fg(colour)));
            lines.add_coloured(mark.into_iter().chain(text.chars().map(|letter| (letter, Style::new()))));
        }
        // As wide as its longest text, and a blank.
        let length = |(mark, text): &(Mark, String)| text.chars().count() + usize::from(mark.is_some());
        let width = column.iter().map(length).max().unwrap_or(0) + 1;
        let width = u16::try_from(width).unwrap_or(u16::MAX).min(left.width);
        left = Rect { x: left.x + width, width: left.width - width, ..left };
    }
}

/// A coloured character before a text.
type Mark = Option<(char, Color)>;

/// Keys, classes with their numbers of frames, and events.
fn help_texts(picture: &Picture, mode: Mode, colours: Colours) -> Vec<(Mark, String)> {
    let more_keys: &[&str] = if mode == Mode::Live { &LIVE_KEYS } else { &PLAYING_KEYS };
    let keys = KEYS.iter().chain(more_keys).map(|key| (None, (*key).to_owned()));
    let counts = picture.counts();
    let digits = counts.iter().max().map_or(0, |most| most.to_string().len());
    let classes = Class::ALL.iter().zip(counts).filter(|(_, frames)| *frames > 0).map(|(class, frames)| {
        let square = ('█', colours.get(palette::of_class(*class)));
        (Some(square), format!("{frames:digits$} {}", label(*class)))
    });
    let events = Event::NAMES.map(|(_, letter, name)| (Some((letter, Color::Red)), format!(" {name}")));
    keys.chain(classes).chain(events).collect()
}

/// A class in words that a column of the smallest terminal has room for.
pub const fn label(class: Class) -> &'static str {
    match class {
        Class::Boot => "boot, firmware",
        Class::Cached => "free, in magazine",
        Class::Cleared => "free, cleared",
        Class::Writeback => "file, to a disk",
        Class::Swapping => "process, to swap",
        Class::Prompt => "prompt",
        _ => class.name(),
    }
}

/// All that is known of a frame.
fn frame(lines: &mut Lines<'_>, picture: &Picture, frame: usize) {
    for text in about(picture, frame) {
        let mut rest: Vec<char> = text.chars().collect();
        while !rest.is_empty() {
            let left = rest.split_off(rest.len().min(lines.area.width.max(1).into()));
            lines.add(&rest.iter().collect::<String>());
            rest = left;
        }
    }
    lines.add("arrows move, F7 ends");
}
