//! `uniq`: leaves out lines that repeat the one before.

use kapi::Errno;

use crate::env::Env;
use crate::failure::{Failure, Outcome};
use crate::io::{Lines, Out, Store};
use crate::job::Job;
use crate::options::Options;

/// `uniq [-c] [FILE]`
pub fn uniq<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "c");
    let mut counts = false;
    while options.take()?.is_some() {
        counts = true;
    }
    if options.operands().len() > 1 {
        return Err(Failure::Usage("too many operands"));
    }
    job.for_each_copied_input(options.operands(), |file, path| {
        let named = |errno: Errno| Failure::Named(path, errno);
        let mut lines = Lines::<E>::new(file);
        let mut run = Run { line: Store::<E>::new(), length: 0, counts };
        let mut out = job.out();
        while let Some(line) = lines.next(job.env).map_err(named)? {
            if run.length > 0 && run.line.bytes() == line {
                run.length += 1;
                continue;
            }
            run.print(&mut out)?;
            run.line.clear();
            run.line.push(job.env, line).map_err(named)?;
            run.length = 1;
        }
        run.print(&mut out)?;
        out.finish()
    })
}

/// Equal lines in a row.
struct Run<E: Env> {
    line: Store<E>,
    length: u64,
    counts: bool,
}

impl<E: Env> Run<E> {
    fn print(&self, out: &mut Out<'_, E>) -> Result<(), Failure<'static>> {
        if self.length == 0 {
            return Ok(());
        }
        if self.counts {
            write!(out, "{:>7} ", self.length)?;
        }
        out.line(self.line.bytes())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn repeated_lines_are_printed_once() {
        let world = World::new();
        assert_eq!(world.run_with("uniq", b"a\na\nb\na\n").out, "a\nb\na\n");
        assert_eq!(world.run_with("uniq -c", b"\n\nb\n").out, "      2 \n      1 b\n");
        assert_eq!(world.run_with("uniq", b"").out, "");
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let ran = World::new().run("uniq /nosuch");
        assert_eq!((ran.err.as_str(), ran.status), ("uniq: /nosuch: No such file or directory\n", 1));
    }
}
