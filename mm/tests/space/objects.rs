//! Objects mapped: files, devices, memory that processes share.

use mm::space::{FaultAccess, FaultError, Resolved, Sharing};
use mm::{PAGE_SIZE, VirtAddr};

use crate::program::{Program, R, RW, TestObject};
use crate::{check, on_each_machine};

const AT: usize = 0x40_0000;
const SHARED: (mm::space::Protection, Sharing) = (RW, Sharing::Shared);

#[test]
fn all_see_what_is_written_to_a_shared_object() {
    on_each_machine(|_| {
        let (mut first, mut second, object) = (Program::new(), Program::new(), TestObject::new(2));
        first.map_object(AT, (&object, 0), 2, SHARED);
        second.map_object(AT + 7 * 4096, (&object, 1), 1, SHARED);
        let mut child = first.fork();
        first.write(AT + 4096, 5).expect("memory");
        assert_eq!((child.read(AT + 4096), second.read(AT + 7 * 4096), object.read(4096)), (Ok(5), Ok(5), 5));
        child.write(AT + 4096, 6).expect("memory");
        assert_eq!((first.read(AT + 4096), second.read(AT + 7 * 4096)), (Ok(6), Ok(6)));
        object.write(4097, 7);
        assert_eq!(first.read(AT + 4097), Ok(7));
        [&mut first, &mut second, &mut child].into_iter().for_each(check);
        drop((first, second, child));
        assert_eq!((object.areas(), object.users(1)), (0, 0));
    });
}

#[test]
fn an_object_is_asked_before_a_page_is_first_written_to() {
    on_each_machine(|_| {
        let (mut program, object) = (Program::new(), TestObject::new(1));
        program.map_object(AT, (&object, 0), 1, SHARED);
        let fault = |program: &mut Program, access| program.space.fault(VirtAddr::new(AT), access);
        assert_eq!(fault(&mut program, FaultAccess::Read), Ok(Resolved::Object));
        assert_eq!((object.writes(), object.users(0)), (0, 1));
        assert_eq!(fault(&mut program, FaultAccess::Write), Ok(Resolved::Object));
        assert_eq!((object.writes(), object.users(0)), (1, 1));
        assert_eq!(fault(&mut program, FaultAccess::Write), Ok(Resolved::Already));
        check(&mut program);
    });
}

#[test]
fn beyond_the_end_there_is_nothing() {
    on_each_machine(|_| {
        let (mut program, object) = (Program::new(), TestObject::new(2));
        for (at, sharing) in [(AT, Sharing::Shared), (AT + 16 * PAGE_SIZE, Sharing::Private)] {
            program.map_object(at, (&object, 1), 2, (RW, sharing));
            assert_eq!(program.read(at), Ok(0));
            assert_eq!(program.read(at + 4096), Err(FaultError::Beyond));
            assert_eq!(program.write(at + 4096, 1), Err(FaultError::Beyond));
        }
        program.map_object(AT + 32 * PAGE_SIZE, (&object, u64::MAX), 2, (R, Sharing::Private));
        assert_eq!(program.read(AT + 32 * PAGE_SIZE), Err(FaultError::Beyond));
        assert_eq!(program.read(AT + 33 * PAGE_SIZE), Ok(0), "pages count in a circle");
        object.set_broken(true);
        program.unmap(AT, 1);
        program.map_object(AT, (&object, 0), 1, SHARED);
        assert_eq!(program.read(AT), Err(FaultError::Io));
        object.set_broken(false);
        assert_eq!(program.read(AT), Ok(0));
        check(&mut program);
    });
}
