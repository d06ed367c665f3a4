//! How a CPU's interrupts are switched off: what ready locks and pins stand on.
//!
//! Key types: [`Interrupts`]; ready for use: [`NoInterrupts`].

use core::marker::PhantomData;

/// The interrupts of the CPU that runs the caller.
///
/// ```
/// use mm::Interrupts;
///
/// struct X86;
///
/// // SAFETY: with the interrupt flag clear no handler runs, and without the timer's no thread is switched.
/// unsafe impl Interrupts for X86 {
///     type Saved = bool;
///
///     fn off() -> bool {
///         // A kernel: pushfq, cli, and whether the flag was set.
///         # false
///     }
///
///     fn restore(was_on: bool) {
///         if was_on {
///             // A kernel: sti.
///         }
///     }
/// }
/// ```
///
/// # Safety
/// From [`off`](Self::off) until [`restore`](Self::restore) is given what it returned, no other thread runs on this
/// CPU, nor an interrupt handler that calls the allocators. `off` nests, and compilers move no access to memory out of
/// the section.
pub unsafe trait Interrupts: 'static {
    /// What has to be known to restore the state before.
    type Saved: Copy;

    /// Switches interrupts off; returns how it was before.
    fn off() -> Self::Saved;

    /// Goes back to that.
    fn restore(saved: Self::Saved);
}

/// For a kernel whose interrupt handlers neither call the allocators nor switch threads, or that has none: there is
/// nothing to switch off.
pub struct NoInterrupts;

// SAFETY: whoever names this type says that no handler does anything that must be kept out.
unsafe impl Interrupts for NoInterrupts {
    type Saved = ();

    #[inline]
    fn off() {}

    #[inline]
    fn restore((): ()) {}
}

/// Interrupts are off until this is dropped, if they were on. Several are dropped last one first: each goes back to
/// what it found.
pub struct Off<I: Interrupts> {
    saved: I::Saved,
    /// It belongs to the CPU that it was made on.
    _not_send: PhantomData<*mut ()>,
}

impl<I: Interrupts> Off<I> {
    /// Switches them off.
    #[inline]
    pub fn new() -> Self {
        Self { saved: I::off(), _not_send: PhantomData }
    }
}

impl<I: Interrupts> Default for Off<I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Interrupts> Drop for Off<I> {
    #[inline]
    fn drop(&mut self) {
        I::restore(self.saved);
    }
}
