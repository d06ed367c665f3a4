//! What the ways in from ring 3 lead to: calls, faults, the way back.

use mm::VirtAddr;

use super::dispatch::dispatch;
use crate::arch::trap_frame::TrapFrame;
use crate::process::{self, Exit, fault, with_current};
use crate::user::{self, PageFault, Ring3};

struct Processes;

/// Has processes served. Once, at boot.
pub fn serve() {
    user::serve(&Processes);
}

impl Ring3 for Processes {
    fn syscall(&self, frame: &mut TrapFrame) {
        with_current(|process| dispatch(frame, process));
    }

    fn page_fault(&self, page: &PageFault) -> bool {
        with_current(|process| fault::bring(process, page).is_ok()).unwrap_or(false)
    }

    fn exception(&self, frame: &mut TrapFrame, at: Option<VirtAddr>) {
        with_current(|process| {
            if let Some(fault) = fault::of_exception(process, frame, at) {
                fault::report(process, frame, &fault);
                process::exit(process, Exit::Signal(fault.signal));
            }
        });
    }

    fn before_return(&self, _frame: &mut TrapFrame) {
        with_current(|process| {
            if let Some(exit) = process.doom() {
                process::exit(process, exit);
            }
        });
    }
}
