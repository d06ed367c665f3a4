//! Exceptions: fixed up, survived by ending the thread, or reported and fatal.
//!
//! A report says what was accessed, what lies there by the address map, the registers, the context and a backtrace. A
//! thread that runs over the end of its stack is ended alone, if it holds no lock that others would wait for.

use core::fmt;

use mm::{PAGE_SIZE, VirtAddr};
use spin::Once;
use x86_64::registers::control::Cr2;

use crate::arch::layout::Area;
use crate::arch::trap_frame::{self as trap, TrapFrame};
use crate::debug::backtrace::{Backtrace, Frames, StackRange};
use crate::debug::{panicking, probe};
use crate::sched::{self, task};
use crate::sync::preempt;
use crate::{klog, print};

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

/// Handles an exception; see [`crate::arch::upcalls`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn kernel_exception(frame: &mut TrapFrame) {
    let may_be_fixed = matches!(frame.vector, trap::PAGE_FAULT | trap::GENERAL_PROTECTION | trap::STACK_SEGMENT);
    if may_be_fixed && probe::fixup(frame) {
        return;
    }
    match frame.vector {
        trap::BREAKPOINT => klog!("breakpoint at {:016x}", frame.rip),
        trap::DOUBLE_FAULT => double_fault(frame),
        trap::PAGE_FAULT => page_fault(frame),
        vector => {
            begin_fatal_report(frame);
            panic!("{} at {:016x}, error {:x}", name(vector), frame.rip, frame.error);
        }
    }
}

fn page_fault(frame: &TrapFrame) -> ! {
    let addr = VirtAddr::new(Cr2::read_raw() as usize);
    begin_fatal_report(frame);
    panic!("page fault: {} of {} at {:016x}, {}", access(frame.error), Described(addr), frame.rip, cause(frame.error))
}

/// A fault whose frame could not be pushed: mostly because the stack is used up. Runs on a stack of its own.
fn double_fault(frame: &TrapFrame) -> ! {
    let addr = VirtAddr::new(Cr2::read_raw() as usize);
    if !is_below_current_stack(addr) {
        begin_fatal_report(frame);
        panic!("double fault at {:016x}, last page fault at {}", frame.rip, Described(addr));
    }
    let task = task::current();
    let (bottom, top) = task.stack_range();
    klog!("stack overflow: thread {} ({}), {} bytes at {:016x}", task.id, task.name, bytes(bottom, top), frame.rip);
    klog!("{frame}");
    let stack = StackRange::from_addresses(bottom, top);
    print!("{}", Backtrace(Frames::from_frame(x86_64::VirtAddr::new_truncate(frame.rbp), stack)));
    let expendable = preempt::is_preemptible() && frame.rflags & INTERRUPT_FLAG != 0 && !task.is_entangled();
    if !expendable || task.id <= LAST_BOOT_THREAD {
        panic!("stack overflow in thread {} ({})", task.id, task.name);
    }
    klog!("stack overflow: thread {} ({}) killed", task.id, task.name);
    sched::kill_current()
}

/// The bit of RFLAGS that says that interrupts are on.
const INTERRUPT_FLAG: u64 = 1 << 9;
/// The threads up to this number are idle, boot and reaper, without which the kernel cannot go on.
const LAST_BOOT_THREAD: u32 = 2;

fn bytes(bottom: VirtAddr, top: VirtAddr) -> usize {
    top.as_usize() - bottom.as_usize()
}

/// Whether `addr` lies in the guard page below the stack of the thread that runs.
fn is_below_current_stack(addr: VirtAddr) -> bool {
    task::try_current().is_some_and(|task| {
        let (bottom, _) = task.stack_range();
        let distance = bottom.as_usize().wrapping_sub(addr.as_usize());
        distance != 0 && distance <= PAGE_SIZE
    })
}

/// Begins the report of an exception that ends the machine. It may have come anywhere, a lock's section included.
fn begin_fatal_report(frame: &TrapFrame) {
    panicking::begin();
    klog!("{frame}");
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
        18 => "machine check",
        19 => "SIMD floating-point error",
        20 => "virtualization exception",
        21 => "control protection exception",
        _ => "unknown exception",
    }
}
