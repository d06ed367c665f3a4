//! The line of parameters that comes with a module: `a=1 text="two words"`.

/// The parameters of a line: name and value; a value in quotes may have blanks. What has no `=` has an empty value.
pub fn parameters(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line;
    core::iter::from_fn(move || {
        let (parameter, behind) = first(rest)?;
        rest = behind;
        Some(parameter)
    })
}

/// The first parameter, and what stands behind it.
fn first(line: &str) -> Option<((&str, &str), &str)> {
    let line = line.trim_ascii_start();
    let end = line.find(|c: char| c.is_ascii_whitespace()).unwrap_or(line.len());
    if end == 0 {
        return None;
    }
    let Some((name, value)) = line.split_once('=').filter(|(name, _)| name.len() < end) else {
        return Some(((&line[..end], ""), &line[end..]));
    };
    if let Some((quoted, behind)) = value.strip_prefix('"').and_then(|value| value.split_once('"')) {
        return Some(((name, quoted), behind));
    }
    Some(((name, &line[name.len() + 1..end]), &line[end..]))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::parameters;

    fn all(line: &str) -> Vec<(&str, &str)> {
        parameters(line).collect()
    }

    #[test]
    fn words_are_names_and_values() {
        assert_eq!(all(" a=1  b=x=y flag "), [("a", "1"), ("b", "x=y"), ("flag", "")]);
        assert_eq!(all("flag b=2"), [("flag", ""), ("b", "2")]);
        assert_eq!(all(""), []);
        assert_eq!(all("  "), []);
    }

    #[test]
    fn quotes_keep_blanks_in_a_value() {
        assert_eq!(all("text=\"two words\" n=1"), [("text", "two words"), ("n", "1")]);
        assert_eq!(all("a=\"\" b=\"x\""), [("a", ""), ("b", "x")]);
    }

    #[test]
    fn a_quote_that_does_not_end_is_part_of_its_word() {
        assert_eq!(all("a=\"x y"), [("a", "\"x"), ("y", "")]);
        assert_eq!(all("a=x\"y z\""), [("a", "x\"y"), ("z\"", "")]);
    }
}
