//! Where a thread begins and ends, or goes to ring 3.
//!
//! A thread that dies in the middle of its work ([`abandon`]) begins anew on its own, empty stack, and winds up what it
//! leaves behind: it gets off wait queues, its mutexes are broken, its heir closes its files. Nothing unwinds: what its
//! frames held, memory above all, stays taken.

use core::sync::atomic::Ordering;

use x86_64::instructions::interrupts;

use super::task::{self, FramesGone, ThreadState};
use super::{mutex, run_queue, user, wait};
use crate::arch::{ring3, switch};
use crate::klog;

/// Exit code of a thread that died: what a shell shows for SIGSEGV.
pub const DIED: i32 = 128 + 11;
/// Deaths of one thread after which its files are left alone.
const MANY_DEATHS: u32 = 20;

/// Where a new thread starts.
pub(super) extern "C" fn thread_main() -> ! {
    run_queue::finish_first_switch();
    let me = task::current();
    let entry = me.entry.with(Option::take);
    let code = entry.map_or(0, |entry| entry());
    // SAFETY: the slot is the running thread's.
    if let Some(frame) = unsafe { me.user.start() } {
        let (_, top) = me.stack_range();
        // SAFETY: the thread is attached, so its registers are loaded; the frame lies with them, not on the stack, and
        // the closure and all that it had is gone.
        unsafe { ring3::enter(frame, top) };
    }
    exit(code)
}

/// Ends the running thread where it stands. The caller is in no section, whatever stack it runs on, and has reported
/// what happened.
pub(crate) fn abandon() -> ! {
    interrupts::disable();
    let me = task::current();
    me.deaths.fetch_add(1, Ordering::Relaxed);
    let (_, top) = me.stack_range();
    // SAFETY: interrupts are off; by the words above nothing of what lies on the stack is used again.
    unsafe { switch::restart(top.as_usize(), wind_up) }
}

/// What is left of a thread that died.
extern "C" fn wind_up() -> ! {
    interrupts::enable();
    wait::give_up();
    let me = task::current();
    mutex::break_held(|at| klog!("oops: the lock taken at {}:{} is broken: EIO for all", at.file(), at.line()));
    // Closing may have to wait, and a ^C was for what died.
    me.set_interrupted(false);
    me.user.work.store(false, Ordering::Relaxed);
    me.user.faults_off.store(0, Ordering::Relaxed);
    // Before its space goes.
    user::detach();
    if let Some(heir) = me.heir.with(|heir| *heir) {
        if me.deaths() < MANY_DEATHS {
            heir.close(&FramesGone(()));
        }
        heir.settle(DIED);
    }
    exit(DIED)
}

/// Ends the running thread. What the frames of its stack have is not dropped. Process context.
pub fn exit(code: i32) -> ! {
    let me = task::current();
    user::detach();
    me.exit_code.store(code, Ordering::Relaxed);
    me.set_state(ThreadState::Dead);
    run_queue::schedule();
    unreachable!("a dead thread was run")
}
