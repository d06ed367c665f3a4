//! What lies on the user's stack while a handler runs, and its check.
//!
//! From the top down: the 128 bytes below the stack pointer that the interrupted function may use (the red zone), the
//! FXSAVE image, and the frame: where the handler returns to, `ucontext_t`, `siginfo_t`. A handler may change all of
//! it, and a program may make one up: what goes back into registers is checked as if it came from an enemy. The bits of
//! the image that a processor refuses are for the kernel to clear, which knows the processor.

use crate::bytes::{put, u16_at, u64_at};
use crate::info::Info;
use crate::set::SignalSet;
use crate::stack::AlternateStack;

/// Bytes of the frame, without the floating-point image.
pub const FRAME_BYTES: usize = INFO_AT + Info::BYTES;
/// Bytes of the image that FXSAVE writes.
pub const FLOATING_POINT_BYTES: usize = 512;

/// Below the stack pointer a function keeps what it likes.
const RED_ZONE: u64 = 128;
/// Where the image must be aligned; XSAVE would need 64.
const IMAGE_ALIGN: u64 = 64;
/// Where `ucontext_t` begins: behind the return address.
const CONTEXT_AT: usize = 8;
const FLAGS_AT: usize = CONTEXT_AT;
const STACK_AT: usize = CONTEXT_AT + 16;
const REGISTERS_AT: usize = CONTEXT_AT + 40;
const SEGMENTS_AT: usize = REGISTERS_AT + 18 * 8;
const ERROR_AT: usize = SEGMENTS_AT + 8;
const TRAP_AT: usize = ERROR_AT + 8;
const OLD_MASK_AT: usize = TRAP_AT + 8;
const FAULT_ADDRESS_AT: usize = OLD_MASK_AT + 8;
const IMAGE_POINTER_AT: usize = FAULT_ADDRESS_AT + 8;
const MASK_AT: usize = REGISTERS_AT + 256;
const INFO_AT: usize = MASK_AT + 8;
/// The context holds SS, and wants it back.
const CONTEXT_FLAGS: u64 = 2 | 4;

/// Bits of RFLAGS that a program may set by a frame: the arithmetic ones, and TF, DF, RF, AC.
const USER_FLAGS: u64 = 0x5_0dd5;
/// Bits of RFLAGS that are set in ring 3 whatever a program says: the one that is always 1, and IF.
const FIXED_FLAGS: u64 = 0x202;
/// Bits of RFLAGS that are cleared for a handler: TF, DF, RF.
const CLEARED_FOR_HANDLER: u64 = 0x1_0500;
/// Selectors of ring 3.
const CODE: u16 = 0x23;
const STACK: u16 = 0x1b;
/// The address after the last that a program may have: SYSCALL in the last page would return to a bad one.
const USER_END: u64 = 0x7fff_ffff_f000;

/// The general registers of ring 3, in the order in which the frame has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the processor's names")]
pub struct Registers {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub rflags: u64,
}

impl Registers {
    const COUNT: usize = 18;

    const fn to_array(self) -> [u64; Self::COUNT] {
        [
            self.r8,
            self.r9,
            self.r10,
            self.r11,
            self.r12,
            self.r13,
            self.r14,
            self.r15,
            self.rdi,
            self.rsi,
            self.rbp,
            self.rbx,
            self.rdx,
            self.rax,
            self.rcx,
            self.rsp,
            self.rip,
            self.rflags,
        ]
    }

    const fn from_array(array: [u64; Self::COUNT]) -> Self {
        let [r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags] = array;
        Self { r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags }
    }
}

/// What the processor said of the last exception, for handlers that look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trap {
    /// Its vector.
    pub vector: u64,
    /// Its error code.
    pub error: u64,
    /// The address of a page fault.
    pub address: u64,
}

/// Where a program was, and what it had set, before the handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    /// Its registers.
    pub registers: Registers,
    /// Its mask.
    pub mask: SignalSet,
    /// Its stack for handlers.
    pub stack: AlternateStack,
}

/// Where the parts of a frame lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    /// The frame: the handler's stack pointer.
    pub frame: u64,
    /// The floating-point image.
    pub image: u64,
}

/// What is wrong with a frame, or where it would lie: the program ends by SIGSEGV.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadFrame;

