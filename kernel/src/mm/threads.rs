//! What threads need of memory: stacks, kswapd, idle work, names of faults.

use core::fmt;

use ::mm::areas::{AreaKind, AreaState};
use ::mm::{AllocError, Tag, VirtAddr};

use super::global::{MEMORY, memory};
use super::{kswapd, page_cache};
use crate::arch::layout::Area;
use crate::fault;
use crate::sched::{self, STACK_BYTES, StackSource};

/// Names an address of an area for a fault report: the thread whose stack it is, or the area and who asked for it. Any
/// context, also from under the allocators' locks.
fn describe(addr: VirtAddr, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !matches!(Area::of(addr), Area::Vmalloc | Area::Modules) {
        return Ok(());
    }
    let Some(area) = MEMORY.get().and_then(|memory| memory.areas().try_area_at(addr)) else { return Ok(()) };
    let what = match area.kind {
        _ if area.state == AreaState::Free => "freed area",
        _ if addr >= area.guard() => "guard page of an area",
        AreaKind::Vmalloc | AreaKind::Vmap => "inside an area",
        AreaKind::Ioremap(_) => "inside a device mapping",
        AreaKind::Module => "inside memory of a module",
    };
    match sched::owner_of_stack(area.start) {
        Some((id, name)) if area.state != AreaState::Free => write!(out, ", {what}, the stack of thread {id} ({name})"),
        _ => match area.caller {
            Some(caller) => write!(out, ", {what} of {}:{}", caller.file(), caller.line()),
            None => write!(out, ", {what} of code that is gone"),
        },
    }
}

/// Starts the threads: stacks come from vmalloc, each with a guard page; the reaper; kswapd, bdflush, kupdated.
pub fn start_threads() -> Result<(), AllocError> {
    fault::set_describe(describe);
    sched::set_idle_work(|| memory().pages().clear_ahead());
    sched::start_threads(StackSource {
        allocate: || memory().areas().vmalloc_tagged(STACK_BYTES, Tag::KernelStack),
        free: free_stack,
    })?;
    kswapd::start(|| memory().pages().balance())?;
    page_cache::start_threads()
}

fn free_stack(bottom: VirtAddr) {
    // A wrong free has been reported.
    let _: Result<(), _> = memory().areas().vfree_tagged(bottom, Tag::KernelStack);
}
