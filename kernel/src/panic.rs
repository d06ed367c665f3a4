//! What a panic prints, and the end: message, context, backtrace.

use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use mm::Context;
use x86_64::instructions::interrupts;

use crate::board::qemu::{self, ExitCode};
use crate::debug::backtrace::Trace;
use crate::debug::panicking;
use crate::irq;
use crate::sched::task::{self, Task};
use crate::sync::preempt;
use crate::{klog, log, oops, testing};

/// How many panics have begun: the second is one in the handler of the first.
static PANICS: AtomicU32 = AtomicU32::new(0);

/// An oops if the thread can die alone. Else reports the panic, then ends QEMU with the status of a failure, or halts a
/// real machine.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // What follows changes the context: look at it first.
    let context = CurrentContext::now();
    if interrupts::are_enabled() && oops::is_survivable() {
        oops::end_thread(info, None, Trace::here(task::try_current().map(Task::stack_range)));
    }
    interrupts::disable();
    panicking::begin();
    match PANICS.fetch_add(1, Ordering::Relaxed) {
        0 => {
            klog!("panic: {info}");
            klog!("context: {context}");
            log::write_trace(Trace::here(task::try_current().map(Task::stack_range)));
            testing::panicked(info);
        }
        1 => klog!("panic while reporting a panic: {info}"),
        _ => {}
    }
    qemu::exit(ExitCode::Failure)
}

/// Who runs: for reports.
struct CurrentContext {
    context: Context,
}

impl CurrentContext {
    fn now() -> Self {
        Self { context: preempt::context() }
    }
}

impl fmt::Display for CurrentContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.context)?;
        match irq::handled_now() {
            Some(irq) => write!(f, ", irq {} ({})", irq.number(), irq::names(irq))?,
            None if self.context == Context::Interrupt => write!(f, ", soft interrupt")?,
            None => {}
        }
        match task::try_current() {
            Some(task) => write!(f, ", thread {} ({})", task.id, task.name()),
            None => write!(f, ", before the first thread"),
        }
    }
}
