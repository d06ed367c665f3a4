//! Areas: where they come, how they are cut and joined, what they allow.

use mm::space::{FaultAccess, FaultError, Growth, MapRequest, Place, Protection, Resolved, Sharing, SpaceError};
use mm::testing::HostUser;
use mm::{PAGE_SIZE, VirtAddr};

use crate::common::boot;
use crate::program::{NONE, Program, R, RW, RX, TestObject};
use crate::{check, on_each_machine};

const AT: usize = 0x40_0000;

#[test]
fn memory_is_zeros_and_comes_when_it_is_used() {
    on_each_machine(|memory| {
        let mut program = Program::new();
        program.map(AT, 1000, RW);
        assert_eq!((program.space.usage().total, program.space.usage().resident), (1000, 0));
        assert_eq!(program.space.fault(VirtAddr::new(AT + 5), FaultAccess::Read), Ok(Resolved::Zeroed));
        assert_eq!(program.read(AT + 999 * 4096 + 4095), Ok(0));
        assert_eq!(program.write(AT + 5, 7), Ok(()));
        assert_eq!((program.read(AT + 5), program.read(AT + 6)), (Ok(7), Ok(0)));
        let usage = program.space.usage();
        assert_eq!((usage.resident, usage.anonymous, usage.file), (2, 2, 0));
        assert_eq!(memory.pages().anonymous_pages(), 2);
        check(&mut program);
    });
}

#[test]
fn what_was_let_go_of_comes_anew() {
    on_each_machine(|memory| {
        let (mut program, object) = (Program::new(), TestObject::new(2));
        program.map(AT, 4, RW);
        program.map_object(AT + 4 * 4096, (&object, 0), 2, (RW, Sharing::Private));
        object.write(4096, 9);
        (0..6).for_each(|page| program.write(AT + page * 4096, 7).expect("memory"));
        let mut child = program.fork();
        assert_eq!(program.space.discard(VirtAddr::new(AT + 4096), 5 * 4096), Ok(()));
        assert_eq!(program.space.usage().resident, 1);
        assert_eq!((program.read(AT), program.read(AT + 4096), program.read(AT + 5 * 4096)), (Ok(7), Ok(0), Ok(9)));
        assert_eq!((child.read(AT + 4096), child.read(AT + 5 * 4096)), (Ok(7), Ok(7)));
        assert_eq!(program.space.discard(VirtAddr::new(AT + 1), 4096), Err(SpaceError::Misaligned));
        assert_eq!(program.space.discard(VirtAddr::new(AT + 64 * 4096), 4096), Ok(()));
        [&mut program, &mut child].into_iter().for_each(check);
        drop((program, child));
        assert_eq!(memory.pages().anonymous_pages(), 0);
    });
}

#[test]
fn an_address_without_an_area_or_right_is_refused() {
    on_each_machine(|_| {
        let mut program = Program::new();
        program.map(AT, 1, R);
        program.map(AT + 4096, 1, NONE);
        program.map(AT + 2 * 4096, 1, RX);
        program.map(AT + 3 * 4096, 1, Protection::WRITE);
        assert_eq!(program.write(AT, 1), Err(FaultError::NotAllowed));
        assert_eq!(program.run(AT), Err(FaultError::NotAllowed));
        assert_eq!(program.read(AT + 4096), Err(FaultError::NotAllowed));
        assert_eq!((program.run(AT + 8192), program.read(AT + 8192)), (Ok(()), Ok(0)));
        assert_eq!(program.read(AT + 3 * 4096), Ok(0), "what may be written to may be read");
        for at in [0, 4096, AT - 1, AT + 4 * 4096, usize::MAX] {
            assert_eq!(program.read(at), Err(FaultError::NoArea), "{at:#x}");
        }
        check(&mut program);
    });
}

