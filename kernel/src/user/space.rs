//! The address space of a thread in ring 3, and the CPU's way to it.
//!
//! Key types: [`ThreadSpace`]. The space lies under a sleeping lock, so that others may look into it. The thread goes
//! by its tables, wherever it is in the kernel, until it has another space or none.
//!
//! Invariants:
//! - (a) a space that a thread goes by lies in its `ThreadSpace`: only that thread takes it out, and leaves it before.
//!   Whoever is lent it by [`with`](ThreadSpace::with) leaves it where it is.
//! - (b) the value outlives its thread's stay in ring 3: the thread's owner has it.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use kapi::Errno;
use mm::VirtAddr;

use crate::arch::fpu::FpuImage;
use crate::arch::trap_frame::TrapFrame;
use crate::mm::space::UserSpace;
use crate::sched::{self, Mutex, NewThread, Owner, UserStart, user};

/// No thread has this number but the idle thread.
const NOBODY: u32 = 0;

/// The space of one thread.
pub struct ThreadSpace {
    space: Mutex<Option<UserSpace>>,
    /// The thread that goes by it.
    thread: AtomicU32,
}

/// What a thread begins with beside its space.
pub struct Registers<'a> {
    /// Base of fs.
    pub fs_base: VirtAddr,
    /// The base that gs has in ring 3.
    pub gs_base: VirtAddr,
    /// The floating-point registers.
    pub fpu: &'a FpuImage,
    /// The other registers.
    pub frame: TrapFrame,
}

impl ThreadSpace {
    /// `space`, by which no thread goes yet.
    pub const fn new(space: UserSpace) -> Self {
        Self { space: Mutex::new(Some(space)), thread: AtomicU32::new(NOBODY) }
    }

    /// Runs `f` with the space; `ESRCH` when it is gone, `EIO` when a thread died over it.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut UserSpace) -> R) -> Result<R, Errno> {
        let mut space = self.space.lock_uninterruptible()?;
        space.as_mut().map(f).ok_or(Errno::ESRCH)
    }

    /// Lets `thread`, which does not run yet, begin in ring 3 in this space, with `registers`. `owner` leads to this
    /// value; `EINVAL` when another thread goes by the space. May sleep; `ENOMEM`.
    pub fn give_to(&self, thread: &mut NewThread, registers: Registers<'_>, owner: Owner) -> Result<(), Errno> {
        let Registers { fs_base, gs_base, fpu, frame } = registers;
        let root = self.with(|space| space.root())?;
        if self.thread.compare_exchange(NOBODY, thread.id(), Relaxed, Relaxed).is_err() {
            return Err(Errno::EINVAL);
        }
        let start = UserStart { root, fs_base, gs_base, fpu, frame, owner };
        // SAFETY: by (a) and (b) the space stays until the thread has left it.
        unsafe { thread.go_to_ring3(start) }.map_err(|error| {
            self.thread.store(NOBODY, Relaxed);
            error.into()
        })
    }

    /// Has the running thread, which goes by this space, go by `new` instead, with the registers of a program that
    /// begins; the old space is what is returned. `EINVAL` for any other thread.
    pub fn replace(&self, new: UserSpace) -> Result<Option<UserSpace>, Errno> {
        let old = self.exchange(new)?;
        // 0 is a user address.
        let _ = user::set_fs_base(VirtAddr::new(0));
        let _ = user::set_gs_base(VirtAddr::new(0));
        user::set_fpu(&FpuImage::new());
        Ok(old)
    }

    /// Has the running thread, which goes by this space, go by `new` instead, and on with the same registers; the old
    /// space is what is returned. `EINVAL` for any other thread.
    pub fn exchange(&self, new: UserSpace) -> Result<Option<UserSpace>, Errno> {
        self.check_thread()?;
        let mut space = self.space.lock_uninterruptible()?;
        let root = new.root();
        let old = space.replace(new);
        // SAFETY: by (a) and (b) it stays until the thread has left it.
        unsafe { user::set_root(root) };
        Ok(old)
    }

    /// Takes the space out when the running thread, which went by it, does not go to ring 3 any more. `EINVAL` for any
    /// other thread.
    pub fn remove(&self) -> Result<Option<UserSpace>, Errno> {
        self.check_thread()?;
        user::detach();
        Ok(self.space.lock_uninterruptible()?.take())
    }

    fn check_thread(&self) -> Result<(), Errno> {
        if self.thread.load(Relaxed) == sched::current().id() { Ok(()) } else { Err(Errno::EINVAL) }
    }
}
