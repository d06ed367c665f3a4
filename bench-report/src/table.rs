//! A table: a row a measurement, a column an allocator.

use crate::results::{Line, Results};
use crate::rows::{Outcome, Role};

/// The table in Markdown, padded so that it reads well as plain text. Ratios are ours to theirs.
pub fn render(results: &Results) -> String {
    let mut lines = vec![header(results)];
    lines.extend(results.lines.iter().map(|line| cells(results, line)));
    align(&lines)
}

/// The columns after the ratios, by their index: all but ours.
fn others(results: &Results) -> impl Iterator<Item = usize> {
    (0..results.columns.len()).filter(|&column| results.columns[column].0 != Role::Ours)
}

fn header(results: &Results) -> Vec<String> {
    let mut cells: Vec<String> =
        ["row", "target", "ours", "best peer", "ours / best", "ours / limit"].map(String::from).into();
    cells.extend(others(results).map(|column| results.columns[column].1.to_string()));
    cells
}

fn cells(results: &Results, line: &Line) -> Vec<String> {
    let (heading, outcomes) = line;
    let (ours, limit) = (results.ours(line), results.outcome(line, Role::Limit));
    let best = results.best_peer(line);
    let targets: Vec<_> = heading.targets.iter().map(|target| format!("< {target}")).collect();
    let target = if targets.is_empty() { "-".to_string() } else { targets.join(", ") };
    let best_name = best.map_or("-", |(name, _)| name).to_string();
    let mut cells = vec![heading.name.to_string(), target, figure(results.outcome(line, Role::Ours)), best_name];
    cells.push(ratio(ours, best.map(|(_, figure)| figure)));
    cells.push(ratio(ours, exactly(limit)));
    cells.extend(others(results).map(|column| figure(outcomes[column])));
    cells
}

fn exactly(outcome: Option<Outcome>) -> Option<f64> {
    match outcome {
        Some(Outcome::Exactly(figure)) => Some(figure),
        _ => None,
    }
}

/// Our figure as a multiple of another one, as the table shows it.
pub fn ratio(ours: Option<f64>, to: Option<f64>) -> String {
    match (ours, to) {
        (Some(ours), Some(to)) if to > 0.0 => format!("{:.2}", ours / to),
        _ => "-".to_string(),
    }
}

/// A figure as the table shows it.
pub fn figure(outcome: Option<Outcome>) -> String {
    match outcome {
        None => "-".to_string(),
        Some(Outcome::Exactly(figure)) if figure < 99.95 => format!("{figure:.1}"),
        Some(Outcome::Exactly(figure)) => format!("{figure:.0}"),
        Some(Outcome::MoreThan(figure)) => format!("> {figure:.0}"),
    }
}

/// Pads the cells of all lines to columns; the first line is the head.
pub fn align(lines: &[Vec<String>]) -> String {
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
