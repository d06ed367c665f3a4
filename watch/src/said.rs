//! What a recorded console showed at the moment of a picture.

use crate::console::resize;

/// Bytes before a moment from which its screen is made again: more than any screen has.
const ENOUGH: usize = 64 * 1024;
/// Rows and columns of a console that never said how many it has.
const USUAL: (u16, u16) = (24, 80);

/// All that a console said, and how many rows and columns it had meanwhile.
pub struct Said {
    bytes: Vec<u8>,
    /// From which byte on it had how many rows and columns.
    sizes: Vec<(usize, (u16, u16))>,
    parser: vt100::Parser,
    /// Bytes that the parser was fed.
    fed: usize,
}

impl Said {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { bytes: Vec::new(), sizes: Vec::new(), parser: parser(USUAL), fed: 0 }
    }

    /// It said more.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// It has so many rows and columns from here on.
    pub fn set_size(&mut self, rows: u16, columns: u16) {
        self.sizes.push((self.bytes.len(), (rows, columns)));
    }

    /// How much it has said.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has said nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its screen when it had said so many bytes.
    pub fn at(&mut self, behind: usize) -> &vt100::Screen {
        let behind = behind.min(self.bytes.len());
        if behind < self.fed {
            self.fed = behind.saturating_sub(ENOUGH);
            let size = self.sizes.iter().rev().find(|(from, _)| *from <= self.fed).map_or(USUAL, |(_, size)| *size);
            self.parser = parser(size);
        }
        for &(from, (rows, columns)) in &self.sizes {
            if (self.fed..=behind).contains(&from) {
                self.parser.process(&self.bytes[self.fed..from]);
                resize(&mut self.parser, rows, columns);
                self.fed = from;
            }
        }
        self.parser.process(&self.bytes[self.fed..behind]);
        self.fed = behind;
        self.parser.screen()
    }
}

impl Default for Said {
    fn default() -> Self {
        Self::new()
    }
}

fn parser((rows, columns): (u16, u16)) -> vt100::Parser {
    vt100::Parser::new(rows, columns, 0)
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn the_screen_of_each_moment_comes_back() {
        let mut said = Said::new();
        said.set_size(3, 20);
        let mut moments = Vec::new();
        for line in 0..20_000 {
            said.add(format!("line {line}\r\n").as_bytes());
            moments.push((line, said.len()));
        }
        for &(line, behind) in [&moments[19_999], &moments[7], &moments[8], &moments[15_000]] {
            let text = said.at(behind).contents();
            assert_eq!(text.lines().nth(1), Some(&*format!("line {line}")), "{text}");
        }
        said.set_size(5, 20);
        said.add(b"end");
        assert_eq!(said.at(usize::MAX).size(), (5, 20));
    }

    #[test]
    fn the_last_lines_stay_when_the_screen_becomes_smaller() {
        let mut said = Said::new();
        said.set_size(20, 40);
        (1..=30).for_each(|line| said.add(format!("{line}\r\n").as_bytes()));
        said.add(b"# ");
        let before = said.len();
        said.set_size(5, 20);
        let small = "27\n28\n29\n30\n# ";
        assert_eq!(said.at(before).contents().trim_end(), small.trim_end());
        said.set_size(20, 40);
        said.add(b"ls");
        assert_eq!(said.at(usize::MAX).contents(), format!("{small}ls"));
        // Back, and there again.
        assert_eq!(said.at(before - 3).contents().lines().next(), Some("11"));
        assert_eq!(said.at(usize::MAX).contents(), format!("{small}ls"));
    }
}
