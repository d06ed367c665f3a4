//! Threads that go to ring 3: registers, owners, what is asked of them.
//!
//! A thread becomes one by [`attach`], in its own closure, and says by [`enter_after`] where it begins in ring 3: it
//! goes there when the closure has returned, and comes back for system calls, exceptions and interrupts alone.
//!
//! All calls are about the running thread, in process context, unless they say otherwise.

use alloc::boxed::Box;
use core::any::Any;
use core::sync::atomic::Ordering;

use kapi::Errno;
use mm::{AllocError, Pfn, VirtAddr};

use super::task;
use super::user_slot::{Owner, UserState};
use crate::arch::fpu::FpuImage;
use crate::arch::paging;
use crate::arch::trap_frame::TrapFrame;
use crate::arch::user_registers::UserRegisters;
use crate::sync::without_interrupts;

/// Makes the running thread one that goes to ring 3, in the space of the level-4 table at `root`, which is loaded from
/// here on. Segment bases are 0, floating-point registers those of a program that begins. A thread that was attached
/// before begins anew. May sleep.
///
/// # Safety
/// The table's upper half is the kernel's. It stays until the thread has called [`set_root`] or [`detach`], or has
/// ended.
///
/// # Errors
/// When memory is short: nothing has changed.
pub unsafe fn attach(root: Pfn) -> Result<(), AllocError> {
    let me = task::current();
    let (_, top) = me.stack_range();
    let state = UserState { registers: UserRegisters::new(root, top), start: None };
    let state = Box::try_new(state).map_err(|_| AllocError)?;
    let old = without_interrupts(|| {
        // SAFETY: it is the running thread, and interrupts are off.
        let old = unsafe { me.user.replace(Some(state)) };
        me.user.load();
        old
    });
    drop(old);
    Ok(())
}

/// Makes the running thread one of the kernel again: the kernel's own page tables are loaded, and nothing leads to the
/// space that it had. Does nothing for a thread of the kernel.
pub fn detach() {
    let me = task::current();
    let old = without_interrupts(|| {
        // SAFETY: it is the running thread, and interrupts are off.
        let old = unsafe { me.user.replace(None) }?;
        leave(old.registers.root());
        Some(old)
    });
    drop(old);
}

/// Sees to it that the CPU does not go by the table at `root`. Interrupts are off.
fn leave(root: Pfn) {
    if let Some(kernel) = paging::kernel_root().filter(|_| paging::loaded_root() == root) {
        // SAFETY: the kernel's own tables stay for ever.
        unsafe { paging::load_root(kernel) };
    }
}

/// Runs `f` with the running thread's registers; afterwards the CPU has what `f` made of them. `None` for a thread of
/// the kernel.
fn change<R>(f: impl FnOnce(&mut UserRegisters) -> R) -> Option<R> {
    let me = task::current();
    without_interrupts(|| {
        me.user.save();
        // SAFETY: it is the running thread, interrupts are off, and this is the only reference.
        let result = unsafe { me.user.state() }.map(|state| f(&mut state.registers));
        me.user.load();
        result
    })
}

/// Goes by the level-4 table at `root` from here on, which is loaded at once: the one before it may be freed.
///
/// # Safety
/// As for [`attach`].
pub unsafe fn set_root(root: Pfn) {
    change(|registers| registers.set_root(root));
}

/// The base of fs; 0 for a thread of the kernel.
pub fn fs_base() -> VirtAddr {
    change(|registers| registers.fs_base()).unwrap_or(VirtAddr::new(0))
}

/// Sets the base of fs.
///
/// # Errors
/// `EPERM` when it is not in the user half.
pub fn set_fs_base(base: VirtAddr) -> Result<(), Errno> {
    change(|registers| registers.set_fs_base(base)).unwrap_or(Ok(())).map_err(|_| Errno::EPERM)
}

/// The base that gs has in ring 3; 0 for a thread of the kernel.
pub fn gs_base() -> VirtAddr {
    change(|registers| registers.gs_base()).unwrap_or(VirtAddr::new(0))
}

/// Sets the base that gs has in ring 3.
///
/// # Errors
/// `EPERM` when it is not in the user half.
pub fn set_gs_base(base: VirtAddr) -> Result<(), Errno> {
    change(|registers| registers.set_gs_base(base)).unwrap_or(Ok(())).map_err(|_| Errno::EPERM)
}

/// The floating-point registers as they are now: for a child, or a signal's frame.
pub fn fpu() -> FpuImage {
    change(|registers| registers.fpu().clone()).unwrap_or_default()
}

/// Replaces the floating-point registers.
pub fn set_fpu(fpu: &FpuImage) {
    change(|registers| registers.set_fpu(fpu));
}

/// Has the thread go on in ring 3 with the registers of `frame`, instead of ending, when its closure returns; what the
/// closure returns counts for nothing then. `EINVAL` for a thread that is not attached to a space.
pub fn enter_after(frame: &TrapFrame) -> Result<(), Errno> {
    let me = task::current();
    without_interrupts(|| {
        // SAFETY: it is the running thread, interrupts are off, and this is the only reference.
        let state = unsafe { me.user.state() }.ok_or(Errno::EINVAL)?;
        state.start = Some(*frame);
        Ok(())
    })
}

/// Says whose thread it is, for good: the layer above finds it by [`with_owner`]. It is dropped when the thread is
/// freed, after its end.
///
/// # Errors
/// Gives `owner` back when the thread has one.
pub fn set_owner(owner: Owner) -> Result<(), Owner> {
    // SAFETY: it is the running thread's.
    unsafe { task::current().user.set_owner(owner) }
}

/// Runs `f` with the thread's owner, if it has one of this type.
#[inline]
pub fn with_owner<T: Any, R>(f: impl FnOnce(&T) -> R) -> Option<R> {
    // SAFETY: it is the running thread's.
    let owner = unsafe { task::try_current()?.user.owner() }?;
    Some(f(owner))
}

/// Whether the running thread is one that goes to ring 3. Any context: in an interrupt it is the interrupted thread.
pub fn is_user() -> bool {
    task::try_current().is_some_and(|task| task.user.is_user())
}

/// Whether there is work to do before the thread is in ring 3 again; asking makes it done.
#[inline]
pub fn take_work() -> bool {
    let work = &task::current().user.work;
    work.load(Ordering::Relaxed) && work.swap(false, Ordering::SeqCst)
}

/// Whether the thread was given a word ([`Thread::notify_user`](super::Thread::notify_user)) that it has not heard yet.
pub fn has_work() -> bool {
    task::current().user.work.load(Ordering::Relaxed)
}

/// Keeps pages from being brought for the running thread's copies, until it is dropped.
#[must_use = "pages are brought again when the guard is dropped"]
pub struct FaultsOff(());

/// No page is brought for the running thread's copies to and from ring 3 until the guard is dropped: a copy ends at the
/// first page that is missing. Guards nest. Any context.
pub fn faults_off() -> FaultsOff {
    task::current().user.faults_off.fetch_add(1, Ordering::Relaxed);
    FaultsOff(())
}

impl Drop for FaultsOff {
    fn drop(&mut self) {
        task::current().user.faults_off.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether pages may be brought for the running thread's copies.
pub fn are_faults_on() -> bool {
    task::current().user.faults_off.load(Ordering::Relaxed) == 0
}
