//! The table: a row a measurement, a column an allocator.

use crate::peers::{LIMIT, OURS, PEERS};
use crate::rows::{Outcome, ROWS, Row, best_peer};

/// A row's figures, by peer.
pub type Outcomes = Vec<Option<Outcome>>;

/// The table in Markdown, padded so that it reads well as plain text. Ratios are ours to theirs.
pub fn render(results: &[Outcomes]) -> String {
    let mut lines = vec![header()];
    lines.extend(ROWS.iter().zip(results).map(|(row, outcomes)| line(row, outcomes)));
    align(&lines)
}

fn header() -> Vec<String> {
    let mut cells: Vec<String> =
        ["row", "target", "ours", "best peer", "ours / best", "ours / limit"].map(String::from).into();
    cells.extend(PEERS[LIMIT..].iter().map(|make| make().name().to_string()));
    cells
}

fn line(row: &Row, outcomes: &Outcomes) -> Vec<String> {
    let best = best_peer(row.unit, outcomes);
    let ours = exactly(outcomes[OURS]);
    let ratio = |to: Option<f64>| match (ours, to) {
        (Some(ours), Some(to)) if to > 0.0 => format!("{:.2}", ours / to),
        _ => "-".to_string(),
    };
    let target = row.target.map_or("-".to_string(), |(pass, stretch)| format!("< {pass:.0}, < {stretch:.0}"));
    let best_name = best.map_or("-".to_string(), |(peer, _)| PEERS[peer]().name().to_string());
    let mut cells = vec![row.name.to_string(), target, figure(outcomes[OURS]), best_name];
    cells.push(ratio(best.map(|(_, figure)| figure)));
    cells.push(ratio(exactly(outcomes[LIMIT])));
    cells.extend(outcomes[LIMIT..].iter().map(|&outcome| figure(outcome)));
    cells
}

fn exactly(outcome: Option<Outcome>) -> Option<f64> {
    match outcome {
        Some(Outcome::Exactly(figure)) => Some(figure),
        _ => None,
    }
}

/// A figure as the table shows it.
pub fn figure(outcome: Option<Outcome>) -> String {
    match outcome {
        None => "-".to_string(),
        Some(Outcome::Exactly(figure)) if figure < 100.0 => format!("{figure:.1}"),
        Some(Outcome::Exactly(figure)) => format!("{figure:.0}"),
        Some(Outcome::MoreThan(figure)) => format!("> {figure:.0}"),
    }
}

/// Pads the cells of all lines to columns; the first line is the head.
fn align(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for (number, cells) in lines.iter().enumerate() {
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            text += &if column == 0 { format!("| {cell:<width$} ") } else { format!("| {cell:>width$} ") };
        }
        text += "|\n";
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let end = if column == 0 { "-" } else { ":" };
                text += &format!("|{}{end}", "-".repeat(width + 1));
            }
            text += "|\n";
        }
    }
    text
}
