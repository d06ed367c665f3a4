//! What the ways in from ring 3 lead to: calls, faults, the way back.

use mm::VirtAddr;

use super::dispatch::dispatch;
use crate::arch::trap_frame::TrapFrame;
use crate::process::deliver::{self, Forced};
use crate::process::{self, fault, oom, with_current};
use crate::user::{self, PageFault, Ring3};

struct Processes;

static PROCESSES: &dyn Ring3 = &Processes;

/// Has processes served. Once, at boot.
pub fn serve() {
    user::serve(&PROCESSES);
    deliver::init();
    oom::init();
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
            if let Some(fault) = fault::of_exception(process, frame, at)
                && deliver::force(process, fault.info()) == Forced::Fatal
            {
                fault::report(process, frame, &fault);
            }
        });
    }

    fn before_return(&self, frame: &mut TrapFrame) {
        with_current(|process| {
            if let Some(exit) = deliver::before_return(process, frame) {
                process::exit(process, exit);
            }
        });
    }
}
