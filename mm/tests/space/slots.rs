//! Slots of swap: who shares them, when they end, what happens without one.

use mm::VirtAddr;
use mm::space::{FaultAccess, FaultError, ObjectError, Resolved};

use crate::check;
use crate::program::Program;
use crate::reclaimed::{PAGES, at, counts, frame, numbers, program, reads, with_swap};

#[test]
fn a_fork_of_what_is_in_swap_gives_each_its_own() {
    with_swap(100, |memory, swap| {
        let mut parent = program(swap);
        assert_eq!(swap.all_out(), PAGES);
        let mut child = parent.fork();
        assert_eq!((counts(&child), swap.store.shares()), ((0, 0, PAGES), 2 * PAGES));
        child.write(at(5), 200).expect("memory");
        assert_eq!((child.read(at(5)), parent.read(at(5)), child.read(at(6))), (Ok(200), Ok(5), Ok(6)));
        // Both have it in memory, and it is in the swap cache: one of them writes and gets a copy.
        assert_eq!((parent.read(at(6)), frame(&parent, 6)), (Ok(6), frame(&child, 6)));
        parent.write(at(6), 100).expect("memory");
        assert_eq!((parent.read(at(6)), child.read(at(6))), (Ok(100), Ok(6)));
        let copies = memory.pages().user_counts().copies;
        child.write(at(6), 101).expect("memory");
        assert_eq!(memory.pages().user_counts().copies, copies, "the last owner takes it out of the swap cache");
        [&mut parent, &mut child].into_iter().for_each(check);
        drop(parent);
        assert_eq!(swap.store.shares(), PAGES - 2);
        assert_eq!((child.read(at(5)), child.read(at(6)), child.read(at(7))), (Ok(200), Ok(101), Ok(7)));
    });
}

#[test]
fn a_page_that_several_share_goes_to_one_slot() {
    with_swap(100, |memory, swap| {
        let mut parent = program(swap);
        let mut children: Vec<Program> = (0..3).map(|_| parent.fork()).collect();
        assert_eq!(swap.out(usize::MAX), 4 * PAGES);
        assert_eq!((swap.store.used(), swap.store.shares()), (PAGES, 4 * PAGES));
        assert_eq!(memory.pages().anonymous_pages(), PAGES, "the swap cache has them until they are written");
        swap.store.launder();
        assert_eq!(memory.pages().anonymous_pages(), 0);
        children.iter_mut().for_each(|child| assert_eq!(reads(child), numbers()));
        assert_eq!(memory.pages().anonymous_pages(), PAGES, "and they share it again");
        children.iter_mut().for_each(check);
        assert_eq!(reads(&mut parent), numbers());
    });
}

#[test]
fn a_slot_has_no_more_shares_than_can_be_counted() {
    with_swap(100, |_, swap| {
        let mut parent = program(swap);
        swap.all_out();
        swap.store.set_most(3);
        let children = [parent.fork(), parent.fork()];
        assert!(parent.space.fork().is_err(), "a fourth");
        assert_eq!(swap.store.shares(), 3 * PAGES, "what it had taken is back");
        check(&mut parent);
        drop(children);
        drop(parent.fork());
        assert_eq!(reads(&mut parent), numbers());
    });
}

#[test]
fn what_ends_gives_its_shares_back() {
    with_swap(200, |_, swap| {
        let (mut one, mut other) = (program(swap), program(swap));
        swap.all_out();
        one.unmap(at(3), 10);
        one.space.discard(VirtAddr::new(at(20)), 5 * 4096).expect("a range");
        assert_eq!(swap.store.shares(), 2 * PAGES - 15);
        assert_eq!((one.read(at(20)), one.read(at(19))), (Ok(0), Ok(19)));
        check(&mut one);
        drop(one);
        assert_eq!(swap.store.shares(), PAGES);
        assert_eq!(reads(&mut other), numbers());
    });
}

#[test]
fn where_swap_is_full_pages_stay() {
    // Two areas.
    with_swap(PAGES / 4, |_, swap| {
        let mut program = program(swap);
        assert_eq!(swap.all_out(), PAGES / 2);
        assert_eq!((counts(&program), swap.out(usize::MAX)), ((PAGES / 2, PAGES / 2, PAGES / 2), 0));
        check(&mut program);
        assert_eq!(reads(&mut program), numbers());
    });
}

#[test]
fn what_swap_cannot_give_is_an_error_until_it_can() {
    with_swap(100, |memory, swap| {
        let mut program = program(swap);
        swap.all_out();
        swap.store.launder();
        let usage = program.space.usage();
        for (broken, error) in [(ObjectError::Io, FaultError::Io), (ObjectError::NoMemory, FaultError::NoMemory)] {
            swap.store.set_broken(Some(broken));
            for access in [FaultAccess::Read, FaultAccess::Write] {
                assert_eq!(program.space.fault(VirtAddr::new(at(9)), access), Err(error));
            }
            assert_eq!((program.space.usage(), swap.store.shares()), (usage, PAGES));
        }
        swap.store.set_broken(None);
        memory.platform().fail_after(0);
        assert_eq!(program.read(at(9)), Err(FaultError::NoMemory));
        memory.platform().fail_never();
        memory.platform().take_reports();
        assert_eq!(program.space.usage(), usage);
        assert_eq!(reads(&mut program), numbers());
    });
}

#[test]
fn a_page_that_is_copied_because_it_was_busy_keeps_no_slot() {
    with_swap(100, |_, swap| {
        let mut program = program(swap);
        swap.all_out();
        assert_eq!(program.read(at(3)), Ok(3));
        assert_eq!(swap.store.cached(), 1);
        swap.store.set_busy(1);
        assert_eq!(program.space.fault(VirtAddr::new(at(3)), FaultAccess::Write), Ok(Resolved::Copied));
        assert_eq!((swap.store.cached(), swap.store.used()), (0, PAGES - 1));
        check(&mut program);
    });
}
