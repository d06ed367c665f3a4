//! What a driver with one device has while it is attached, and its opener.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kapi::{Errno, Kernel, LockError, Minor, OpenFlags, SleepLock};

/// Users while the driver is not attached.
const DETACHED: usize = usize::MAX;

/// The state of a driver with one device: nothing until it is attached.
pub struct Single<K: Kernel, T: Send> {
    state: K::Mutex<Option<T>>,
    /// Open files, or [`DETACHED`]; changes to and from that, and rises, only under `state`.
    users: AtomicUsize,
}

impl<K: Kernel, T: Send> Single<K, T> {
    /// A driver that is not attached. The lock comes from the kernel, which alone can make one for a static.
    pub const fn new(state: K::Mutex<Option<T>>) -> Self {
        Self { state, users: AtomicUsize::new(DETACHED) }
    }

    /// Attaches the driver with what `make` returns. `EEXIST` when it is attached, and whatever `make` says.
    pub fn attach(&self, make: impl FnOnce() -> Result<T, Errno>) -> Result<(), Errno> {
        self.state.with(|state| {
            if state.is_some() {
                return Err(Errno::EEXIST);
            }
            *state = Some(make()?);
            self.users.store(0, Relaxed);
            Ok(())
        })?
    }

    /// Detaches the driver, unless `is_busy` says that it cannot go. `ENOENT` when it is not attached, `EBUSY`.
    pub fn detach(&self, is_busy: impl FnOnce(&T) -> bool) -> Result<(), Errno> {
        let gone = self.state.with(|state| {
            let held = state.as_ref().ok_or(Errno::ENOENT)?;
            if self.users.load(Relaxed) > 0 || is_busy(held) {
                return Err(Errno::EBUSY);
            }
            self.users.store(DETACHED, Relaxed);
            Ok(state.take())
        })?;
        drop(gone?);
        Ok(())
    }

    /// Runs `f` with the state, alone. `ENODEV` when the driver is not attached, `EINTR` when the wait was interrupted.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> Result<R, Errno>) -> Result<R, Errno> {
        self.state.with(|state| state.as_mut().ok_or(Errno::ENODEV).and_then(f))?
    }

    /// [`with`](Self::with) for any context: never waits. `EAGAIN` when the state is in use this instant.
    pub fn try_with<R>(&self, f: impl FnOnce(&mut T) -> Result<R, Errno>) -> Result<R, Errno> {
        let done = self.state.try_with(|state| state.as_mut().ok_or(Errno::ENODEV).and_then(f));
        done.unwrap_or(Err(Errno::EAGAIN))
    }

    /// Opens the device if `prepare` agrees, which is told how many files are open already.
    pub fn open(&self, prepare: impl FnOnce(&mut T, usize) -> Result<(), Errno>) -> Result<(), Errno> {
        self.with(|state| {
            prepare(state, self.users.load(Relaxed))?;
            self.users.fetch_add(1, Relaxed);
            Ok(())
        })
    }

    /// [`open`](Self::open) of a device that cannot be written: `ENODEV` for a minor number but 0, and `refused` for
    /// writing.
    pub fn open_to_read(
        &self,
        minor: Minor,
        flags: OpenFlags,
        refused: Errno,
        prepare: impl FnOnce(&mut T, usize) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        if minor.0 != 0 {
            return Err(Errno::ENODEV);
        }
        if flags.contains(OpenFlags::WRITE) {
            return Err(refused);
        }
        self.open(prepare)
    }

    /// A file that was opened goes away; `finish` is told how many stay.
    pub fn close(&self, finish: impl FnOnce(&mut T, usize)) {
        let closed = self.state.with_uninterruptible(|state| {
            let left = self.users.fetch_sub(1, Relaxed) - 1;
            if let Some(state) = state {
                finish(state, left);
            }
        });
        // Files are closed in process context. With a broken state the driver stays as it is, for good.
        debug_assert_ne!(closed, Err(LockError::WrongContext));
    }

    /// Open files; `None` when the driver is not attached.
    pub fn users(&self) -> Option<usize> {
        Some(self.users.load(Relaxed)).filter(|&users| users != DETACHED)
    }
}
