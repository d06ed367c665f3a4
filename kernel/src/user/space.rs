//! The address space of a thread in ring 3, and the CPU's way to it.
//!
//! Key types: [`ThreadSpace`]. The space lies under a sleeping lock, so that others may look into it. The thread goes
//! by its tables, wherever it is in the kernel, until it has another space or none.
//!
//! Invariants:
//! - (a) a space that a thread goes by lies in its `ThreadSpace`: only that thread takes it out, and leaves it before.
//!   Whoever is lent it by [`with`](ThreadSpace::with) leaves it where it is.
//! - (b) the value outlives its thread's stay in ring 3: the thread's owner has it.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use kapi::Errno;
use mm::VirtAddr;

use crate::arch::fpu::FpuImage;
use crate::arch::trap_frame::TrapFrame;
use crate::mm::space::{Usage, UserSpace};
use crate::sched::{self, Mutex, NewThread, Owner, UserStart, user};

/// No thread has this number but the idle thread.
const NOBODY: u32 = 0;

/// The space of one thread.
pub struct ThreadSpace {
    space: Mutex<Option<UserSpace>>,
    /// The thread that goes by it.
    thread: AtomicU32,
    /// How large the space was when the lock was given back last.
    total: AtomicUsize,
    held: AtomicUsize,
}

/// How much a space has, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Addresses.
    pub total: usize,
    /// Pages in memory or in swap.
    pub held: usize,
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
    pub fn new(space: UserSpace) -> Self {
        let usage = space.usage();
        Self {
            space: Mutex::new(Some(space)),
            thread: AtomicU32::new(NOBODY),
            total: AtomicUsize::new(usage.total),
            held: AtomicUsize::new(usage.resident + usage.swapped),
        }
    }

    /// How large the space is, or was before what is being done to it. Any context: no lock is taken.
    pub fn size(&self) -> Size {
        Size { total: self.total.load(Relaxed), held: self.held.load(Relaxed) }
    }

    fn note(&self, usage: Usage) {
        self.total.store(usage.total, Relaxed);
        self.held.store(usage.resident + usage.swapped, Relaxed);
    }

    /// Runs `f` with the space; `ESRCH` when it is gone, `EIO` when a thread died over it.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut UserSpace) -> R) -> Result<R, Errno> {
        let mut space = self.space.lock_uninterruptible()?;
        let space = space.as_mut().ok_or(Errno::ESRCH)?;
        let result = f(space);
        self.note(space.usage());
        Ok(result)
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
        self.note(new.usage());
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
        let space = self.space.lock_uninterruptible()?.take();
        self.note(Usage::default());
        Ok(space)
    }

    fn check_thread(&self) -> Result<(), Errno> {
        if self.thread.load(Relaxed) == sched::current().id() { Ok(()) } else { Err(Errno::EINVAL) }
    }
}
