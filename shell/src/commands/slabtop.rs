//! `slabtop`: the largest slab caches, from /proc/slabinfo.

use kapi::Errno;

use crate::env::{Env, Status};
use crate::io::Lines;
use crate::job::{Failure, Job, Outcome};
use crate::options::number;
use crate::text::Text;

const SLABINFO: &str = "/proc/slabinfo";

/// A cache's line of /proc/slabinfo: objects in use and in all, bytes of an object.
struct Cache<'l> {
    name: &'l str,
    active: u64,
    objects: u64,
    size: u64,
}

impl<'l> Cache<'l> {
    /// The cache on a line; `None` for the headings.
    fn parse(line: &'l [u8]) -> Option<Self> {
        let mut words = core::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let name = words.next()?;
        let mut count = || words.next()?.parse().ok();
        Some(Self { name, active: count()?, objects: count()?, size: count()? })
    }

    /// Larger caches come first, and caches of one size by name.
    fn rank(&self) -> Rank {
        let mut name = Text::new();
        name.set(self.name.as_bytes());
        Rank { bytes: self.objects.saturating_mul(self.size), name }
    }
}

/// A cache's place in the order.
struct Rank {
    bytes: u64,
    name: Text<32>,
}

impl Rank {
    fn comes_after(&self, other: &Self) -> bool {
        (core::cmp::Reverse(self.bytes), self.name.as_bytes())
            > (core::cmp::Reverse(other.bytes), other.name.as_bytes())
    }
}

/// `slabtop [LINES]`: reads the file once for each line printed, so that it needs no memory.
pub fn slabtop<'a, E: Env>(job: &Job<'a, E>) -> Outcome<'a> {
    let count = job.args.get(0).map_or(Ok(10), number)?;
    let mut out = job.out();
    writeln!(out, "{:>8} {:>8} {:>8} {:>9}  NAME", "OBJS", "ACTIVE", "SIZE", "KIB")?;
    let mut last = None;
    for _ in 0..count {
        let mut line = Text::<128>::new();
        last = next_cache(job, last.as_ref(), &mut line).map_err(|errno| Failure::Named(SLABINFO, errno))?;
        let Some(cache) = last.as_ref().and_then(|_| Cache::parse(line.as_bytes())) else { break };
        let kib = cache.objects.saturating_mul(cache.size) / 1024;
        writeln!(out, "{:>8} {:>8} {:>8} {kib:>9}  {}", cache.objects, cache.active, cache.size, cache.name)?;
    }
    out.finish()?;
    Ok(Status::OK)
}

/// Finds the first cache that comes after `last` and copies its line to `found`.
fn next_cache<E: Env>(job: &Job<'_, E>, last: Option<&Rank>, found: &mut Text<128>) -> Result<Option<Rank>, Errno> {
    let file = job.env.open(SLABINFO, kapi::OpenFlags::READ)?;
    let mut lines = Lines::<E>::new(&file);
    let mut best: Option<Rank> = None;
    while let Some(line) = lines.next(job)? {
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
    use crate::testing::World;

    #[test]
    fn the_largest_caches_come_first() {
        let world = World::new();
        world.put(
            "/proc/slabinfo",
            "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\n\
             small 1 10 32 : x\nlarge 3 4 4096\nalso-small 0 10 32\n",
        );
        assert_eq!(
            world.run("slabtop").out,
            "    OBJS   ACTIVE     SIZE       KIB  NAME\n       4        3     4096        16  large\n      \
             10        0       32         0  also-small\n      10        1       32         0  small\n"
        );
        assert_eq!(world.run("slabtop 1 | wc -l").out, "2\n");
    }
}
