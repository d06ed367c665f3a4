//! The size of the console's screen.

/// Gives the console so many rows and columns. What has no room above the cursor's row leaves at the top, and can be
/// scrolled back to.
pub fn resize(console: &mut vt100::Parser, rows: u16, columns: u16) {
    let (row, column) = console.screen().cursor_position();
    let over = (row + 1).saturating_sub(rows);
    if over > 0 {
        // The rows of a scroll region are not kept when they leave: it ends. That moves the cursor.
        console.process(format!("\x1b[r\x1b[{over}S\x1b[{rows};{}H", column + 1).as_bytes());
    }
    console.screen_mut().set_size(rows, columns);
}

#[cfg(test)]
mod tests {
    use super::resize;

    /// A console of 20 rows on which a command has printed the numbers to 30.
    fn console() -> vt100::Parser {
        let mut console = vt100::Parser::new(20, 40, 100);
        (1..=30).for_each(|line| console.process(format!("{line}\r\n").as_bytes()));
        console.process(b"# ls");
        console
    }

    fn lines(console: &vt100::Parser) -> Vec<String> {
        console.screen().contents().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    #[test]
    fn a_smaller_console_keeps_its_last_lines_and_the_cursor() {
        for (rows, columns) in [(15, 40), (5, 20), (2, 6)] {
            let mut console = console();
            resize(&mut console, rows, columns);
            let first = 32 - usize::from(rows);
            let numbers = (first..=30).map(|line| line.to_string());
            assert_eq!(lines(&console), numbers.chain(["# ls".to_owned()]).collect::<Vec<_>>());
            assert_eq!(console.screen().cursor_position(), (rows - 1, 4));
            // The lines that left are the last ones before the screen.
            console.screen_mut().set_scrollback(1);
            assert_eq!(lines(&console)[0], (first - 1).to_string());
        }
    }

    #[test]
    fn a_console_that_grows_again_goes_on_behind_its_prompt() {
        let mut console = console();
        resize(&mut console, 5, 20);
        resize(&mut console, 20, 40);
        assert_eq!(lines(&console), ["27", "28", "29", "30", "# ls"]);
        console.process(b" -l\r\nx\r\n# ");
        assert_eq!(lines(&console), ["27", "28", "29", "30", "# ls -l", "x", "#"]);
    }

    #[test]
    fn empty_rows_below_the_cursor_go_first() {
        let mut console = vt100::Parser::new(20, 40, 100);
        console.process(b"one\r\ntwo\r\n# ");
        resize(&mut console, 5, 40);
        assert_eq!(lines(&console), ["one", "two", "#"]);
        assert_eq!(console.screen().cursor_position(), (2, 2));
    }

    #[test]
    fn a_scroll_region_does_not_hold_the_lines_back() {
        let mut console = console();
        console.process(b"\x1b[2;4r\x1b[20;5H");
        resize(&mut console, 5, 40);
        assert_eq!(lines(&console), ["27", "28", "29", "30", "# ls"]);
        assert_eq!(console.screen().cursor_position(), (4, 4));
    }
}
