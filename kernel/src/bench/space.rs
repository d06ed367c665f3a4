//! Rows about address spaces: what a fault, a fork and an end of one cost.

use mm::{AllocError, PAGE_SIZE, VirtAddr};

use super::probe::Ticks;
use super::report::{Effort, Reporter, Stopped};
use crate::arch::cpu::cycles;
use crate::mm::space::{FaultAccess, MapRequest, Place, Resolved, UserSpace, new_space};

/// Pages that the program uses: as many as busybox's shell.
const PAGES: usize = 110;
/// Its areas, and their tables: the pages are spread over both.
const AREAS: usize = 8;
/// Pages of addresses of each area.
const RESERVED: usize = 64;
/// Where the first area starts; each is in a table of its own.
const FIRST: usize = 0x40_0000;
const APART: usize = 2 << 20;

/// All rows.
pub(super) fn rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    let once = Effort { count: 1, rounds: 11 };
    reporter.row(format_args!("space_new_and_drop"), once, |_| timed(|| new_space().map(drop)))?;
    reporter.row(format_args!("space_fault_zeroed"), once, |_| fault(Resolved::Zeroed))?;
    reporter.row(format_args!("space_fault_copied"), once, |_| fault(Resolved::Copied))?;
    reporter.row(format_args!("space_fault_reused"), once, |_| fault(Resolved::Reused))?;
    reporter.halves(format_args!("space_fork_{PAGES}pages"), once, 1, |_| fork())
}

/// A space with pages that were used in areas that are apart.
fn program() -> Result<UserSpace, AllocError> {
    let mut space = new_space()?;
    for area in 0..AREAS {
        let at = Place::Fixed(VirtAddr::new(FIRST + area * APART));
        let request = MapRequest { at, ..MapRequest::anonymous(RESERVED * PAGE_SIZE) };
        space.map(request).map_err(|_| AllocError)?;
    }
    (0..PAGES).try_for_each(|nth| write(&mut space, nth).map(|_| ()))?;
    Ok(space)
}

/// Uses the `nth` page for writing.
fn write(space: &mut UserSpace, nth: usize) -> Result<Resolved, AllocError> {
    let at = VirtAddr::new(FIRST + nth % AREAS * APART + nth / AREAS * PAGE_SIZE);
    space.fault(at, FaultAccess::Write).map_err(|_| AllocError)
}

fn timed<R>(f: impl FnOnce() -> Result<R, AllocError>) -> Result<Ticks, AllocError> {
    let start = cycles();
    f()?;
    Ok([cycles() - start, 0])
}

/// The ticks of a fault that is resolved so.
fn fault(how: Resolved) -> Result<Ticks, AllocError> {
    let mut parent = program()?;
    if how == Resolved::Zeroed {
        // The table is there.
        return timed(|| write(&mut parent, PAGES));
    }
    let mut child = parent.fork()?;
    if how == Resolved::Reused {
        write(&mut child, 0)?;
        return timed(|| write(&mut parent, 0));
    }
    timed(|| write(&mut child, 0))
}

/// The ticks of a fork, and of the end of the child.
fn fork() -> Result<Ticks, AllocError> {
    let mut parent = program()?;
    let start = cycles();
    let child = parent.fork()?;
    let middle = cycles();
    drop(child);
    Ok([middle - start, cycles() - middle])
}