impl Placement {
    /// Below `stack_pointer`, or on `alternate` where the action wants that and the program is not on it yet.
    ///
    /// # Errors
    /// There is no room below, or the alternate stack would overflow.
    pub fn below(stack_pointer: u64, alternate: Option<AlternateStack>) -> Result<Self, BadFrame> {
        let stack = alternate.filter(|stack| stack.is_there());
        let start = match stack {
            Some(stack) if !stack.is_in_use(stack_pointer) => Some(stack.top()),
            _ => stack_pointer.checked_sub(RED_ZONE),
        };
        let image =
            start.and_then(|start| start.checked_sub(FLOATING_POINT_BYTES as u64)).map(|at| at & !(IMAGE_ALIGN - 1));
        let frame = image.and_then(|image| image.checked_sub(FRAME_BYTES as u64)).map(|at| at & !15);
        // As behind a call: the return address is where the stack would be aligned.
        let frame = frame.and_then(|at| at.checked_sub(8));
        let placed = Self { frame: frame.ok_or(BadFrame)?, image: image.ok_or(BadFrame)? };
        let overflows = stack.is_some_and(|stack| !stack.holds(placed.frame));
        if overflows { Err(BadFrame) } else { Ok(placed) }
    }

    /// That of a handler that has returned: its `ret` has taken the return address.
    pub const fn returned_from(stack_pointer: u64) -> Option<u64> {
        stack_pointer.checked_sub(8)
    }

    /// The registers with which the handler of `info` at `address` begins.
    pub const fn handler_registers(self, info: &Info, address: u64, before: &Registers) -> Registers {
        Registers {
            rdi: info.signal.number() as u64,
            rsi: self.frame + INFO_AT as u64,
            rdx: self.frame + CONTEXT_AT as u64,
            rax: 0,
            rsp: self.frame,
            rip: address,
            rflags: before.rflags & !CLEARED_FOR_HANDLER,
            ..*before
        }
    }

    /// The frame's bytes.
    pub fn to_bytes(self, context: &Context, info: &Info, trap: &Trap, restorer: u64) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];
        put(&mut bytes, 0, restorer.to_le_bytes());
        put(&mut bytes, FLAGS_AT, CONTEXT_FLAGS.to_le_bytes());
        put(&mut bytes, STACK_AT, context.stack.to_bytes(context.registers.rsp));
        for (i, register) in context.registers.to_array().iter().enumerate() {
            put(&mut bytes, REGISTERS_AT + i * 8, register.to_le_bytes());
        }
        put(&mut bytes, SEGMENTS_AT, CODE.to_le_bytes());
        put(&mut bytes, SEGMENTS_AT + 6, STACK.to_le_bytes());
        put(&mut bytes, ERROR_AT, trap.error.to_le_bytes());
        put(&mut bytes, TRAP_AT, trap.vector.to_le_bytes());
        put(&mut bytes, OLD_MASK_AT, context.mask.bits().to_le_bytes());
        put(&mut bytes, FAULT_ADDRESS_AT, trap.address.to_le_bytes());
        put(&mut bytes, IMAGE_POINTER_AT, self.image.to_le_bytes());
        put(&mut bytes, MASK_AT, context.mask.bits().to_le_bytes());
        put(&mut bytes, INFO_AT, info.to_bytes());
        bytes
    }
}

/// What a frame says that the program is to go on with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Returned {
    /// Its registers, safe to leave to ring 3 with.
    pub registers: Registers,
    /// Its mask.
    pub mask: SignalSet,
    /// Its stack for handlers, as bytes of a `stack_t`.
    pub stack: [u8; AlternateStack::BYTES],
    /// Where its floating-point image lies; 0: it has none.
    pub image: u64,
}

impl Returned {
    /// Reads and checks a frame.
    ///
    /// # Errors
    /// It would leave to another ring, or to an address that is no program's.
    pub fn from_bytes(bytes: &[u8; FRAME_BYTES]) -> Result<Self, BadFrame> {
        let array = core::array::from_fn(|i| u64_at(bytes, REGISTERS_AT + i * 8));
        let mut registers = Registers::from_array(array);
        registers.rflags = registers.rflags & USER_FLAGS | FIXED_FLAGS;
        let selectors = (u16_at(bytes, SEGMENTS_AT), u16_at(bytes, SEGMENTS_AT + 6));
        let image = u64_at(bytes, IMAGE_POINTER_AT);
        if selectors != (CODE, STACK) || registers.rip >= USER_END || !image.is_multiple_of(16) {
            return Err(BadFrame);
        }
        let mut stack = [0; AlternateStack::BYTES];
        stack.copy_from_slice(&bytes[STACK_AT..STACK_AT + AlternateStack::BYTES]);
        let mask = SignalSet::from_bits(u64_at(bytes, MASK_AT)).without(SignalSet::UNSTOPPABLE);
        Ok(Self { registers, mask, stack, image })
    }
}

#[cfg(test)]
mod tests;