#[test]
fn neighbours_that_are_alike_are_one_area() {
    on_each_machine(|_| {
        let mut program = Program::new();
        program.map(AT, 2, RW);
        program.map(AT + 4 * 4096, 2, RW);
        assert_eq!(program.areas().len(), 2);
        program.map(AT + 2 * 4096, 2, RW);
        assert_eq!(program.areas(), [(AT, AT + 6 * 4096, RW)]);
        program.map(AT + 6 * 4096, 1, R);
        assert_eq!(program.areas().len(), 2);
        program.unmap(AT + 4096, 1);
        assert_eq!(
            program.areas(),
            [(AT, AT + 4096, RW), (AT + 2 * 4096, AT + 6 * 4096, RW), (AT + 6 * 4096, AT + 7 * 4096, R)]
        );
        check(&mut program);
        program.unmap(0x1000, 0x100_0000);
        assert_eq!((program.areas().len(), program.space.usage()), (0, Program::new().space.usage()));
        check(&mut program);
    });
}

#[test]
fn parts_of_an_object_are_one_area_where_they_follow() {
    on_each_machine(|_| {
        let (mut program, object) = (Program::new(), TestObject::new(8));
        let private = (R, Sharing::Private);
        program.map_object(AT, (&object, 0), 2, private);
        program.map_object(AT + 2 * 4096, (&object, 2), 2, private);
        assert_eq!((program.areas().len(), object.areas()), (1, 1));
        program.map_object(AT + 4 * 4096, (&object, 5), 2, private);
        assert_eq!((program.areas().len(), object.areas()), (2, 2));
        program.unmap(AT + 4096, 2);
        assert_eq!((program.areas().len(), object.areas()), (3, 3));
        let pages: Vec<u64> = program.space.areas().map(|area| area.object.expect("an object").1).collect();
        assert_eq!(pages, [0, 3, 5]);
        object.write(3 * 4096, 33);
        assert_eq!(program.read(AT + 3 * 4096), Ok(33));
        check(&mut program);
        drop(program);
        assert_eq!((object.areas(), object.users(3)), (0, 0));
    });
}

#[test]
fn a_place_is_found_below_the_last_one_or_where_it_is_asked_for() {
    on_each_machine(|_| {
        let mut program = Program::new();
        let anywhere = |pages: usize| MapRequest::anonymous(pages * 4096);
        let first = program.space.map(anywhere(3)).expect("room").as_usize();
        let second = program.space.map(MapRequest { protection: R, ..anywhere(2) }).expect("room").as_usize();
        assert_eq!(second + 2 * 4096, first, "each below the last");
        program.unmap(second, 1);
        let third = program.space.map(MapRequest { protection: RX, ..anywhere(1) }).expect("room").as_usize();
        assert_eq!(third, second, "the highest gap");
        let hint = |at: usize| MapRequest { at: Place::Hint(VirtAddr::new(at)), ..anywhere(2) };
        assert_eq!(program.space.map(hint(AT + 77)), Ok(VirtAddr::new(AT)));
        let beside = program.space.map(hint(AT)).expect("room").as_usize();
        assert!(beside != AT && beside < third, "taken: {beside:#x}");
        let free = |at: usize| MapRequest { at: Place::FixedNoReplace(VirtAddr::new(at)), ..anywhere(2) };
        assert_eq!(program.space.map(free(AT + 4096)), Err(SpaceError::Exists));
        assert_eq!(program.space.map(free(AT + 2 * 4096)), Ok(VirtAddr::new(AT + 2 * 4096)));
        let fixed = |at: usize| MapRequest { at: Place::Fixed(VirtAddr::new(at)), protection: RX, ..anywhere(2) };
        program.write(AT + 2 * 4096, 1).expect("memory");
        assert_eq!(program.space.map(fixed(AT + 4096)), Ok(VirtAddr::new(AT + 4096)));
        assert_eq!(program.read(AT + 2 * 4096), Ok(0), "another page");
        check(&mut program);
    });
}

