//! The whole screen: map, panel, a line about the picture, console.

use mm::outside::Class;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::palette::{self, Colours, Rgb};
use crate::panel;
use crate::screen::{Mode, Screen, Side};

/// Rows of the console.
const CONSOLE_LEAST: u16 = 6;
const CONSOLE_MOST: u16 = 24;
/// Columns from which on there is room for a panel, and for a wide one.
const PANEL_FROM: u16 = 60;
const PANEL_WIDE_FROM: u16 = 120;

/// Where the parts of the screen are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts {
    /// The map.
    pub map: Rect,
    /// The panel; empty on a narrow terminal.
    pub panel: Rect,
    /// The line about the picture.
    pub status: Rect,
    /// The console; empty where none is shown.
    pub console: Rect,
}

impl Parts {
    /// The parts of a terminal, with a console or without.
    pub fn of(area: Rect, has_console: HasConsole) -> Self {
        let console = match has_console {
            HasConsole::Yes => (area.height / 2).clamp(CONSOLE_LEAST, CONSOLE_MOST).min(area.height.saturating_sub(1)),
            HasConsole::No => 0,
        };
        let top = area.height.saturating_sub(console + 1);
        let panel = match area.width {
            ..PANEL_FROM => 0,
            PANEL_FROM..PANEL_WIDE_FROM => 28,
            _ => 40,
        };
        let gap = u16::from(panel > 0);
        let map = Rect { height: top, width: area.width - panel - gap, ..area };
        Self {
            map,
            panel: Rect { x: map.right() + gap, width: panel, height: top, ..area },
            status: Rect { y: area.y + top, height: (area.height - top).min(1), ..area },
            console: Rect { y: area.y + area.height - console, height: console, ..area },
        }
    }
}

/// Whether there is a console on the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HasConsole {
    /// A machine runs.
    Yes,
    /// A recording without one is played.
    No,
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, screen: &mut Screen, console: Option<&vt100::Screen>, mode: Mode, colours: Colours) {
    let has_console = if console.is_some() { HasConsole::Yes } else { HasConsole::No };
    let parts = Parts::of(frame.area(), has_console);
    screen.set_surface(parts.map.width.into(), usize::from(parts.map.height) * 2);
    let buffer = frame.buffer_mut();
    map(buffer, parts.map, screen, colours);
    if screen.side == Side::Help {
        panel::help(buffer, (parts.panel, parts.map.union(parts.panel)), screen, mode, colours);
    } else {
        panel::draw(buffer, parts.panel, screen, colours);
    }
    status(buffer, parts.status, screen, (console, mode));
    if let Some(console) = console {
        let cursor = draw_console(buffer, parts.console, console);
        if let Some(at) = cursor {
            frame.set_cursor_position(at);
        }
    }
}

/// Two points to a character, one above the other.
fn map(buffer: &mut Buffer, area: Rect, screen: &Screen, colours: Colours) {
    let Some(entry) = screen.shown() else {
        buffer.set_stringn(area.x, area.y, "no kernel yet", area.width.into(), Style::new());
        return;
    };
    let layout = screen.layout(&entry.picture);
    let point = |x: u16, y: u16| {
        let frames = layout.frames_at(x.into(), y.into())?;
        let (first, count) = frames;
        if screen.chosen().is_some_and(|chosen| (first..first + count).contains(&chosen)) {
            return Some((255, 40, 40));
        }
        let is_fresh = (first..first + count).any(|frame| screen.is_fresh(frame));
        Some(if is_fresh { palette::FLASH } else { palette::of_frames(&entry.picture, frames) })
    };
    for y in 0..area.height {
        for x in 0..area.width {
            let (upper, lower) = (point(x, y * 2), point(x, y * 2 + 1));
            let Some(cell) = buffer.cell_mut((area.x + x, area.y + y)) else { continue };
            if upper.is_none() && lower.is_none() {
                continue;
            }
            let colour = |colour: Option<Rgb>| colour.map_or(Color::Reset, |colour| colours.get(colour));
            // An empty half is the terminal's own ground.
            match (upper, lower) {
                (Some(_), _) => cell.set_char('▀').set_fg(colour(upper)).set_bg(colour(lower)),
                (None, _) => cell.set_char('▄').set_fg(colour(lower)),
            };
        }
    }
}

fn status(buffer: &mut Buffer, area: Rect, screen: &Screen, (console, mode): (Option<&vt100::Screen>, Mode)) {
    let place = match screen.place() {
        Some((at, all)) => format!("picture {at} of {all}"),
        None => match mode {
            Mode::Live => "live".into(),
            Mode::Playing => "playing".into(),
            Mode::Ended => "played to the end".into(),
        },
    };
    let back = console.map_or(0, vt100::Screen::scrollback);
    let back = if back > 0 { format!(", {back} lines back") } else { String::new() };
    let text = screen.shown().map_or_else(String::new, |entry| {
        let picture = &entry.picture;
        let free = picture.free() / 256;
        let ram = picture.cells.iter().filter(|cell| cell.class() != Class::Hole).count() / 256;
        let name = entry.mark.as_ref().map_or_else(String::new, |name| format!(" [{name}]"));
        let torn = if picture.torn > 0 { " torn" } else { "" };
        let layout = screen.layout(picture);
        let frames = 1_u32 << layout.point_log;
        let (seconds, hundredths) = (picture.ticks / 100, picture.ticks % 100);
        format!(" {free} of {ram} MiB free, {seconds}.{hundredths:02} s{name}{torn}, 1 point = {frames}")
    });
    let text = format!(" {place}{back}{text} | F8 help");
    let style = Style::new().add_modifier(Modifier::REVERSED);
    buffer.set_style(area, style);
    buffer.set_stringn(area.x, area.y, text, area.width.into(), style);
}

/// Draws the console; says where its cursor is. Of one with more rows than there is room for, those that end with the
/// cursor's.
fn draw_console(buffer: &mut Buffer, area: Rect, console: &vt100::Screen) -> Option<(u16, u16)> {
    let (row, column) = console.cursor_position();
    let top = if console.size().0 > area.height { (row + 1).saturating_sub(area.height) } else { 0 };
    for y in 0..area.height {
        for x in 0..area.width {
            let (Some(from), Some(to)) = (console.cell(top + y, x), buffer.cell_mut((area.x + x, area.y + y))) else {
                continue;
            };
            let text = from.contents();
            // A control character must not get to the terminal.
            let is_plain = !text.is_empty() && !text.chars().any(char::is_control);
            to.set_symbol(if is_plain { text } else { " " });
            let mut style = Style::new().fg(colour(from.fgcolor())).bg(colour(from.bgcolor()));
            for (is_on, modifier) in [
                (from.bold(), Modifier::BOLD),
                (from.underline(), Modifier::UNDERLINED),
                (from.inverse(), Modifier::REVERSED),
            ] {
                if is_on {
                    style = style.add_modifier(modifier);
                }
            }
            to.set_style(style);
        }
    }
    let row = row.checked_sub(top)?;
    let is_shown = !console.hide_cursor() && console.scrollback() == 0 && row < area.height && column < area.width;
    is_shown.then_some((area.x + column, area.y + row))
}

const fn colour(colour: vt100::Color) -> Color {
    match colour {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(number) => Color::Indexed(number),
        vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}
