//! A plot: a row's bars for ours, the best peer and the limit.
//!
//! The axis is logarithmic; rows in ticks only.

use crate::results::{Line, Results};
use crate::rows::{Outcome, Role, Unit};

/// Pixels to the left of the axis.
const LEFT: f64 = 250.0;
/// Pixels above the first row.
const TOP: f64 = 80.0;
/// Pixels of a factor of ten.
const DECADE: f64 = 190.0;
/// Factors of ten on the axis: 1 to 10,000 ticks.
const DECADES: i32 = 4;
/// Height of a bar.
const BAR: f64 = 13.0;
/// Height of a row.
const ROW: f64 = 3.0 * BAR + 12.0;
/// Pixels below the last row.
const BOTTOM: f64 = 60.0;
/// Pixels to the right of the axis, for figures and names.
const RIGHT: f64 = 150.0;

const OURS_COLOUR: &str = "#1b6ca8";
const PEER_COLOUR: &str = "#d98e04";
const LIMIT_COLOUR: &str = "#8a8f98";

/// An SVG picture of the results.
pub fn render(results: &Results) -> String {
    let rows: Vec<_> = results.lines.iter().filter(|(heading, _)| heading.unit == Unit::Ticks).collect();
    let bottom = TOP + ROW * rows.len() as f64;
    let (width, height) = (LEFT + DECADE * f64::from(DECADES) + RIGHT, bottom + BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    svg += &text(
        LEFT,
        28.0,
        "start",
        17,
        &format!("{}: ticks for an allocation and its free (less is better)", results.title),
    );
    svg += &legend();
    svg += &axis(bottom);
    for (number, line) in rows.into_iter().enumerate() {
        svg += &bars(results, line, TOP + ROW * number as f64 + 6.0);
    }
    svg + "</svg>\n"
}

/// A line of words at a place.
pub fn text(x: f64, y: f64, anchor: &str, size: u32, words: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"#222\">{words}</text>\n"
    )
}

fn rectangle(x: f64, y: f64, width: f64, colour: &str) -> String {
    let height = BAR - 2.0;
    format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>\n")
}

fn legend() -> String {
    let entries =
        [(OURS_COLOUR, "Scullery"), (PEER_COLOUR, "best peer"), (LIMIT_COLOUR, "limit: a bare stack of numbers")];
    let entry = |(number, (colour, name)): (usize, (&str, &str))| {
        let x = LEFT + 110.0 * number as f64;
        rectangle(x, 44.0, BAR, colour) + &text(x + BAR + 5.0, 54.0, "start", 12, name)
    };
    entries.into_iter().enumerate().map(entry).collect()
}

fn axis(bottom: f64) -> String {
    let mut svg = String::new();
    for decade in 0..=DECADES {
        let x = LEFT + DECADE * f64::from(decade);
        svg += &format!("<line x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#ccc\"/>\n");
        svg += &text(x, bottom + 18.0, "middle", 12, &10_u32.pow(decade.unsigned_abs()).to_string());
    }
    let middle = LEFT + DECADE * f64::from(DECADES) / 2.0;
    svg + &text(middle, bottom + 42.0, "middle", 13, "ticks of the time-stamp counter, logarithmic")
}

fn bars(results: &Results, line: &Line, top: f64) -> String {
    let mut svg = text(LEFT - 8.0, top + 1.5 * BAR + 4.0, "end", 12, line.0.name);
    let best = results.best_peer(line);
    let figures = [
        (results.outcome(line, Role::Ours), OURS_COLOUR, ""),
        (best.map(|(_, figure)| Outcome::Exactly(figure)), PEER_COLOUR, best.map_or("", |(name, _)| name)),
        (results.outcome(line, Role::Limit), LIMIT_COLOUR, ""),
    ];
    for (number, (outcome, colour, name)) in figures.into_iter().enumerate() {
        let Some(Outcome::Exactly(figure)) = outcome else { continue };
        let (y, width) = (top + BAR * number as f64, DECADE * figure.max(1.0).log10());
        svg += &rectangle(LEFT, y, width, colour);
        svg += &text(LEFT + width + 5.0, y + BAR - 3.0, "start", 11, &format!("{figure:.1} {name}"));
    }
    svg
}
