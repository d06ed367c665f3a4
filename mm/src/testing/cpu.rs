//! CPUs for host threads: each thread is a CPU of the machine it works on.
//! It is that CPU for as long as it runs.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::boxed::Box;
use std::vec::Vec;

use crate::platform::MAX_CPUS;

/// No CPU was free when this thread wanted one.
const NONE: usize = usize::MAX;

/// The CPUs of one machine.
#[derive(Clone, Copy)]
pub(super) struct HostCpus(&'static TakenCpus);

#[derive(Default)]
struct TakenCpus {
    /// A bit for each CPU that a thread has.
    taken: AtomicU64,
    sections: [Section; MAX_CPUS],
}

/// Whether the thread that has a CPU is pinned.
#[derive(Default)]
struct Section {
    /// How many pins are nested; used by that thread.
    depth: AtomicUsize,
    /// Goes up when the outermost pin begins and when it ends: odd between.
    changes: AtomicUsize,
}

impl Section {
    fn begin(&self) {
        if self.depth.fetch_add(1, Ordering::Relaxed) == 0 {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn end(&self) {
        if self.depth.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn wait(&self) {
        let seen = self.changes.load(Ordering::SeqCst);
        while seen % 2 == 1 && self.changes.load(Ordering::SeqCst) == seen {
            std::thread::yield_now();
        }
    }
}

/// A CPU; a borrowed one goes back when this is dropped.
pub struct HostPin {
    number: usize,
    cpus: HostCpus,
    borrowed: bool,
}

/// The CPUs of a thread, one of each machine that it has worked on, given back when the thread ends.
struct Owned(RefCell<Vec<(HostCpus, usize)>>);

std::thread_local! {
    /// The machine that the thread used last (the address of its bits), and its CPU there.
    static LAST: Cell<(usize, usize)> = const { Cell::new((0, NONE)) };
    /// How many pins the thread has.
    static PINS: Cell<usize> = const { Cell::new(0) };
    static OWNED: Owned = const { Owned(RefCell::new(Vec::new())) };
}

/// Whether this thread is pinned.
pub(super) fn is_pinned() -> bool {
    PINS.get() > 0
}

impl HostPin {
    fn new(cpus: HostCpus, number: usize, borrowed: bool) -> Self {
        PINS.set(PINS.get() + 1);
        cpus.0.sections[number].begin();
        Self { number, cpus, borrowed }
    }

    pub(super) const fn number(&self) -> usize {
        self.number
    }
}

impl Drop for HostPin {
    #[inline]
    fn drop(&mut self) {
        PINS.set(PINS.get() - 1);
        self.cpus.0.sections[self.number].end();
        if self.borrowed {
            self.cpus.give_back(self.number);
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        LAST.set((0, NONE));
        for (cpus, number) in self.0.take() {
            cpus.give_back(number);
        }
    }
}

impl HostCpus {
    /// The CPUs of a new machine.
    pub(super) fn new() -> Self {
        Self(Box::leak(Box::default()))
    }

    /// This thread's CPU; `None` when there are more threads than CPUs.
    #[inline]
    pub(super) fn current(self) -> Option<HostPin> {
        let (machine, number) = LAST.get();
        let number = if machine == self.address() { number } else { self.find_or_claim() };
        (number < MAX_CPUS).then(|| HostPin::new(self, number, false))
    }

    /// CPU `number`, if no thread has it.
    pub(super) fn borrow(self, number: usize) -> Option<HostPin> {
        self.take(number).then(|| HostPin::new(self, number, true))
    }

    /// Returns once each section that is under way has ended.
    pub(super) fn wait_for_pins(self) {
        self.0.sections.iter().for_each(Section::wait);
    }

    fn address(self) -> usize {
        core::ptr::from_ref(self.0) as usize
    }

    #[cold]
    fn find_or_claim(self) -> usize {
        let claim = |owned: &Owned| {
            let mut owned = owned.0.borrow_mut();
            if let Some((_, number)) = owned.iter().find(|(cpus, _)| cpus.address() == self.address()) {
                return Some(*number);
            }
            let number = (0..MAX_CPUS).find(|&number| self.take(number))?;
            owned.push((self, number));
            Some(number)
        };
        // A thread that is ending has none.
        let number = OWNED.try_with(claim).ok().flatten().unwrap_or(NONE);
        LAST.set((self.address(), number));
        number
    }

    fn take(self, number: usize) -> bool {
        self.0.taken.fetch_or(1 << number, Ordering::Acquire) >> number & 1 == 0
    }

    fn give_back(self, number: usize) {
        self.0.taken.fetch_and(!(1 << number), Ordering::Release);
    }
}

const _: () = assert!(MAX_CPUS <= u64::BITS as usize);
