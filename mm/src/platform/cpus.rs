//! The CPUs beneath the allocators: how many, and how a caller stays on one.
//!
//! Key types: [`Cpus`], [`Pinned`]; ready for use: [`OneCpu`].

use core::marker::PhantomData;

use super::interrupts::{Interrupts, Off};

/// The most CPUs that can have caches of their own.
pub const MAX_CPUS: usize = 16;

/// So many CPUs have caches of their own, 1 to [`MAX_CPUS`]; further CPUs have none.
pub struct CpuCount<const N: usize>;

/// A [`CpuCount`], as the allocators use it.
pub trait CountCpus: sealed::Sealed + 'static {
    /// How many.
    const COUNT: usize;
    /// One `T` for each.
    type Each<T: Sync>: AsRef<[T]> + Sync;
    /// One `T` for each, and one for callers without a CPU, the last.
    type EachAndNone<T: Sync>: AsRef<[T]> + Sync;

    /// Makes one for each.
    fn each<T: Sync>(make: impl FnMut(usize) -> T) -> Self::Each<T>;
    /// Makes one for each, and one more.
    fn each_and_none<T: Sync>(make: impl FnMut(usize) -> T) -> Self::EachAndNone<T>;
}

mod sealed {
    /// Who counts CPUs.
    pub trait Sealed {}
}

/// Arrays of one place more cannot be named by a parameter.
macro_rules! count {
    ($($n:literal)*) => {$(
        impl sealed::Sealed for CpuCount<$n> {}

        impl CountCpus for CpuCount<$n> {
            const COUNT: usize = $n;
            type Each<T: Sync> = [T; $n];
            type EachAndNone<T: Sync> = [T; $n + 1];

            #[inline(always)]
            fn each<T: Sync>(make: impl FnMut(usize) -> T) -> [T; $n] {
                core::array::from_fn(make)
            }

            #[inline(always)]
            fn each_and_none<T: Sync>(make: impl FnMut(usize) -> T) -> [T; $n + 1] {
                core::array::from_fn(make)
            }
        }
    )*};
}

count!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);

/// A promise that the caller stays on its CPU and that no other thread runs there meanwhile; interrupts may.
///
/// # Safety
/// While a value exists: (a) no other code but interrupts runs on the CPU, and these end before the caller goes on;
/// (b) [`cpu`](Self::cpu) is that CPU's number, below [`CountCpus::COUNT`], which no other CPU has; (c) two callers
/// whose [`cache_index`](Self::cache_index) is the same and below that count are never under way at the same time, nor
/// is one of them interrupted by the other.
pub unsafe trait Pinned {
    /// The CPU's number, from 0 on.
    fn cpu(&self) -> usize;

    /// The index of the caches that only the caller uses now: the CPU's number, or [`CountCpus::COUNT`], for no caches,
    /// in an interrupt that may have interrupted a pinned caller.
    ///
    /// A kernel without interrupts returns [`cpu`](Self::cpu). Others keep the index in a word per CPU, which an
    /// interrupt changes when it interrupts a pinned caller.
    fn cache_index(&self) -> usize;
}

/// The CPUs of a machine.
///
/// # Safety
/// (a) What [`pin_idle`](Self::pin_idle) returns keeps the code of that CPU from being pinned there; (b)
/// [`wait_for_pins`](Self::wait_for_pins) returns late enough: a cache that was destroyed is used again afterwards.
pub unsafe trait Cpus: Sync + 'static {
    /// How many of them have caches of their own: a [`CpuCount`].
    type Count: CountCpus;

    /// What [`pin`](Self::pin) returns; dropping it ends the promise.
    type Pin: Pinned;

    /// Keeps the caller on its CPU: the only way to the caches of a CPU. Any context. `None` for a caller that has no
    /// CPU of its own, or one beyond the count; it goes without caches, and without the windows by which high memory is
    /// cleared: where there is high memory, every caller has a CPU.
    ///
    /// Pins nest: a caller that is pinned is pinned again. They are dropped last one first, and with the first one the
    /// section ends.
    fn pin(&self) -> Option<Self::Pin>;

    /// Pins the caller to `cpu` as if it ran there, if no code runs there: to empty the caches of a CPU that stopped.
    fn pin_idle(&self, _cpu: usize) -> Option<Self::Pin> {
        None
    }

    /// Returns once every section that was [pinned](Self::pin) at the call, on any CPU, has ended: its writes are seen
    /// then, and sections that begin later see what the caller has written. Process context, not pinned, without a lock
    /// held. Where one CPU runs, and no other thread while one is pinned, there is nothing to wait for.
    fn wait_for_pins(&self);
}

/// A machine with one CPU. `I` says how its interrupts are switched off, which keeps a caller pinned.
///
/// ```
/// use mm::{Cpus, NoInterrupts, OneCpu, Pinned};
///
/// let pin = OneCpu::<NoInterrupts>::NEW.pin().expect("the one CPU");
/// assert_eq!((pin.cpu(), pin.cache_index()), (0, 0));
/// ```
pub struct OneCpu<I: Interrupts>(PhantomData<fn() -> I>);

impl<I: Interrupts> OneCpu<I> {
    /// The one CPU.
    pub const NEW: Self = Self(PhantomData);
}

// SAFETY: nobody else is pinned while the caller runs: only an interrupt could be, and these are off.
unsafe impl<I: Interrupts> Cpus for OneCpu<I> {
    type Count = CpuCount<1>;
    type Pin = Off<I>;

    #[inline]
    fn pin(&self) -> Option<Off<I>> {
        Some(Off::new())
    }

    fn wait_for_pins(&self) {}
}

// SAFETY: `I` promises that one CPU runs and that nothing else runs there while interrupts are off.
unsafe impl<I: Interrupts> Pinned for Off<I> {
    #[inline]
    fn cpu(&self) -> usize {
        0
    }

    #[inline]
    fn cache_index(&self) -> usize {
        0
    }
}
