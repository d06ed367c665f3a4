//! Address spaces of processes on this machine's page tables.
//!
//! Machine: ICOUNT=1
//! Machine: ICOUNT=1 APPEND="highmem=64M"
//! Machine: ICOUNT=1 APPEND="page_poison=1"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::{Log, conserves};
use kernel::arch::paging;
use kernel::debug::probe::{Fault, probe_read};
use kernel::mm::space::{
    FaultAccess, FaultError, Growth, MapRequest, Mapped, Place, Protection, Resolved, Role, SharedMemory, Sharing,
    UserSpace, new_space,
};
use kernel::testing::memory;
use mm::{PAGE_SIZE, VirtAddr};

kernel::test_kernel!(test_main);

const RW: Protection = Protection::READ.union(Protection::WRITE);
const RX: Protection = Protection::READ.union(Protection::EXEC);
const TEXT: usize = 0x40_0000;
const HEAP: usize = 0x5e_c000;
const STACK: usize = 0x7fff_ffff_0000;

/// An area of a program, and how many of its pages the program has used.
fn part(space: &mut UserSpace, request: MapRequest<Mapped>, used: usize, access: FaultAccess) {
    let at = space.map(request).unwrap();
    (0..used).for_each(|page| _ = space.fault(at.add(page * PAGE_SIZE), access).unwrap());
}

/// A space like that of busybox's shell: 110 pages in eight areas.
fn shell() -> UserSpace {
    let mut space = new_space().unwrap();
    let file = SharedMemory::create(0x1e4 * PAGE_SIZE).unwrap();
    let at = |at: usize| Place::FixedNoReplace(VirtAddr::new(at));
    let segment = |start: usize, first, pages: usize, protection| {
        let request = MapRequest::object(file.clone(), first, pages * PAGE_SIZE);
        MapRequest { at: at(start), protection, ..request }
    };
    part(&mut space, segment(TEXT, 0, 1, Protection::READ), 1, FaultAccess::Read);
    part(&mut space, segment(TEXT + 0x1000, 1, 0x184, RX), 60, FaultAccess::Execute);
    part(&mut space, segment(0x58_5000, 0x185, 0x56, Protection::READ), 19, FaultAccess::Read);
    part(&mut space, segment(0x5d_b000, 0x1da, 10, RW), 10, FaultAccess::Write);
    let own = |start: usize, pages: usize| MapRequest { at: at(start), ..MapRequest::anonymous(pages * PAGE_SIZE) };
    part(&mut space, own(0x5e_5000, 7), 3, FaultAccess::Write);
    space.init_break(VirtAddr::new(HEAP));
    assert_eq!(space.set_break(Some(VirtAddr::new(HEAP + 0x2_2000))).as_usize(), HEAP + 0x2_2000);
    (0..9).for_each(|page| _ = space.fault(VirtAddr::new(HEAP + page * PAGE_SIZE), FaultAccess::Write).unwrap());
    part(&mut space, MapRequest::anonymous(16 * PAGE_SIZE), 4, FaultAccess::Write);
    let stack = MapRequest { growth: Growth::Down, role: Role::Stack, ..own(STACK - 4 * PAGE_SIZE, 4) };
    part(&mut space, stack, 4, FaultAccess::Write);
    assert_eq!(space.usage().resident, 110);
    space
}

/// Has the CPU go by the tables of a space, until that is dropped.
fn run_on(space: &UserSpace) {
    // SAFETY: its upper half is the kernel's, and when it is dropped the CPU has left it.
    unsafe { paging::load_root(space.root()) };
}

fn byte(space: &mut UserSpace, at: VirtAddr) -> u8 {
    let mut byte = [0];
    space.copy_out(at, &mut byte).unwrap();
    byte[0]
}

#[test_case]
fn a_shell_has_children_and_all_is_back_afterwards() {
    conserves(|| {
        let mut parent = shell();
        let heap = VirtAddr::new(HEAP);
        for nth in 1..=20 {
            let mut child = parent.fork().unwrap();
            child.copy_in(heap, &[nth]).unwrap();
            parent.copy_in(heap, &[100 + nth]).unwrap();
            assert_eq!((byte(&mut child, heap), byte(&mut parent, heap)), (nth, 100 + nth));
            assert_eq!((child.validate(), parent.validate()), (Ok(()), Ok(())));
        }
    });
    assert_eq!(memory().pages().anonymous_pages(), 0);
}

#[test_case]
fn the_processor_goes_by_the_tables_and_forgets_what_changed() {
    conserves(|| {
        let mut parent = new_space().unwrap();
        let at = parent.map(MapRequest::anonymous(2 * PAGE_SIZE)).unwrap();
        run_on(&parent);
        assert_eq!(probe_read(at), Err(Fault), "nothing is there yet");
        assert_eq!(parent.fault(at, FaultAccess::Read), Ok(Resolved::Zeroed));
        assert_eq!(probe_read(at), Ok(0));
        parent.copy_in(at, &[1]).unwrap();
        assert_eq!(probe_read(at), Ok(1));
        let mut child = parent.fork().unwrap();
        assert_eq!(parent.fault(at, FaultAccess::Write), Ok(Resolved::Copied));
        parent.copy_in(at, &[2]).unwrap();
        assert_eq!((probe_read(at), byte(&mut child, at)), (Ok(2), 1));
        run_on(&child);
        assert_eq!(probe_read(at), Ok(1));
        assert_eq!(child.protect(at, PAGE_SIZE, Protection::empty()), Ok(()));
        assert_eq!(probe_read(at), Err(Fault), "not even the kernel");
        assert_eq!(child.protect(at, PAGE_SIZE, RW), Ok(()));
        assert_eq!(probe_read(at), Ok(1));
        assert_eq!(child.unmap(at, PAGE_SIZE), Ok(()));
        assert_eq!(probe_read(at), Err(Fault));
        let root = child.root();
        drop(child);
        assert_ne!(paging::loaded_root(), root, "nobody goes by tables that are gone");
        run_on(&parent);
        assert_eq!(probe_read(at), Ok(2));
        drop(parent);
    });
}

#[test_case]
fn shared_memory_is_the_same_in_parent_and_child() {
    conserves(|| {
        let file = SharedMemory::create(PAGE_SIZE + 1).unwrap();
        let mut parent = new_space().unwrap();
        let request = MapRequest::object(file, 0, 4 * PAGE_SIZE);
        let at = parent.map(MapRequest { sharing: Sharing::Shared, protection: RW, ..request }).unwrap();
        let mut child = parent.fork().unwrap();
        parent.copy_in(at.add(PAGE_SIZE), &[7]).unwrap();
        assert_eq!(byte(&mut child, at.add(PAGE_SIZE)), 7);
        assert_eq!(child.fault(at.add(2 * PAGE_SIZE), FaultAccess::Read), Err(FaultError::Beyond));
        assert_eq!(child.usage().file, 1);
    });
}

#[test_case]
fn more_than_there_is_ends_with_an_error_and_comes_back() {
    conserves(|| {
        let mut space = new_space().unwrap();
        let pages = memory().pages().managed_pages();
        let at = space.map(MapRequest::anonymous(pages * PAGE_SIZE)).unwrap();
        let log = Log::from_here();
        let failed = (0..pages).find_map(|page| space.fault(at.add(page * PAGE_SIZE), FaultAccess::Write).err());
        assert_eq!(failed, Some(FaultError::NoMemory));
        assert!(log.count("allocation failed") > 0);
        assert!(space.usage().anonymous > pages / 2);
        assert_eq!(space.validate(), Ok(()));
    });
}
