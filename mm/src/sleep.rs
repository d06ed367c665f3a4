//! What is told of a request that sleeps for memory.
//!
//! Key types: [`Waiting`], a request that sleeps; [`Slept`], one that has slept, and what [`Freed`] memory meanwhile.

use core::fmt;

use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::report::Call;

/// A request that waits for memory.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// The call, and who made it.
    pub call: Call,
    /// The request's flags.
    pub gfp: GfpFlags,
    /// Block size.
    pub order: Order,
    /// Since when, by [`Platform::ticks`](crate::Platform::ticks).
    pub since: u64,
    /// How often it has slept.
    pub naps: usize,
}

/// Pages that came back while a request waited, whoever saw to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Freed {
    /// Pages of files and disks that were written.
    pub written: u64,
    /// Pages of processes that were written to a swap area.
    pub swapped: u64,
    /// Pages that the page cache gave back, of those just written or others.
    pub cached: u64,
    /// Pages of slabs.
    pub slabs: u64,
    /// Pages of freed areas.
    pub areas: u64,
    /// Pages that other holders gave back.
    pub other: u64,
}

/// A request that has waited for memory.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Slept {
    /// The request.
    pub waiting: Waiting,
    /// How long it took from the moment at which it had found no memory, in ticks.
    pub ticks: u64,
    /// What came back meanwhile.
    pub freed: Freed,
    /// Whether it has got its memory.
    pub result: Result<(), AllocError>,
}

impl Freed {
    /// What came back since `before`.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            written: self.written - before.written,
            swapped: self.swapped - before.swapped,
            cached: self.cached - before.cached,
            slabs: self.slabs - before.slabs,
            areas: self.areas - before.areas,
            other: self.other - before.other,
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (gfp={:#x} {}, order {})", self.call.name(), self.gfp.bits(), self.gfp, self.order.log2())
    }
}

impl fmt::Display for Slept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.result.is_ok() { "" } else { "in vain " };
        write!(f, "slept {how}for {} ticks in {}: ", self.ticks, self.waiting)?;
        match (self.freed == Freed::default(), self.result) {
            (true, Ok(())) => f.write_str("freed by who had it"),
            (true, Err(_)) => f.write_str("nothing came back"),
            _ => self.freed.fmt(f),
        }
    }
}

impl fmt::Display for Freed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            (self.written, "written to disk"),
            (self.swapped, "swapped out"),
            (self.cached, "freed by the page cache"),
            (self.slabs, "reaped from slabs"),
            (self.areas, "from freed areas"),
            (self.other, "given back by others"),
        ];
        f.write_str("pages")?;
        let mut comma = " ";
        for (pages, what) in lines.into_iter().filter(|&(pages, _)| pages > 0) {
            write!(f, "{comma}{what}: {pages}")?;
            comma = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::{Freed, Slept, Waiting};
    use crate::error::AllocError;
    use crate::gfp::GfpFlags;
    use crate::order::Order;
    use crate::report::Call;

    #[test]
    fn the_line_says_how_long_and_what_freed_the_page() {
        let call = Call::here(&"kmalloc");
        let waiting = Waiting { call, gfp: GfpFlags::KERNEL, order: Order::ZERO, since: 7, naps: 2 };
        let freed = Freed { written: 64, slabs: 3, ..Freed::default() };
        let slept = Slept { waiting, ticks: 5, freed, result: Ok(()) };
        let text = "slept for 5 ticks in kmalloc (gfp=0x7 GFP_KERNEL, order 0): ";
        assert_eq!(slept.to_string(), text.to_string() + "pages written to disk: 64, reaped from slabs: 3");
        let vain = Slept { freed: Freed::default(), result: Err(AllocError), ..slept };
        let text = "slept in vain for 5 ticks in kmalloc (gfp=0x7 GFP_KERNEL, order 0): nothing came back";
        assert_eq!(vain.to_string(), text);
        let given = Slept { freed: Freed::default(), ..slept };
        let text = "slept for 5 ticks in kmalloc (gfp=0x7 GFP_KERNEL, order 0): freed by who had it";
        assert_eq!(given.to_string(), text);
    }
}
