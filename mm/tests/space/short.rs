//! Memory is short: reclaim runs inside of calls, and takes what they look at.

use std::cell::Cell;

use mm::space::{FaultAccess, Resolved, Sharing};
use mm::testing::HostUser;
use mm::{GfpFlags, Order, Pfn, Shrinker, VirtAddr};

use crate::common::{Kernel, at_rest, boot};
use crate::program::{Program, RW, TestObject};
use crate::swap::Swap;

const AT: usize = 0x40_0000;
const PAGES: usize = 40;

const fn at(page: usize) -> usize {
    AT + page * 4096
}

std::thread_local! {
    /// The swap of this thread's test, and how many pages reclaim takes at once.
    static RECLAIMED: Cell<Option<(Swap, usize)>> = const { Cell::new(None) };
}

/// Reclaim, as a kernel does it that has swap.
struct Reclaim;

impl Shrinker for Reclaim {
    fn shrink(&'static self, _: GfpFlags) -> usize {
        let Some((swap, pages)) = RECLAIMED.get() else { return 0 };
        swap.out(pages);
        swap.store.launder()
    }
}

/// A machine with swap whose reclaim takes `pages` pages at once.
fn start(mib: u32, slots: usize, pages: usize) -> (mm::testing::Booted, Swap) {
    let (machine, swap) = (boot(mib), Swap::start(slots));
    RECLAIMED.set(Some((swap, pages)));
    machine.pages().register_shrinker(&Reclaim).expect("room");
    (machine, swap)
}

fn end(memory: Kernel, swap: Swap) {
    swap.store.at_rest();
    HostUser.set_swap(None);
    RECLAIMED.set(None);
    memory.pages().unregister_shrinker(&Reclaim);
    memory.drop_caches();
    at_rest(memory);
    assert_eq!(memory.pages().anonymous_pages(), 0);
}

/// Takes all pages but those that reclaim could get.
fn hoard(memory: Kernel) -> Vec<Pfn> {
    let reclaimed = RECLAIMED.take();
    let pages = crate::common::hoard(memory, GfpFlags::KERNEL);
    RECLAIMED.set(reclaimed);
    pages
}

fn give(memory: Kernel, pages: Vec<Pfn>) {
    pages.into_iter().for_each(|page| memory.free_frames(page, Order::ZERO).expect("a right free"));
}

#[test]
fn a_program_has_more_memory_than_the_machine() {
    let (machine, swap) = start(24, 9000, 32);
    let mut program = Program::new_in(swap.spaces);
    let pages = 8000;
    program.map(AT, pages, RW);
    let value = |page: usize, round: usize| (page / 251 + page + round) as u8;
    (0..pages).for_each(|page| program.write(at(page), value(page, 0)).expect("swap has room"));
    for round in 0..2 {
        for page in 0..pages {
            assert_eq!(program.read(at(page)), Ok(value(page, round)), "page {page}, round {round}");
            program.write(at(page), value(page, round + 1)).expect("swap has room");
        }
    }
    assert_eq!(program.space.validate(), Ok(()));
    let usage = program.space.usage();
    assert!(usage.swapped > 2000 && usage.swapped + usage.resident == pages, "{usage:?}");
    drop(program);
    end(*machine, swap);
}

#[test]
fn a_page_that_is_taken_while_it_is_copied_is_copied_again() {
    let (machine, swap) = start(24, 9000, usize::MAX);
    let mut parent = Program::new_in(swap.spaces);
    parent.map(AT, PAGES, RW);
    (0..PAGES).for_each(|page| parent.write(at(page), page as u8).expect("memory"));
    let mut child = parent.fork();
    let hoarded = hoard(*machine);
    // The copy needs a page, and reclaim takes all, the one that is copied among them.
    assert_eq!(child.space.fault(VirtAddr::new(at(7)), FaultAccess::Write), Ok(Resolved::Already));
    assert_eq!((child.space.usage().resident, child.space.usage().swapped), (0, PAGES));
    assert_eq!(child.space.validate(), Ok(()));
    child.write(at(7), 100).expect("memory");
    assert_eq!((child.read(at(7)), parent.read(at(7))), (Ok(100), Ok(7)));
    give(*machine, hoarded);
    drop((parent, child));
    end(*machine, swap);
}

#[test]
fn a_page_of_a_file_that_is_taken_while_its_object_is_asked_comes_anew() {
    let (machine, swap) = start(24, 100, usize::MAX);
    let (object, mut program) = (TestObject::cached(3), Program::new_in(swap.spaces));
    program.map_object(AT, (&object, 0), 3, (RW, Sharing::Shared));
    program.read(AT).expect("memory");
    object.on_page(Some(move || _ = swap.all_out()));
    assert_eq!(program.space.fault(VirtAddr::new(AT), FaultAccess::Write), Ok(Resolved::Object));
    object.on_page(None::<fn()>);
    assert_eq!((program.space.usage().resident, object.users(0)), (1, 1));
    program.write(AT, 5).expect("memory");
    assert_eq!((program.space.validate(), object.read(0)), (Ok(()), 5));
    drop(program);
    swap.store.take_written();
    drop(object);
    end(*machine, swap);
}

#[test]
fn a_fork_goes_on_while_its_pages_are_taken() {
    let (machine, swap) = start(24, 9000, usize::MAX);
    let mut parent = Program::new_in(swap.spaces);
    // Each in a table of its own: the child's tables need memory between them.
    let place = |nth: usize| AT + nth * (2 << 20);
    for nth in 0..PAGES {
        parent.map(place(nth), 1, RW);
        parent.write(place(nth), nth as u8).expect("memory");
    }
    // Memory for reclaim to take.
    parent.map(place(PAGES), 100, RW);
    (0..100).for_each(|page| parent.write(place(PAGES) + page * 4096, 1).expect("memory"));
    let hoarded = hoard(*machine);
    let mut child = parent.fork();
    assert!(parent.space.usage().swapped > PAGES / 2, "reclaim ran: {:?}", parent.space.usage());
    give(*machine, hoarded);
    for program in [&mut parent, &mut child] {
        assert_eq!(program.space.validate(), Ok(()));
        (0..PAGES).for_each(|nth| assert_eq!(program.read(place(nth)), Ok(nth as u8)));
    }
    child.write(place(3), 99).expect("memory");
    assert_eq!(parent.read(place(3)), Ok(3));
    drop((parent, child));
    end(*machine, swap);
}

#[test]
fn what_is_written_from_outside_is_written_to_the_page_that_shows() {
    let (machine, swap) = start(24, 9000, usize::MAX);
    let mut program = Program::new_in(swap.spaces);
    program.map(AT, PAGES, RW);
    let bytes: Vec<u8> = (0..PAGES * 4096).map(|byte| (byte / 4096 + byte) as u8).collect();
    (0..PAGES / 2).for_each(|page| program.write(at(page), 1).expect("memory"));
    let hoarded = hoard(*machine);
    program.space.copy_in(VirtAddr::new(AT), &bytes).expect("swap has room");
    assert!(swap.store.shares() > 0, "reclaim ran");
    let mut found = vec![0; bytes.len()];
    program.space.copy_out(VirtAddr::new(AT), &mut found).expect("swap has room");
    assert!(found == bytes);
    give(*machine, hoarded);
    drop(program);
    end(*machine, swap);
}
