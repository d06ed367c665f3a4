//! Backtraces by frame pointers, which every function of the kernel keeps.
//!
//! A frame is two words: the caller's frame pointer, then the return address. The walk reads only words that
//! lie inside the stack it was given, and only upwards, so a smashed stack ends it and nothing worse.

use core::arch::asm;
use core::fmt;

use x86_64::VirtAddr;

use super::symbols;
use crate::arch::stacks;

/// Bytes of a frame: the saved frame pointer and the return address.
const FRAME_LEN: u64 = 16;
/// Frames printed at most: a runaway recursion need not fill the screen.
const MAX_FRAMES: usize = 32;

/// The addresses of one stack, from its lowest byte to one past its highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackRange {
    start: VirtAddr,
    end: VirtAddr,
}

impl StackRange {
    /// A stack from `start` up to, not including, `end`; the whole of it must be mapped.
    pub const fn new(start: VirtAddr, end: VirtAddr) -> Self {
        Self { start, end }
    }

    /// The stack that the caller runs on: one of the boot-time stacks or that of its thread, `thread`; else an empty
    /// range.
    fn in_use(thread: Option<(mm::VirtAddr, mm::VirtAddr)>) -> Self {
        let local = 0u8;
        let here = mm::VirtAddr::from_ptr(&raw const local);
        let thread = thread.filter(|&(start, end)| start <= here && here < end);
        let (start, end) = stacks::range_of(here).or(thread).unwrap_or((here, here));
        Self::from_addresses(start, end)
    }

    /// A stack given in the memory side's address type.
    pub fn from_addresses(start: mm::VirtAddr, end: mm::VirtAddr) -> Self {
        let convert = |address: mm::VirtAddr| VirtAddr::new_truncate(address.as_usize() as u64);
        Self::new(convert(start), convert(end))
    }

    /// Whether a whole frame lies at `pointer`.
    fn holds_frame(&self, pointer: VirtAddr) -> bool {
        pointer.is_aligned(8u64) && pointer >= self.start && pointer < self.end && self.end - pointer >= FRAME_LEN
    }
}

/// Return addresses, innermost first.
#[derive(Debug, Clone)]
pub struct Frames {
    pointer: VirtAddr,
    stack: StackRange,
}

impl Frames {
    /// The callers of the current function, whose thread, if there is one, has the stack `thread`.
    #[inline(always)]
    pub fn here(thread: Option<(mm::VirtAddr, mm::VirtAddr)>) -> Self {
        Self::on(StackRange::in_use(thread))
    }

    /// The callers of the current function, which runs on `stack`.
    #[inline(always)]
    pub fn on(stack: StackRange) -> Self {
        let pointer: u64;
        // SAFETY: copies rbp into a register of the compiler's choice.
        unsafe { asm!("mov {}, rbp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
        Self::from_frame(VirtAddr::new_truncate(pointer), stack)
    }

    /// The callers of the function whose frame pointer is `pointer`: that of a thread that was switched out,
    /// or of what an exception interrupted.
    pub const fn from_frame(pointer: VirtAddr, stack: StackRange) -> Self {
        Self { pointer, stack }
    }
}

impl Iterator for Frames {
    type Item = VirtAddr;

    fn next(&mut self) -> Option<VirtAddr> {
        if !self.stack.holds_frame(self.pointer) {
            return None;
        }
        let frame = self.pointer.as_ptr::<[u64; 2]>();
        // SAFETY: just checked: the frame is aligned and lies wholly inside a mapped stack.
        let [caller, return_address] = unsafe { frame.read() };
        let caller = VirtAddr::try_new(caller).ok()?;
        if return_address == 0 {
            return None;
        }
        // A caller's frame lies above; anything else ends the walk at the next step.
        self.pointer = if caller > self.pointer { caller } else { VirtAddr::zero() };
        VirtAddr::try_new(return_address).ok()
    }
}

/// Formats a heading, then frames one a line: `  ADDRESS name+offset`.
pub struct Backtrace(pub Frames);

impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "backtrace:")?;
        for address in self.0.clone().take(MAX_FRAMES) {
            // A return address may be the first byte of the next function: look up the call before it.
            match symbols::lookup(address - 1) {
                Some((name, offset)) => writeln!(f, "  {address:016x} {name}+{:#x}", offset + 1)?,
                None => writeln!(f, "  {address:016x}")?,
            }
        }
        Ok(())
    }
}
