//! Expected console text with places that may differ.
//!
//! In a line: `{hex16}` sixteen hexadecimal digits, `{hex}` some, `{num}` a decimal number, `{digit}` a digit of one,
//! `{pos}` a number above 0, `{pad}` blanks, `{any}` anything. A line `{...}` alone stands for any number of lines.
//! Blanks at a line's end do not count.

use anyhow::{Context, Result};
use regex::Regex;

const GAP: &str = "{...}";
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("{hex16}", "[0-9a-f]{16}"),
    ("{hex}", "[0-9a-f]+"),
    ("{num}", "[0-9]+"),
    ("{digit}", "[0-9]"),
    ("{pos}", "[1-9][0-9]*"),
    ("{pad}", " +"),
    ("{any}", ".*"),
];

enum Line {
    Gap,
    Text(Regex),
}

/// Compares a console with the expected text; the error says where they part.
pub fn compare(expected: &str, console: &str) -> Result<Result<(), String>> {
    let texts: Vec<&str> = expected.lines().map(str::trim_end).collect();
    let patterns = texts.iter().map(|text| line(text)).collect::<Result<Vec<_>>>()?;
    let lines: Vec<&str> = console.lines().map(str::trim_end).collect();
    Ok(find_difference(&patterns, &lines).map_or(Ok(()), |(pattern, at)| {
        let wanted = texts.get(pattern).unwrap_or(&"the console's end");
        let found = lines.get(at).unwrap_or(&"the console's end");
        Err(format!("line {} of the console differs\n  expected: {wanted}\n  found:    {found}", at + 1))
    }))
}

fn line(text: &str) -> Result<Line> {
    if text == GAP {
        return Ok(Line::Gap);
    }
    let mut source = regex::escape(text);
    for (placeholder, meaning) in PLACEHOLDERS {
        source = source.replace(&regex::escape(placeholder), meaning);
    }
    Ok(Line::Text(Regex::new(&format!("^{source}$")).with_context(|| format!("bad pattern {text}"))?))
}

/// The pattern and the line that went furthest before they differed; `None` if all match.
///
/// A gap takes as few lines as it can; only the last gap passed ever needs to take more.
fn find_difference(patterns: &[Line], lines: &[&str]) -> Option<(usize, usize)> {
    let (mut pattern, mut at) = (0, 0);
    let mut gap = None;
    let mut furthest = (0, 0);
    loop {
        furthest = furthest.max((pattern, at));
        match (patterns.get(pattern), lines.get(at)) {
            (None, None) => return None,
            (Some(Line::Gap), _) => {
                gap = Some((pattern, at));
                pattern += 1;
            }
            (Some(Line::Text(text)), Some(line)) if text.is_match(line) => {
                pattern += 1;
                at += 1;
            }
            _ => {
                let Some((gap_pattern, gap_at)) = gap.filter(|&(_, gap_at)| gap_at < lines.len()) else {
                    return Some(furthest);
                };
                gap = Some((gap_pattern, gap_at + 1));
                (pattern, at) = (gap_pattern + 1, gap_at + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::compare;

    fn matches(expected: &str, console: &str) -> bool {
        compare(expected, console).expect("good patterns").is_ok()
    }

    #[test]
    fn placeholders_stand_for_what_differs() {
        assert!(matches("  item at {hex16}, n {num}", "  item at ffff888000001000, n 12"));
        assert!(!matches("  item at {hex16}", "  item at ffff88800000100"));
        assert!(!matches("{num}", "0x12"));
        assert!(matches("a.b*{any}", "a.b* and more"));
        assert!(!matches("a.b", "axb"));
    }

    #[test]
    fn a_gap_takes_any_number_of_lines() {
        assert!(matches("{...}\n# ls\na\n{...}", "boot\nlog\n# ls\na\n"));
        assert!(matches("{...}\nb\nc", "b\nx\nb\nc"));
        assert!(!matches("{...}\n# ls\na", "boot\n# ls\nb\n"));
        assert!(!matches("a", "a\nb"));
        assert!(!matches("a\nb", "a"));
    }

    #[test]
    fn the_first_difference_is_named() {
        let difference = compare("a\nb\nc", "a\nx\nc").expect("good patterns").expect_err("they differ");
        assert!(difference.contains("line 2") && difference.contains("expected: b"), "{difference}");
    }
}
