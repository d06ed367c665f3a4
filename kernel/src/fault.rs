//! Exceptions: fixed up, an oops that ends the thread, or fatal.
//!
//! A report says what was accessed, what lies there by the address map, the registers, the context and a backtrace.

use core::fmt;

use mm::{PAGE_SIZE, VirtAddr};
use spin::Once;
use x86_64::registers::control::Cr2;

use crate::arch::layout::Area;
use crate::arch::trap_frame::{self as trap, TrapFrame};
use crate::debug::backtrace::{StackRange, Trace};
use crate::debug::{panicking, probe};
use crate::sched::task::{self, Task};
use crate::{klog, log, oops};

/// Names an address more closely than the address map does, after a comma: an area's owner, for example. Writes nothing
/// if it cannot. Called in any context, so it must not wait for a lock.
pub type Describe = fn(VirtAddr, &mut fmt::Formatter<'_>) -> fmt::Result;

static DESCRIBE: Once<Describe> = Once::new();

/// Has fault reports ask `describe`. Later calls change nothing.
pub fn set_describe(describe: Describe) {
    DESCRIBE.call_once(|| describe);
}

/// An address, with what lies there.
pub struct Described(pub VirtAddr);

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(addr) = *self;
        write!(f, "{:016x} ({}", addr.as_usize(), Area::of(addr).name())?;
        if is_below_current_stack(addr) {
            write!(f, ", guard page of this thread's stack")?;
        } else if let Some(describe) = DESCRIBE.get() {
            describe(addr, f)?;
        }
        f.write_str(")")
    }
}

/// Handles an exception that no page of ring 3 mends, with interrupts off. What it changes in `frame` is what the CPU
/// goes on with; returns only if the interrupted code may go on.
pub(crate) fn handle(frame: &mut TrapFrame) {
    let may_be_fixed = matches!(frame.vector, trap::PAGE_FAULT | trap::GENERAL_PROTECTION | trap::STACK_SEGMENT);
    if may_be_fixed && probe::fixup(frame) {
        return;
    }
    match frame.vector {
        trap::BREAKPOINT => return klog!("breakpoint at {:016x}", frame.rip),
        // The kernel sets no breakpoints and traces no steps: a program had it come late, on the first instruction
        // after its SYSCALL.
        trap::DEBUG if !frame.is_user() => {
            frame.rflags &= !trap::TRAP_FLAG;
            return;
        }
        _ => {}
    }
    let what = What::of(frame);
    let trace = Trace::of_exception(frame, current_stack());
    if what.is_of_a_thread() && frame.rflags & trap::INTERRUPT_FLAG != 0 && oops::is_survivable() {
        oops::end_thread(&what, Some(frame), trace);
    }
    // It may have come anywhere, a lock's section included.
    panicking::begin();
    klog!("{frame}");
    if frame.vector == trap::DOUBLE_FAULT {
        // The handler's own stack does not lead there.
        log::write_trace(trace);
    }
    panic!("{what}")
}

/// What an exception means.
enum What {
    PageFault {
        addr: VirtAddr,
        error: u64,
        rip: u64,
    },
    /// The thread's stack is used up: the exception's frame could not be pushed, or lies in the guard page.
    StackOverflow {
        rip: u64,
    },
    DoubleFault {
        rip: u64,
        last_fault: VirtAddr,
    },
    Other {
        vector: u64,
        rip: u64,
        error: u64,
    },
}

impl What {
    fn of(frame: &TrapFrame) -> Self {
        let (addr, rip, error) = (VirtAddr::new(Cr2::read_raw() as usize), frame.rip, frame.error);
        match frame.vector {
            trap::PAGE_FAULT => Self::PageFault { addr, error, rip },
            trap::DOUBLE_FAULT if is_below_current_stack(addr) => Self::StackOverflow { rip },
            trap::DOUBLE_FAULT => Self::DoubleFault { rip, last_fault: addr },
            vector => Self::Other { vector, rip, error },
        }
    }

    /// Whether it can be the doing of the thread that it interrupted.
    const fn is_of_a_thread(&self) -> bool {
        match self {
            Self::PageFault { .. } | Self::StackOverflow { .. } => true,
            Self::DoubleFault { .. } => false,
            Self::Other { vector, .. } => !matches!(*vector, trap::NMI | trap::MACHINE_CHECK),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PageFault { addr, error, rip } => {
                write!(f, "page fault: {} of {} at {rip:016x}, {}", access(error), Described(addr), cause(error))
            }
            Self::StackOverflow { rip } => {
                write!(f, "stack overflow at {rip:016x}")?;
                match task::try_current() {
                    Some(task) => {
                        let (bottom, top) = task.stack_range();
                        let bytes = top.as_usize() - bottom.as_usize();
                        write!(f, ": thread {} ({}) has {bytes} bytes of stack", task.id, task.name())
                    }
                    None => Ok(()),
                }
            }
            Self::DoubleFault { rip, last_fault } => {
                write!(f, "double fault at {rip:016x}, last page fault at {}", Described(last_fault))
            }
            Self::Other { vector, rip, error } => write!(f, "{} at {rip:016x}, error {error:x}", name(vector)),
        }
    }
}

/// The stack of the thread that runs, which is the one that an exception interrupted.
fn current_stack() -> StackRange {
    let nowhere = (VirtAddr::new(0), VirtAddr::new(0));
    let (bottom, top) = task::try_current().map_or(nowhere, Task::stack_range);
    StackRange::from_addresses(bottom, top)
}

/// Whether `addr` lies in the guard page below the stack of the thread that runs.
fn is_below_current_stack(addr: VirtAddr) -> bool {
    task::try_current().is_some_and(|task| {
        let (bottom, _) = task.stack_range();
        let distance = bottom.as_usize().wrapping_sub(addr.as_usize());
        distance != 0 && distance <= PAGE_SIZE
    })
}

/// What a page fault's instruction wanted.
const fn access(error: u64) -> &'static str {
    if error & (1 << 4) != 0 {
        "execution"
    } else if error & (1 << 1) != 0 {
        "write"
    } else {
        "read"
    }
}

/// What stood in its way.
const fn cause(error: u64) -> &'static str {
    if error & (1 << 3) != 0 {
        "reserved bit set in a page table"
    } else if error & 1 != 0 {
        "not permitted"
    } else {
        "not mapped"
    }
}

/// Names of the exceptions, by vector.
const fn name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        trap::NMI => "non-maskable interrupt",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        10 => "invalid TSS",
        11 => "segment not present",
        trap::STACK_SEGMENT => "stack-segment fault",
        trap::GENERAL_PROTECTION => "general protection fault (non-canonical address?)",
        16 => "x87 floating-point error",
        17 => "alignment check",
        trap::MACHINE_CHECK => "machine check",
        19 => "SIMD floating-point error",
        20 => "virtualization exception",
        21 => "control protection exception",
        _ => "unknown exception",
    }
}
