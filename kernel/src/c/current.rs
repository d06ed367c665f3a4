//! `current`: the thread that runs, as C sees it.
//!
//! What it may do; copies to and from its program.

use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};

use mm::VirtAddr;
use vfs::Credentials;

use super::layout::TimeVal;
use crate::arch::layout::USER_END;
use crate::sched::{self, View};
use crate::tty::{Session, job_control};
use crate::{export, process, time, user};

/// The terminal's number: major 4, minor 64 (ttyS0).
const TERMINAL: u16 = 4 << 8 | 64;
/// The limit of a thread that may name all addresses.
const KERNEL_DS: u64 = u64::MAX;

export! {
    /// The running thread, with what is true of it now.
    extern "C" fn get_current() -> *mut View {
        let view = sched::view();
        let thread = sched::current();
        let number = process::with_current(|process| process.pid().as_u32()).unwrap_or(thread.id());
        let name = thread.name();
        // SAFETY: the view is the running thread's; an interrupt would write the same.
        let now = unsafe { &mut *view };
        now.pid = number as c_int;
        let who = credentials();
        now.ids = [who.user.real, who.user.effective, who.group.real, who.group.effective];
        now.comm = [0; 16];
        let bytes = name.as_str().as_bytes();
        let len = bytes.len().min(now.comm.len() - 1);
        now.comm[..len].copy_from_slice(&bytes[..len]);
        now.own_tty.device = TERMINAL;
        now.tty = if has_terminal() { &raw mut now.own_tty } else { core::ptr::null_mut() };
        view
    }

    /// Whether a signal waits for the process: asked of the running thread, whatever `task` is.
    extern "C" fn signal_pending(_task: *const View) -> c_int {
        sched::is_called().into()
    }

    /// Root may all, and so may the kernel's threads; others nothing of it.
    extern "C" fn capable(_capability: c_int) -> c_int {
        credentials().is_root().into()
    }

    /// Whether the thread may name these addresses.
    extern "C" fn __access_ok(at: c_ulong, size: c_ulong) -> c_int {
        let limit = limit();
        (limit == KERNEL_DS || at.checked_add(size).is_some_and(|end| end <= limit)).into()
    }

    /// Copies to the program; how many bytes were not.
    extern "C" fn copy_to_user(to: *mut c_void, from: *const c_void, size: c_ulong) -> c_ulong {
        copy(to.addr(), size, |to| {
            // SAFETY: the caller's memory reaches as far.
            user::copy_to_some(to, unsafe { core::slice::from_raw_parts(from.cast(), size as usize) })
        }, || {
            // SAFETY: with this limit the caller names memory of the kernel's on both sides.
            unsafe { to.cast::<u8>().copy_from(from.cast(), size as usize) }
        })
    }

    /// Copies from the program; how many bytes were not.
    extern "C" fn copy_from_user(to: *mut c_void, from: *const c_void, size: c_ulong) -> c_ulong {
        copy(from.addr(), size, |from| {
            // SAFETY: the caller's memory reaches as far.
            user::copy_from_some(from, unsafe { core::slice::from_raw_parts_mut(to.cast(), size as usize) })
        }, || {
            // SAFETY: with this limit the caller names memory of the kernel's on both sides.
            unsafe { to.cast::<u8>().copy_from(from.cast(), size as usize) }
        })
    }

    /// Fills memory of the program with zeros; how many bytes were not.
    extern "C" fn clear_user(to: *mut c_void, size: c_ulong) -> c_ulong {
        copy(to.addr(), size, |to| user::clear_some(to, size as usize), || {
            // SAFETY: with this limit the caller names memory of the kernel's.
            unsafe { to.cast::<u8>().write_bytes(0, size as usize) }
        })
    }

    /// The length of the program's text with its zero; 0 if it cannot be read, more than `size` if it does not end.
    extern "C" fn strnlen_user(text: *const c_char, size: c_long) -> c_long {
        for at in 0..size.max(0) {
            match user_byte(text, at) {
                None => return 0,
                Some(0) => return at + 1,
                Some(_) => {}
            }
        }
        size + 1
    }

    /// Copies the program's text, with its zero if that is among the first `size` bytes; its length without that.
    extern "C" fn strncpy_from_user(to: *mut c_char, from: *const c_char, size: c_long) -> c_long {
        for at in 0..size.max(0) {
            let Some(byte) = user_byte(from, at) else { return -14 };
            // SAFETY: the caller's memory reaches as far.
            unsafe { to.cast::<u8>().wrapping_add(at as usize).write(byte) };
            if byte == 0 {
                return at;
            }
        }
        size
    }

    /// The end of the addresses that the thread may name.
    extern "C" fn get_fs() -> c_ulong {
        limit()
    }

    /// Changes that.
    extern "C" fn set_fs(limit: c_ulong) {
        set_limit(limit);
    }

    /// The time since 1970.
    extern "C" fn do_gettimeofday(now: *mut TimeVal) {
        let time = time::realtime();
        let value = TimeVal { tv_sec: time.as_secs() as i64, tv_usec: time.subsec_micros().into() };
        // SAFETY: the caller's variable.
        unsafe { now.write(value) };
    }

    /// Spins for so many microseconds.
    extern "C" fn udelay(microseconds: c_ulong) {
        let end = time::uptime() + core::time::Duration::from_micros(microseconds);
        while time::uptime() < end {
            core::hint::spin_loop();
        }
    }
}

