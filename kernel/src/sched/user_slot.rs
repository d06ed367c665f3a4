//! What a thread has because the layer above makes it a process.
//!
//! Key types: [`UserSlot`], [`UserState`]. The slot is part of every task; the state exists for threads that go to ring
//! 3. `user.rs` has the calls.
//!
//! Invariants:
//! - (a) the state belongs to the thread: it alone makes, changes and drops it, with interrupts off where the switch
//!   could see it half changed.
//! - (b) the switch saves the state of the thread that stops running, and loads that of the one that runs next, with
//!   interrupts off.
//! - (c) the owner is set by the thread itself, once, and taken by the reaper once the thread runs no more.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::{Any, TypeId};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use mm::{Pfn, VirtAddr};

use crate::arch::fpu::FpuImage;
use crate::arch::trap_frame::TrapFrame;
use crate::arch::user_registers::UserRegisters;

/// Whose thread it is, in a type of the layer above.
pub type Owner = Arc<dyn Any + Send + Sync>;

/// The registers of a thread that goes to ring 3, and where it begins there.
pub(super) struct UserState {
    pub(super) registers: UserRegisters,
    /// The frame with which it goes to ring 3 when its closure has returned.
    pub(super) start: Option<TrapFrame>,
}

/// How a thread begins that goes to ring 3: what a program starts with, or a child has of its parent.
pub struct UserStart<'a> {
    /// The level-4 table of its space.
    pub root: Pfn,
    /// Base of fs.
    pub fs_base: VirtAddr,
    /// The base that gs has in ring 3.
    pub gs_base: VirtAddr,
    /// The floating-point registers.
    pub fpu: &'a FpuImage,
    /// The other registers.
    pub frame: TrapFrame,
    /// Whose thread it is.
    pub owner: Owner,
}

/// The owner, with what it is: a look at it costs no call.
struct Owned {
    owner: Owner,
    kind: TypeId,
    value: NonNull<()>,
}

/// A task's part in processes.
pub(super) struct UserSlot {
    state: AtomicPtr<UserState>,
    /// Whether the layer above wants a word with the thread before it is in ring 3 again.
    pub(super) work: AtomicBool,
    /// How many callers want no page brought for the thread's copies.
    pub(super) faults_off: AtomicU32,
    owner: UnsafeCell<Option<Owned>>,
}

// SAFETY: (a) and (c) say who touches what; all else is atomic.
unsafe impl Sync for UserSlot {}
// SAFETY: as above; the owner can be sent.
unsafe impl Send for UserSlot {}

impl UserSlot {
    /// That of a thread of the kernel.
    pub(super) const fn new() -> Self {
        Self {
            state: AtomicPtr::new(ptr::null_mut()),
            work: AtomicBool::new(false),
            faults_off: AtomicU32::new(0),
            owner: UnsafeCell::new(None),
        }
    }

    /// Whether the thread is one that goes to ring 3.
    pub(super) fn is_user(&self) -> bool {
        !self.state.load(Ordering::Relaxed).is_null()
    }

    /// Saves what the CPU has of the thread, which stops running. Interrupts are off.
    #[inline]
    pub(super) fn save(&self) {
        // SAFETY: null, or by (a) and (b) this CPU's to change now.
        if let Some(state) = unsafe { self.state.load(Ordering::Relaxed).as_mut() } {
            state.registers.save();
        }
    }

    /// Gives the CPU what it has to have of the thread, which runs next. Interrupts are off.
    #[inline]
    pub(super) fn load(&self) {
        // SAFETY: null, or by (a) and (b) this CPU's to read now.
        if let Some(state) = unsafe { self.state.load(Ordering::Relaxed).as_ref() } {
            // SAFETY: who attached the thread to a space promised to keep its tables; the stack is the thread's own.
            unsafe { state.registers.load() };
        }
    }

    /// The state, for the running thread with interrupts off.
    ///
    /// # Safety
    /// The slot is the running thread's, interrupts are off for as long as the reference lives, and there is one at a
    /// time.
    #[expect(clippy::mut_from_ref, reason = "the words above say who has it")]
    pub(super) unsafe fn state(&self) -> Option<&mut UserState> {
        // SAFETY: the caller's promise.
        unsafe { self.state.load(Ordering::Relaxed).as_mut() }
    }

    /// The address of the frame with which the thread is to go to ring 3, if it is.
    ///
    /// # Safety
    /// The slot is the running thread's.
    pub(super) unsafe fn start(&self) -> Option<*const TrapFrame> {
        // SAFETY: the state is the caller's by (a).
        let state = unsafe { self.state.load(Ordering::Relaxed).as_ref() }?;
        state.start.as_ref().map(ptr::from_ref)
    }

    /// Makes `state` the thread's, and returns the one before it.
    ///
    /// # Safety
    /// The slot is the running thread's, and interrupts are off.
    pub(super) unsafe fn replace(&self, state: Option<Box<UserState>>) -> Option<Box<UserState>> {
        let new = state.map_or(ptr::null_mut(), Box::into_raw);
        let old = self.state.swap(new, Ordering::Relaxed);
        // SAFETY: null, or what this call made of a box before.
        (!old.is_null()).then(|| unsafe { Box::from_raw(old) })
    }

    /// Says whose thread it is; gives `owner` back if that was said before.
    ///
    /// # Safety
    /// The slot is the running thread's.
    pub(super) unsafe fn set_owner(&self, owner: Owner) -> Result<(), Owner> {
        // SAFETY: by (c) nobody else touches it while the thread runs.
        let place = unsafe { &mut *self.owner.get() };
        if place.is_some() {
            return Err(owner);
        }
        let (kind, value) = ((*owner).type_id(), NonNull::from(&*owner).cast());
        *place = Some(Owned { owner, kind, value });
        Ok(())
    }

    /// Whose thread it is, if that is a `T`.
    ///
    /// # Safety
    /// The slot is the running thread's. The reference is used by that thread alone.
    #[inline]
    pub(super) unsafe fn owner<T: Any>(&self) -> Option<&T> {
        // SAFETY: by (c) it stays until the thread runs no more.
        let owned = unsafe { &*self.owner.get() }.as_ref()?;
        if owned.kind != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: it is a value of this type, which the owner keeps.
        Some(unsafe { owned.value.cast::<T>().as_ref() })
    }

    /// Takes the owner out.
    ///
    /// # Safety
    /// The thread is dead, and the caller is the reaper.
    pub(super) unsafe fn take_owner(&self) -> Option<Owner> {
        // SAFETY: by (c) nobody refers to it any more.
        unsafe { (*self.owner.get()).take() }.map(|owned| owned.owner)
    }
}
