//! Who is told when something can be done with a device.
//!
//! Queues for poll, and signals for the owners of files.

use core::ffi::{c_int, c_void};
use core::panic::Location;
use core::ptr;
use core::sync::atomic::AtomicU64;

use kapi::Errno;
use mm::GfpFlags;
use signals::{Info, Signal};

use super::layout::File;
use super::sleep::bucket;
use crate::mm::KVec;
use crate::process::{self, Pid};
use crate::sched::{self, PollTable};
use crate::sync::SpinLock;
use crate::{export, klog};

/// A file whose owner wants signals, on a list of its driver's: both by their addresses, which nobody follows.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wish {
    file: usize,
    list: usize,
    owner: i32,
}

/// All of them.
static WISHES: SpinLock<KVec<Wish>> = SpinLock::new(KVec::new());

/// What a driver's pointer is while its list is not empty: it is only compared with NULL.
const SOMEBODY: *mut c_void = ptr::without_provenance_mut(8);

export! {
    /// Names a queue that is woken when what poll says changes.
    extern "C" fn poll_wait(_file: *mut File, queue: *const AtomicU64, table: *mut c_void) {
        if queue.is_null() {
            return;
        }
        // SAFETY: null, or the table that the driver's poll was given, which is there while it runs. The queues that
        // are entered there stay for ever.
        if let Some(table) = unsafe { table.cast::<PollTable<'static>>().as_mut() } {
            table.watch(bucket(queue.addr()));
        }
    }

    /// Puts a file on a driver's list of those whose owners want signals, or takes it off. 1 if that changed anything.
    extern "C" fn fasync_helper(_descriptor: c_int, file: *mut File, on: c_int, list: *mut *mut c_void) -> c_int {
        let changed = if on != 0 { enter(file, list) } else { Ok(leave(file, list)) };
        let is_empty = WISHES.with(|wishes| wishes.iter().all(|wish| wish.list != list.addr()));
        // SAFETY: the driver's own pointer.
        unsafe { list.write(if is_empty { ptr::null_mut() } else { SOMEBODY }) };
        changed.map_or(-Errno::ENOMEM.number(), c_int::from)
    }

    /// Sends a signal to the owners of all files on a list.
    extern "C" fn kill_fasync(list: *mut *mut c_void, signal: c_int, _band: c_int) {
        let Some(signal) = u64::try_from(signal).ok().and_then(Signal::new) else {
            return klog!("kill_fasync: {signal} is no signal, called from {}", sched::caller(Location::caller()));
        };
        let is_meant = |wish: &&Wish| wish.list == list.addr();
        let nth = |index| WISHES.with(|wishes| wishes.iter().filter(is_meant).nth(index).copied());
        for wish in (0..).map_while(nth) {
            tell(wish.owner, signal);
        }
    }
}

/// Sends the signal to a process, or for a number below 0 to a group.
fn tell(owner: i32, signal: Signal) {
    let send = |process: &process::Process| {
        // A standard signal always has a place.
        let _: Result<(), _> = process::deliver::send(process, Info::kernel(signal));
    };
    match Pid::from_user(owner.saturating_abs()) {
        None => {}
        Some(group) if owner < 0 => process::each(|process| {
            if process.group() == group {
                send(process);
            }
        }),
        Some(pid) => {
            if let Some(process) = process::find(pid) {
                send(&process);
            }
        }
    }
}

/// Process context.
fn enter(file: *mut File, list: *mut *mut c_void) -> Result<bool, Errno> {
    let wish = Wish { file: file.addr(), list: list.addr(), owner: owner(file) };
    WISHES.with(|wishes| {
        let is_same = |it: &&mut Wish| (it.file, it.list) == (wish.file, wish.list);
        if let Some(known) = wishes.iter_mut().find(is_same) {
            known.owner = wish.owner;
            return Ok(false);
        }
        wishes.push(wish, GfpFlags::ATOMIC)?;
        Ok(true)
    })
}

fn leave(file: *mut File, list: *mut *mut c_void) -> bool {
    WISHES.with(|wishes| {
        let before = wishes.len();
        wishes.retain(|wish| (wish.file, wish.list) != (file.addr(), list.addr()));
        wishes.len() < before
    })
}

/// The file goes: one that is still on a list was forgotten by its driver.
pub(super) fn forget(file: *mut File) {
    WISHES.with(|wishes| wishes.retain(|wish| wish.file != file.addr()));
}

/// The owner of a file is somebody else now.
pub(super) fn set_owner(file: *mut File, owner: i32) {
    // SAFETY: the caller's file; the member is the kernel's.
    unsafe { (*file).__kernel = ptr::without_provenance_mut(owner as isize as usize) };
    WISHES.with(|wishes| wishes.iter_mut().filter(|wish| wish.file == file.addr()).for_each(|wish| wish.owner = owner));
}

fn owner(file: *mut File) -> i32 {
    // SAFETY: the caller's file; the member is the kernel's.
    unsafe { (*file).__kernel }.addr() as i32
}
