//! The figures as lines, a panel each, both axes logarithmic.

use std::fmt::Write;

use super::{Curve, Panel};
use crate::plot::text;

/// Pixels of a panel's drawing.
const WIDTH: f64 = 330.0;
const HEIGHT: f64 = 250.0;
/// Pixels around it: to the left for the figures, to the right for names, above and below.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;
/// Factors of ten of ticks: 1 to 10,000. More is drawn at the upper edge.
const DECADES: u32 = 4;
const MOST: f64 = 10_u32.pow(DECADES) as f64;
/// Height of a line of names.
const LINE: f64 = 14.0;

const COLOURS: [&str; 4] = ["#1b6ca8", "#d98e04", "#3a8f4f", "#8a8f98"];

/// An SVG picture of the panels, two in a row.
pub fn render(panels: &[Panel]) -> String {
    let (across, down) = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM);
    let (width, height) = (2.0 * across, down * panels.len().div_ceil(2) as f64 + 30.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    svg += &text(LEFT, 24.0, "start", 17, "Scale: ticks for a call by what there is (flat is good)");
    for (number, panel) in panels.iter().enumerate() {
        let (column, row) = ((number % 2) as f64, (number / 2) as f64);
        svg += &format!("<g transform=\"translate({:.1} {:.1})\">\n", column * across + LEFT, row * down + 30.0 + TOP);
        svg += &drawing(panel);
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

fn drawing(panel: &Panel) -> String {
    let sizes = panel.sizes();
    let mut svg = text(WIDTH / 2.0, -12.0, "middle", 14, panel.title);
    for decade in 0..=DECADES {
        let y = height_of(10_f64.powi(decade as i32));
        svg += &format!("<line x1=\"0\" y1=\"{y:.1}\" x2=\"{WIDTH}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\n");
        svg += &text(-8.0, y + 4.0, "end", 11, &10_u32.pow(decade).to_string());
    }
    for &size in &sizes {
        svg += &text(place_of(size, &sizes), HEIGHT + 18.0, "middle", 11, &size.to_string());
    }
    let coloured = || panel.curves.iter().zip(COLOURS);
    svg += &coloured().map(|(curve, colour)| line(curve, &sizes, colour)).collect::<String>();
    let ends: Vec<f64> = panel.curves.iter().map(end).collect();
    let named = coloured().zip(apart(&ends));
    svg + &named.map(|((curve, colour), y)| name(curve.name, y, colour)).collect::<String>()
}

/// Pixels from the top where a curve ends.
fn end(curve: &Curve) -> f64 {
    curve.points.last().map_or(HEIGHT, |&(_, ticks)| height_of(ticks))
}

/// Places for names as near as they may be to where their curves end: each a line below the one above it.
fn apart(ends: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|&a, &b| ends[a].total_cmp(&ends[b]));
    let mut places = ends.to_vec();
    for pair in order.windows(2) {
        places[pair[1]] = places[pair[1]].max(places[pair[0]] + LINE);
    }
    places
}

fn name(words: &str, y: f64, colour: &str) -> String {
    let dot = format!("<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n", WIDTH + 10.0);
    dot + &text(WIDTH + 18.0, y + 4.0, "start", 11, words)
}

/// Pixels from the top for so many ticks.
fn height_of(ticks: f64) -> f64 {
    HEIGHT * (1.0 - ticks.clamp(1.0, MOST).log10() / f64::from(DECADES))
}

/// Pixels from the left for a size.
fn place_of(size: usize, sizes: &[usize]) -> f64 {
    let log = |size: usize| (size as f64).ln();
    let (least, most) = (log(sizes[0]), log(sizes[sizes.len() - 1]));
    WIDTH * (log(size) - least) / (most - least)
}

fn line(curve: &Curve, sizes: &[usize], colour: &str) -> String {
    let mut points = String::new();
    let mut dots = String::new();
    for &(size, ticks) in &curve.points {
        let (x, y) = (place_of(size, sizes), height_of(ticks));
        // Writing to a string succeeds.
        let _ = write!(points, "{x:.1},{y:.1} ");
        dots += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n");
    }
    format!("<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n", points.trim_end())
        + &dots
}

#[cfg(test)]
mod tests {
    use super::{LINE, apart};

    #[test]
    fn names_do_not_cover_each_other() {
        let places = apart(&[100.0, 98.0, 150.0, 99.0]);
        assert_eq!(places, [98.0 + 2.0 * LINE, 98.0, 150.0, 98.0 + LINE]);
    }
}
