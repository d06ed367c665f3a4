//! Pictures as SVG: one, or a film strip of several.

use std::fmt::Write;

use mm::ZoneKind;
use mm::outside::Class;

use crate::layout::Layout;
use crate::palette::{self, Rgb};
use crate::picture::Picture;
use crate::record::Entry;

/// Points of the map in a row: eight tiles of 2 MiB with their gaps.
const COLUMNS: usize = 8 * 33 - 1;
/// Points of the map that are drawn at most, one above the other; of a larger memory a point is more frames.
const ROWS: usize = 400;
/// Units of a point.
const POINT: usize = 3;
/// Units around the map, and of a line of text.
const MARGIN: usize = 12;
const LINE: usize = 16;
/// Units of the column with the legend.
const LEGEND: usize = 250;

/// One picture, with its figures and a legend.
pub fn single(entry: &Entry, number: usize) -> String {
    let picture = &entry.picture;
    let layout = layout(picture);
    let (width, height) = size(&layout);
    let side = side_lines(picture);
    let total = (width + LEGEND + 3 * MARGIN, height.max((side.len() + 1) * LINE) + 3 * MARGIN + LINE);
    let mut out = head(total.0, total.1);
    title(&mut out, entry, number, MARGIN, MARGIN + 4);
    map(&mut out, picture, &layout, (MARGIN, MARGIN + LINE), POINT);
    for (nth, (colour, text)) in (0..).zip(&side) {
        let (x, y) = (width + 2 * MARGIN, MARGIN + LINE + nth * LINE);
        if let Some(colour) = colour {
            rectangle(&mut out, (x, y), (10, 10), *colour);
        }
        text_at(&mut out, x + 16, y + 9, text);
    }
    out.push_str("</svg>\n");
    out
}

/// Several pictures side by side, each smaller.
pub fn strip(entries: &[(usize, &Entry)]) -> String {
    let layouts: Vec<_> = entries.iter().map(|(_, entry)| layout(&entry.picture)).collect();
    let sizes: Vec<_> = layouts.iter().map(|layout| (layout.columns_needed(), layout.rows_needed())).collect();
    let width = sizes.iter().map(|size| size.0 + MARGIN).sum::<usize>() + MARGIN;
    let height = sizes.iter().map(|size| size.1).max().unwrap_or(0) + 3 * MARGIN + LINE;
    let mut out = head(width, height);
    let mut x = MARGIN;
    for (((number, entry), layout), size) in entries.iter().zip(&layouts).zip(&sizes) {
        title(&mut out, entry, *number, x, MARGIN + 4);
        map(&mut out, &entry.picture, layout, (x, MARGIN + LINE), 1);
        x += size.0 + MARGIN;
    }
    out.push_str("</svg>\n");
    out
}

fn layout(picture: &Picture) -> Layout {
    Layout::fitting(picture.cells.len(), COLUMNS, ROWS)
}

/// Units of a map.
fn size(layout: &Layout) -> (usize, usize) {
    (layout.columns_needed() * POINT, layout.rows_needed() * POINT)
}

fn head(width: usize, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"monospace\" font-size=\"11\" shape-rendering=\"crispEdges\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        hex(palette::NOTHING)
    )
}

fn title(out: &mut String, entry: &Entry, number: usize, x: usize, y: usize) {
    let name = entry.mark.clone().unwrap_or_else(|| format!("{number}"));
    text_at(out, x, y + 8, &format!("{name}: {} MiB, {} free", entry.picture.cells.len() / 256, entry.picture.free()));
}

/// Points side by side that are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    start: usize,
    end: usize,
    colour: Rgb,
}

/// Draws every point that has frames: what is alike side by side, and in the lines below too, is one rectangle.
fn map(out: &mut String, picture: &Picture, layout: &Layout, at: (usize, usize), point: usize) {
    // Runs of the line before, and the line in which each began.
    let mut open: Vec<(Run, usize)> = Vec::new();
    for y in 0..=layout.rows_needed() {
        let runs = if y < layout.rows_needed() { runs(picture, layout, y) } else { Vec::new() };
        for (run, began) in open.iter().filter(|(run, _)| !runs.contains(run)) {
            let place = (at.0 + run.start * point, at.1 + began * point);
            rectangle(out, place, ((run.end - run.start) * point, (y - began) * point), run.colour);
        }
        let began = |run: &Run| open.iter().find(|(before, _)| before == run).map_or(y, |(_, began)| *began);
        open = runs.iter().map(|run| (*run, began(run))).collect();
    }
}

/// The runs of a line of points.
fn runs(picture: &Picture, layout: &Layout, y: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for x in 0..layout.columns_needed() {
        let Some(frames) = layout.frames_at(x, y) else { continue };
        let colour = palette::of_frames(picture, frames);
        match runs.last_mut() {
            Some(last) if last.end == x && last.colour == colour => last.end = x + 1,
            _ if colour == palette::NOTHING => {}
            _ => runs.push(Run { start: x, end: x + 1, colour }),
        }
    }
    runs
}

/// What stands beside a map: zones, free blocks, a legend with counts.
fn side_lines(picture: &Picture) -> Vec<(Option<Rgb>, String)> {
    let mut lines = Vec::new();
    for (kind, zone) in ZoneKind::ALL.iter().zip(&picture.zones).filter(|(_, zone)| zone.managed > 0) {
        let marks = format!("min {} low {} high {}", zone.min, zone.low, zone.high);
        lines.push((None, format!("{kind:?}: {} free of {}", zone.free(), zone.managed)));
        lines.push((None, format!("  {marks}")));
    }
    let blocks: Vec<String> = picture.blocks().iter().map(u32::to_string).collect();
    lines.push((None, "free blocks of order 0 to 9:".into()));
    lines.push((None, format!("  {}", blocks.join(" "))));
    if picture.swap.slots > 0 {
        lines.push((None, format!("swap: {} free of {}", picture.swap.free, picture.swap.slots)));
    }
    for (class, &frames) in Class::ALL.iter().zip(&picture.counts()).filter(|(_, frames)| **frames > 0) {
        lines.push((Some(palette::of_class(*class)), format!("{frames:7} {}", class.name())));
    }
    lines
}

fn rectangle(out: &mut String, at: (usize, usize), size: (usize, usize), colour: Rgb) {
    let _ = writeln!(
        out,
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
        at.0,
        at.1,
        size.0,
        size.1,
        hex(colour)
    );
}

fn text_at(out: &mut String, x: usize, y: usize, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\" fill=\"#ddd\" xml:space=\"preserve\">{text}</text>");
}

fn hex((red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::{Entry, Picture, single, strip};
    use crate::cell::Cell;

    fn entry() -> Entry {
        let cells = (0..1024).map(|at| Cell::from_bits(if at < 512 { 0x4905 } else { 0x0a })).collect();
        Entry { mark: Some("half".into()), millis: 0, picture: Picture { cells, ..Picture::default() } }
    }

    #[test]
    fn a_picture_draws_what_is_alike_as_one() {
        let svg = single(&entry(), 0);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        // Two tiles, two colours of the legend, the ground.
        assert_eq!(svg.matches("<rect").count(), 2 + 2 + 1);
        assert!(svg.contains("half: 4 MiB, 512 free"));
    }

    #[test]
    fn a_strip_has_every_picture() {
        let entry = entry();
        assert_eq!(strip(&[(0, &entry), (1, &entry)]).matches("half").count(), 2);
    }
}
