//! The calls that the ways into the kernel make, and the way back to ring 3.

use mm::VirtAddr;
use x86_64::instructions::interrupts;
use x86_64::registers::control::Cr2;

use super::ring3::{self, FaultAccess, FaultFrom, PageFault};
use crate::arch::layout::USER_END;
use crate::arch::trap_frame::{INTERRUPT_FLAG, PAGE_FAULT, TrapFrame};
use crate::arch::user_copy;
use crate::fault;
use crate::sched::user;
use crate::sync::preempt;

/// Handles an exception in the kernel; see [`crate::arch::upcalls`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn kernel_exception(frame: &mut TrapFrame) {
    if frame.vector == PAGE_FAULT && user_copy::is_copy(frame.rip) && is_brought_for_copy(frame) {
        return;
    }
    fault::handle(frame);
}

/// Whether the page that a copy misses could be brought, so that the copy goes on.
fn is_brought_for_copy(frame: &TrapFrame) -> bool {
    // Read before anything can fault again.
    let at = faulting_address();
    if frame.rflags & INTERRUPT_FLAG == 0 || !preempt::is_preemptible() || !user::are_faults_on() {
        return false;
    }
    interrupts::enable();
    let brought = bring(frame, at, FaultFrom::Copy);
    interrupts::disable();
    brought
}

/// Handles an exception in ring 3; see [`crate::arch::upcalls`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn kernel_user_exception(frame: &mut TrapFrame) {
    let at = (frame.vector == PAGE_FAULT).then(faulting_address);
    interrupts::enable();
    // Without the bit the CPU itself met the page, with the kernel's rights, in the middle of an instruction of ring 3:
    // no page that a program may have mends that.
    let is_programs = frame.error & USER != 0;
    if at.is_some_and(|at| is_programs && bring(frame, at, FaultFrom::UserCode)) {
        return;
    }
    match ring3::server() {
        Some(server) => server.exception(frame, at),
        None => fault::handle(frame),
    }
}

/// In a page fault's error code: the access had the rights of ring 3.
const USER: u64 = 1 << 2;

fn faulting_address() -> VirtAddr {
    VirtAddr::new(Cr2::read_raw() as usize)
}

/// Has the page at `at` brought, if it is one of the user half and the layer above can.
fn bring(frame: &TrapFrame, at: VirtAddr, from: FaultFrom) -> bool {
    let Some(server) = ring3::server() else { return false };
    match access(frame.error) {
        Some(access) if at.as_usize() < USER_END.as_usize() => server.page_fault(&PageFault { at, access, from }),
        _ => false,
    }
}

/// What a page fault's instruction wanted; `None` if a reserved bit is set in the page tables, which no page mends.
const fn access(error: u64) -> Option<FaultAccess> {
    const WRITE: u64 = 1 << 1;
    const RESERVED: u64 = 1 << 3;
    const FETCH: u64 = 1 << 4;
    if error & RESERVED != 0 {
        None
    } else if error & FETCH != 0 {
        Some(FaultAccess::Execute)
    } else if error & WRITE != 0 {
        Some(FaultAccess::Write)
    } else {
        Some(FaultAccess::Read)
    }
}

/// Handles a system call; see [`crate::arch::upcalls`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn kernel_syscall(frame: &mut TrapFrame) {
    if let Some(server) = ring3::server() {
        server.syscall(frame);
    }
}

/// Sees to what the thread is wanted for before it is in ring 3 again; see [`crate::arch::upcalls`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn kernel_return(frame: &mut TrapFrame) {
    interrupts::disable();
    // With interrupts off nothing can come between the last look and ring 3.
    while user::take_work() {
        interrupts::enable();
        if let Some(server) = ring3::server() {
            server.before_return(frame);
        }
        interrupts::disable();
    }
    frame.make_user();
}
