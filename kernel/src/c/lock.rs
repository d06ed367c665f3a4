//! Spinlocks, and interrupts off and on.
//!
//! A lock is a word that counts its takings. One processor runs, and whoever holds a lock keeps other threads off it:
//! so a lock that is found taken was taken on the way here, and on a machine with more processors this would wait for
//! ever. It is reported, and goes on. All that is between a lock and its unlock counts as a section: what may sleep is
//! refused there.

use core::ffi::{c_int, c_ulong};
use core::panic::Location;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use x86_64::instructions::interrupts;
use x86_64::registers::rflags::{self, RFlags};

use crate::sync::{preempt, spin};
use crate::{export, klog, sched};

export! {
    /// Takes a lock.
    extern "C" fn spin_lock(lock: *const AtomicU32) {
        core::mem::forget(preempt::preempt_disable());
        take(lock);
    }

    /// Gives it back.
    extern "C" fn spin_unlock(lock: *const AtomicU32) {
        if give_back("spin_unlock", lock) {
            preempt::preempt_enable();
        }
    }

    /// Takes a lock that is free; 1 if it was.
    extern "C" fn spin_trylock(lock: *const AtomicU32) -> c_int {
        core::mem::forget(preempt::preempt_disable());
        let is_free = word(lock).compare_exchange(0, 1, Relaxed, Relaxed).is_ok();
        if !is_free {
            preempt::preempt_enable();
        }
        is_free.into()
    }

    /// Takes a lock with interrupts off; returns what they were.
    extern "C" fn __spin_lock_irqsave(lock: *const AtomicU32) -> c_ulong {
        let flags = __irq_flags();
        let _ = spin::enter();
        take(lock);
        flags
    }

    /// Gives it back, and interrupts what they were.
    extern "C" fn spin_unlock_irqrestore(lock: *const AtomicU32, flags: c_ulong) {
        if give_back("spin_unlock_irqrestore", lock) {
            spin::leave(are_on(flags));
        }
    }

    /// Takes a lock with interrupts off.
    extern "C" fn spin_lock_irq(lock: *const AtomicU32) {
        let _ = spin::enter();
        take(lock);
    }

    /// Gives it back, with interrupts on.
    extern "C" fn spin_unlock_irq(lock: *const AtomicU32) {
        if give_back("spin_unlock_irq", lock) {
            // In a handler they stay off until its end.
            spin::leave(!preempt::in_interrupt());
        }
    }

    /// The processor's flags.
    extern "C" fn __irq_flags() -> c_ulong {
        rflags::read_raw()
    }

    /// Interrupts off; returns the flags before.
    extern "C" fn __irq_save() -> c_ulong {
        let flags = __irq_flags();
        if are_on(flags) {
            let _ = spin::enter();
        }
        flags
    }

    /// Interrupts as the flags had them.
    extern "C" fn __irq_restore(flags: c_ulong) {
        if are_on(flags) {
            sti();
        }
    }

    /// Interrupts off.
    extern "C" fn cli() {
        let _ = __irq_save();
    }

    /// Interrupts on, if it was `cli` that had them off: a handler's stay off until its end.
    extern "C" fn sti() {
        if !interrupts::are_enabled() && preempt::sections() > 0 {
            spin::leave(true);
        }
    }

    /// Whether the caller is in an interrupt.
    extern "C" fn in_interrupt() -> c_int {
        preempt::in_interrupt().into()
    }
}

fn are_on(flags: c_ulong) -> bool {
    RFlags::from_bits_truncate(flags).contains(RFlags::INTERRUPT_FLAG)
}

fn word<'a>(lock: *const AtomicU32) -> &'a AtomicU32 {
    // SAFETY: it is a lock of the caller's, which stays as long as the call.
    unsafe { &*lock }
}

/// The caller is in the lock's section.
fn take(lock: *const AtomicU32) {
    if word(lock).fetch_add(1, Relaxed) != 0 {
        report("spin_lock", lock, "is held already: two processors would wait for ever");
    }
}

/// Whether the lock was held, and its section lasts.
fn give_back(call: &str, lock: *const AtomicU32) -> bool {
    let was_held = word(lock).fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).is_ok();
    if !was_held {
        report(call, lock, "is not held");
        return false;
    }
    let is_in_section = preempt::sections() > 0;
    if !is_in_section {
        // The section ended with the call.
        report(call, lock, "was taken in a call that has returned since");
    }
    is_in_section
}

#[cold]
fn report(call: &str, lock: *const AtomicU32, what: &str) {
    klog!("{call}: the lock at {:016x} {what}, called from {}", lock.addr(), sched::caller(Location::caller()));
}
