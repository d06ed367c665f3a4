//! /proc/kpagetables: what is mapped in the kernel's half, with its rights.

use core::fmt::{self, Write};

use mm::VirtAddr;
use mm::mapper::LeafRun;
use pagetable::x86_64::Flags;

use super::rights;
use crate::arch::layout::{Area, KERNEL_HALF};
use crate::mm::tables;

/// The last address: nothing is mapped in the page that it lies in.
const END: VirtAddr = VirtAddr::new(usize::MAX);

/// One line for each range of one area, one size of pages and one set of rights.
pub(super) fn kpagetables(out: &mut dyn Write) -> fmt::Result {
    let mut run = next_from(KERNEL_HALF);
    while let Some(mut range) = run {
        run = next_from(range.start.add(range.bytes));
        while let Some(more) = run.filter(|more| continues(&range, more)) {
            range.bytes += more.bytes;
            run = next_from(range.start.add(range.bytes));
        }
        line(&range, out)?;
    }
    Ok(())
}

fn next_from(from: VirtAddr) -> Option<LeafRun<Flags>> {
    let run = tables::next_run(from, END)?;
    // What the processor notes is not a right.
    Some(LeafRun { rights: run.rights.difference(Flags::ACCESSED | Flags::DIRTY), ..run })
}

fn continues(range: &LeafRun<Flags>, more: &LeafRun<Flags>) -> bool {
    range.start.add(range.bytes) == more.start
        && (range.level, range.rights) == (more.level, more.rights)
        && Area::of(range.start) == Area::of(more.start)
}

fn line(range: &LeafRun<Flags>, out: &mut dyn Write) -> fmt::Result {
    let (start, size) = (range.start.as_usize(), rights::size(range.level));
    write!(out, "0x{start:016x}-0x{:016x} {:>9}K {size} ", start.wrapping_add(range.bytes), range.bytes >> 10)?;
    writeln!(out, "{} {}", rights::of(range.rights), Area::of(range.start).name())
}
