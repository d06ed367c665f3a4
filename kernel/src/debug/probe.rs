//! Accesses to memory that may not be there.
//!
//! Key types: [`Fault`]. An instruction that is allowed to fault has an entry in the table `extable`: its own address
//! and where to go on instead. `fixup` is asked by the exception handler before it reports anything.

use core::arch::asm;

use mm::VirtAddr;

use crate::arch::trap_frame::TrapFrame;

/// The access faulted: nothing was read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault;

/// One instruction that may fault.
#[repr(C)]
struct Fixup {
    at: u64,
    go_on: u64,
}

unsafe extern "C" {
    static __extable_start: [Fixup; 0];
    static __extable_end: [Fixup; 0];
}

/// Runs one instruction that may fault. `$failed` is 1 if it did; the instruction that clears it is skipped then.
macro_rules! guarded {
    ($instruction:literal, $failed:ident, $($operands:tt)*) => {
        asm!(
            concat!("2: ", $instruction),
            "xor {failed:e}, {failed:e}",
            "3:",
            ".pushsection .extable, \"a\"",
            ".quad 2b, 3b",
            ".popsection",
            failed = inout(reg) $failed,
            $($operands)*
        )
    };
}

/// Reads the byte at `addr`, or says that it cannot be read. Any context.
#[inline(never)]
pub fn probe_read(addr: VirtAddr) -> Result<u8, Fault> {
    let mut failed = 1u32;
    let value: u32;
    // SAFETY: a byte is read into a register; if that faults, `fixup` goes on behind it, with `failed` as it was.
    unsafe {
        guarded!("movzx {value:e}, byte ptr [{addr}]", failed, value = out(reg) value, addr = in(reg) addr.as_usize(),
            options(nostack, readonly));
    }
    if failed == 0 { Ok(value as u8) } else { Err(Fault) }
}

/// Writes `value` to the byte at `addr`, or says that it cannot be written. Any context.
///
/// # Safety
/// If the byte can be written at all, it is the caller's to write.
#[inline(never)]
pub unsafe fn probe_write(addr: VirtAddr, value: u8) -> Result<(), Fault> {
    let mut failed = 1u32;
    // SAFETY: the caller owns the byte if there is one; if not, `fixup` goes on behind the instruction.
    unsafe {
        guarded!("mov byte ptr [{addr}], {value}", failed, addr = in(reg) addr.as_usize(), value = in(reg_byte) value,
            options(nostack));
    }
    if failed == 0 { Ok(()) } else { Err(Fault) }
}

/// Sends an instruction that was allowed to fault on its way; false if it was not allowed to.
pub(crate) fn fixup(frame: &mut TrapFrame) -> bool {
    let found = table().iter().find(|entry| entry.at == frame.rip);
    if let Some(entry) = found {
        frame.rip = entry.go_on;
    }
    found.is_some()
}

fn table() -> &'static [Fixup] {
    let start = (&raw const __extable_start).cast::<Fixup>();
    let bytes = (&raw const __extable_end).addr() - start.addr();
    // SAFETY: the linker script puts the table, and nothing else, between its two marks; it never changes.
    unsafe { core::slice::from_raw_parts(start, bytes / size_of::<Fixup>()) }
}
