//! How many CPUs have caches, and how their caches are emptied.
//!
//! Pages, objects and address ranges each keep a cache on every CPU. A caller that has pinned a CPU may touch its
//! cache; no other CPU may. So [`drain`] empties the cache of this CPU and those of CPUs where nothing runs, and asks
//! the other CPUs, which look at their [`DrainRequests`] whenever they leave their fast way.

use core::ops::Deref;
use core::ptr::NonNull;

use crate::atomic::{AtomicU32, Ordering::Relaxed};
use crate::place::Place;
use crate::platform::{CountCpus, Cpus, MAX_CPUS, Pinned, Platform};

/// The CPUs of a platform that have caches.
pub(crate) type Count<P> = <<P as Platform>::Cpus as Cpus>::Count;

/// A platform's pin.
pub(crate) type Pin<P> = <<P as Platform>::Cpus as Cpus>::Pin;

/// One `T` for each CPU that has caches.
pub(crate) struct PerCpu<P: Platform, T: Sync>(<Count<P> as CountCpus>::Each<T>);

impl<P: Platform, T: Sync> PerCpu<P, T> {
    /// What `make` makes for each number.
    #[inline(always)]
    pub(crate) fn new(make: impl FnMut(usize) -> T) -> Self {
        Self(Count::<P>::each(make))
    }

    /// [`new`](Self::new) in its place, one by one.
    pub(crate) fn settle(place: Place<Self>, mut make: impl FnMut(usize) -> T) -> &'static Self {
        let first = place.as_ptr().cast::<T>();
        for cpu in 0..Count::<P>::COUNT {
            // SAFETY: a `CpuCount` alone says what `Each` is: an array of so many.
            let element = unsafe { first.add(cpu) };
            // SAFETY: it lies in the place.
            let element = unsafe { NonNull::new_unchecked(element) };
            // SAFETY: the place is the caller's alone, and each element is handed out once.
            unsafe { Place::new(element) }.make(|| make(cpu));
        }
        // SAFETY: all of them were written.
        unsafe { &*place.as_ptr() }
    }
}

impl<P: Platform, T: Sync> Deref for PerCpu<P, T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        self.0.as_ref()
    }
}

/// One `T` for each CPU that has caches, and a last one for callers that have none.
pub(crate) struct PerCpuAndNone<P: Platform, T: Sync>(<Count<P> as CountCpus>::EachAndNone<T>);

impl<P: Platform, T: Sync> PerCpuAndNone<P, T> {
    /// What `make` makes for each number.
    #[inline(always)]
    pub(crate) fn new(make: impl FnMut(usize) -> T) -> Self {
        Self(Count::<P>::each_and_none(make))
    }
}

impl<P: Platform, T: Sync> Deref for PerCpuAndNone<P, T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        self.0.as_ref()
    }
}

const _: () = assert!(MAX_CPUS <= u32::BITS as usize);

/// The CPUs that are asked to empty a cache: a bit for each.
pub(crate) struct DrainRequests(AtomicU32);

impl DrainRequests {
    /// No CPU is asked.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Asks a CPU.
    fn ask(&self, cpu: usize) {
        self.0.fetch_or(1 << cpu, Relaxed);
    }

    /// Whether a CPU is asked; the request stays until the CPU [takes](Self::take) it.
    #[inline]
    pub(crate) fn is_asked(&self, cpu: usize) -> bool {
        self.0.load(Relaxed) >> cpu & 1 == 1
    }

    /// Whether a CPU was asked since the last time that it looked.
    #[inline]
    pub(crate) fn take(&self, cpu: usize) -> bool {
        let bit = 1 << cpu;
        self.is_asked(cpu) && self.0.fetch_and(!bit, Relaxed) & bit != 0
    }
}

/// Empties the caches of all CPUs that `hold` something: `empty` is called for this CPU and for those where nothing
/// runs, which the caller is pinned to meanwhile; the others are asked. Any context.
pub(crate) fn drain<P: Platform>(
    platform: &P,
    requests: &DrainRequests,
    holds: impl Fn(usize) -> bool,
    mut empty: impl FnMut(usize),
) {
    let cpus = platform.cpus();
    if let Some(pin) = cpus.pin().filter(|pin| pin.cache_index() < Count::<P>::COUNT) {
        empty(pin.cache_index());
    }
    for cpu in (0..Count::<P>::COUNT).filter(|&cpu| holds(cpu)) {
        match cpus.pin_idle(cpu) {
            Some(_pin) => empty(cpu),
            None => requests.ask(cpu),
        }
    }
}
