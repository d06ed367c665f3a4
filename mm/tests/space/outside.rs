//! The memory of a space from outside, as the loader of programs writes it.

use mm::VirtAddr;
use mm::space::{FaultError, Sharing};

use crate::program::{Program, R, RW, TestObject};
use crate::{check, on_each_machine};

const AT: usize = 0x40_0000;

#[test]
fn bytes_are_written_and_read_across_pages() {
    on_each_machine(|_| {
        let mut program = Program::new();
        program.map(AT, 4, RW);
        let bytes: Vec<u8> = (0..9000).map(|n| (n * 7 % 251) as u8).collect();
        assert_eq!(program.space.copy_in(VirtAddr::new(AT + 4000), &bytes), Ok(()));
        assert_eq!(
            (program.read(AT + 3999), program.read(AT + 4000), program.read(AT + 8500)),
            (Ok(0), Ok(0), Ok(bytes[4500]))
        );
        let mut back = vec![0; 9002];
        assert_eq!(program.space.copy_out(VirtAddr::new(AT + 3999), &mut back), Ok(()));
        assert_eq!((back[0], &back[1..9001], back[9001]), (0, &bytes[..], 0));
        assert_eq!(program.space.zero(VirtAddr::new(AT + 4090), 100), Ok(()));
        assert_eq!(program.space.copy_out(VirtAddr::new(AT + 4000), &mut back), Ok(()));
        assert!(back[..90] == bytes[..90] && back[90..190] == [0; 100] && back[190..9000] == bytes[190..]);
        check(&mut program);
    });
}

#[test]
fn what_the_program_may_not_do_is_refused() {
    on_each_machine(|_| {
        let mut program = Program::new();
        program.map(AT, 1, RW);
        program.map(AT + 4096, 1, R);
        assert_eq!(program.space.copy_in(VirtAddr::new(AT + 4094), &[1, 2, 3]), Err(FaultError::NotAllowed));
        assert_eq!((program.read(AT + 4095), program.read(AT + 4096)), (Ok(2), Ok(0)), "what lay before was written");
        assert_eq!(program.space.zero(VirtAddr::new(AT + 8000), 1000), Err(FaultError::NotAllowed));
        assert_eq!(program.space.copy_out(VirtAddr::new(AT + 8000), &mut [0; 1000]), Err(FaultError::NoArea));
        assert_eq!(program.space.copy_out(VirtAddr::new(usize::MAX), &mut [0; 2]), Err(FaultError::NoArea));
        assert_eq!(program.space.copy_in(VirtAddr::new(1 << 50), &[]), Ok(()), "nothing, nowhere");
        check(&mut program);
    });
}

#[test]
fn a_child_does_not_see_what_is_written_to_its_parent() {
    on_each_machine(|_| {
        let (mut parent, object) = (Program::new(), TestObject::new(1));
        parent.map(AT, 1, RW);
        parent.map_object(AT + 4096, (&object, 0), 1, (RW, Sharing::Private));
        assert_eq!(parent.space.copy_in(VirtAddr::new(AT), b"before"), Ok(()));
        let mut child = parent.fork();
        assert_eq!(parent.space.copy_in(VirtAddr::new(AT), b"after!"), Ok(()));
        assert_eq!(parent.space.zero(VirtAddr::new(AT + 4096), 1), Ok(()));
        let mut bytes = [0; 6];
        assert_eq!(child.space.copy_out(VirtAddr::new(AT), &mut bytes), Ok(()));
        assert_eq!((&bytes, object.users(0)), (b"before", 0));
        check(&mut parent);
        check(&mut child);
    });
}
