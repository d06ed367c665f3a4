//! The explored kernel; its soft interrupts are threads, begun when raised.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use kapi::mm::own::Global;
use kapi::mm::{AllocError, Memory};
use kapi::{Kernel, TaskQueue, Work, WrongContext};
use shuttle::thread;

use super::kernel::{Lock, Machine, Never, Queue};
use super::platform::{Explored, run_on};

/// The kernel.
pub struct Blocks;

// SAFETY: the other machine's allocators.
unsafe impl Global for Blocks {
    type Platform = Explored;

    fn memory() -> &'static Memory<Explored> {
        Machine::memory()
    }
}

impl Kernel for Blocks {
    type Mutex<T: Send> = Lock<T>;
    type SpinLock<T: Send> = Lock<T>;
    type WaitQueue = Queue;
    type Timer = Never;
    type Work = Soon;
    type Interrupt = Never;

    fn uptime() -> Duration {
        Duration::ZERO
    }

    fn log(_: fmt::Arguments<'_>) {}
}

/// A call that a thread of its own makes, at any moment after it was queued.
#[derive(Clone)]
pub struct Soon(Arc<dyn Fn(&Self) + Send + Sync>);

impl Work for Soon {
    fn new(_: TaskQueue, call: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError> {
        Ok(Self(Arc::new(call)))
    }

    fn queue(&self) -> bool {
        let this = self.clone();
        thread::spawn(move || {
            run_on(0);
            (this.0)(&this);
        });
        true
    }

    fn flush(&self) -> Result<(), WrongContext> {
        Ok(())
    }
}
