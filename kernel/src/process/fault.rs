//! What a program's fault means: a page that is brought, or a signal.

use core::fmt;

use mm::VirtAddr;
use services::ratelimit::{Admission, RateLimit};
use signals::{Code, Info, Signal};

use super::record::Process;
use crate::arch::trap_frame::{self as trap, TrapFrame};
use crate::mm::space::{FaultError, Resolved};
use crate::sync::SpinLock;
use crate::time::{self, HZ, Ticks};
use crate::timer::Timer;
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
    pub signal: Signal,
    /// Its reason.
    pub code: Code,
    /// The address that it is about: of the memory, or of the instruction.
    pub address: VirtAddr,
    cause: Cause,
}

/// Brings the page, if it can be.
#[inline]
pub fn bring(process: &Process, fault: &PageFault) -> Result<Resolved, FaultError> {
    let brought = process.space().with(|space| space.fault(fault.at, fault.access));
    brought.unwrap_or(Err(FaultError::NoArea))
}

/// What an exception in ring 3 means; `None` if there is nothing to it any more.
pub fn of_exception(process: &Process, frame: &TrapFrame, at: Option<VirtAddr>) -> Option<Fault> {
    let rip = VirtAddr::new(frame.rip as usize);
    let fault = |signal, code, cause| Fault { signal, code, address: rip, cause };
    let exception = |signal, code, name| Some(fault(signal, code, Cause::Exception(name)));
    match (frame.vector, at) {
        (trap::PAGE_FAULT, Some(at)) => of_page(process, frame, at),
        (0, _) => exception(Signal::FPE, Code::DIVIDED, "division by zero, or its result is too large"),
        (trap::DEBUG, _) => exception(Signal::TRAP, Code::STEP, "single step"),
        (trap::BREAKPOINT, _) => exception(Signal::TRAP, Code::KERNEL, "breakpoint"),
        (6, _) => exception(Signal::ILL, Code::NO_SUCH_OPCODE, "no such instruction"),
        (16, _) => exception(Signal::FPE, Code::FLOATING_POINT, "x87 floating-point error"),
        (17, _) => exception(Signal::BUS, Code::NOT_ALIGNED, "alignment check"),
        (19, _) => exception(Signal::FPE, Code::FLOATING_POINT, "SIMD floating-point error"),
        (trap::STACK_SEGMENT, _) => exception(Signal::BUS, Code::KERNEL, "stack-segment fault"),
        _ => exception(Signal::SEGV, Code::KERNEL, "general protection: privileged, or no canonical address"),
    }
}

fn of_page(process: &Process, frame: &TrapFrame, at: VirtAddr) -> Option<Fault> {
    let signalled = |signal, code, cause| Some(Fault { signal, code, address: at, cause });
    let access = access(frame.error);
    let is_user = at.as_usize() < crate::arch::layout::USER_END.as_usize();
    if !is_user {
        return signalled(Signal::SEGV, Code::NOT_MAPPED, Cause::NoUserAddress(at));
    }
    let error = bring(process, &PageFault { at, access, from: crate::user::FaultFrom::UserCode }).err()?;
    let cause = Cause::Page(at, access, error);
    match error {
        FaultError::NoArea => signalled(Signal::SEGV, Code::NOT_MAPPED, cause),
        FaultError::NotAllowed => signalled(Signal::SEGV, Code::NOT_ALLOWED, cause),
        FaultError::Beyond | FaultError::Io => signalled(Signal::BUS, Code::BEYOND, cause),
        FaultError::NoMemory => signalled(Signal::KILL, Code::KERNEL, cause),
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

/// Programs that are told of in each [`INTERVAL`].
const BURST: u32 = 10;
/// Ticks.
const INTERVAL: u64 = HZ as u64;

static REPORTS: SpinLock<RateLimit> = SpinLock::new(RateLimit::new(BURST, INTERVAL));
/// Tells how many programs were not told of, when their interval is over.
static TELLER: Timer = Timer::new(|_| {
    let missed = REPORTS.with(RateLimit::take_missed);
    if missed > 0 {
        klog!("{missed} more programs were killed by faults");
    }
});

/// Tells of a program that a fault ends, in one block: who, what, where, the registers. Only so many in a second.
pub fn report(process: &Process, frame: &TrapFrame, fault: &Fault) {
    match REPORTS.with(|limit| limit.admit(time::ticks().0)) {
        Admission::Print => {}
        Admission::First(end) => return TELLER.add_at(Ticks(end), 0),
        Admission::Leave => return,
    }
    let _together = sched::preempt_disable();
    let (name, pid) = (process.name(), process.pid());
    klog!("{name}[{pid}] is killed by {} at rip {:016x}: {}", fault.signal, frame.rip, fault.cause);
    klog!("{frame}");
}

impl Fault {
    /// The signal as it is sent.
    pub const fn info(&self) -> Info {
        Info::fault(self.signal, self.code, self.address.as_usize() as u64)
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
