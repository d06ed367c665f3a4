//! Interrupt lines, and the handlers that share them.

use crate::errno::Errno;

/// An interrupt line of the machine, by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct IrqLine(pub u8);

/// Whether a handler lets others have its line, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// It has the line to itself.
    Exclusive,
    /// Others that share may have it, too. Each says what it did not handle.
    Shared,
}

/// What a handler says of an interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IrqReturn {
    /// Its device was the cause.
    Handled,
    /// Its device was not the cause.
    NotMine,
}

/// A handler on an interrupt line. [`Kernel::Interrupt`](crate::Kernel::Interrupt) is a kernel's own.
///
/// The handler's data is what its closure has. Dropping this frees the line, and waits for a handler that runs at that
/// moment: nothing of it runs afterwards. A line on which nobody handles 1,000 interrupts in a row is held back, and
/// the log names it and its handlers; it is let through again when a handler comes or goes.
///
/// ```
/// use kapi::mm::GfpFlags;
/// use kapi::mm::own::KArc;
/// use kapi::testing::{self, Host};
/// use kapi::{Interrupt, IrqLine, IrqReturn, Kernel, Sharing, SpinLock};
///
/// let _machine = testing::machine();
/// let count: KArc<<Host as Kernel>::SpinLock<u32>, Host> = KArc::new(SpinLock::new(0), GfpFlags::KERNEL)?;
/// let counted = count.clone();
/// let handler = <Host as Kernel>::Interrupt::request(IrqLine(5), Sharing::Shared, "counter", move || {
///     counted.with(|count| *count += 1);
///     IrqReturn::Handled
/// })?;
/// assert_eq!(testing::raise(IrqLine(5)), IrqReturn::Handled);
/// drop(handler);
/// assert_eq!(testing::raise(IrqLine(5)), IrqReturn::NotMine);
/// assert_eq!(count.with(|count| *count), 1);
/// # Ok::<(), kapi::Errno>(())
/// ```
pub trait Interrupt: Send + Sync + Sized {
    /// Has `handler` called for each interrupt on `line`, in interrupt context, and lets the line through.
    /// /proc/interrupts shows `name`. Process context; may sleep for memory.
    ///
    /// # Errors
    /// `EINVAL` for a line that the machine does not have, `EBUSY` when the line is taken and not shared by all, or has
    /// eight handlers, `ENOMEM`.
    #[track_caller]
    fn request(
        line: IrqLine,
        sharing: Sharing,
        name: &'static str,
        handler: impl Fn() -> IrqReturn + Send + Sync + 'static,
    ) -> Result<Self, Errno>;
}
