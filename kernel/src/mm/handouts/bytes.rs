//! The bytes of handouts, to be read and written by hand.
//!
//! Only memory of live handouts can be reached: nothing frees it while the table is borrowed.

use ::mm::VirtAddr;

use super::handout::What;
use super::table::Table;
use crate::mm::memory;

/// Copies bytes from `addr` on out of a live handout; returns how many.
pub(super) fn read(table: &Table, addr: VirtAddr, bytes: &mut [u8]) -> usize {
    let len = room(table, addr).min(bytes.len());
    // SAFETY: so many bytes are memory of a live handout.
    unsafe { core::ptr::copy(addr.as_mut_ptr(), bytes.as_mut_ptr(), len) };
    len
}

/// Fills `len` bytes from `addr` on of a live handout; returns how many that were.
pub(super) fn write(table: &Table, addr: VirtAddr, byte: u8, len: usize) -> usize {
    let len = room(table, addr).min(len);
    // SAFETY: as in `read`; and what was handed out at the prompt has no owner but the prompt.
    unsafe { core::ptr::write_bytes(addr.as_mut_ptr::<u8>(), byte, len) };
    len
}

/// Whether `addr` lies in device memory of a live handout.
pub(super) fn is_device(table: &Table, addr: VirtAddr) -> bool {
    table.live().any(|handout| match handout.what {
        What::Device(start, _, size) => addr.as_usize().checked_sub(start.as_usize()).is_some_and(|at| at < size),
        _ => false,
    })
}

/// Bytes of a live handout's memory from `addr` on. Device memory is none: reading a register may change the device.
fn room(table: &Table, addr: VirtAddr) -> usize {
    let bytes_from = |start: VirtAddr, bytes: usize| {
        let offset = addr.as_usize().checked_sub(start.as_usize())?;
        bytes.checked_sub(offset).filter(|&room| room > 0)
    };
    let of = |what: What| match what {
        What::Object(start, _) | What::OfCache(start, _) => {
            bytes_from(start, memory().objects().ksize(start.as_mut_ptr())?)
        }
        What::Block(_, order, Some(start)) => bytes_from(start, order.bytes()),
        What::Area(start, size) => bytes_from(start, size.next_multiple_of(::mm::PAGE_SIZE)),
        What::Block(_, _, None) | What::Device(..) => None,
    };
    table.live().find_map(|handout| of(handout.what)).unwrap_or(0)
}
