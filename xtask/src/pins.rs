//! The pinned figures: what things cost when somebody last looked.
//!
//! Pinned are the rows of the benchmark, booting, and the kernel's size.
//! tests/icount.txt has them, a name and a number a line, and documents quote them (docs/figures.rs). icount.rs
//! measures them anew.

use std::fs;

use anyhow::{Context, Result};

const FILE: &str = "tests/icount.txt";
/// More than this, in percent, is worse.
const MARGIN: f64 = 2.0;
const HEADER: &str = "\
# What things cost: instructions, or bytes where the name says so. `make accept-icount` writes this file,
# and `make test` fails where one is more than 2 % dearer than here.
";

/// Names and numbers, in the order in which they were measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pins {
    rows: Vec<(String, f64)>,
}

/// How figures differ from the pinned ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What must not be, a line each.
    pub worse: Vec<String>,
    /// What has become cheaper.
    pub better: Vec<String>,
}

impl Pins {
    /// Those of the tree.
    pub fn load() -> Result<Self> {
        let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
        Self::parse(&text).context(FILE)
    }

    /// Writes them.
    pub fn save(&self) -> Result<()> {
        fs::write(FILE, self.text()).with_context(|| format!("cannot write {FILE}"))
    }

    /// Reads lines such as `kmem_cache_64 56.00`.
    fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let row = |line: &str| {
            let (name, number) = line.split_once(' ').with_context(|| format!("no number in {line:?}"))?;
            Ok((name.to_owned(), number.trim().parse().with_context(|| format!("bad number in {line:?}"))?))
        };
        Ok(Self { rows: lines.map(row).collect::<Result<_>>()? })
    }

    fn text(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(|(name, number)| format!("{name} {number:.2}\n")).collect();
        HEADER.to_owned() + &rows.concat()
    }

    /// Adds a figure.
    pub fn add(&mut self, name: &str, number: f64) {
        self.rows.push((name.to_owned(), number));
    }

    /// Adds all of others.
    pub fn extend(&mut self, others: Self) {
        self.rows.extend(others.rows);
    }

    /// The figure of that name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.rows.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }

    /// Those whose name `belongs` takes.
    pub fn only(&self, belongs: impl Fn(&str) -> bool) -> Self {
        Self { rows: self.rows.iter().filter(|(name, _)| belongs(name)).cloned().collect() }
    }

    /// Compares figures of today with these.
    pub fn judge(&self, today: &Self) -> Verdict {
        let mut verdict = Verdict::default();
        for (name, number) in &today.rows {
            let Some(pinned) = self.get(name) else {
                verdict.worse.push(format!("{name} is {number:.2} and not pinned yet"));
                continue;
            };
            let change = format!("{name} is {number:.2}, pinned are {pinned:.2} ({:+.1} %)", percent(pinned, *number));
            if *number > pinned * (1.0 + MARGIN / 100.0) {
                verdict.worse.push(change);
            } else if *number < pinned * (1.0 - MARGIN / 100.0) {
                verdict.better.push(change);
            }
        }
        let gone = self.rows.iter().filter(|(name, _)| today.get(name).is_none());
        verdict.worse.extend(gone.map(|(name, _)| format!("{name} is pinned, and nobody measures it")));
        verdict
    }
}

fn percent(from: f64, to: f64) -> f64 {
    if from == to { 0.0 } else { (to / from - 1.0) * 100.0 }
}

#[cfg(test)]
mod tests {
    use super::{HEADER, Pins};

    fn pins(text: &str) -> Pins {
        Pins::parse(text).expect("well formed")
    }

    #[test]
    fn the_file_reads_back() {
        let text = format!("{HEADER}kmem_cache_64 56.00\nboot_1G 4279825.00\n");
        assert_eq!(pins(&text).text(), text);
        assert_eq!(pins(&text).get("boot_1G"), Some(4_279_825.0));
        assert!(Pins::parse("kmem_cache_64").is_err() && Pins::parse("kmem_cache_64 x").is_err());
    }

    #[test]
    fn two_percent_worse_is_let_pass_and_more_is_not() {
        let pinned = pins("a 100\nb 3021\nc 0\n");
        assert!(pinned.judge(&pins("a 102\nb 3021\nc 0\n")).worse.is_empty());
        assert_eq!(pinned.judge(&pins("a 102.01\nb 3021\nc 0\n")).worse, ["a is 102.01, pinned are 100.00 (+2.0 %)"]);
        assert_eq!(pinned.judge(&pins("a 99\nb 4267\nc 1\n")).worse.len(), 2);
    }

    #[test]
    fn better_is_told_and_passes() {
        let verdict = pins("a 100\nb 100\n").judge(&pins("a 97\nb 99\n"));
        assert_eq!((verdict.worse.len(), verdict.better.len()), (0, 1));
    }

    #[test]
    fn a_row_that_came_or_went_must_be_accepted() {
        let verdict = pins("a 1\n").judge(&pins("b 1\n"));
        assert_eq!(verdict.worse, ["b is 1.00 and not pinned yet", "a is pinned, and nobody measures it"]);
    }

    #[test]
    fn the_tree_has_pins() {
        let text = std::fs::read_to_string("../tests/icount.txt").expect("it is there");
        assert!(pins(&text).get("kmem_cache_create_destroy").is_some());
    }
}
