//! Address spaces of processes on this machine's page tables.
//!
//! Machine: ICOUNT=1
//! Machine: ICOUNT=1 APPEND="highmem=64M"
//! Machine: FIRMWARE=uefi APPEND="page_poison=1"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::conserves;
use kernel::mm::space::{
    FaultAccess, Growth, MapRequest, Mapped, Place, Protection, Role, SharedMemory, Sharing, ThisCpu, UserSpace,
};
use kernel::println;
use kernel::time::cycles_since_entry;
use mm::space::Resolved;
use mm::{PAGE_SIZE, VirtAddr};

kernel::test_kernel!(test_main);

const RW: Protection = Protection::READ.union(Protection::WRITE);
const RX: Protection = Protection::READ.union(Protection::EXEC);
const HEAP: usize = 0x5e_c000;
const STACK: usize = 0x7fff_ffff_0000;

/// An area of a program, and how many of its pages the program has used.
fn part(space: &mut UserSpace, request: MapRequest<Mapped>, used: usize, access: FaultAccess) {
    let at = space.map(request).unwrap();
    (0..used).for_each(|page| _ = space.fault(at.add(page * PAGE_SIZE), access).unwrap());
}

/// A space like that of busybox's shell: 110 pages in eight areas.
fn shell() -> UserSpace {
    let mut space = UserSpace::new(ThisCpu).unwrap();
    let file = SharedMemory::create(0x1e4 * PAGE_SIZE).unwrap();
    let at = |at: usize| Place::FixedNoReplace(VirtAddr::new(at));
    let segment = |start: usize, first, pages: usize, protection| {
        let request = MapRequest::object(file.clone(), first, pages * PAGE_SIZE);
        MapRequest { at: at(start), protection, ..request }
    };
    part(&mut space, segment(0x40_0000, 0, 1, Protection::READ), 1, FaultAccess::Read);
    part(&mut space, segment(0x40_1000, 1, 0x184, RX), 60, FaultAccess::Execute);
    part(&mut space, segment(0x58_5000, 0x185, 0x56, Protection::READ), 19, FaultAccess::Read);
    part(&mut space, segment(0x5d_b000, 0x1da, 10, RW), 10, FaultAccess::Write);
    let anonymous =
        |start: usize, pages: usize| MapRequest { at: at(start), ..MapRequest::anonymous(pages * PAGE_SIZE) };
    part(&mut space, anonymous(0x5e_5000, 7), 3, FaultAccess::Write);
    space.init_break(VirtAddr::new(HEAP));
    assert_eq!(space.set_break(Some(VirtAddr::new(HEAP + 0x2_2000))).as_usize(), HEAP + 0x2_2000);
    (0..9).for_each(|page| _ = space.fault(VirtAddr::new(HEAP + page * PAGE_SIZE), FaultAccess::Write).unwrap());
    part(&mut space, MapRequest::anonymous(16 * PAGE_SIZE), 4, FaultAccess::Write);
    let stack = MapRequest { growth: Growth::Down, role: Role::Stack, ..anonymous(STACK - 4 * PAGE_SIZE, 4) };
    part(&mut space, stack, 4, FaultAccess::Write);
    assert_eq!(space.usage().resident, 110);
    space
}

/// Prints what `f` took.
fn timed<R>(what: &str, f: impl FnOnce() -> R) -> R {
    let start = cycles_since_entry();
    let result = f();
    println!("{what}: {} instructions", cycles_since_entry() - start);
    result
}

#[test_case]
fn what_a_space_costs() {
    conserves(|| {
        let space = timed("new space", || UserSpace::new(ThisCpu).unwrap());
        timed("drop space", || drop(space));
        let mut parent = shell();
        let at = VirtAddr::new(HEAP + 20 * PAGE_SIZE);
        for n in 0..3 {
            let at = at.add(n * PAGE_SIZE);
            assert_eq!(timed("zeroed fault", || parent.fault(at, FaultAccess::Write)), Ok(Resolved::Zeroed));
        }
        for _ in 0..3 {
            let mut child = timed("fork of 110 pages", || parent.fork().unwrap());
            let heap = VirtAddr::new(HEAP);
            assert_eq!(timed("copied fault", || child.fault(heap, FaultAccess::Write)), Ok(Resolved::Copied));
            assert_eq!(timed("reused fault", || parent.fault(heap, FaultAccess::Write)), Ok(Resolved::Reused));
            timed("drop of a child of 110 pages", || drop(child));
        }
        assert_eq!(parent.validate(), Ok(()));
        timed("drop of 110 pages", || drop(parent));
    });
}

#[test_case]
fn sharing() {
    let file = SharedMemory::create(PAGE_SIZE).unwrap();
    let mut space = UserSpace::new(ThisCpu).unwrap();
    let request = MapRequest { sharing: Sharing::Shared, protection: RW, ..MapRequest::object(file, 0, PAGE_SIZE) };
    let at = space.map(request).unwrap();
    let mut child = space.fork().unwrap();
    space.copy_in(at, b"shared").unwrap();
    let mut bytes = [0; 6];
    child.copy_out(at, &mut bytes).unwrap();
    assert_eq!(&bytes, b"shared");
}
