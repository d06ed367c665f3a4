//! `cmp`: compares two files byte by byte.

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::job::Job;
use crate::options::Options;

/// Bytes of each file that are compared at a time.
const BLOCK: usize = 2048;

/// `cmp [-s] FILE [FILE]`
pub fn cmp<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "s");
    let mut silent = false;
    while options.take()?.is_some() {
        silent = true;
    }
    let operands = options.operands();
    let first = operands.get(0).ok_or(Failure::Usage("missing operand"))?;
    let second = operands.get(1).unwrap_or("-");
    if operands.len() > 2 {
        return Err(Failure::Usage("too many operands"));
    }
    if first == "-" && second == "-" {
        return Err(Failure::Usage("both files are standard input"));
    }
    let opened = (open(job, first)?, open(job, second)?);
    let found = compare(
        Side { job, file: opened.0.as_ref().unwrap_or(job.input()), name: first },
        Side { job, file: opened.1.as_ref().unwrap_or(job.input()), name: second },
    )?;
    if !silent {
        report(job, first, second, found)?;
    }
    Ok(if found == Found::Same { Status::OK } else { Status::FAILED })
}

/// The file called `path`; `None` for standard input.
fn open<'a, E: Env>(job: &Job<'a, E>, path: &'a str) -> Result<Option<E::File>, Failure<'a>> {
    if path == "-" { Ok(None) } else { job.open(path).map(Some) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Same,
    Differ { byte: u64, line: u64 },
    FirstEnds { after: u64 },
    SecondEnds { after: u64 },
}

fn report<E: Env>(job: &Job<'_, E>, first: &str, second: &str, found: Found) -> Result<(), Failure<'static>> {
    match found {
        Found::Same => Ok(()),
        Found::Differ { byte, line } => {
            let mut out = job.out();
            writeln!(out, "{first} {second} differ: byte {byte}, line {line}")?;
            out.finish()
        }
        Found::FirstEnds { after } => {
            job.say(format_args!("cmp: EOF on {first} after byte {after}\n"));
            Ok(())
        }
        Found::SecondEnds { after } => {
            job.say(format_args!("cmp: EOF on {second} after byte {after}\n"));
            Ok(())
        }
    }
}

struct Side<'j, 'a, E: Env> {
    job: &'j Job<'a, E>,
    file: &'j E::File,
    name: &'a str,
}

impl<'a, E: Env> Side<'_, 'a, E> {
    /// Reads until `block` is full or the file ends.
    fn fill(&self, block: &mut [u8; BLOCK]) -> Result<usize, Failure<'a>> {
        let mut len = 0;
        while len < BLOCK {
            match self.job.read(self.file, &mut block[len..]).map_err(|errno| Failure::Named(self.name, errno))? {
                0 => break,
                read => len += read,
            }
        }
        Ok(len)
    }
}

fn compare<'a, E: Env>(first: Side<'_, 'a, E>, second: Side<'_, 'a, E>) -> Result<Found, Failure<'a>> {
    let (mut a, mut b) = ([0; BLOCK], [0; BLOCK]);
    let (mut before, mut line) = (0, 1);
    loop {
        let (len_a, len_b) = (first.fill(&mut a)?, second.fill(&mut b)?);
        let common = len_a.min(len_b);
        let same = a[..common].iter().zip(&b[..common]).position(|(x, y)| x != y);
        line += a[..same.unwrap_or(common)].iter().filter(|byte| **byte == b'\n').count() as u64;
        let after = before + common as u64;
        match same {
            Some(index) => return Ok(Found::Differ { byte: before + index as u64 + 1, line }),
            None if len_a < len_b => return Ok(Found::FirstEnds { after }),
            None if len_b < len_a => return Ok(Found::SecondEnds { after }),
            None if common == 0 => return Ok(Found::Same),
            None => before = after,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn equal_files_are_silent_even_by_short_reads() {
        let world = World::new();
        world.put("/a", &"0123456789\n".repeat(700));
        world.put("/b", &"0123456789\n".repeat(700));
        world.limit_transfers(13);
        let ran = world.run("cmp /a /b");
        assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status), ("", "", 0));
    }

    #[test]
    fn the_first_difference_is_found_behind_the_first_block() {
        let world = World::new();
        world.put("/a", &std::format!("{}x", "abc\n".repeat(1000)));
        world.put("/b", &std::format!("{}y", "abc\n".repeat(1000)));
        let ran = world.run("cmp /a /b");
        assert_eq!((ran.out.as_str(), ran.status), ("/a /b differ: byte 4001, line 1001\n", 1));
        assert_eq!(world.run("cmp -s /a /b").out, "");
    }

    #[test]
    fn a_shorter_file_is_named() {
        let world = World::new();
        world.put("/a", "abc");
        world.put("/b", "abcd");
        let ran = world.run("cmp /b /a");
        assert_eq!((ran.err.as_str(), ran.status), ("cmp: EOF on /a after byte 3\n", 1));
    }

    #[test]
    fn trouble_is_status_two() {
        let world = World::new();
        assert_eq!(world.run("cmp /a /b").status, 2);
        assert_eq!(world.run("cmp").status, 2);
        assert_eq!(world.run("cmp -").err, "cmp: both files are standard input\n");
        world.put("/a", "abc");
        assert_eq!(world.run_with("cmp /a", b"abc").status, 0);
    }
}
