//! A handler begins on the user's stack, and what was before comes back.

use mm::VirtAddr;
use signals::frame::{FLOATING_POINT_BYTES, Returned, Trap};
use signals::{
    Action, ActionFlags, BadFrame, Context, FRAME_BYTES, Handler, Info, Origin, Placement, Registers, SignalSet,
};

use crate::arch::fpu::FpuImage;
use crate::arch::trap_frame::{FIRST_INTERRUPT, TrapFrame};
use crate::process::record::Process;
use crate::sched::user::{fpu, set_fpu};
use crate::user;

/// Has the program begin its handler for `info`, with what it needs to come back: its registers, and `mask`.
///
/// # Errors
/// Its stack cannot take the frame, or it does not say where the handler returns to.
pub fn enter(
    process: &Process,
    frame: &mut TrapFrame,
    info: &Info,
    action: &Action,
    mask: SignalSet,
) -> Result<(), BadFrame> {
    let Handler::At(address) = action.handler else { return Err(BadFrame) };
    if !action.flags.contains(ActionFlags::RESTORER) {
        return Err(BadFrame);
    }
    let stack = process.signals().with(|state| state.stack);
    let before = registers(frame);
    let placed = Placement::below(before.rsp, action.flags.contains(ActionFlags::ONSTACK).then_some(stack))?;
    let bytes = placed.to_bytes(&Context { registers: before, mask, stack }, info, &trap(frame, info), action.restorer);
    write(placed.image, fpu().as_bytes())?;
    write(placed.frame, &bytes)?;
    if stack.is_disarmed_in_use() {
        process.signals().with(|state| state.stack = Default::default());
    }
    set_fpu(&FpuImage::new());
    set_registers(frame, &placed.handler_registers(info, address, &before));
    Ok(())
}

/// Goes on with what is in the frame of a handler that has returned.
///
/// # Errors
/// There is no frame, or none that a program may go on with.
pub fn sigreturn(process: &Process, frame: &mut TrapFrame) -> Result<(), BadFrame> {
    let mut bytes = [0; FRAME_BYTES];
    read(Placement::returned_from(frame.rsp).ok_or(BadFrame)?, &mut bytes)?;
    let returned = Returned::from_bytes(&bytes)?;
    let mut image = FpuImage::new();
    if returned.image != 0 {
        let mut bytes = [0; FLOATING_POINT_BYTES];
        read(returned.image, &mut bytes)?;
        image = FpuImage::from_bytes(&bytes);
    }
    set_fpu(&image);
    set_registers(frame, &returned.registers);
    process.signals().with(|state| {
        state.change_mask(signals::MaskChange::Set, returned.mask);
        // As on Linux, a stack that cannot be is passed over.
        if let Ok(stack) = state.stack.replaced(&returned.stack, returned.registers.rsp) {
            state.stack = stack;
        }
    });
    if process.signals().with(|state| state.is_due()) {
        process.notify();
    }
    Ok(())
}

fn write(at: u64, bytes: &[u8]) -> Result<(), BadFrame> {
    user::copy_to(VirtAddr::new(at as usize), bytes).map_err(|_| BadFrame)
}

fn read(at: u64, bytes: &mut [u8]) -> Result<(), BadFrame> {
    user::copy_from(VirtAddr::new(at as usize), bytes).map_err(|_| BadFrame)
}

/// What the processor said, if the signal is about that.
fn trap(frame: &TrapFrame, info: &Info) -> Trap {
    match info.origin {
        Origin::Fault { address } if frame.vector < FIRST_INTERRUPT.into() => {
            Trap { vector: frame.vector, error: frame.error, address }
        }
        _ => Trap::default(),
    }
}

const fn registers(frame: &TrapFrame) -> Registers {
    Registers {
        r8: frame.r8,
        r9: frame.r9,
        r10: frame.r10,
        r11: frame.r11,
        r12: frame.r12,
        r13: frame.r13,
        r14: frame.r14,
        r15: frame.r15,
        rdi: frame.rdi,
        rsi: frame.rsi,
        rbp: frame.rbp,
        rbx: frame.rbx,
        rdx: frame.rdx,
        rax: frame.rax,
        rcx: frame.rcx,
        rsp: frame.rsp,
        rip: frame.rip,
        rflags: frame.rflags,
    }
}

/// The program goes on with these registers, and is in no call any more.
fn set_registers(frame: &mut TrapFrame, registers: &Registers) {
    let Registers { r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags } =
        *registers;
    let vector = FIRST_INTERRUPT.into();
    *frame = TrapFrame {
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        rip,
        rflags,
        vector,
        ..*frame
    };
}
