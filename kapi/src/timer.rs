//! Timers: calls in interrupt context when some time has passed.

use core::time::Duration;

use mm::AllocError;

/// A call that is made later, once or again and again. [`Kernel::Timer`](crate::Kernel::Timer) is a kernel's own.
///
/// Dropping it takes it down, and waits for a callback that runs at that moment: nothing of the callback runs
/// afterwards. (A callback that drops its own timer runs to its end.) The callback gets the timer itself, to start it
/// again; it may allocate with `GfpFlags::ATOMIC`, and may not sleep. (Chapter: "The Flags Argument", on kernel
/// timers.)
///
/// ```
/// use core::time::Duration;
/// use kapi::mm::GfpFlags;
/// use kapi::mm::own::KArc;
/// use kapi::testing::{self, Host};
/// use kapi::{Kernel, SpinLock, Timer};
///
/// /// Counts seconds while it lives.
/// struct Clock<K: Kernel> {
///     seconds: KArc<K::SpinLock<u32>, K>,
///     _timer: K::Timer,
/// }
///
/// impl<K: Kernel> Clock<K> {
///     fn new() -> Result<Self, kapi::mm::AllocError> {
///         let seconds: KArc<K::SpinLock<u32>, K> = KArc::new(SpinLock::new(0), GfpFlags::KERNEL)?;
///         let counted = seconds.clone();
///         let timer = K::Timer::new(move |_| counted.with(|seconds| *seconds += 1))?;
///         timer.start_every(Duration::from_secs(1));
///         Ok(Self { seconds, _timer: timer })
///     }
/// }
///
/// let _machine = testing::machine();
/// let clock = Clock::<Host>::new()?;
/// testing::pass(Duration::from_secs(3));
/// assert_eq!(clock.seconds.with(|seconds| *seconds), 3);
/// # Ok::<(), kapi::mm::AllocError>(())
/// ```
pub trait Timer: Send + Sync + Sized {
    /// A timer that will call `callback`. Process context; may sleep for memory.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    fn new(callback: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError>;

    /// Has the callback called once when `delay` has passed (whole ticks, rounded up). A pending timer is moved. Any
    /// context, the callback included; needs no memory.
    fn start(&self, delay: Duration);

    /// Has the callback called each time that `period` has passed (whole ticks, rounded up, at least one). A pending
    /// timer is moved. Any context, the callback included; needs no memory.
    fn start_every(&self, period: Duration);

    /// Takes the timer down, and says whether it was pending. From a thread: waits, spinning, for a callback that runs,
    /// so that none runs after this. Any context.
    fn cancel(&self) -> bool;

    /// Whether a call is still to come. Any context.
    fn is_pending(&self) -> bool;
}
