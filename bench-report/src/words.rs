//! Words in lines of a page's width.

/// Columns of a page.
const WIDTH: usize = 120;

/// The words of `text` in lines of at most 120 columns, each with its newline; `indent` is before all but the first.
pub fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut columns = 0;
    for word in text.split_whitespace() {
        let more = word.chars().count();
        if columns > 0 && columns + 1 + more > WIDTH {
            lines += "\n";
            lines += indent;
            columns = indent.chars().count();
        } else if columns > 0 {
            lines += " ";
            columns += 1;
        }
        lines += word;
        columns += more;
    }
    lines + "\n"
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn no_line_is_wider_than_the_page_and_no_word_is_lost() {
        let text = "a row of words ".repeat(40);
        let lines = wrapped(&text, "  ");
        assert!(lines.lines().all(|line| line.len() <= 120) && lines.lines().count() > 4, "{lines}");
        assert!(lines.lines().skip(1).all(|line| line.starts_with("  ")), "{lines}");
        assert!(lines.split_whitespace().eq(text.split_whitespace()));
    }
}
