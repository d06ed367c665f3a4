//! Backtraces by frame pointers, which every function of the kernel keeps.
//!
//! A frame is two words: the caller's frame pointer, then the return address. The walk reads only words that
//! lie inside the stack it was given, and only upwards, so a smashed stack ends it and nothing worse. Key types:
//! [`Frames`], [`Trace`], [`Site`].

use core::arch::asm;
use core::fmt;

use x86_64::VirtAddr;

use super::symbols::{self, Place};
use crate::arch::stacks;
use crate::arch::trap_frame::TrapFrame;

/// Bytes of a frame: the saved frame pointer and the return address.
const FRAME_LEN: u64 = 16;

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

    /// The word at `address`, if the stack has one there.
    fn word(&self, address: VirtAddr) -> Option<u64> {
        let inside = address.is_aligned(8u64) && address >= self.start && address < self.end;
        // SAFETY: just checked: an aligned word of a mapped stack.
        inside.then(|| unsafe { address.as_ptr::<u64>().read() })
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

/// A place in the code that a backtrace shows: `ADDRESS name+offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// The instruction that did not go through.
    Fault(VirtAddr),
    /// Where a call returns to.
    Return(VirtAddr),
}

impl Site {
    /// The function, and how far into it the place is.
    pub fn function(self) -> Option<Place> {
        match self {
            Self::Fault(address) => symbols::lookup(address),
            // A return address may be the first byte of the next function: look up the call before it.
            Self::Return(address) => {
                let mut call = symbols::lookup(VirtAddr::new_truncate(address.as_u64().wrapping_sub(1)))?;
                call.offset += 1;
                Some(call)
            }
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Fault(address) | Self::Return(address)) = *self;
        match self.function() {
            Some(place) => write!(f, "{address:016x} {place}"),
            None => write!(f, "{address:016x}"),
        }
    }
}

/// The way to where a thread is: the place itself after an exception, then its callers, innermost first.
#[derive(Debug, Clone)]
pub struct Trace {
    fault: Option<VirtAddr>,
    /// The caller of a function that has no frame yet.
    unframed: Option<VirtAddr>,
    frames: Frames,
}

impl Trace {
    /// The callers of the current function; see [`Frames::here`].
    #[inline(always)]
    pub fn here(thread: Option<(mm::VirtAddr, mm::VirtAddr)>) -> Self {
        Self { fault: None, unframed: None, frames: Frames::here(thread) }
    }

    /// The way to what the exception of `frame` interrupted, on `stack`.
    pub fn of_exception(frame: &TrapFrame, stack: StackRange) -> Self {
        let rip = VirtAddr::new_truncate(frame.rip);
        if frame.is_user() {
            // Its frames are none of the kernel's, and its registers may lead anywhere.
            return Self { fault: Some(rip), unframed: None, frames: Frames::from_frame(VirtAddr::zero(), stack) };
        }
        // A function begins with `push rbp; mov rbp, rsp`; until both are done its caller is known by the stack alone.
        // So is who jumped to where no function is.
        let return_at = match symbols::lookup(rip).map(|place| place.offset) {
            None | Some(0) => Some(frame.rsp),
            Some(1..4) => frame.rsp.checked_add(8),
            Some(_) => None,
        };
        let unframed = return_at.and_then(|at| stack.word(VirtAddr::new_truncate(at)));
        let frames = Frames::from_frame(VirtAddr::new_truncate(frame.rbp), stack);
        Self { fault: Some(rip), unframed: unframed.map(VirtAddr::new_truncate), frames }
    }

    /// The places.
    pub fn sites(self) -> impl Iterator<Item = Site> {
        let calls = self.unframed.into_iter().chain(self.frames).map(Site::Return);
        self.fault.map(Site::Fault).into_iter().chain(calls)
    }
}
