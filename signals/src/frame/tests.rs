//! Tests of frames.

use super::{BadFrame, Context, FLOATING_POINT_BYTES, FRAME_BYTES, Placement, Registers, Returned, Trap};
use crate::bytes::{put, u32_at, u64_at};
use crate::info::{Code, Info};
use crate::set::SignalSet;
use crate::signal::Signal;
use crate::stack::AlternateStack;

const RESTORER: u64 = 0x40_2000;

fn registers() -> Registers {
    let counted: [u64; Registers::COUNT] = core::array::from_fn(|i| 0x1000 + i as u64);
    Registers { rip: 0x40_1000, rsp: 0x7fff_0123, rflags: 0x246, ..Registers::from_array(counted) }
}

fn context() -> Context {
    Context { registers: registers(), mask: SignalSet::of(&[Signal::INT]), stack: AlternateStack::NONE }
}

fn frame() -> (Placement, [u8; FRAME_BYTES]) {
    let placement = Placement::below(context().registers.rsp, None).expect("there is room");
    let info = Info::fault(Signal::SEGV, Code::NOT_MAPPED, 0xdead_0000);
    let trap = Trap { vector: 14, error: 6, address: 0xdead_0000 };
    (placement, placement.to_bytes(&context(), &info, &trap, RESTORER))
}

fn alternate(base: u64, bytes: u64) -> AlternateStack {
    let mut wanted = [0; AlternateStack::BYTES];
    put(&mut wanted, 0, base.to_le_bytes());
    put(&mut wanted, 16, bytes.to_le_bytes());
    AlternateStack::NONE.replaced(&wanted, 0).expect("large enough")
}

#[test]
fn a_frame_leaves_the_red_zone_and_is_aligned_as_behind_a_call() {
    for low in 0..64 {
        let pointer = 0x7fff_0000 + low;
        let placed = Placement::below(pointer, None).expect("there is room");
        assert_eq!(((placed.frame + 8) % 16, placed.image % 64), (0, 0));
        assert!(placed.image + FLOATING_POINT_BYTES as u64 + 128 <= pointer);
        assert!(placed.frame + FRAME_BYTES as u64 <= placed.image);
    }
    assert_eq!(Placement::below(100, None), Err(BadFrame));
    assert_eq!(Placement::below(1000, None), Err(BadFrame));
}

#[test]
fn the_alternate_stack_is_entered_used_on_and_never_overflows() {
    let stack = alternate(0x10_0000, 4096);
    let first = Placement::below(0x7fff_0000, Some(stack)).expect("it fits");
    assert!(stack.holds(first.frame) && first.image + FLOATING_POINT_BYTES as u64 <= stack.top());
    let second = Placement::below(first.frame, Some(stack)).expect("two fit");
    assert!(second.frame < first.frame - 128);
    let third = Placement::below(second.frame, Some(stack)).expect("three fit");
    assert_eq!(Placement::below(third.frame, Some(stack)), Err(BadFrame));
}

#[test]
fn a_handler_finds_what_it_is_told() {
    let (placed, bytes) = frame();
    let info = Info::kernel(Signal::USR1);
    let entered = placed.handler_registers(&info, 0x40_3000, &Registers { rflags: 0x1_0746, ..registers() });
    assert_eq!((entered.rdi, entered.rax, entered.rip, entered.rsp), (10, 0, 0x40_3000, placed.frame));
    assert_eq!(entered.rflags, 0x246);
    let (info_at, context_at) = ((entered.rsi - placed.frame) as usize, (entered.rdx - placed.frame) as usize);
    assert_eq!((u32_at(&bytes, info_at), u64_at(&bytes, info_at + 16)), (11, 0xdead_0000));
    // uc_mcontext.gregs[REG_RIP], [REG_CR2], .fpregs, uc_sigmask: where programs look for them.
    assert_eq!(u64_at(&bytes, context_at + 40 + 16 * 8), 0x40_1000);
    assert_eq!(u64_at(&bytes, context_at + 40 + 22 * 8), 0xdead_0000);
    assert_eq!(u64_at(&bytes, context_at + 40 + 23 * 8), placed.image);
    assert_eq!(u64_at(&bytes, context_at + 296), 2);
    assert_eq!(u64_at(&bytes, 0), RESTORER);
}

#[test]
fn what_was_saved_comes_back() {
    let (placed, bytes) = frame();
    let returned = Returned::from_bytes(&bytes).expect("it is as we made it");
    assert_eq!((returned.registers, returned.mask, returned.image), (registers(), context().mask, placed.image));
    assert_eq!(Placement::returned_from(placed.frame + 8), Some(placed.frame));
}

#[test]
fn an_enemy_gets_no_flags_ring_address_or_mask() {
    let (_, good) = frame();
    let changed = |at: usize, value: u64| {
        let mut bytes = good;
        put(&mut bytes, at, value.to_le_bytes());
        Returned::from_bytes(&bytes)
    };
    let flags = changed(super::REGISTERS_AT + 17 * 8, u64::MAX).expect("flags are corrected").registers.rflags;
    // No IOPL, NT, VM, VIF, VIP; IF stays on.
    assert_eq!(flags & 0x1a_7000, 0);
    assert_eq!(flags & 0x202, 0x202);
    assert_eq!(changed(super::REGISTERS_AT + 17 * 8, 0).expect("corrected").registers.rflags, 0x202);
    for rip in [u64::MAX, 0x8000_0000_0000, 0x7fff_ffff_f000, 0xffff_ffff_8000_0000] {
        assert_eq!(changed(super::REGISTERS_AT + 16 * 8, rip), Err(BadFrame), "{rip:#x}");
    }
    for segments in [0x001b_0000_0000_0008, 0x0010_0000_0000_0023, 0x001b_0000_0000_0033, 0] {
        assert_eq!(changed(super::SEGMENTS_AT, segments), Err(BadFrame), "{segments:#x}");
    }
    assert_eq!(changed(super::IMAGE_POINTER_AT, 0x1008), Err(BadFrame));
    let mask = changed(super::MASK_AT, u64::MAX).expect("the mask is corrected").mask;
    assert!(!mask.contains(Signal::KILL) && mask.contains(Signal::TERM));
}