#[test]
fn wrong_requests_change_nothing() {
    on_each_machine(|_| {
        let mut program = Program::new();
        program.map(AT, 4, RW);
        program.write(AT, 9).expect("memory");
        let before = (program.areas(), program.space.usage());
        let end = 1usize << 38;
        let at = |at: usize, bytes: usize| MapRequest {
            at: Place::Fixed(VirtAddr::new(at)),
            ..MapRequest::anonymous(bytes)
        };
        for (request, error) in [
            (at(AT, 0), SpaceError::Misaligned),
            (at(AT + 1, 4096), SpaceError::Misaligned),
            (at(0, 4096), SpaceError::OutOfRange),
            (at(end, 4096), SpaceError::OutOfRange),
            (at(end - 4096, 4097), SpaceError::OutOfRange),
            (at(usize::MAX & !4095, 4096), SpaceError::OutOfRange),
            (at(AT, usize::MAX), SpaceError::Misaligned),
            (at(AT, usize::MAX - 4096), SpaceError::OutOfRange),
            (MapRequest::anonymous(usize::MAX), SpaceError::Misaligned),
            (MapRequest::anonymous(usize::MAX - 4096), SpaceError::NoMemory),
            (MapRequest::anonymous(1 << 39), SpaceError::NoMemory),
            (MapRequest::anonymous(25 << 20), SpaceError::NoMemory),
            (MapRequest { sharing: Sharing::Shared, ..MapRequest::anonymous(4096) }, SpaceError::Unshareable),
        ] {
            assert_eq!(program.space.map(request.clone()), Err(error), "{:?} {:#x}", request.at, request.bytes);
        }
        for (at, bytes, error) in [
            (AT + 1, 4096, SpaceError::Misaligned),
            (AT, 0, SpaceError::Misaligned),
            (AT, usize::MAX, SpaceError::OutOfRange),
            (end, 4096, SpaceError::OutOfRange),
        ] {
            assert_eq!(program.space.unmap(VirtAddr::new(at), bytes), Err(error), "{at:#x}");
        }
        let protect =
            |program: &mut Program, at: usize, bytes: usize| program.space.protect(VirtAddr::new(at), bytes, R);
        assert_eq!(protect(&mut program, AT + 1, 4096), Err(SpaceError::Misaligned));
        assert_eq!(protect(&mut program, AT, 5 * 4096), Err(SpaceError::NotMapped));
        assert_eq!(protect(&mut program, AT - 4096, 2 * 4096), Err(SpaceError::NotMapped));
        assert_eq!(protect(&mut program, AT, 0), Ok(()));
        assert_eq!((program.areas(), program.space.usage()), before);
        assert_eq!(program.read(AT), Ok(9));
        check(&mut program);
    });
}

#[test]
fn rights_change_for_a_part_of_an_area_and_back() {
    on_each_machine(|_| {
        let mut program = Program::new();
        program.map(AT, 5, RW);
        (0..5).for_each(|page| program.write(AT + page * 4096, page as u8).expect("memory"));
        let protect = |program: &mut Program, protection| {
            program.space.protect(VirtAddr::new(AT + 4096), 3 * 4096, protection).expect("all mapped");
        };
        protect(&mut program, R);
        assert_eq!(program.areas().len(), 3);
        assert_eq!(program.write(AT + 4096, 1), Err(FaultError::NotAllowed));
        assert_eq!((program.write(AT, 10), program.write(AT + 4 * 4096, 14)), (Ok(()), Ok(())));
        check(&mut program);
        protect(&mut program, NONE);
        assert_eq!(program.read(AT + 2 * 4096), Err(FaultError::NotAllowed));
        assert_eq!(HostUser.access(program.space.root(), VirtAddr::new(AT + 2 * 4096), FaultAccess::Read), None);
        check(&mut program);
        protect(&mut program, RW);
        assert_eq!(program.areas(), [(AT, AT + 5 * 4096, RW)]);
        assert_eq!([0, 1, 2, 3, 4].map(|page| program.read(AT + page * 4096)), [10, 1, 2, 3, 14].map(Ok));
        assert_eq!(program.space.usage().resident, 5, "the pages have stayed");
        assert_eq!(program.write(AT + 2 * 4096, 22), Ok(()));
        check(&mut program);
    });
}

#[test]
fn an_area_gets_no_right_that_it_may_not_have() {
    on_each_machine(|_| {
        let (mut program, object) = (Program::new(), TestObject::new(1));
        let request = MapRequest::object(object.clone(), 0, 4096);
        let request = MapRequest { sharing: Sharing::Shared, most: RX, ..request };
        let at = program.space.map(request).expect("room");
        assert_eq!(program.space.protect(at, 4096, RW), Err(SpaceError::Denied));
        assert_eq!(program.space.protect(at, 4096, RX), Ok(()));
        assert_eq!(
            (program.read(at.as_usize()), program.write(at.as_usize(), 1)),
            (Ok(0), Err(FaultError::NotAllowed))
        );
        check(&mut program);
    });
}

