//! `slabtop`: the largest slab caches, from /proc/slabinfo.

use kapi::Errno;

use crate::env::{Env, Status};
use crate::failure::{Failure, Outcome};
use crate::io::Lines;
use crate::job::Job;
use crate::options::number;
use crate::text::Text;

const SLABINFO: &str = "/proc/slabinfo";

/// KiB of a page.
const PAGE_KIB: u64 = 4;

/// A cache's line of /proc/slabinfo: objects in use and in all, bytes of an object, slabs, pages of a slab.
struct Cache<'l> {
    name: &'l str,
    active: u64,
    objects: u64,
    size: u64,
    slabs: u64,
    pages: u64,
}

impl<'l> Cache<'l> {
    /// The cache on a line; `None` for the heading.
    fn parse(line: &'l [u8]) -> Option<Self> {
        let mut words = core::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let name = words.next()?;
        let mut count = || words.next()?.parse::<u64>().ok();
        let (active, objects, size, _in_use) = (count()?, count()?, count()?, count()?);
        Some(Self { name, active, objects, size, slabs: count()?, pages: count()? })
    }

    /// Memory that it takes, in KiB.
    fn kib(&self) -> u64 {
        self.slabs.saturating_mul(self.pages).saturating_mul(PAGE_KIB)
    }

    /// Larger caches come first, and caches of one size by name.
    fn rank(&self) -> Rank {
        let mut name = Text::new();
        name.set(self.name.as_bytes());
        Rank { kib: self.kib(), name }
    }
}

/// A cache's place in the order.
struct Rank {
    kib: u64,
    name: Text<32>,
}

impl Rank {
    fn comes_after(&self, other: &Self) -> bool {
        (core::cmp::Reverse(self.kib), self.name.as_bytes()) > (core::cmp::Reverse(other.kib), other.name.as_bytes())
    }
}

/// `slabtop [LINES]`: reads the file once for each line printed, so that it needs no memory.
pub fn slabtop<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    job.at_most(1)?;
    let count = job.args.get(0).map_or(Ok(10), number)?;
    let mut out = job.out();
    let (caches, slabs, kib) = sums(job).map_err(|errno| Failure::Named(SLABINFO, errno))?;
    writeln!(out, "{caches} caches, {slabs} slabs, {kib} kB")?;
    writeln!(out, "{:>8} {:>8} {:>8} {:>8} {:>9}  NAME", "OBJS", "ACTIVE", "SIZE", "SLABS", "KIB")?;
    let mut last = None;
    for _ in 0..count {
        let mut line = Text::<128>::new();
        last = next_cache(job, last.as_ref(), &mut line).map_err(|errno| Failure::Named(SLABINFO, errno))?;
        let Some(cache) = last.as_ref().and_then(|_| Cache::parse(line.as_bytes())) else { break };
        let Cache { name, active, objects, size, slabs, .. } = cache;
        writeln!(out, "{objects:>8} {active:>8} {size:>8} {slabs:>8} {:>9}  {name}", cache.kib())?;
    }
    out.finish()?;
    Ok(Status::OK)
}

/// How many caches there are, their slabs, and what these take, in KiB.
fn sums<E: Env>(job: &Job<'_, E>) -> Result<(u64, u64, u64), Errno> {
    let file = job.env.open(SLABINFO, kapi::OpenFlags::READ)?;
    let mut lines = Lines::<E>::new(&file);
    let mut sums = (0, 0, 0);
    while let Some(line) = lines.next(job.env)? {
        if let Some(cache) = Cache::parse(line) {
            sums = (sums.0 + 1, sums.1 + cache.slabs, sums.2 + cache.kib());
        }
    }
    Ok(sums)
}

/// Finds the first cache that comes after `last` and copies its line to `found`.
fn next_cache<E: Env>(job: &Job<'_, E>, last: Option<&Rank>, found: &mut Text<128>) -> Result<Option<Rank>, Errno> {
    let file = job.env.open(SLABINFO, kapi::OpenFlags::READ)?;
    let mut lines = Lines::<E>::new(&file);
    let mut best: Option<Rank> = None;
    while let Some(line) = lines.next(job.env)? {
        let Some(rank) = Cache::parse(line).map(|cache| cache.rank()) else { continue };
        let due = last.is_none_or(|last| rank.comes_after(last));
        if due && best.as_ref().is_none_or(|best| best.comes_after(&rank)) {
            found.set(line);
            best = Some(rank);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec::Vec;

    use mm::GfpFlags;
    use mm::proc::{FileCache, Statistics, meminfo, slabinfo};
    use mm::testing::{Machine, TestKernel};

    use crate::testing::World;

    #[test]
    fn the_largest_caches_come_first() {
        let world = World::new();
        world.put(
            "/proc/slabinfo",
            "slabinfo - version: 1.1 (SMP)\n\
             small 1 10 32 1 1 1 : 2 1\nlarge 3 4 4096 1 2 8\nalso-small 0 10 32 0 1 1 : 2 1\n",
        );
        assert_eq!(
            world.run("slabtop").out,
            "3 caches, 4 slabs, 72 kB\n\
             \x20   OBJS   ACTIVE     SIZE    SLABS       KIB  NAME\n\
             \x20      4        3     4096        2        64  large\n\
             \x20     10        0       32        1         4  also-small\n\
             \x20     10        1       32        1         4  small\n"
        );
        assert_eq!(world.run("slabtop 1 | wc -l").out, "3\n");
    }

    #[test]
    fn its_figures_are_those_of_slabinfo_and_meminfo() {
        // Shows: S32
        let memory = TestKernel::boot(&Machine::with_mib(16));
        for size in [1, 60, 700, 3000, 4000, 20_000, 131_072] {
            (0..100_000 / size.max(4000)).for_each(|_| assert!(memory.kmalloc(size, GfpFlags::KERNEL).is_ok()));
        }
        for statistics in [Statistics::Off, Statistics::On] {
            let (mut info, mut sums) = (String::new(), String::new());
            slabinfo(memory.objects().caches(), statistics, &mut info).expect("strings grow");
            meminfo(*memory, FileCache::default(), &mut sums).expect("strings grow");
            let world = World::new();
            world.put("/proc/slabinfo", &info);
            let out = world.run("slabtop 100").out;
            let total: Vec<_> = sums.lines().filter(|line| line.starts_with("Slab:")).collect();
            let total = total[0].split_whitespace().nth(1).expect("a number");
            let slabs: usize = memory.objects().caches().map(|cache| cache.slabs).sum();
            let caches = memory.objects().caches().count();
            assert_eq!(out.lines().next(), Some(&*std::format!("{caches} caches, {slabs} slabs, {total} kB")));
            let mut shown: Vec<_> = out.lines().skip(2).map(ToString::to_string).collect();
            let mut expected: Vec<_> = memory
                .objects()
                .caches()
                .map(|cache| {
                    let (name, kib) = (cache.name, cache.pages * 4);
                    let counts = (cache.objects, cache.active_objects, cache.object_size, cache.slabs, kib);
                    let (objects, active, size, slabs, kib) = counts;
                    std::format!("{objects:>8} {active:>8} {size:>8} {slabs:>8} {kib:>9}  {}", name.as_str())
                })
                .collect();
            let kib = |line: &String| line.split_whitespace().nth(4).and_then(|kib| kib.parse::<usize>().ok());
            assert!(shown.is_sorted_by(|one, next| kib(one) >= kib(next)));
            shown.sort();
            expected.sort();
            assert_eq!(shown, expected);
        }
    }
}
