//! What a thread has for itself: its name, the bases of its segments.

use kapi::Errno;
use linux_raw_sys::general::{FUTEX_CLOCK_REALTIME, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE};
use linux_raw_sys::prctl::{PR_GET_NAME, PR_SET_NAME};
use mm::VirtAddr;

use super::call::{Call, Outcome, result};
use super::entry::{Entry, calls};
use crate::sched::task::Name;
use crate::sched::user as registers;
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    prctl(Count, Address, Flags, Flags, Flags),
    arch_prctl(Flags, Address),
    set_tid_address(Address),
    set_robust_list(Address, Count),
    rseq(Address, Count, Flags, Flags),
    futex(Address, Flags, Count),
];

/// Bytes of a name, with the zero at its end.
const NAME_BYTES: usize = 16;

fn prctl(call: &mut Call<'_>) -> Outcome {
    match call.word(0) {
        PR_SET_NAME => {
            let mut bytes = [0; NAME_BYTES];
            // What is behind the name need not be there.
            let name = match user::read_string(call.address(1), &mut bytes) {
                Ok(name) => name.len(),
                Err(Errno::ENAMETOOLONG) => NAME_BYTES - 1,
                Err(error) => return Err(error),
            };
            let text = bytes[..name].utf8_chunks().next().map_or("", |chunk| chunk.valid());
            call.process.set_name(Name::new(text));
        }
        PR_GET_NAME => {
            let (name, mut bytes) = (call.process.name(), [0; NAME_BYTES]);
            bytes.iter_mut().take(NAME_BYTES - 1).zip(name.as_str().as_bytes()).for_each(|(to, from)| *to = *from);
            user::copy_to(call.address(1), &bytes)?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// What `arch_prctl` does; Linux's headers for other machines do not have these numbers.
const SET_GS: u32 = 0x1001;
const SET_FS: u32 = 0x1002;
const GET_FS: u32 = 0x1003;
const GET_GS: u32 = 0x1004;

fn arch_prctl(call: &mut Call<'_>) -> Outcome {
    let tell = |at: VirtAddr, base: VirtAddr| user::write_value(at, base.as_usize());
    match call.word(0) {
        SET_FS => registers::set_fs_base(call.address(1))?,
        SET_GS => registers::set_gs_base(call.address(1))?,
        GET_FS => tell(call.address(1), registers::fs_base())?,
        GET_GS => tell(call.address(1), registers::gs_base())?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// The address is where a zero goes when the thread ends; nobody is left then who could see it.
fn set_tid_address(call: &mut Call<'_>) -> Outcome {
    result(call.process.pid().to_user())
}

/// Only threads that share memory have mutexes that survive them.
fn set_robust_list(call: &mut Call<'_>) -> Outcome {
    const HEAD_BYTES: usize = size_of::<linux_raw_sys::general::robust_list_head>();
    if call.arg(1) == HEAD_BYTES { result(0) } else { Err(Errno::EINVAL) }
}

/// Programs live without: they ask at their start.
fn rseq(_call: &mut Call<'_>) -> Outcome {
    Err(Errno::ENOSYS)
}

/// Nobody waits, since threads do not share memory, so there is nobody to wake: C libraries do so all the same, and end
/// the program where they may not. Who would wait finds that the word has changed, or is refused.
fn futex(call: &mut Call<'_>) -> Outcome {
    if !call.arg(0).is_multiple_of(size_of::<u32>()) {
        return Err(Errno::EINVAL);
    }
    match call.word(1) & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME) {
        FUTEX_WAKE => result(0),
        FUTEX_WAIT if user::read_value::<u32>(call.address(0))? != call.word(2) => Err(Errno::EAGAIN),
        _ => Err(Errno::ENOSYS),
    }
}
