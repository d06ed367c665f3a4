//! Fork: what one writes the other does not see.
//! The last owner writes without a copy.

use mm::VirtAddr;
use mm::space::{FaultAccess, FaultError, Resolved, Sharing};

use crate::program::{NONE, Program, R, RW, TestObject};
use crate::{check, on_each_machine};

const AT: usize = 0x40_0000;

fn check_both(parent: &mut Program, child: &mut Program) {
    check(parent);
    check(child);
}

#[test]
fn parent_and_child_share_until_one_writes() {
    on_each_machine(|memory| {
        let mut parent = Program::new();
        parent.map(AT, 3, RW);
        (0..2).for_each(|page| parent.write(AT + page * 4096, 10 + page as u8).expect("memory"));
        let mut child = parent.fork();
        assert_eq!(memory.pages().anonymous_pages(), 2, "nothing was copied");
        check_both(&mut parent, &mut child);
        assert_eq!((parent.read(AT), child.read(AT)), (Ok(10), Ok(10)));
        parent.write(AT, 20).expect("memory");
        child.write(AT + 4096, 31).expect("memory");
        assert_eq!((parent.read(AT), child.read(AT)), (Ok(20), Ok(10)));
        assert_eq!((parent.read(AT + 4096), child.read(AT + 4096)), (Ok(11), Ok(31)));
        child.write(AT + 2 * 4096, 42).expect("memory");
        assert_eq!(parent.read(AT + 2 * 4096), Ok(0), "a page that came later");
        check_both(&mut parent, &mut child);
        drop(parent);
        assert_eq!([0, 1, 2].map(|page| child.read(AT + page * 4096)), [10, 31, 42].map(Ok));
        check(&mut child);
    });
}

#[test]
fn the_last_owner_writes_without_a_copy() {
    on_each_machine(|_| {
        let mut parent = Program::new();
        parent.map(AT, 1, RW);
        parent.write(AT, 1).expect("memory");
        let mut child = parent.fork();
        let fault = |program: &mut Program| program.space.fault(VirtAddr::new(AT), FaultAccess::Write);
        assert_eq!(fault(&mut child), Ok(Resolved::Copied));
        assert_eq!(fault(&mut parent), Ok(Resolved::Reused));
        assert_eq!(fault(&mut parent), Ok(Resolved::Already));
        let child = parent.fork();
        drop(child);
        assert_eq!(fault(&mut parent), Ok(Resolved::Reused));
        check(&mut parent);
    });
}

#[test]
fn a_forked_page_gets_no_write_right_by_mprotect() {
    on_each_machine(|_| {
        let mut parent = Program::new();
        parent.map(AT, 1, RW);
        parent.write(AT, 1).expect("memory");
        let mut child = parent.fork();
        for protection in [R, RW, NONE, RW] {
            parent.space.protect(VirtAddr::new(AT), 4096, protection).expect("mapped");
            check_both(&mut parent, &mut child);
        }
        parent.write(AT, 2).expect("memory");
        assert_eq!((parent.read(AT), child.read(AT)), (Ok(2), Ok(1)));
        check_both(&mut parent, &mut child);
    });
}

#[test]
fn what_allows_nothing_is_forked_too() {
    on_each_machine(|_| {
        let mut parent = Program::new();
        parent.map(AT, 2, RW);
        parent.write(AT, 5).expect("memory");
        parent.space.protect(VirtAddr::new(AT), 4096, NONE).expect("mapped");
        let mut child = parent.fork();
        assert_eq!(child.read(AT), Err(FaultError::NotAllowed));
        for program in [&mut parent, &mut child] {
            program.space.protect(VirtAddr::new(AT), 4096, RW).expect("mapped");
        }
        child.write(AT, 6).expect("memory");
        assert_eq!((parent.read(AT), child.read(AT)), (Ok(5), Ok(6)));
        check_both(&mut parent, &mut child);
    });
}

#[test]
fn a_child_of_a_child_and_its_parents_keep_their_own() {
    on_each_machine(|_| {
        let mut family = vec![Program::new()];
        family[0].map(AT, 600, RW);
        (0..600).for_each(|page| family[0].write(AT + page * 4096, 1).expect("memory"));
        for generation in 1..6 {
            let child = family[generation - 1].fork();
            family.push(child);
            for page in (0..600).step_by(generation + 1) {
                family[generation].write(AT + page * 4096, generation as u8 + 1).expect("memory");
            }
        }
        for (generation, program) in family.iter_mut().enumerate() {
            for page in 0..600 {
                let last = (0..=generation).rev().find(|&writer| page % (writer + 1) == 0).expect("the first");
                assert_eq!(program.read(AT + page * 4096), Ok(last as u8 + 1), "{generation}, {page}");
            }
            check(program);
        }
        // In an order of their own.
        for at in [2, 0, 3, 1, 0, 0] {
            family.remove(at);
            family.iter_mut().for_each(check);
        }
    });
}

#[test]
fn private_pages_of_an_object_are_copied_for_who_writes() {
    on_each_machine(|memory| {
        let (mut parent, object) = (Program::new(), TestObject::new(3));
        object.write(0, 1);
        object.write(4096, 2);
        parent.map_object(AT, (&object, 0), 3, (RW, Sharing::Private));
        assert_eq!((parent.read(AT), parent.read(AT + 4096)), (Ok(1), Ok(2)));
        let mut child = parent.fork();
        assert_eq!((object.areas(), object.users(0)), (2, 2));
        parent.write(AT, 11).expect("memory");
        parent.write(AT + 2 * 4096, 13).expect("memory");
        object.write(4096, 22);
        assert_eq!((parent.read(AT), child.read(AT), object.read(0)), (Ok(11), Ok(1), 1));
        assert_eq!((parent.read(AT + 4096), child.read(AT + 4096)), (Ok(22), Ok(22)));
        assert_eq!((parent.read(AT + 8192), child.read(AT + 8192)), (Ok(13), Ok(0)));
        let usage = parent.space.usage();
        assert_eq!((usage.anonymous, usage.file, memory.pages().anonymous_pages()), (2, 1, 2));
        assert_eq!(object.writes(), 0, "nobody writes to the object");
        check_both(&mut parent, &mut child);
        drop((parent, child));
        assert_eq!((object.areas(), object.users(0), object.users(1)), (0, 0, 0));
    });
}