#[test]
fn what_shows_an_object_cannot_grow() {
    on_each_machine(|_| {
        let (mut program, object) = (Program::new(), TestObject::new(4));
        for sharing in [Sharing::Shared, Sharing::Private] {
            let request = MapRequest::object(object.clone(), 2, 4096);
            let request = MapRequest { at: Place::Fixed(VirtAddr::new(AT)), sharing, growth: Growth::Down, ..request };
            assert_eq!(program.space.map(request), Err(SpaceError::Ungrowable));
        }
        check(&mut program);
    });
}

#[test]
fn tables_go_with_the_areas_that_they_map() {
    on_each_machine(|memory| {
        let (mut program, large) = (Program::new(), 1usize << 30);
        // Two in one table, one in its neighbour, one under another entry of the root.
        for at in [AT, AT + 8 * 4096, AT + (2 << 20), 3 * large] {
            program.map(at, 1, RW);
            program.write(at, 1).expect("memory");
        }
        let tables = |program: &Program| (program.space.usage().tables, memory.tables().count());
        let first = tables(&program);
        assert_eq!(first.0, 1 + 3 + 2);
        program.unmap(AT, 1);
        assert_eq!(tables(&program).0, 6, "another area is in that table");
        program.unmap(AT + 8 * 4096, 1);
        assert_eq!(tables(&program).0, 5);
        program.unmap(3 * large, 1);
        assert_eq!(tables(&program).0, 3);
        program.unmap(AT + (2 << 20), 1);
        assert_eq!(tables(&program), (1, first.1 - 5));
        check(&mut program);
    });
}

#[test]
fn a_range_of_many_tables_goes_at_once() {
    on_each_machine(|_| {
        let mut program = Program::new();
        program.map(AT, 512 * 5, RW);
        for page in (0..512 * 5).step_by(3) {
            program.write(AT + page * 4096, 1).expect("memory");
        }
        check(&mut program);
        program.unmap(AT + 4096, 512 * 5 - 2);
        let usage = program.space.usage();
        assert_eq!((usage.total, usage.resident), (2, 2));
        check(&mut program);
    });
}

#[test]
fn limits_hold_and_what_goes_does_not_count() {
    on_each_machine(|_| {
        let mut program = Program::new();
        let limits = program.space.limits();
        program.space.set_limits(mm::space::Limits { address_space: 10 * PAGE_SIZE + 1, ..limits });
        program.map(AT, 8, RW);
        assert_eq!(program.space.map(MapRequest::anonymous(3 * 4096)), Err(SpaceError::NoMemory));
        let at = Place::Fixed(VirtAddr::new(AT + 5 * 4096));
        assert_eq!(program.space.map(MapRequest { at, ..MapRequest::anonymous(5 * 4096) }).map(|_| ()), Ok(()));
        assert_eq!(program.space.usage().total, 10);
        program.unmap(AT, 5);
        assert_eq!(program.space.map(MapRequest::anonymous(5 * 4096)).map(|_| ()), Ok(()));
        check(&mut program);
    });
}

#[test]
fn areas_are_found_in_thousands_in_any_order() {
    let machine = boot(64);
    let mut program = Program::new();
    let mut rng = mm::testing::Rng::new(1);
    let mut places: Vec<usize> = (0..3000).map(|n| AT + n * 2 * 4096).collect();
    for n in (1..places.len()).rev() {
        places.swap(n, rng.below(n + 1));
    }
    places.iter().for_each(|&at| program.map(at, 1, if at % 3 == 0 { R } else { RW }));
    check(&mut program);
    assert_eq!(program.areas().len(), 3000);
    for (n, &at) in places.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
        program.unmap(at, 1);
        if n % 500 == 0 {
            check(&mut program);
        }
        assert!(program.space.area_at(VirtAddr::new(at)).is_none());
    }
    let found = places.iter().filter(|&&at| program.space.area_at(VirtAddr::new(at)).is_some()).count();
    assert_eq!((found, program.areas().len()), (1500, 1500));
    check(&mut program);
    drop(program);
    machine.drop_caches();
    crate::common::at_rest(*machine);
}
