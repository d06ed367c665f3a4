//! Pages that leave memory and come back: what a program sees, what counts.

use mm::space::{FaultAccess, FaultError, ObjectError, Resolved, Scan, Sharing, Usage};
use mm::testing::HostUser;
use mm::{GfpFlags, PageFlags, Pfn, VirtAddr, ZoneKind};

use crate::common::{Kernel, blocks, boot, boot_high};
use crate::program::{NONE, Program, R, RW, TestObject};
use crate::swap::Swap;
use crate::{all_is_back, check};

const AT: usize = 0x40_0000;
pub(super) const PAGES: usize = 40;

pub(super) const fn at(page: usize) -> usize {
    AT + page * 4096
}

/// Runs `test` on machines with and without high memory; all is back afterwards.
pub(super) fn with_swap(slots: usize, test: impl Fn(Kernel, Swap)) {
    for start in [|| boot(24), || boot_high(24, 18)] {
        let machine = start();
        let swap = Swap::start(slots);
        // The list has its memory.
        drop(Program::new_in(swap.spaces));
        machine.drop_caches();
        let before = blocks(*machine);
        test(*machine, swap);
        swap.store.at_rest();
        HostUser.set_swap(None);
        all_is_back(*machine, before);
    }
}

/// A program with pages that have their numbers in them.
pub(super) fn program(swap: Swap) -> Program {
    let mut program = Program::new_in(swap.spaces);
    program.map(AT, PAGES, RW);
    (0..PAGES).for_each(|page| program.write(at(page), page as u8).expect("memory"));
    program
}

pub(super) fn reads(program: &mut Program) -> Vec<u8> {
    (0..PAGES).map(|page| program.read(at(page)).expect("memory")).collect()
}

pub(super) fn numbers() -> Vec<u8> {
    (0..PAGES as u8).collect()
}

/// Resident, anonymous, swapped.
pub(super) fn counts(program: &Program) -> (usize, usize, usize) {
    let Usage { resident, anonymous, swapped, .. } = program.space.usage();
    (resident, anonymous, swapped)
}

pub(super) fn frame(program: &Program, page: usize) -> Option<Pfn> {
    HostUser.access(program.space.root(), VirtAddr::new(at(page)), FaultAccess::Read)
}

#[test]
fn what_is_not_used_goes_and_comes_back_as_it_was() {
    with_swap(100, |memory, swap| {
        let mut program = program(swap);
        assert_eq!(swap.all_out(), PAGES);
        check(&mut program);
        assert_eq!((counts(&program), swap.store.shares()), ((0, 0, PAGES), PAGES));
        swap.store.launder();
        assert_eq!((memory.pages().anonymous_pages(), swap.store.cached()), (0, 0));
        let fault = |program: &mut Program, page, access| program.space.fault(VirtAddr::new(at(page)), access);
        assert_eq!(fault(&mut program, 0, FaultAccess::Read), Ok(Resolved::Swapped));
        assert_eq!(fault(&mut program, 1, FaultAccess::Write), Ok(Resolved::Swapped));
        // What was only read keeps its slot's content: it goes without being written.
        assert_eq!((swap.store.cached(), swap.store.used(), swap.store.shares()), (1, PAGES - 1, PAGES - 2));
        check(&mut program);
        assert_eq!((reads(&mut program), counts(&program)), (numbers(), (PAGES, PAGES, 0)));
        check(&mut program);
        program.unmap(at(0), 10);
        assert_eq!(swap.store.cached(), PAGES - 10, "what nobody else has leaves the swap cache");
    });
}

#[test]
fn what_was_used_stays_once() {
    with_swap(100, |_, swap| {
        let mut program = program(swap);
        let done = swap.spaces.swap_out(GfpFlags::HIGHUSER, 1);
        assert_eq!(done.unmapped, 1, "the second time round");
        assert_eq!(program.read(at(0)), Ok(0));
        HostUser.forget(program.space.root());
        (0..PAGES).step_by(2).for_each(|page| _ = program.read(at(page)).expect("memory"));
        // The hand stands behind the first page, so it comes to that last.
        assert_eq!(swap.out(PAGES / 2), PAGES / 2);
        let is_there = |page| frame(&program, page).is_some();
        assert!((1..PAGES).all(|page| is_there(page) == (page % 2 == 0)));
        assert_eq!(reads(&mut program), numbers());
    });
}

#[test]
fn the_page_cache_is_told_that_its_pages_are_used() {
    with_swap(100, |memory, swap| {
        let mut program = program(swap);
        let flags = |frame: Pfn| memory.pages().page_flags(frame);
        let first = frame(&program, 0).expect("it shows");
        assert_eq!(swap.out(1), 1);
        assert_eq!(flags(first), PageFlags::CACHED | PageFlags::DIRTY, "that it was used is long ago");
        assert_eq!(program.read(at(0)), Ok(0));
        // The hand stands behind it: it comes there in the second round, and not again.
        assert_eq!(swap.out(usize::MAX), PAGES - 1);
        let referenced = PageFlags::CACHED | PageFlags::DIRTY | PageFlags::REFERENCED;
        assert_eq!(flags(first), referenced, "a page of the swap cache was used");
        assert_eq!(reads(&mut program), numbers());
    });
}