/// Who the running thread is.
fn credentials() -> Credentials {
    process::with_current(process::Process::credentials).unwrap_or(Credentials::ROOT)
}

/// Whether the thread's process has the terminal, or the thread is one of a kernel whose console has it.
fn has_terminal() -> bool {
    let session = job_control::session();
    let own = process::with_current(|process| Session(process.session().as_u32()));
    own.map_or(session.is_none(), |own| session == Some(own))
}

/// The end of the addresses that the thread may name: those of its program, or all for a thread of the kernel.
fn limit() -> u64 {
    // SAFETY: the view is the running thread's.
    match unsafe { (*sched::view()).limit } {
        0 if sched::user::is_user() => USER_END.as_usize() as u64,
        0 => KERNEL_DS,
        limit => limit,
    }
}

fn set_limit(limit: u64) {
    // SAFETY: the view is the running thread's.
    unsafe { (*sched::view()).limit = limit };
}

/// While this lives, the running thread may name all addresses, or those of its program: what a transfer wants.
pub(super) struct Limit(u64);

impl Limit {
    /// For a transfer to or from the kernel's memory.
    pub(super) fn kernel() -> Self {
        Self::set(KERNEL_DS)
    }

    /// For any other call: what it changes ends with it.
    pub(super) fn own() -> Self {
        Self::set(0)
    }

    /// For one to or from a program's.
    pub(super) fn user() -> Self {
        Self::set(USER_END.as_usize() as u64)
    }

    fn set(limit: u64) -> Self {
        // SAFETY: the view is the running thread's.
        let before = unsafe { (*sched::view()).limit };
        set_limit(limit);
        Self(before)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        set_limit(self.0);
    }
}

/// Copies `size` bytes at the address `at`, which the program has named; returns how many were not.
fn copy(at: usize, size: c_ulong, of_user: impl FnOnce(VirtAddr) -> usize, of_kernel: impl FnOnce()) -> c_ulong {
    if __access_ok(at as c_ulong, size) == 0 {
        return size;
    }
    if at >= USER_END.as_usize() {
        of_kernel();
        return 0;
    }
    size - of_user(VirtAddr::new(at)) as c_ulong
}

fn user_byte(text: *const c_char, at: c_long) -> Option<u8> {
    let mut byte = 0_u8;
    let from = text.wrapping_add(at as usize).cast();
    (copy_from_user((&raw mut byte).cast(), from, 1) == 0).then_some(byte)
}
