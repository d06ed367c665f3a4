//! CPUs for host threads: each thread is a CPU of its own for as long as it runs.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::magazine::MAX_CPUS;

/// Bits of the CPUs that a thread has.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// No CPU was asked for yet.
const UNKNOWN: usize = usize::MAX;
/// All CPUs were taken when this thread asked.
const NONE: usize = usize::MAX - 1;

/// A CPU; a borrowed one goes back when this is dropped.
pub struct HostPin {
    number: usize,
    borrowed: bool,
}

/// The CPU of a thread, given back when the thread ends.
struct Owned(Cell<usize>);

std::thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(UNKNOWN) };
    static OWNED: Owned = const { Owned(Cell::new(NONE)) };
}

impl HostPin {
    pub(super) const fn number(&self) -> usize {
        self.number
    }
}

impl Drop for HostPin {
    #[inline]
    fn drop(&mut self) {
        if self.borrowed {
            give_back(self.number);
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        NUMBER.set(NONE);
        if self.0.get() < MAX_CPUS {
            give_back(self.0.get());
        }
    }
}

/// This thread's CPU; `None` when there are more threads than CPUs.
#[inline]
pub(super) fn current() -> Option<HostPin> {
    let number = NUMBER.get();
    let number = if number == UNKNOWN { claim() } else { number };
    (number < MAX_CPUS).then_some(HostPin { number, borrowed: false })
}

/// CPU `number`, if no thread has it.
pub(super) fn borrow(number: usize) -> Option<HostPin> {
    // Lazily: a pin that is made is given back when it is dropped.
    take(number).then(|| HostPin { number, borrowed: true })
}

#[cold]
fn claim() -> usize {
    let number = (0..MAX_CPUS).find(|&number| take(number)).unwrap_or(NONE);
    NUMBER.set(number);
    OWNED.with(|owned| owned.0.set(number));
    number
}

fn take(number: usize) -> bool {
    TAKEN.fetch_or(1 << number, Ordering::Acquire) >> number & 1 == 0
}

fn give_back(number: usize) {
    TAKEN.fetch_and(!(1 << number), Ordering::Release);
}

const _: () = assert!(MAX_CPUS <= u64::BITS as usize);
