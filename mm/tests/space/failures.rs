//! No memory at every n-th page: an error, and nothing is lost.

use mm::VirtAddr;
use mm::space::{FaultError, MapRequest, Place, Protection, Sharing, SpaceError};
use mm::testing::{HostUser, TestKernel};

use crate::all_is_back;
use crate::common::{Kernel, blocks, boot, boot_high};
use crate::program::{Program, R, RW, TestObject, TestSpace};
use mm::GfpFlags;

const AT: usize = 0x40_0000;

/// A program with something of everything.
fn program() -> Program {
    let (mut program, object) = (Program::new(), TestObject::new(4));
    program.map(AT, 100, RW);
    program.map_object(AT + 200 * 4096, (&object, 0), 4, (RW, Sharing::Private));
    program.map_object(AT + (1 << 30), (&object, 0), 4, (RW, Sharing::Shared));
    for at in [AT, AT + 70 * 4096, AT + 201 * 4096, AT + (1 << 30) + 4096] {
        program.write(at, 1).expect("memory");
    }
    program.read(AT + 203 * 4096).expect("memory");
    program
}

/// What can be seen of a program without a fault.
fn picture(program: &mut Program) -> String {
    assert_eq!(program.space.validate(), Ok(()));
    format!("{:?} {:?}", program.areas(), program.space.usage())
}

/// Runs `call` on a program with ever more allocations granted until it succeeds; each failure leaves the program as it
/// was, but for what `may_stay` says.
fn fails_cleanly(what: &str, call: impl Fn(&mut Program) -> Result<(), ()>, may_stay: impl Fn(&mut Program)) {
    for start in [|| boot(24), || boot_high(24, 18)] {
        let machine = start();
        machine.drop_caches();
        let start = blocks(*machine);
        let mut granted = 0;
        loop {
            let mut program = program();
            let before = picture(&mut program);
            machine.platform().fail_after(granted);
            let result = call(&mut program);
            machine.platform().fail_never();
            _ = machine.platform().take_reports();
            if result.is_err() {
                may_stay(&mut program);
                assert_eq!(picture(&mut program), before, "{what}, {granted} granted");
            }
            assert_eq!(call(&mut program), Ok(()), "{what}, {granted} granted: it works afterwards");
            assert_eq!(program.space.validate(), Ok(()));
            drop(program);
            all_is_back(*machine, start);
            if result.is_ok() {
                break;
            }
            granted += 1;
            assert!(granted < 1000, "{what} never succeeds");
        }
        assert!(granted > 0, "{what} needs no memory");
    }
}

/// Takes all memory that kmalloc has at hand, so that the next request needs pages.
fn exhaust_slabs(memory: Kernel) -> Vec<core::ptr::NonNull<u8>> {
    memory.platform().fail_after(0);
    let sizes = mm_sizes();
    let taken =
        sizes.flat_map(|size| core::iter::from_fn(move || memory.kmalloc(size, GfpFlags::KERNEL).ok())).collect();
    memory.platform().fail_never();
    _ = memory.platform().take_reports();
    taken
}

fn mm_sizes() -> impl Iterator<Item = usize> {
    (5..18).map(|log2| 1usize << log2)
}

#[test]
fn a_fork_without_memory_leaves_the_parent_alone() {
    fails_cleanly(
        "fork",
        |program| program.space.fork().map(|mut child| assert_eq!(child.validate(), Ok(()))).map_err(|_| ()),
        |_| (),
    );
}

#[test]
fn a_fault_without_memory_changes_nothing_but_tables() {
    let far = AT + 99 * 4096;
    // A page, and no table.
    fails_cleanly(
        "fault",
        |program| program.write(far, 1).map_err(|error| assert_eq!(error, FaultError::NoMemory)),
        |_| (),
    );
    // A copy of an object's page.
    let at = AT + 203 * 4096;
    fails_cleanly(
        "copy",
        |program| program.write(at, 1).map_err(|error| assert_eq!(error, FaultError::NoMemory)),
        |_| (),
    );
}

