//! Lines typed before, in a fixed buffer.

use crate::text::Text;

/// Bytes of lines that are kept; the oldest go first.
const CAPACITY: usize = 4096;

/// Lines typed before, oldest first, each with a newline behind it.
#[derive(Default)]
pub struct History {
    lines: Text<CAPACITY>,
}

impl History {
    /// No lines.
    pub const fn new() -> Self {
        Self { lines: Text::new() }
    }

    /// Appends a line, unless it is blank or the same as the one before.
    pub fn add(&mut self, line: &[u8]) {
        let blank = line.iter().all(u8::is_ascii_whitespace);
        if blank || self.back(0) == Some(line) || line.len() >= CAPACITY {
            return;
        }
        while self.lines.room() <= line.len() {
            let oldest = self.lines.as_bytes().iter().position(|byte| *byte == b'\n');
            self.lines.remove(0..oldest.map_or(0, |newline| newline + 1));
        }
        // There is room now.
        let _ = self.lines.push(line).and_then(|()| self.lines.push(b"\n"));
    }

    /// The line `steps` before the last one; 0 is the last one itself.
    pub fn back(&self, steps: usize) -> Option<&[u8]> {
        // What stands behind the last newline is no line.
        self.lines.as_bytes().rsplit(|byte| *byte == b'\n').nth(steps + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, History};

    #[test]
    fn lines_come_back_newest_first() {
        let mut history = History::new();
        for line in ["a", "b", "b", "  ", "c"] {
            history.add(line.as_bytes());
        }
        assert_eq!(history.back(0), Some(b"c".as_slice()));
        assert_eq!(history.back(1), Some(b"b".as_slice()));
        assert_eq!(history.back(2), Some(b"a".as_slice()));
        assert_eq!(history.back(3), None);
    }

    #[test]
    fn the_oldest_lines_make_room() {
        let mut history = History::new();
        for index in 0..CAPACITY {
            history.add(std::format!("line {index}").as_bytes());
        }
        assert_eq!(history.back(0), Some(std::format!("line {}", CAPACITY - 1).as_bytes()));
        assert!(history.back(300).is_some());
        assert_eq!(history.back(600), None);
    }
}
