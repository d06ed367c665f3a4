//! `tail`: the last lines or bytes.

use kapi::Errno;

use crate::env::Env;
use crate::failure::{Failure, Outcome};
use crate::io::{CHUNK, Store, write_all};
use crate::job::Job;
use crate::options::{Options, number};
use crate::words::Args;

/// What is wanted of a file.
#[derive(Clone, Copy)]
enum Part {
    LastLines(u64),
    LastBytes(u64),
    /// From this line on, 1 for the first.
    FromLine(u64),
    /// From this byte on, 1 for the first.
    FromByte(u64),
}

/// `tail [-n [+]LINES|-c [+]BYTES|-LINES] [FILE...]`
pub fn tail<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "n:c:");
    let mut part = Part::LastLines(10);
    loop {
        if let Some(lines) = options.dash_number() {
            part = Part::LastLines(lines);
            continue;
        }
        let Some(unit) = options.take()? else { break };
        let value = options.value()?;
        part = match (unit, value.strip_prefix('+')) {
            ('n', None) => Part::LastLines(number(value)?),
            ('n', Some(first)) => Part::FromLine(number(first)?),
            (_, None) => Part::LastBytes(number(value)?),
            (_, Some(first)) => Part::FromByte(number(first)?),
        };
    }
    let mut headings = Headings::new(options.operands());
    job.for_each_copied_input(options.operands(), |file, path| {
        headings.print(job, path)?;
        match part {
            Part::LastLines(_) | Part::LastBytes(_) => copy_end(job, file, path, part),
            Part::FromLine(_) | Part::FromByte(_) => copy_rest(job, file, path, part),
        }
    })
}

/// Copies the end of `file`. Remembers what may be wanted: at most twice as much as is wanted, and some blocks.
fn copy_end<'a, E: Env>(job: &Job<'a, E>, file: &E::File, path: &'a str, part: Part) -> Result<(), Failure<'a>> {
    let named = |errno| Failure::Named(path, errno);
    let mut bytes = [0; CHUNK];
    let mut kept = Store::<E>::new();
    let mut enough = 2 * CHUNK;
    loop {
        let len = job.read(file, &mut bytes).map_err(named)?;
        if len == 0 {
            let start = wanted_from(job, kept.bytes(), part)?;
            return write_all(job.env, job.output(), &kept.bytes()[start..]).map_err(Failure::Output);
        }
        kept.push(job.env, &bytes[..len]).map_err(named)?;
        if kept.bytes().len() >= enough {
            // Looked through each time that it has doubled, a long end costs no more than it is long.
            let start = wanted_from(job, kept.bytes(), part)?;
            kept.drop_front(start);
            enough = 2 * kept.bytes().len() + CHUNK;
        }
    }
}

/// The first of `bytes` that is wanted if the file ends with them.
fn wanted_from<E: Env>(job: &Job<'_, E>, bytes: &[u8], part: Part) -> Result<usize, Errno> {
    let mut newlines = match part {
        Part::LastBytes(count) => return Ok(bytes.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX))),
        Part::LastLines(0) => return Ok(bytes.len()),
        Part::LastLines(lines) => lines,
        Part::FromLine(_) | Part::FromByte(_) => return Ok(0),
    };
    // A newline at the very end ends the last line.
    let mut end = bytes.len().saturating_sub(1);
    for chunk in bytes[..end].rchunks(CHUNK) {
        job.go_on()?;
        end -= chunk.len();
        for (index, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            newlines -= 1;
            if newlines == 0 {
                return Ok(end + index + 1);
            }
        }
    }
    Ok(0)
}

/// Copies `file` without its start.
fn copy_rest<'a, E: Env>(job: &Job<'a, E>, file: &E::File, path: &'a str, part: Part) -> Result<(), Failure<'a>> {
    let mut bytes = [0; CHUNK];
    let mut skip = match part {
        Part::FromLine(first) | Part::FromByte(first) | Part::LastLines(first) | Part::LastBytes(first) => {
            first.saturating_sub(1)
        }
    };
    loop {
        let len = job.read(file, &mut bytes).map_err(|errno| Failure::Named(path, errno))?;
        if len == 0 {
            return Ok(());
        }
        let mut start = 0;
        while skip > 0 && start < len {
            if matches!(part, Part::FromByte(_)) || bytes[start] == b'\n' {
                skip -= 1;
            }
            start += 1;
        }
        write_all(job.env, job.output(), &bytes[start..len]).map_err(Failure::Output)?;
    }
}

/// The headings that `head` and `tail` print when they have several files.
pub struct Headings {
    files: usize,
    printed: usize,
}

impl Headings {
    /// No heading printed yet.
    pub const fn new(operands: Args<'_>) -> Self {
        Self { files: operands.len(), printed: 0 }
    }

    /// Prints the heading of `path`, if there are several files.
    pub fn print<E: Env>(&mut self, job: &Job<'_, E>, path: &str) -> Result<(), Failure<'static>> {
        if self.files < 2 {
            return Ok(());
        }
        let blank_line = if self.printed > 0 { "\n" } else { "" };
        self.printed += 1;
        let mut out = job.out();
        writeln!(out, "{blank_line}==> {path} <==")?;
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn last_lines_in_all_three_forms() {
        let world = World::new();
        for line in ["seq 1 9999 | tail -n 2", "seq 1 9999 | tail -n2", "seq 1 9999 | tail -2"] {
            assert_eq!(world.run(line).out, "9998\n9999\n");
        }
        assert_eq!(world.run("seq 1 100 | tail | wc -l").out, "10\n");
        assert_eq!(world.run("seq 1 3 | tail -n 0").out, "");
        assert_eq!(world.run("seq 1 3 | tail -n 9").out, "1\n2\n3\n");
    }

    #[test]
    fn a_last_line_without_newline_counts() {
        assert_eq!(World::new().run("printf 'a\\nb' | tail -n 1").out, "b");
    }

    #[test]
    fn last_bytes_and_from_the_front() {
        let world = World::new();
        assert_eq!(world.run("seq 1 9999 | tail -c 7").out, "8\n9999\n");
        assert_eq!(world.run("seq 1 5 | tail -n +4").out, "4\n5\n");
        assert_eq!(world.run("printf abcdef | tail -c +3").out, "cdef");
    }

    #[test]
    fn memory_is_bounded_by_what_is_wanted() {
        let world = World::new();
        world.put("/f", &"line\n".repeat(100_000));
        world.limit_memory(64 * 1024);
        assert_eq!(world.run("tail -n 1 /f").out, "line\n");
    }

    #[test]
    fn a_long_end_is_looked_through_a_few_times_only() {
        let world = World::new();
        world.put("/f", &"line\n".repeat(200_000));
        world.interrupt_at_look(0);
        assert_eq!(world.run("tail -n 150000 /f | wc -l").out, "150000\n");
        // Reads, writes to a pipe of 100 bytes, and at most four looks a block.
        let blocks = 1_000_000 / super::CHUNK as u64;
        assert!(world.looks() < 2 * blocks + 2 * 750_000 / 100 + 4 * blocks, "{}", world.looks());
    }

    #[test]
    fn no_memory_is_an_error() {
        let world = World::new();
        world.limit_memory(0);
        let ran = world.run_with("tail", b"a\n");
        assert_eq!((ran.err.as_str(), ran.status), ("tail: -: Cannot allocate memory\n", 1));
    }
}
