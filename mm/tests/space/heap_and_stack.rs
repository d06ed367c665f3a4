//! The heap that brk moves, and the stack that grows.

use mm::VirtAddr;
use mm::space::{FaultError, Growth, Limits, MapRequest, Place, Role, SpaceError};

use crate::program::{NONE, Program, RW};
use crate::{check, on_each_machine};

const AT: usize = 0x60_0000;
/// Below a stack stay so many bytes free.
const GUARD: usize = 1 << 20;
/// The end of the stack of these tests.
const TOP: usize = 1 << 30;

fn set_break(program: &mut Program, to: usize) -> usize {
    program.space.set_break(Some(VirtAddr::new(to))).as_usize()
}

fn with_heap() -> Program {
    let mut program = Program::new();
    program.space.init_break(VirtAddr::new(AT));
    program
}

fn with_stack() -> Program {
    let mut program = Program::new();
    let at = Place::Fixed(VirtAddr::new(TOP - 4096));
    let stack = MapRequest { at, growth: Growth::Down, role: Role::Stack, ..MapRequest::anonymous(4096) };
    program.space.map(stack).expect("room");
    program
}

#[test]
fn the_heap_grows_and_shrinks_by_bytes() {
    on_each_machine(|_| {
        let mut program = with_heap();
        assert_eq!(program.space.set_break(None).as_usize(), AT);
        assert_eq!(set_break(&mut program, AT + 1), AT + 1);
        assert_eq!(set_break(&mut program, AT + 0x21_123), AT + 0x21_123);
        assert_eq!(program.areas(), [(AT, AT + 0x22_000, RW)]);
        assert_eq!(program.write(AT + 0x21_fff, 3), Ok(()));
        assert_eq!(program.read(AT + 0x22_000), Err(FaultError::NoArea));
        assert_eq!(set_break(&mut program, AT + 0x1_000), AT + 0x1_000);
        assert_eq!(program.areas(), [(AT, AT + 0x1_000, RW)]);
        assert_eq!(set_break(&mut program, AT + 0x22_000), AT + 0x22_000);
        assert_eq!(program.read(AT + 0x21_fff), Ok(0), "a new page");
        assert_eq!(set_break(&mut program, AT), AT);
        assert_eq!(program.areas(), []);
        check(&mut program);
    });
}

#[test]
fn brk_returns_the_old_end_when_it_cannot_be() {
    on_each_machine(|_| {
        let mut program = with_heap();
        let end = AT + 0x2_000;
        assert_eq!(set_break(&mut program, end), end);
        program.map(AT + 0x10_000, 1, RW);
        for to in [0, AT - 1, AT + 0x10_001, 1 << 38, usize::MAX, usize::MAX - 4095] {
            assert_eq!(set_break(&mut program, to), end, "{to:#x}");
        }
        assert_eq!(set_break(&mut program, AT + 0x10_000), AT + 0x10_000, "up to the next area");
        assert_eq!(set_break(&mut program, end), end);
        let limits = program.space.limits();
        program.space.set_limits(Limits { data: 0x3_000, ..limits });
        assert_eq!(set_break(&mut program, AT + 0x3_001), end);
        assert_eq!(set_break(&mut program, AT + 0x3_000), AT + 0x3_000);
        program.space.set_limits(Limits { address_space: 5 * 4096, ..limits });
        assert_eq!(set_break(&mut program, AT + 0x5_000), AT + 0x3_000);
        check(&mut program);
    });
}

#[test]
fn a_mapping_over_the_heap_cuts_it() {
    on_each_machine(|_| {
        // As musl's malloc does: a guard page at the heap's start.
        let mut program = with_heap();
        assert_eq!(set_break(&mut program, AT + 0x2_000), AT + 0x2_000);
        program.write(AT, 1).expect("memory");
        let at = Place::Fixed(VirtAddr::new(AT));
        let guard = MapRequest { at, protection: NONE, ..MapRequest::anonymous(4096) };
        assert_eq!(program.space.map(guard), Ok(VirtAddr::new(AT)));
        assert_eq!(program.read(AT), Err(FaultError::NotAllowed));
        assert_eq!(program.write(AT + 0x1_000, 2), Ok(()));
        assert_eq!(set_break(&mut program, AT + 0x4_000), AT + 0x4_000);
        assert_eq!((program.write(AT + 0x3_fff, 3), program.read(AT + 0x1_000)), (Ok(()), Ok(2)));
        check(&mut program);
    });
}

