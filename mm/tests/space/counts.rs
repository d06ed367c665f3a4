//! References to pages: they are exact, and refuse to wrap.

use mm::space::{FaultError, Sharing};

use crate::common::{at_rest, blocks, boot};
use crate::program::{Program, R, RW, TestObject};
use crate::{all_is_back, check};

const AT: usize = 0x40_0000;

#[test]
fn a_page_may_have_255_children_and_more() {
    let machine = boot(64);
    machine.drop_caches();
    let before = blocks(*machine);
    let mut parent = Program::new();
    parent.map(AT, 2, RW);
    parent.write(AT, 1).expect("memory");
    let mut children: Vec<Program> = (0..300).map(|_| parent.fork()).collect();
    assert_eq!(machine.pages().anonymous_pages(), 1);
    for (nth, child) in children.iter_mut().enumerate().filter(|(nth, _)| nth % 2 == 0) {
        assert_eq!(child.read(AT), Ok(1));
        child.write(AT, nth as u8).expect("memory");
    }
    assert_eq!((parent.read(AT), machine.pages().anonymous_pages()), (Ok(1), 151));
    children.iter_mut().for_each(check);
    drop(children);
    assert_eq!((parent.write(AT, 2), machine.pages().anonymous_pages()), (Ok(()), 1));
    check(&mut parent);
    drop(parent);
    all_is_back(*machine, before);
}

#[test]
fn a_page_may_be_mapped_65536_times_and_more() {
    let machine = boot(64);
    let (object, pages) = (TestObject::endless(), 65_536 + 100);
    let mut program = Program::new();
    program.map_object(AT, (&object, 0), pages, (R, Sharing::Shared));
    // An area each: their pages of the object do not follow one another.
    let apart = |nth: usize| AT + (pages + nth) * 4096;
    (0..500).for_each(|nth| program.map_object(apart(nth), (&object, 0), 1, (R, Sharing::Shared)));
    let places = (0..pages).map(|page| AT + page * 4096).chain((0..500).map(apart));
    places.for_each(|at| assert_eq!(program.read(at), Ok(0)));
    assert_eq!((object.users(0) as usize, program.areas().len()), (pages + 500, 501));
    let child = program.fork();
    assert_eq!((object.users(0) as usize, object.areas()), (2 * (pages + 500), 2 * 501));
    check(&mut program);
    drop((program, child));
    assert_eq!((object.users(0), object.areas()), (0, 0));
    drop(object);
    machine.drop_caches();
    at_rest(*machine);
}

#[test]
fn a_page_with_as_many_references_as_can_be_counted_is_refused() {
    let machine = boot(24);
    let (mut parent, object) = (Program::new(), TestObject::new(1));
    parent.map_object(AT, (&object, 0), 1, (R, Sharing::Private));
    parent.map(AT + 4096, 70, RW);
    (1..71).for_each(|page| parent.write(AT + page * 4096, 1).expect("memory"));
    assert_eq!(parent.read(AT), Ok(0));
    machine.drop_caches();
    let before = blocks(*machine);
    object.saturate(0);
    assert!(parent.space.fork().is_err());
    let mut other = Program::new();
    other.map_object(AT, (&object, 0), 1, (R, Sharing::Private));
    assert_eq!(other.read(AT), Err(FaultError::NoMemory));
    drop(other);
    object.relax(0);
    machine.drop_caches();
    assert_eq!((object.users(0), blocks(*machine)), (1, before));
    let mut child = parent.space.fork().map(|space| Program { space }).expect("it can be counted again");
    assert_eq!((child.read(AT + 4096), parent.write(AT + 4096, 2), child.read(AT + 4096)), (Ok(1), Ok(()), Ok(1)));
    check(&mut parent);
    check(&mut child);
    drop((parent, child, object));
    machine.drop_caches();
    at_rest(*machine);
}
