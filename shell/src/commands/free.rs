//! `free`: /proc/meminfo in three lines.

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::Lines;
use crate::job::Job;
use crate::options::Options;

const MEMINFO: &str = "/proc/meminfo";

/// `free [-k|-m]`
pub fn free<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "km");
    let mut unit = 1;
    while let Some(option) = options.take()? {
        unit = if option == 'm' { 1024 } else { 1 };
    }
    options.no_operands()?;
    let file = job.open(MEMINFO)?;
    let mut lines = Lines::<E>::new(&file);
    let (mut total, mut free, mut slab) = (0, 0, 0);
    while let Some(line) = lines.next(job.env).map_err(|errno| Failure::Named(MEMINFO, errno))? {
        match field(line) {
            Some(("MemTotal", kib)) => total = kib,
            Some(("MemFree", kib)) => free = kib,
            Some(("Slab", kib)) => slab = kib,
            _ => {}
        }
    }
    let used = u64::saturating_sub(total, free);
    let mut out = job.out();
    writeln!(out, "{:>16} {:>11} {:>11} {:>11}", "total", "used", "free", "slab")?;
    writeln!(out, "Mem: {:>11} {:>11} {:>11} {:>11}", total / unit, used / unit, free / unit, slab / unit)?;
    out.finish()?;
    Ok(Status::OK)
}

/// `NAME: NUMBER kB` as name and number.
fn field(line: &[u8]) -> Option<(&str, u64)> {
    let (name, rest) = core::str::from_utf8(line).ok()?.split_once(':')?;
    let kib = rest.trim_start().split(' ').next()?.parse().ok()?;
    Some((name, kib))
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn meminfo_is_summed_up() {
        let world = World::new();
        world.put("/proc/meminfo", "MemTotal:      131072 kB\nMemFree:       100000 kB\nSlab:            2048 kB\n");
        assert_eq!(
            world.run("free").out,
            "           total        used        free        slab\n\
             Mem:      131072       31072      100000        2048\n"
        );
        assert!(world.run("free -m").out.ends_with("Mem:         128          30          97           2\n"));
    }

    #[test]
    fn without_proc_it_says_so() {
        assert_eq!(World::new().run("free").err, "free: /proc/meminfo: No such file or directory\n");
    }
}
