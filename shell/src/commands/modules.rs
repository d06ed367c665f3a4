//! `lsmod`: /proc/modules with a heading.

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::Lines;
use crate::job::Job;

const MODULES: &str = "/proc/modules";

/// `lsmod`
pub fn lsmod<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(0)?;
    let file = job.open(MODULES)?;
    let mut lines = Lines::<E>::new(&file);
    let mut out = job.out();
    writeln!(out, "{:<19} {:>8}  Used by", "Module", "Size")?;
    while let Some(line) = lines.next(job.env).map_err(|errno| Failure::Named(MODULES, errno))? {
        let mut words = core::str::from_utf8(line).unwrap_or("").split_ascii_whitespace();
        let mut word = || words.next().unwrap_or("");
        let (name, size, users, needed_by) = (word(), word(), word(), word());
        // Each name has a comma behind it; a dash is none.
        let needed_by = needed_by.strip_suffix(',').unwrap_or("");
        let blank = if needed_by.is_empty() { "" } else { " " };
        writeln!(out, "{name:<19} {size:>8}  {users}{blank}{needed_by}")?;
    }
    out.finish()?;
    Ok(Status::OK)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn modules_are_shown_in_columns() {
        let world = World::new();
        let listed = "scullp 4096 0 - Live 0x0\nscull 128 2\nlender 64 1 borrower,other, Live 0xffffffffa0000000\n";
        world.put("/proc/modules", listed);
        assert_eq!(
            world.run("lsmod").out,
            "Module                  Size  Used by\n\
             scullp                  4096  0\n\
             scull                    128  2\n\
             lender                    64  1 borrower,other\n"
        );
    }
}