#[test]
fn the_heap_is_forked() {
    on_each_machine(|_| {
        let mut parent = with_heap();
        set_break(&mut parent, AT + 0x2_000);
        parent.write(AT, 1).expect("memory");
        let mut child = parent.fork();
        assert_eq!(set_break(&mut child, AT + 0x3_000), AT + 0x3_000);
        assert_eq!((child.write(AT + 0x2_000, 5), parent.read(AT + 0x2_000)), (Ok(()), Err(FaultError::NoArea)));
        check(&mut parent);
        check(&mut child);
    });
}

#[test]
fn a_stack_grows_to_where_it_is_used_up_to_its_limit() {
    on_each_machine(|_| {
        let mut program = with_stack();
        assert_eq!(program.write(TOP - 0x10_008, 1), Ok(()));
        assert_eq!(program.areas(), [(TOP - 0x11_000, TOP, RW)]);
        assert_eq!(program.space.usage().total, 0x11);
        assert_eq!(program.write(TOP - (8 << 20), 2), Ok(()), "8 MiB");
        assert_eq!(program.write(TOP - (8 << 20) - 1, 2), Err(FaultError::NoArea));
        let mut child = program.fork();
        child.space.set_limits(Limits { stack: 16 << 20, ..child.space.limits() });
        assert_eq!(child.write(TOP - (12 << 20), 2), Ok(()));
        assert_eq!((program.read(TOP - 0x10_008), child.read(TOP - 0x10_008)), (Ok(1), Ok(1)));
        check(&mut program);
        check(&mut child);
    });
}

#[test]
fn a_stack_does_not_grow_into_what_is_below() {
    on_each_machine(|_| {
        let mut program = with_stack();
        let below = TOP - (4 << 20);
        program.map(below - 4096, 1, RW);
        assert_eq!(program.write(below, 1), Err(FaultError::NoArea));
        assert_eq!(program.write(below + GUARD - 1, 1), Err(FaultError::NoArea));
        assert_eq!(program.write(below + GUARD, 1), Ok(()));
        // What has no place of its own is not given those addresses.
        let hint = |at: usize| MapRequest { at: Place::Hint(VirtAddr::new(at)), ..MapRequest::anonymous(4096) };
        assert_ne!(program.space.map(hint(below)), Ok(VirtAddr::new(below)));
        let fixed = MapRequest { at: Place::FixedNoReplace(VirtAddr::new(below)), ..MapRequest::anonymous(4096) };
        assert_eq!(program.space.map(fixed), Ok(VirtAddr::new(below)), "who insists gets them");
        check(&mut program);
    });
}

#[test]
fn a_growing_area_anywhere_has_room_below() {
    on_each_machine(|_| {
        let mut program = Program::new();
        let stack = MapRequest { growth: Growth::Down, ..MapRequest::anonymous(4096) };
        let first = program.space.map(stack.clone()).expect("room").as_usize();
        let second = program.space.map(stack).expect("room").as_usize();
        assert_eq!(first - second, GUARD + 4096);
        let plain = program.space.map(MapRequest::anonymous(4096)).expect("room").as_usize();
        assert_eq!(second - plain, GUARD + 4096);
        assert_eq!(program.write(first - 1, 1), Err(FaultError::NoArea), "the guard is all the room that there is");
        check(&mut program);
    });
}

#[test]
fn room_is_left_to_the_stack() {
    on_each_machine(|_| {
        let mut program = Program::new();
        let end = 1usize << 38;
        let first = program.space.map(MapRequest::anonymous(4096)).expect("room").as_usize();
        assert_eq!(first + 4096, end - (128 << 20) - GUARD);
        // When all else is taken, that goes too.
        let all = MapRequest { protection: NONE, ..MapRequest::anonymous(first - 4096) };
        assert_eq!(program.space.map(all), Ok(VirtAddr::new(4096)));
        let last = program.space.map(MapRequest::anonymous(4096)).expect("room").as_usize();
        assert_eq!(last + 4096, end);
        let rest = MapRequest { protection: NONE, ..MapRequest::anonymous((128 << 20) + GUARD) };
        assert_eq!(program.space.map(rest), Err(SpaceError::NoMemory));
        check(&mut program);
    });
}
