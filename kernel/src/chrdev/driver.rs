//! A driver that may go away again, and who uses it.
//!
//! Key types: [`Driver`], [`Users`], [`User`]. Whoever is about to call into a driver is counted first, under the lock
//! of the table in which it was found; whoever wants the driver to go closes the count first, and is refused while it
//! is above 0. So nobody is in a driver's code, or on the way there, when it goes.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use kapi::{CharDriver, Errno, Module};

use crate::mm::Kernel;

/// A module's value, whatever its type.
pub trait Driver: CharDriver + Any {
    /// See [`Module::devices`].
    fn devices(&self) -> u16;
    /// See [`Module::is_busy`].
    fn is_busy(&self) -> bool;
    /// How many users it counts by itself, besides those that the kernel counts.
    fn own_users(&self) -> usize {
        0
    }
    /// See [`Module::footprint`].
    fn footprint(&self) -> usize;
    /// See [`Module::proc_text`].
    ///
    /// # Errors
    /// As there.
    fn proc_text(&self, out: &mut dyn fmt::Write) -> fmt::Result;
}

impl<M: Module<Kernel>> Driver for M {
    fn devices(&self) -> u16 {
        Module::devices(self)
    }

    fn is_busy(&self) -> bool {
        Module::is_busy(self)
    }

    fn footprint(&self) -> usize {
        Module::footprint(self)
    }

    fn proc_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        Module::proc_text(self, out)
    }
}

/// How many use a driver. Any context.
pub struct Users(AtomicUsize);

/// What the count is once nobody may begin to use it.
const CLOSED: usize = usize::MAX;

/// One of those who are counted, as long as it lives.
pub struct User(Arc<Users>);

impl Users {
    /// Nobody yet.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new() -> Result<Arc<Self>, Errno> {
        Arc::try_new(Self(AtomicUsize::new(0))).map_err(|_| Errno::ENOMEM)
    }

    /// Nobody yet, and nobody is let in before it is [reopened](Self::reopen).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn closed() -> Result<Arc<Self>, Errno> {
        Arc::try_new(Self(AtomicUsize::new(CLOSED))).map_err(|_| Errno::ENOMEM)
    }

    /// Counts one more; `ENODEV` once the count is closed.
    ///
    /// # Errors
    /// As said.
    pub fn enter(self: &Arc<Self>) -> Result<User, Errno> {
        let more = |count| if count == CLOSED { None } else { Some(count + 1) };
        match self.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, more) {
            Ok(_) => Ok(User(self.clone())),
            Err(_) => Err(Errno::ENODEV),
        }
    }

    /// Lets nobody in any more; `EBUSY`, and nothing has changed, while there is somebody.
    ///
    /// # Errors
    /// As said.
    pub fn close(&self) -> Result<(), Errno> {
        let closed = self.0.compare_exchange(0, CLOSED, Ordering::Acquire, Ordering::Relaxed);
        closed.map(|_| ()).map_err(|_| Errno::EBUSY)
    }

    /// Lets users in again.
    pub fn reopen(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Whether nobody is let in.
    pub fn is_closed(&self) -> bool {
        self.0.load(Ordering::Relaxed) == CLOSED
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match self.0.load(Ordering::Relaxed) {
            CLOSED => 0,
            count => count,
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}
