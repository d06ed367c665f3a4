//! `head`: the first lines or bytes.

use crate::env::{Env, File};
use crate::failure::{Failure, Outcome};
use crate::io::{CHUNK, write_all};
use crate::job::Job;
use crate::options::Options;

/// What is counted, and how much of it is wanted.
#[derive(Clone, Copy)]
enum Amount {
    Lines(u64),
    Bytes(u64),
}

/// `head [-n LINES|-c BYTES|-LINES] [FILE...]`
pub fn head<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "n:c:");
    let mut amount = Amount::Lines(10);
    loop {
        if let Some(lines) = options.dash_number() {
            amount = Amount::Lines(lines);
            continue;
        }
        match options.take()? {
            Some('n') => amount = Amount::Lines(options.number()?),
            Some(_) => amount = Amount::Bytes(options.number()?),
            None => break,
        }
    }
    let mut headings = super::tail::Headings::new(options.operands());
    job.for_each_copied_input(options.operands(), |file, path| {
        headings.print(job, path)?;
        copy_start(job, file, path, amount)
    })
}

/// Copies the start of `file` and reads no further than the block that its end lies in.
fn copy_start<'a, E: Env>(
    job: &Job<'a, E>,
    file: &E::File,
    path: &'a str,
    mut left: Amount,
) -> Result<(), Failure<'a>> {
    let mut bytes = [0; CHUNK];
    loop {
        let want = match left {
            Amount::Lines(0) | Amount::Bytes(0) => return Ok(()),
            Amount::Lines(_) => bytes.len(),
            Amount::Bytes(count) => count.min(bytes.len() as u64) as usize,
        };
        let got = job.read(file, &mut bytes[..want]).map_err(|errno| Failure::Named(path, errno))?;
        if got == 0 {
            return Ok(());
        }
        let used = take(&mut left, &bytes[..got]);
        write_all(job.env, job.output(), &bytes[..used]).map_err(Failure::Output)?;
        if used < got {
            // A file that can seek goes back to where its part ended, for the command that reads on from it.
            let _ = file.seek(-((got - used) as i64), kapi::Whence::Current);
        }
    }
}

/// How many of `bytes` are wanted; takes them off `left`.
fn take(left: &mut Amount, bytes: &[u8]) -> usize {
    match left {
        Amount::Bytes(count) => {
            *count -= bytes.len() as u64;
            bytes.len()
        }
        Amount::Lines(count) => {
            for (index, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                *count -= 1;
                if *count == 0 {
                    return index + 1;
                }
            }
            bytes.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;
    use std::sync::atomic::Ordering;

    #[test]
    fn lines_are_counted_in_all_three_forms() {
        let world = World::new();
        for line in ["seq 1 100 | head -n 2", "seq 1 100 | head -n2", "seq 1 100 | head -2"] {
            assert_eq!(world.run(line).out, "1\n2\n");
        }
        assert_eq!(world.run("seq 1 100 | head | wc -l").out, "10\n");
        assert_eq!(world.run("echo a | head -n 5").out, "a\n");
    }

    #[test]
    fn bytes_are_counted() {
        assert_eq!(World::new().run("seq 1 100 | head -c 5").out, "1\n2\n3");
    }

    #[test]
    fn a_writer_that_would_never_end_is_stopped() {
        assert_eq!(World::new().run("cat /dev/zero | head -c 1000 | wc -c").out, "1000\n");
    }

    #[test]
    fn no_more_is_read_than_the_block_with_the_last_line() {
        let world = World::new();
        world.put("/f", &"line\n".repeat(10000));
        assert_eq!(world.run("head -n 1 /f").out, "line\n");
        assert_eq!(world.bytes_read.load(Ordering::Relaxed), super::CHUNK);
        world.run("head -n 0 /f");
        assert_eq!(world.bytes_read.load(Ordering::Relaxed), super::CHUNK);
    }

    #[test]
    fn several_files_have_headings() {
        let world = World::new();
        world.put("/a", "A\n");
        world.put("/b", "B\n");
        assert_eq!(world.run("head -1 /a /b").out, "==> /a <==\nA\n\n==> /b <==\nB\n");
    }

    #[test]
    fn a_bad_count_is_refused() {
        let ran = World::new().run("head -n x");
        assert_eq!((ran.err.as_str(), ran.status), ("head: invalid number: 'x'\n", 1));
    }
}
