//! A thread as drivers in C see it.
//!
//! It is `struct task_struct` of include/linux/sched.h.

use core::cell::UnsafeCell;

/// What C reads and writes of a thread. All zero is a thread that nobody has looked at.
#[derive(Debug)]
#[repr(C)]
pub struct View {
    /// What `schedule()` takes it to be: 0 for one that runs.
    pub state: i64,
    /// The number of the process, or of the thread.
    pub pid: i32,
    /// User and group, each real and effective.
    pub ids: [u32; 4],
    /// The program's name, with a zero behind it.
    pub comm: [u8; 16],
    /// The controlling terminal: `own_tty`, or null.
    pub tty: *mut Tty,
    /// That terminal.
    pub own_tty: Tty,
    /// The first of the entries on wait queues that the thread has made, each on its own stack.
    pub waits: *mut WaitEntry,
    /// The end of the addresses that its copies may name, if C has set it; else 0.
    pub limit: u64,
}

/// A terminal: `struct tty_struct`.
#[derive(Debug)]
#[repr(C)]
pub struct Tty {
    /// Its number.
    pub device: u16,
}

/// A thread's place on a wait queue: `wait_queue_t`.
#[derive(Debug)]
#[repr(C)]
pub struct WaitEntry {
    /// The thread.
    pub task: *mut View,
    /// Where the queue counts its wake-ups.
    pub queue: *const u64,
    /// What the count was when the thread looked last.
    pub seen: u64,
    /// The next entry of the same thread.
    pub next: *mut Self,
}

/// A place for it in every task.
pub(super) struct ViewCell(UnsafeCell<View>);

// SAFETY: the kernel uses it on the thread's own behalf alone; what C does with it is C's word.
unsafe impl Sync for ViewCell {}
// SAFETY: as above: its pointers lead to itself and to the thread's stack.
unsafe impl Send for ViewCell {}

impl ViewCell {
    pub(super) const fn get(&self) -> *mut View {
        self.0.get()
    }

    pub(super) const fn new() -> Self {
        let none = View {
            state: 0,
            pid: 0,
            ids: [0; 4],
            comm: [0; 16],
            tty: core::ptr::null_mut(),
            own_tty: Tty { device: 0 },
            waits: core::ptr::null_mut(),
            limit: 0,
        };
        Self(UnsafeCell::new(none))
    }
}
