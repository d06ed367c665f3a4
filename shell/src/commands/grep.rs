//! `grep`: the lines that match a pattern.

use kapi::Errno;

use super::pattern::{Case, Pattern, Syntax};
use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::{Lines, Out};
use crate::job::Job;
use crate::options::Options;

/// For `help`.
pub const ABOUT: &str = "prints lines that match a basic, extended (-E) or fixed (-F) pattern";

/// What is asked for.
struct Search<'a> {
    pattern: Pattern<'a>,
    /// Lines are wanted that do not match.
    inverted: bool,
    counts: bool,
    numbers: bool,
    quiet: bool,
    /// Each line shows which file it is from.
    names: bool,
}

/// `grep [-E|-F] [-c] [-i] [-n] [-q] [-v] PATTERN [FILE...]`
pub fn grep<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "EFcinqv");
    let mut syntax = Syntax::Basic;
    let (mut case, mut inverted, mut counts, mut numbers, mut quiet) = (Case::Exact, false, false, false, false);
    while let Some(option) = options.take()? {
        match option {
            'E' => syntax = Syntax::Extended,
            'F' => syntax = Syntax::Fixed,
            'c' => counts = true,
            'i' => case = Case::Ignored,
            'n' => numbers = true,
            'q' => quiet = true,
            _ => inverted = true,
        }
    }
    let text = options.operands().get(0).ok_or(Failure::Usage("needs a pattern"))?;
    let pattern = Pattern::new(text, syntax, case).map_err(|reason| Failure::Argument(reason.text(), text))?;
    let files = options.operands().skip(1);
    let search = Search { pattern, inverted, counts, numbers, quiet, names: files.len() > 1 };
    let mut found = 0;
    let status = job.for_each_input(files, |file, path| {
        found += search.file(job, file, path)?;
        Ok(())
    })?;
    Ok(match (status.is_ok(), found) {
        (_, 1..) if quiet => Status::OK,
        (false, _) => Status::SYNTAX,
        (true, 0) => Status::FAILED,
        (true, _) => Status::OK,
    })
}

impl Search<'_> {
    /// Searches one file and returns how many lines were wanted.
    fn file<'a, E: Env>(&self, job: &Job<'a, E>, file: &E::File, path: &'a str) -> Result<u64, Failure<'a>> {
        let named = |errno: Errno| Failure::Named(path, errno);
        if !self.counts && !self.quiet {
            job.refuse_output(file, path)?;
        }
        let mut lines = Lines::<E>::new(file);
        let mut out = job.out();
        let (mut found, mut number) = (0, 0_u64);
        while let Some(line) = lines.next(job.env).map_err(named)? {
            number += 1;
            if self.pattern.matches(line, || job.go_on()).map_err(named)? == self.inverted {
                continue;
            }
            found += 1;
            if self.quiet {
                break;
            }
            if !self.counts {
                self.prefix(&mut out, path)?;
                if self.numbers {
                    write!(out, "{number}:")?;
                }
                out.line(line)?;
            }
        }
        if self.counts && !self.quiet {
            self.prefix(&mut out, path)?;
            writeln!(out, "{found}")?;
        }
        out.finish()?;
        Ok(found)
    }

    fn prefix<E: Env>(&self, out: &mut Out<'_, E>, path: &str) -> Result<(), Failure<'static>> {
        if self.names { write!(out, "{path}:") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    fn world() -> World {
        let world = World::new();
        world.put("/f", "alpha\nBeta\ngamma\n");
        world.put("/g", "beta");
        world
    }

    #[test]
    fn matching_lines_are_printed() {
        let world = world();
        assert_eq!(world.run("grep 'm.a' /f").out, "gamma\n");
        assert_eq!(world.run("grep -v a$ /f").out, "");
        assert_eq!(world.run("grep -n '^[ag]' /f").out, "1:alpha\n3:gamma\n");
        assert_eq!(world.run("grep -c a < /f").out, "3\n");
        assert_eq!(world.run("grep -iv beta /f").out, "alpha\ngamma\n");
    }

    #[test]
    fn several_files_are_named() {
        assert_eq!(world().run("grep -i beta /f /g").out, "/f:Beta\n/g:beta\n");
        assert_eq!(world().run("grep -c eta /f /g").out, "/f:1\n/g:1\n");
    }

    #[test]
    fn the_status_tells_found_from_not_found_from_trouble() {
        let world = world();
        assert_eq!(world.run("grep -q alpha /f").status, 0);
        assert_eq!(world.run("grep nosuch /f").status, 1);
        assert_eq!(world.run("grep alpha /nosuch").status, 2);
        let ran = world.run("grep '[a' /f");
        assert_eq!((ran.err.as_str(), ran.status), ("grep: unmatched [ in pattern: '[a'\n", 2));
    }

    #[test]
    fn patterns_are_basic_extended_or_fixed() {
        let world = World::new();
        world.put("/f", "a+b\naab\n");
        assert_eq!(world.run("grep 'a+b' /f").out, "a+b\n");
        assert_eq!(world.run("grep -E 'a+b' /f").out, "aab\n");
        assert_eq!(world.run("grep -F 'a+' /f").out, "a+b\n");
        assert_eq!(world.run("grep -E '^(a|b|\\+)+$' /f").out, "a+b\naab\n");
    }

    #[test]
    fn four_hundred_stars_are_found_in_a_long_line_or_interrupted() {
        let world = World::new();
        let stars = "a*".repeat(400);
        world.put("/f", &"a".repeat(1000));
        assert_eq!(world.run(&std::format!("grep -c '{stars}' /f")).out, "1\n");
        assert_eq!(world.run(&std::format!("grep -c '^{stars}b' /f")).out, "0\n");
        world.put("/f", &"a".repeat(1 << 17));
        // After the reads, in the midst of the line.
        world.interrupt_at_look(140);
        let ran = world.run(&std::format!("grep -c '{stars}b' /f"));
        assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status), ("", "", 130));
    }
}
