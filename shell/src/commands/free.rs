//! `free`: /proc/meminfo in a few lines.

use core::fmt::Write as _;

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::{Lines, Out};
use crate::job::Job;
use crate::options::Options;
use crate::text::Text;

const MEMINFO: &str = "/proc/meminfo";

/// How amounts are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Kib,
    Mib,
    Human,
}

impl Unit {
    /// A name, and amounts in KiB.
    fn line<E: Env>(self, name: &str, amounts: &[u64], out: &mut Out<'_, E>) -> Result<(), Failure<'static>> {
        write!(out, "{name}")?;
        for (place, kib) in amounts.iter().enumerate() {
            // The first has less room, by the name in front of it.
            let width = if place == 0 { 11 } else { 12 };
            match self {
                Self::Kib => write!(out, "{kib:>width$}")?,
                Self::Mib => write!(out, "{:>width$}", kib / 1024)?,
                Self::Human => write!(out, "{:>width$}", Human(*kib).text().as_str())?,
            }
        }
        writeln!(out)
    }
}

/// `free [-k|-m|-h]`
pub fn free<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let mut options = Options::new(job.args, "kmh");
    let mut unit = Unit::Kib;
    while let Some(option) = options.take()? {
        unit = match option {
            'm' => Unit::Mib,
            'h' => Unit::Human,
            _ => Unit::Kib,
        };
    }
    options.no_operands()?;
    let file = job.open(MEMINFO)?;
    let mut lines = Lines::<E>::new(&file);
    let (mut total, mut free, mut slab) = (0, 0, 0);
    let (mut swap_total, mut swap_free) = (0, 0);
    while let Some(line) = lines.next(job.env).map_err(|errno| Failure::Named(MEMINFO, errno))? {
        match field(line) {
            Some(("MemTotal", kib)) => total = kib,
            Some(("MemFree", kib)) => free = kib,
            Some(("Slab", kib)) => slab = kib,
            Some(("SwapTotal", kib)) => swap_total = kib,
            Some(("SwapFree", kib)) => swap_free = kib,
            _ => {}
        }
    }
    let used = |total: u64, free| total.saturating_sub(free);
    let mut out = job.out();
    writeln!(out, "{:>16} {:>11} {:>11} {:>11}", "total", "used", "free", "slab")?;
    unit.line("Mem: ", &[total, used(total, free), free, slab], &mut out)?;
    if swap_total > 0 {
        unit.line("Swap:", &[swap_total, used(swap_total, swap_free), swap_free], &mut out)?;
    }
    out.finish()?;
    Ok(Status::OK)
}

/// An amount in KiB, as procps writes it for people: in at most five signs, with a decimal where there is room for it.
struct Human(u64);

impl Human {
    const UNITS: [&str; 4] = ["Mi", "Gi", "Ti", "Pi"];
    const LONGEST: usize = 5;

    fn text(&self) -> Text<32> {
        let mut text = Text::new();
        // A number of 64 bits and its unit fit.
        let _ = if self.0 == 0 { write!(text, "0B") } else { write!(text, "{}Ki", self.0) };
        let mut shift = 10;
        for unit in Self::UNITS {
            if text.len() <= Self::LONGEST {
                break;
            }
            let tenths = self.tenths(shift);
            text.clear();
            let _ = write!(text, "{}.{}{unit}", tenths / 10, tenths % 10);
            if text.len() > Self::LONGEST {
                text.clear();
                let _ = write!(text, "{}{unit}", self.0 >> shift);
            }
            shift += 10;
        }
        text
    }

    /// Tenths of 2^`shift` KiB, rounded to the nearest; of two that are as near, to the even one.
    const fn tenths(&self, shift: u32) -> u64 {
        let scaled = self.0 as u128 * 10;
        let (down, rest, half) = (scaled >> shift, scaled & ((1 << shift) - 1), 1 << (shift - 1));
        (if rest > half || (rest == half && down % 2 == 1) { down + 1 } else { down }) as u64
    }
}

/// `NAME: NUMBER kB` as name and number.
fn field(line: &[u8]) -> Option<(&str, u64)> {
    let (name, rest) = core::str::from_utf8(line).ok()?.split_once(':')?;
    let kib = rest.trim_start().split(' ').next()?.parse().ok()?;
    Some((name, kib))
}

#[cfg(test)]
mod tests {
    use super::Human;
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
    fn swap_has_a_line_where_there_is_some() {
        let world = World::new();
        world.put("/proc/meminfo", "MemTotal: 8192 kB\nMemFree: 2048 kB\nSwapTotal: 4096 kB\nSwapFree: 1024 kB\n");
        assert_eq!(
            world.run("free -m").out,
            "           total        used        free        slab\n\
             Mem:           8           6           2           0\n\
             Swap:          4           3           1\n"
        );
    }

    #[test]
    fn amounts_for_people_are_those_of_procps() {
        for (kib, text) in [
            (0, "0B"),
            (1, "1Ki"),
            (999, "999Ki"),
            (1000, "1.0Mi"),
            (1024, "1.0Mi"),
            (1280, "1.2Mi"),
            (1434, "1.4Mi"),
            (8909, "8.7Mi"),
            (10_188, "9.9Mi"),
            (10_239, "9Mi"),
            (10_240, "10Mi"),
            (126_356, "123Mi"),
            (1_023_999, "999Mi"),
            (1_024_000, "1.0Gi"),
            (20 << 20, "20Gi"),
            (u64::MAX, "16777215Pi"),
        ] {
            assert_eq!(Human(kib).text().as_str(), text, "{kib}");
        }
        let world = World::new();
        world.put("/proc/meminfo", "MemTotal:      131072 kB\nMemFree:       100000 kB\nSlab:            2048 kB\n");
        let shown = "Mem:       128Mi        30Mi        97Mi       2.0Mi\n";
        assert!(world.run("free -h").out.ends_with(shown));
        assert!(world.run("free -m -h").out.ends_with(shown));
    }

    #[test]
    fn without_proc_it_says_so() {
        assert_eq!(World::new().run("free").err, "free: /proc/meminfo: No such file or directory\n");
    }
}
