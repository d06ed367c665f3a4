//! How many rows there are, and in which Linux is ahead.

use bench_report::wrapped;

use super::pair::Pair;

/// What a row that is good costs at most, as a part of what it costs on Linux.
const GOOD: f64 = 0.25;

/// One line, for the terminal: `alone` is how many of our rows have no figure of Linux's.
pub fn line(pairs: &[Pair<'_>], alone: usize) -> String {
    let above = |most: f64| pairs.iter().filter(move |pair| pair.ratio() > most);
    let behind: Vec<String> = above(1.0).map(|pair| format!("{} {:.3}", pair.name, pair.ratio())).collect();
    let names = if behind.is_empty() { String::new() } else { format!(" ({})", behind.join(", ")) };
    let (rows, moderate) = (pairs.len(), above(GOOD).count());
    format!(
        "rows {rows} ({alone} more have no figure of Linux's); above {GOOD} of Linux's: {moderate}; above 1: {}{names}",
        behind.len()
    )
}

/// The same as a paragraph of the page.
pub fn paragraph(pairs: &[Pair<'_>], alone: usize) -> String {
    wrapped(&format!("In short: {}.", line(pairs, alone)), "")
}

#[cfg(test)]
mod tests {
    use super::{Pair, line, paragraph};

    fn pair(name: &str, ours: f64) -> Pair<'_> {
        Pair { name, ours, linux: 100.0 }
    }

    #[test]
    fn rows_are_counted_and_those_above_1_are_named() {
        let pairs = [pair("good", 25.0), pair("moderate", 26.0), pair("behind", 120.4), pair("far", 250.0)];
        let counts = "rows 4 (7 more have no figure of Linux's); above 0.25 of Linux's: 3; above 1: 2";
        assert_eq!(line(&pairs, 7), format!("{counts} (behind 1.204, far 2.500)"));
    }

    #[test]
    fn a_row_that_costs_the_same_is_not_behind() {
        let text = "rows 1 (0 more have no figure of Linux's); above 0.25 of Linux's: 1; above 1: 0";
        assert_eq!(line(&[pair("same", 100.0)], 0), text);
    }

    #[test]
    fn the_page_has_it_in_lines_that_are_not_too_long() {
        let text = paragraph(&vec![pair("kcopy_scull_rewrite_64k", 160.8); 25], 0);
        assert!(text.lines().all(|line| line.len() <= 120) && text.lines().count() > 5, "{text}");
    }
}