#[test]
fn a_table_that_was_made_for_a_fault_goes_with_its_area() {
    let machine = boot(24);
    machine.drop_caches();
    let start = blocks(*machine);
    let mut program = Program::new();
    program.map(AT, 1, RW);
    // No table, one, another, and no page.
    for granted in [0, 1, 1] {
        machine.platform().fail_after(granted);
        assert_eq!(program.write(AT, 1), Err(FaultError::NoMemory));
        machine.platform().fail_never();
        assert_eq!((program.space.validate(), program.space.usage().resident), (Ok(()), 0));
    }
    _ = machine.platform().take_reports();
    // The processor has looked, and keeps the way.
    let access = HostUser.access(program.space.root(), VirtAddr::new(AT), mm::space::FaultAccess::Write);
    assert_eq!((access, program.space.usage().tables), (None, 3));
    program.unmap(AT, 1);
    assert_eq!(program.space.usage().tables, 1);
    crate::common::at_rest(*machine);
    drop(program);
    all_is_back(*machine, start);
}

#[test]
fn a_space_without_memory_for_its_root_is_none() {
    let machine = boot(24);
    machine.platform().fail_after(0);
    assert!(TestSpace::new(HostUser).is_err());
    machine.platform().fail_never();
    assert_eq!(machine.platform().take_reports().len(), 1);
}

#[test]
fn areas_without_memory_for_one_more_stay() {
    let machine = boot(24);
    let mut program = Program::new();
    let taken = exhaust_slabs(*machine);
    machine.platform().fail_after(0);
    let request = |at: usize| MapRequest {
        at: Place::Fixed(VirtAddr::new(at)),
        protection: R,
        ..MapRequest::anonymous(3 * 4096)
    };
    assert_eq!(program.space.map(request(AT)), Err(SpaceError::NoMemory));
    program.space.init_break(VirtAddr::new(AT));
    assert_eq!(program.space.set_break(Some(VirtAddr::new(AT + 1))), VirtAddr::new(AT));
    machine.platform().fail_never();
    assert_eq!((program.areas(), program.space.validate()), (vec![], Ok(())));
    taken.into_iter().for_each(|object| machine.kfree(object.as_ptr()).expect("ours"));
    // As many as there is room for; then the next one that needs a place of its own fails.
    let place = |nth: usize| AT + nth * 4 * 4096;
    program.map(place(0), 3, R);
    let taken = exhaust_slabs(*machine);
    machine.platform().fail_after(0);
    let last = (1..200).find(|&nth| program.space.map(request(place(nth))).is_err()).expect("room ends");
    let before = (program.areas(), program.space.usage());
    let first = VirtAddr::new(place(0) + 4096);
    let results = [
        program.space.unmap(first, 4096),
        program.space.protect(first, 4096, RW),
        program.space.map(request(place(last))).map(|_| ()),
    ];
    machine.platform().fail_never();
    assert!(results.contains(&Err(SpaceError::NoMemory)), "{results:?}");
    assert!(results.iter().all(|result| *result == Err(SpaceError::NoMemory)), "{results:?}");
    assert_eq!(((program.areas(), program.space.usage()), program.space.validate()), (before, Ok(())));
    taken.into_iter().for_each(|object| machine.kfree(object.as_ptr()).expect("ours"));
    assert_eq!(program.space.protect(first, 4096, Protection::empty()), Ok(()));
    assert_eq!(program.space.unmap(first, 4096), Ok(()));
    assert_eq!(program.space.validate(), Ok(()));
}

#[test]
fn there_are_no_more_areas_than_on_linux() {
    let machine = boot(64);
    let mut program = Program::new();
    let request = |nth: usize| {
        let at = Place::Fixed(VirtAddr::new(AT + nth * 8192));
        MapRequest { at, protection: R, ..MapRequest::anonymous(4096) }
    };
    let failed = (0..70_000).find(|&nth| program.space.map(request(nth)).is_err());
    assert_eq!(failed, Some(65_530));
    assert_eq!(program.space.protect(VirtAddr::new(AT), 4096, RW), Ok(()), "no area more");
    assert_eq!(program.space.unmap(VirtAddr::new(AT), 8192 * 30_000), Ok(()));
    assert_eq!(program.space.map(request(0)).map(|_| ()), Ok(()));
    assert_eq!(program.space.validate(), Ok(()));
    drop(program);
    assert_eq!(TestKernel::memory().platform().take_reports(), Vec::<String>::new());
    drop(machine);
}