#[test]
fn the_scan_goes_round_all_spaces_from_where_it_stopped() {
    with_swap(400, |_, swap| {
        let mut programs: Vec<Program> = (0..3).map(|_| program(swap)).collect();
        assert_eq!(swap.spaces.swap_out(GfpFlags::HIGHUSER, 0), mm::space::SwapOut::default());
        // All have their marks taken away, and the first some pages.
        assert_eq!(swap.out(5), 5);
        assert_eq!(programs.iter().map(|program| counts(program).2).collect::<Vec<_>>(), [5, 0, 0]);
        assert_eq!(swap.out(50), 50);
        assert_eq!(programs.iter().map(|program| counts(program).2).collect::<Vec<_>>(), [PAGES, 15, 0]);
        drop(programs.remove(0));
        assert_eq!(swap.out(usize::MAX), 2 * PAGES - 15);
        programs.iter_mut().for_each(|program| assert_eq!(reads(program), numbers()));
    });
}

#[test]
fn pages_of_other_zones_stay() {
    let machine = boot_high(24, 18);
    let swap = Swap::start(100);
    let mut program = program(swap);
    let zone = |program: &Program| machine.pages().direct().zone_of(frame(program, 0).expect("it shows"));
    assert_eq!(zone(&program), ZoneKind::HighMem);
    for _ in 0..3 {
        assert_eq!(swap.spaces.swap_out(GfpFlags::KERNEL, usize::MAX).unmapped, 0);
    }
    assert_eq!(swap.all_out(), PAGES);
    assert_eq!(reads(&mut program), numbers());
}

#[test]
fn pages_of_files_are_left_to_them_and_those_that_were_written_to_are_told() {
    with_swap(100, |_, swap| {
        let (object, mut program) = (TestObject::cached(6), Program::new_in(swap.spaces));
        let kept = with_kept_pages(&mut program);
        program.map_object(AT, (&object, 0), 6, (RW, Sharing::Shared));
        program.map_object(at(10), (&object, 0), 6, (RW, Sharing::Private));
        program.write(at(1), 7).expect("memory");
        program.read(at(2)).expect("memory");
        assert_eq!(program.read(at(11)), Ok(7));
        program.write(at(12), 9).expect("memory");
        assert_eq!(counts(&program), (4 + KEPT, 1, 0));
        assert_eq!(swap.all_out(), 4);
        assert_eq!(swap.store.take_written().into_iter().collect::<Vec<_>>(), [object.frame(1).as_u32()]);
        assert_eq!((counts(&program), object.users(1), object.users(2)), ((KEPT, 0, 1), 0, 0));
        check(&mut program);
        assert_eq!([1, 2, 11, 12].map(|page| program.read(at(page))), [Ok(7), Ok(0), Ok(7), Ok(9)]);
        // What is unmapped is told, too.
        program.write(at(3), 1).expect("memory");
        program.unmap(at(3), 1);
        assert_eq!(swap.store.take_written().into_iter().collect::<Vec<_>>(), [object.frame(3).as_u32()]);
        program.write(at(4), 1).expect("memory");
        drop(program);
        assert_eq!(swap.store.take_written().into_iter().collect::<Vec<_>>(), [object.frame(4).as_u32()]);
        drop((object, kept));
    });
}

/// Pages of files that a space keeps.
const KEPT: usize = 16;

/// A file that the program has so many pages of, behind all others.
fn with_kept_pages(program: &mut Program) -> TestObject {
    let object = TestObject::cached(KEPT);
    program.map_object(at(500), (&object, 0), KEPT, (RW, Sharing::Shared));
    (0..KEPT).for_each(|page| _ = program.read(at(500 + page)).expect("memory"));
    object
}

#[test]
fn a_program_keeps_the_few_pages_of_files_that_it_needs_to_go_on() {
    with_swap(100, |_, swap| {
        let mut program = program(swap);
        let kept = with_kept_pages(&mut program);
        assert_eq!((swap.all_out(), counts(&program)), (PAGES, (KEPT, 0, PAGES)));
        assert_eq!(reads(&mut program), numbers());
        drop((program, kept));
    });
}

