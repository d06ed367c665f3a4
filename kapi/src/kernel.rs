//! The kernel as drivers see it.

use core::fmt;
use core::time::Duration;

use crate::interrupt::Interrupt;
use crate::lock::{SleepLock, SpinLock};
use crate::timer::Timer;
use crate::wait::WaitQueue;
use crate::work::Work;

/// A kernel that drivers run in.
///
/// What a driver makes of these types is its own: it lives as long as the driver's value, and when that is dropped,
/// nothing of the driver is called any more.
pub trait Kernel: mm::Global {
    /// The kernel's sleeping lock: for data that only threads touch.
    type Mutex<T: Send>: SleepLock<T>;
    /// The kernel's spinlock, held with interrupts off: for data that interrupt handlers, timers and work share with
    /// threads.
    type SpinLock<T: Send>: SpinLock<T>;
    /// Threads that wait.
    type WaitQueue: WaitQueue;
    /// A call that is made later.
    type Timer: Timer;
    /// A call that is put off.
    type Work: Work;
    /// A handler on an interrupt line.
    type Interrupt: Interrupt;

    /// The time since boot, as of the last tick. Any context.
    fn uptime() -> Duration;

    /// Writes a line to the kernel log. Any context.
    fn log(line: fmt::Arguments<'_>);
}
