//! `wc`: counts lines, words and bytes.

use crate::env::Env;
use crate::failure::{Failure, Outcome};
use crate::io::{CHUNK, Out};
use crate::job::Job;
use crate::options::Options;

#[derive(Clone, Copy, Default)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
}

impl Counts {
    /// The counts of a file. A word is a run of bytes that are no white space.
    fn of<'a, E: Env>(job: &Job<'a, E>, file: &E::File, path: &'a str) -> Result<Self, Failure<'a>> {
        let mut chunk = [0; CHUNK];
        let mut counts = Self::default();
        let mut blank = true;
        loop {
            let len = job.read(file, &mut chunk).map_err(|errno| Failure::Named(path, errno))?;
            if len == 0 {
                return Ok(counts);
            }
            for &byte in &chunk[..len] {
                let was_blank = core::mem::replace(&mut blank, byte.is_ascii_whitespace() || byte == 0x0b);
                counts.words += u64::from(was_blank && !blank);
                counts.lines += u64::from(byte == b'\n');
            }
            counts.bytes += len as u64;
        }
    }

    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.words += other.words;
        self.bytes += other.bytes;
    }
}

/// Which counts are shown.
#[derive(Clone, Copy, Default)]
struct Shown {
    lines: bool,
    words: bool,
    bytes: bool,
}

impl Shown {
    /// One line: a single count is printed bare, several in columns.
    fn print<E: Env>(self, out: &mut Out<'_, E>, counts: Counts, name: &str) -> Result<(), Failure<'static>> {
        let columns = [(self.lines, counts.lines), (self.words, counts.words), (self.bytes, counts.bytes)];
        let shown = columns.iter().filter(|(shown, _)| *shown);
        let width = if shown.clone().count() > 1 { 7 } else { 1 };
        for (index, (_, count)) in shown.enumerate() {
            let blank = if index > 0 { " " } else { "" };
            write!(out, "{blank}{count:>width$}")?;
        }
        match name {
            "-" => writeln!(out),
            _ => writeln!(out, " {name}"),
        }
    }
}

/// `wc [-l] [-w] [-c] [FILE...]`
pub fn wc<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "lwc");
    let mut shown = Shown::default();
    while let Some(option) = options.take()? {
        match option {
            'l' => shown.lines = true,
            'w' => shown.words = true,
            _ => shown.bytes = true,
        }
    }
    if !(shown.lines || shown.words || shown.bytes) {
        shown = Shown { lines: true, words: true, bytes: true };
    }
    let mut total = Counts::default();
    let mut out = job.out();
    let status = job.for_each_input(options.operands(), |file, path| {
        let counts = Counts::of(job, file, path)?;
        total.add(counts);
        shown.print(&mut out, counts, path)
    })?;
    if options.operands().len() > 1 {
        shown.print(&mut out, total, "total")?;
    }
    out.finish()?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn counts_lines_words_and_bytes() {
        let world = World::new();
        world.put("/f", "one two\n\n three\nfour");
        assert_eq!(world.run("wc /f").out, "      3       4      20 /f\n");
        assert_eq!(world.run("wc -l /f").out, "3 /f\n");
        assert_eq!(world.run("wc -w < /f").out, "4\n");
        assert_eq!(world.run("wc -lc < /f").out, "      3      20\n");
    }

    #[test]
    fn a_word_across_two_reads_counts_once() {
        let world = World::new();
        world.put("/f", "onetwo");
        world.limit_transfers(3);
        assert_eq!(world.run("wc -w /f").out, "1 /f\n");
    }

    #[test]
    fn several_files_have_a_total_without_those_that_are_missing() {
        let world = World::new();
        world.put("/a", "a\n");
        world.put("/b", "b\n");
        let ran = world.run("wc -l /a /nosuch /b");
        assert_eq!(ran.out, "1 /a\n1 /b\n2 total\n");
        assert_eq!((ran.err.as_str(), ran.status), ("wc: /nosuch: No such file or directory\n", 1));
    }
}
