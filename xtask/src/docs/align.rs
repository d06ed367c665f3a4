//! What a document shows of an output, brought up to date.
//!
//! Without a gap a document shows all of it. With gaps the lines before the first one are the output's first, those
//! behind the last one its last, and those between two are where the output looks most like them.

use std::sync::LazyLock;

use regex::Regex;

use super::markdown::GAP;

/// A number, decimal or hexadecimal, with a fraction or without.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"0x[0-9a-f]+|\b[0-9a-f]*[0-9][0-9a-f]*\b(\.[0-9]+)?|[0-9]+(\.[0-9]+)?").expect("a good expression")
});

/// `shown` as it must read for the output `actual`; an error names the line that the output has nowhere.
pub fn updated(shown: &[String], actual: &[String]) -> Result<Vec<String>, String> {
    let runs: Vec<&[String]> = shown.split(|line| line == GAP).collect();
    let [first, .., last] = runs.as_slice() else { return Ok(actual.to_vec()) };
    let mut lines = actual[..first.len().min(actual.len())].to_vec();
    let mut from = lines.len();
    for run in &runs[1..runs.len() - 1] {
        let at = from + place(run, &actual[from..])?;
        from = at + run.len();
        lines.push(GAP.to_owned());
        lines.extend_from_slice(&actual[at..from]);
    }
    lines.push(GAP.to_owned());
    lines.extend_from_slice(&actual[from.max(actual.len().saturating_sub(last.len()))..]);
    Ok(lines)
}

/// Where `actual` looks most like `run`: the first of the best places.
fn place(run: &[String], actual: &[String]) -> Result<usize, String> {
    let shapes: Vec<String> = run.iter().map(|line| shape(line)).collect();
    let likeness = |lines: &[String]| {
        let alike = lines.iter().zip(run).zip(&shapes);
        alike
            .map(|((line, old), old_shape)| usize::from(line == old) + 2 * usize::from(shape(line) == *old_shape))
            .sum()
    };
    let mut best = (0, 0);
    for (at, lines) in actual.windows(run.len().max(1)).enumerate() {
        let found: usize = likeness(lines);
        if found > best.0 {
            best = (found, at);
        }
    }
    if best.0 < run.len() {
        return Err(format!("nothing in the output looks like {:?}", run.first().map_or("", String::as_str)));
    }
    Ok(best.1)
}

/// A line without its numbers and the widths of its blanks.
fn shape(line: &str) -> String {
    NUMBER.replace_all(line, "0").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether two lines are the same but for numbers that differ by no more than `percent`.
pub fn is_close(old: &str, new: &str, percent: f64) -> bool {
    let numbers = |line| NUMBER.find_iter(line).map(|number| value(number.as_str())).collect::<Vec<_>>();
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= a.abs().max(b.abs()) * percent / 100.0;
    let (old_numbers, new_numbers) = (numbers(old), numbers(new));
    shape(old) == shape(new) && old_numbers.iter().zip(&new_numbers).all(near)
}

fn value(number: &str) -> f64 {
    let hex = number.trim_start_matches("0x");
    let decimal = number.parse::<f64>().ok();
    decimal.or_else(|| u64::from_str_radix(hex, 16).ok().map(|value| value as f64)).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{is_close, updated};

    fn of(shown: &str, actual: &str) -> Result<String, String> {
        let lines = |text: &str| text.split('|').filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        Ok(updated(&lines(shown), &lines(actual))?.join("|"))
    }

    #[test]
    fn without_a_gap_all_is_shown() {
        assert_eq!(of("a|b", "a|c|d").as_deref(), Ok("a|c|d"));
        assert_eq!(of("", "a").as_deref(), Ok("a"));
    }

    #[test]
    fn a_gap_leaves_as_many_lines_on_its_sides() {
        assert_eq!(of("a 1|...|z 1", "a 2|b|c|z 2").as_deref(), Ok("a 2|...|z 2"));
        assert_eq!(of("...|z", "a|y").as_deref(), Ok("...|y"));
        assert_eq!(of("a|...", "b|c").as_deref(), Ok("b|..."));
        assert_eq!(of("...", "").as_deref(), Ok("..."));
    }

    #[test]
    fn between_gaps_the_likest_lines_are_shown() {
        assert_eq!(of("...|m 1|n|...", "a|m|m 22|n|z").as_deref(), Ok("...|m 22|n|..."));
        assert_eq!(of("...|m 1|...|p 1|...", "p 2|m 2|p 3").as_deref(), Ok("...|m 2|...|p 3|..."));
        assert!(of("...|what|...", "a|b").is_err());
    }

    #[test]
    fn close_lines_differ_in_their_numbers_alone() {
        assert!(is_close("bench a 100.00  2", "bench a 101.50 2", 2.0));
        assert!(!is_close("bench a 100.00", "bench a 103.00", 2.0));
        assert!(!is_close("bench a 100", "bench b 100", 2.0));
        assert!(!is_close("a 1 2", "a 1", 2.0));
        assert!(is_close("at ffff888001587288 16K", "at ffff888001600000 16K", 2.0));
    }
}
