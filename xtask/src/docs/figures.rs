//! Figures in a document's running text, which are pinned ones.
//!
//! A comment before a paragraph or a table names them: `<!-- figures: 814 kmem_cache_counted_64, 56 kmem_cache_64 -->`.
//! The text must have each number as a word of its own; it is the pinned figure, with as many decimals as it shows.

use crate::pins::Pins;

const BEFORE: &str = "<!-- figures: ";
const AFTER: &str = " -->";

/// The text with all its figures as they are pinned; errors name what is not found.
pub fn updated(text: &str, pins: &Pins) -> Result<String, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for at in 0..lines.len() {
        let Some(list) = lines[at].strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER)) else { continue };
        let list = list.to_owned();
        let paragraph = paragraph(&lines, at + 1);
        let mut body = lines[paragraph.clone()].join("\n");
        let mut entries = Vec::new();
        for entry in list.split(", ") {
            let (old, name) = entry.split_once(' ').ok_or_else(|| format!("line {}: no row in {entry:?}", at + 1))?;
            let pinned = pins.get(name).ok_or_else(|| format!("line {}: no figure {name} is pinned", at + 1))?;
            let new = like(old, pinned);
            body = replaced(&body, old, &new).ok_or_else(|| format!("line {}: no {old} in the text below", at + 1))?;
            entries.push(format!("{new} {name}"));
        }
        lines[at] = format!("{BEFORE}{}{AFTER}", entries.join(", "));
        for (line, new) in lines[paragraph].iter_mut().zip(body.lines()) {
            new.clone_into(line);
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// The lines of the text after a comment, up to the next empty one.
fn paragraph(lines: &[String], from: usize) -> std::ops::Range<usize> {
    let start = from + lines[from..].iter().take_while(|line| line.is_empty()).count();
    start..start + lines[start..].iter().take_while(|line| !line.is_empty()).count()
}

/// A number written like another one: with as many decimals, and with commas between thousands if that has some.
fn like(old: &str, number: f64) -> String {
    let decimals = old.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let plain = format!("{number:.decimals$}");
    if !old.contains(',') {
        return plain;
    }
    let digits: Vec<char> = plain.chars().collect();
    let mut text = String::new();
    for (at, digit) in digits.iter().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(*digit);
    }
    text
}

/// `old` replaced where it is a number of its own; `None` if it is nowhere.
fn replaced(text: &str, old: &str, new: &str) -> Option<String> {
    let mut found = false;
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let (before, after) = (&rest[..at], &rest[at + old.len()..]);
        let ends_before = !(result.clone() + before).ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let mut following = after.chars();
        let next = following.next();
        let is_fraction = matches!(next, Some('.' | ',')) && following.next().is_some_and(|c| c.is_ascii_digit());
        let ends_after = !next.is_some_and(|c| c.is_alphanumeric() || c == '_') && !is_fraction;
        let is_it = ends_before && ends_after;
        found |= is_it;
        result += before;
        result += if is_it { new } else { old };
        rest = after;
    }
    found.then(|| result + rest)
}

#[cfg(test)]
mod tests {
    use super::{like, replaced, updated};
    use crate::pins::Pins;

    fn pins() -> Pins {
        let mut pins = Pins::default();
        pins.add("a_64", 56.2);
        pins.add("b", 4_267.4);
        pins
    }

    #[test]
    fn a_figure_follows_its_pin() {
        let text =
            "x 55\n\n<!-- figures: 55 a_64, 4,141 b -->\n\nIt is 55, not a_55 or 5.55,\nand 4,141 there.\n\n55\n";
        let expected =
            "x 55\n\n<!-- figures: 56 a_64, 4,267 b -->\n\nIt is 56, not a_55 or 5.55,\nand 4,267 there.\n\n55\n";
        assert_eq!(updated(text, &pins()).as_deref(), Ok(expected));
        assert_eq!(updated(expected, &pins()).as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_not_there_is_named() {
        for comment in ["55 nothing", "7 a_64", "55"] {
            assert!(updated(&format!("<!-- figures: {comment} -->\nIt is 55.\n"), &pins()).is_err(), "{comment}");
        }
    }

    #[test]
    fn numbers_keep_their_form() {
        assert_eq!(
            (like("2.5", 2.466), like("7", 2.5), like("1,000", 1_234_567.0)),
            ("2.5".into(), "2".into(), "1,234,567".into())
        );
    }

    #[test]
    fn only_whole_numbers_are_replaced() {
        assert_eq!(replaced("5 55 5.5 5, 5. (5)", "5", "6").as_deref(), Some("6 55 5.5 6, 6. (6)"));
        assert_eq!(replaced("55", "5", "6"), None);
    }
}