#[test]
fn pages_of_drivers_and_those_that_are_kept_stay() {
    with_swap(100, |memory, swap| {
        let (object, mut program) = (TestObject::new(3), program(swap));
        program.map_object(at(100), (&object, 0), 3, (RW, Sharing::Shared));
        program.write(at(100), 1).expect("memory");
        let kept = frame(&program, 3).expect("it shows");
        memory.pages().set_page_flags(kept, PageFlags::KEPT);
        assert_eq!(swap.all_out(), PAGES - 1);
        assert_eq!(
            (frame(&program, 3), frame(&program, 100), counts(&program)),
            (Some(kept), Some(object.frame(0)), (2, 1, PAGES - 1))
        );
        assert!(swap.store.take_written().is_empty());
        drop(program);
        drop(object);
    });
}

#[test]
fn when_an_area_goes_all_of_it_comes_back() {
    with_swap(PAGES, |_, swap| {
        let mut parent = program(swap);
        let mut other = program(swap);
        swap.all_out();
        let mut child = parent.fork();
        swap.store.launder();
        assert_eq!(parent.read(at(1)), Ok(1));
        // One that cannot be read: what was brought stays, the rest is in its slots.
        swap.store.set_broken(Some(ObjectError::Io));
        assert_eq!(swap.off(0), Err(ObjectError::Io));
        swap.store.set_broken(None);
        [&mut parent, &mut child, &mut other].into_iter().for_each(check);
        assert_eq!([swap.off(0), swap.off(5)], [Ok(()); 2]);
        for program in [&mut parent, &mut child, &mut other] {
            check(program);
            // Those of the area that went first may have gone to the other in between: nothing does here.
            assert_eq!(counts(program), (PAGES, PAGES, 0));
            let root = program.space.root();
            let allowed =
                (0..PAGES).filter(|&page| HostUser.access(root, VirtAddr::new(at(page)), FaultAccess::Write).is_some());
            assert_eq!(allowed.count(), 0, "nobody may use them before the next fault");
            assert_eq!(reads(program), numbers());
        }
        child.write(at(2), 99).expect("memory");
        assert_eq!((parent.read(at(2)), child.read(at(2))), (Ok(2), Ok(99)));
    });
}

#[test]
fn rights_change_while_pages_are_in_swap() {
    with_swap(100, |_, swap| {
        let mut program = program(swap);
        let protect = |program: &mut Program, protection| {
            program.space.protect(VirtAddr::new(AT), PAGES * 4096, protection).expect("areas");
        };
        protect(&mut program, NONE);
        // What nobody may use is not used.
        assert_eq!(swap.all_out(), PAGES);
        assert_eq!(program.read(at(1)), Err(FaultError::NotAllowed));
        protect(&mut program, R);
        assert_eq!((program.read(at(1)), program.write(at(1), 5)), (Ok(1), Err(FaultError::NotAllowed)));
        protect(&mut program, RW);
        assert_eq!((program.write(at(1), 1), program.write(at(2), 2)), (Ok(()), Ok(())));
        assert_eq!(reads(&mut program), numbers());
        check(&mut program);
    });
}

#[test]
fn what_was_written_to_a_file_is_told_before_it_is_written_to_the_disk() {
    with_swap(100, |_, swap| {
        let (object, mut program) = (TestObject::cached(8), program(swap));
        let mut child = program.fork();
        program.map_object(at(100), (&object, 0), 8, (RW, Sharing::Shared));
        let told = |program: &mut Program, page, pages| {
            program.space.note_written(VirtAddr::new(at(page)), pages * 4096).expect("areas");
            let frames = swap.store.take_written();
            (0..8).filter(|&page| frames.contains(&object.frame(page).as_u32())).collect::<Vec<_>>()
        };
        [100, 102, 105].into_iter().for_each(|page| program.write(at(page), 1).expect("memory"));
        program.read(at(101)).expect("memory");
        assert_eq!(told(&mut program, 100, 4), [0, 2]);
        assert_eq!(told(&mut program, 100, 8), [5], "once");
        // The TLB has forgotten that it wrote: the next write is noted.
        program.write(at(102), 2).expect("memory");
        assert_eq!(told(&mut program, 100, 8), [2]);
        assert!(told(&mut program, 0, PAGES).is_empty(), "memory of its own is no file");
        let outside = program.space.note_written(VirtAddr::new(at(99)), 2 * 4096);
        assert_eq!(outside, Err(mm::space::SpaceError::NotMapped));
        check(&mut program);
        check(&mut child);
        drop((program, child));
        swap.store.take_written();
        drop(object);
    });
}

#[test]
fn memory_may_be_promised_that_swap_has_room_for() {
    with_swap(3000, |memory, swap| {
        let mut program = Program::new_in(swap.spaces);
        let most = (memory.pages().managed_pages() + 6000) * 4096;
        let ask = |program: &mut Program, bytes| program.space.map(mm::space::MapRequest::anonymous(bytes));
        assert_eq!(ask(&mut program, most + 1), Err(mm::space::SpaceError::NoMemory));
        assert!(ask(&mut program, most).is_ok());
    });
}
