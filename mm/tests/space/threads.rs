//! Processes on several CPUs that share pages: the last owner frees each, once.

use std::thread;

use mm::VirtAddr;
use mm::space::{FaultAccess, MapRequest, NoObject, Place, Space};
use mm::testing::{HostUser, Rng, TestKernel};

use crate::all_is_back;
use crate::common::{blocks, boot};

type Plain = Space<TestKernel, HostUser, NoObject>;

const AT: usize = 0x40_0000;
const PAGES: usize = 40;

fn place(page: usize) -> VirtAddr {
    VirtAddr::new(AT + page * 4096)
}

/// A byte of the page, once the program may use it so.
fn reach(space: &mut Plain, page: usize, access: FaultAccess) -> *mut u8 {
    for _ in 0..3 {
        match HostUser.access(space.root(), place(page), access) {
            Some(frame) => return HostUser.byte(frame, place(page)),
            None => _ = space.fault(place(page), access).expect("memory"),
        }
    }
    panic!("it faults for ever");
}

fn write(space: &mut Plain, page: usize, value: u8) {
    let byte = reach(space, page, FaultAccess::Write);
    // SAFETY: the page is this program's alone, which has one thread.
    unsafe { byte.write(value) };
}

fn read(space: &mut Plain, page: usize) -> u8 {
    let byte = reach(space, page, FaultAccess::Read);
    // SAFETY: nobody writes to a page that several have.
    unsafe { byte.read() }
}

/// Forks, writes and ends, and sees its own bytes alone.
fn live(mut space: Plain, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut bytes = [1; PAGES];
    for _ in 0..60 {
        let mut child = space.fork().expect("memory");
        for _ in 0..20 {
            let (page, value) = (rng.below(PAGES), rng.below(256) as u8);
            if rng.one_in(2) {
                write(&mut child, page, value);
            } else {
                write(&mut space, page, value);
                bytes[page] = value;
            }
        }
        // Whichever ends first.
        if rng.one_in(2) {
            drop(child);
        } else {
            assert!(space.fork().is_ok());
        }
        (0..PAGES).for_each(|page| assert_eq!(read(&mut space, page), bytes[page], "seed {seed}"));
    }
    assert_eq!(space.validate(), Ok(()));
}

#[test]
fn children_on_several_cpus_free_what_they_share_once() {
    let machine = boot(24);
    machine.drop_caches();
    let before = blocks(*machine);
    let mut parent = Plain::new(HostUser).expect("memory");
    let at = Place::Fixed(place(0));
    parent.map(MapRequest { at, ..MapRequest::anonymous(PAGES * 4096) }).expect("addresses");
    (0..PAGES).for_each(|page| write(&mut parent, page, 1));
    let memory = *machine;
    thread::scope(|scope| {
        let mut others = Vec::new();
        for seed in 0..4 {
            let child = parent.fork().expect("memory");
            others.push(scope.spawn(move || {
                TestKernel::enter(memory);
                live(child, seed);
            }));
        }
        live(parent, 4);
        // A thread that was waited for has given its CPU back.
        others.into_iter().for_each(|other| other.join().expect("it lives"));
    });
    all_is_back(memory, before);
}
