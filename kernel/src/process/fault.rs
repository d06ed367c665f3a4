//! What a program's fault means: a page that is brought, or a signal.

use core::fmt;

use linux_raw_sys::general::{SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGTRAP};
use mm::VirtAddr;

use super::record::Process;
use crate::arch::trap_frame::{self as trap, TrapFrame};
use crate::mm::space::{FaultError, Resolved};
use crate::user::{FaultAccess, PageFault};
use crate::{klog, sched};

/// What happened, in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cause {
    /// This page could not be brought.
    Page(VirtAddr, FaultAccess, FaultError),
    /// An address that no program has.
    NoUserAddress(VirtAddr),
    /// An exception, by its name.
    Exception(&'static str),
}

/// A fault that a program is told of by a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The signal.
    pub signal: u8,
    /// Its reason: the `si_code`.
    pub code: i32,
    /// The address that it is about: of the memory, or of the instruction.
    pub address: VirtAddr,
    cause: Cause,
}

/// `si_code` of what the kernel found out, without an address.
const SI_KERNEL: i32 = 0x80;
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const BUS_ADRALN: i32 = 1;
const BUS_ADRERR: i32 = 2;
const FPE_INTDIV: i32 = 1;
const FPE_FLTINV: i32 = 7;
const ILL_ILLOPN: i32 = 2;
const TRAP_TRACE: i32 = 2;

/// Brings the page, if it can be.
#[inline]
pub fn bring(process: &Process, fault: &PageFault) -> Result<Resolved, FaultError> {
    let brought = process.space().with(|space| space.fault(fault.at, fault.access));
    brought.unwrap_or(Err(FaultError::NoArea))
}

/// What an exception in ring 3 means; `None` if there is nothing to it any more.
pub fn of_exception(process: &Process, frame: &TrapFrame, at: Option<VirtAddr>) -> Option<Fault> {
    let rip = VirtAddr::new(frame.rip as usize);
    let fault = |signal: u32, code, cause| Fault { signal: signal as u8, code, address: rip, cause };
    let exception = |signal, code, name| Some(fault(signal, code, Cause::Exception(name)));
    match (frame.vector, at) {
        (trap::PAGE_FAULT, Some(at)) => of_page(process, frame, at),
        (0, _) => exception(SIGFPE, FPE_INTDIV, "division by zero, or its result is too large"),
        (trap::DEBUG, _) => exception(SIGTRAP, TRAP_TRACE, "single step"),
        (trap::BREAKPOINT, _) => exception(SIGTRAP, SI_KERNEL, "breakpoint"),
        (6, _) => exception(SIGILL, ILL_ILLOPN, "no such instruction"),
        (16, _) => exception(SIGFPE, FPE_FLTINV, "x87 floating-point error"),
        (17, _) => exception(SIGBUS, BUS_ADRALN, "alignment check"),
        (19, _) => exception(SIGFPE, FPE_FLTINV, "SIMD floating-point error"),
        (trap::STACK_SEGMENT, _) => exception(SIGBUS, SI_KERNEL, "stack-segment fault"),
        _ => exception(SIGSEGV, SI_KERNEL, "general protection: privileged, or no canonical address"),
    }
}

fn of_page(process: &Process, frame: &TrapFrame, at: VirtAddr) -> Option<Fault> {
    let signalled = |signal: u32, code, cause| Some(Fault { signal: signal as u8, code, address: at, cause });
    let access = access(frame.error);
    let is_user = at.as_usize() < crate::arch::layout::USER_END.as_usize();
    if !is_user {
        return signalled(SIGSEGV, SEGV_MAPERR, Cause::NoUserAddress(at));
    }
    let error = bring(process, &PageFault { at, access, from: crate::user::FaultFrom::UserCode }).err()?;
    let cause = Cause::Page(at, access, error);
    match error {
        FaultError::NoArea => signalled(SIGSEGV, SEGV_MAPERR, cause),
        FaultError::NotAllowed => signalled(SIGSEGV, SEGV_ACCERR, cause),
        FaultError::Beyond | FaultError::Io => signalled(SIGBUS, BUS_ADRERR, cause),
        FaultError::NoMemory => signalled(SIGKILL, SI_KERNEL, cause),
    }
}

/// What the instruction wanted, by the code of a page fault.
const fn access(error: u64) -> FaultAccess {
    if error & (1 << 4) != 0 {
        FaultAccess::Execute
    } else if error & (1 << 1) != 0 {
        FaultAccess::Write
    } else {
        FaultAccess::Read
    }
}

/// Tells of a program that a fault ends, in one block: who, what, where, the registers.
pub fn report(process: &Process, frame: &TrapFrame, fault: &Fault) {
    let _together = sched::preempt_disable();
    let (name, pid) = (process.name(), process.pid());
    klog!("{name}[{pid}] is killed by {} at rip {:016x}: {}", Signal(fault.signal), frame.rip, fault.cause);
    klog!("{frame}");
}

struct Signal(u8);

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match u32::from(self.0) {
            SIGBUS => "SIGBUS",
            SIGFPE => "SIGFPE",
            SIGILL => "SIGILL",
            SIGKILL => "SIGKILL",
            SIGSEGV => "SIGSEGV",
            SIGTRAP => "SIGTRAP",
            _ => return write!(f, "signal {}", self.0),
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exception(name) => f.write_str(name),
            Self::NoUserAddress(at) => write!(f, "{:016x} is no address of programs", at.as_usize()),
            Self::Page(at, access, error) => {
                let access = match access {
                    FaultAccess::Read => "read of",
                    FaultAccess::Write => "write to",
                    FaultAccess::Execute => "execution of",
                };
                let why = match error {
                    FaultError::NoArea => "nothing is mapped there",
                    FaultError::NotAllowed => "not allowed there",
                    FaultError::Beyond => "beyond the end of what is mapped there",
                    FaultError::Io => "what is mapped there could not be read",
                    FaultError::NoMemory => "out of memory",
                };
                write!(f, "{access} {:016x}, {why}", at.as_usize())
            }
        }
    }
}
