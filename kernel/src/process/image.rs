//! A program in memory: a new space with its segments, heap and stack.
//!
//! Key types: [`Image`]. The space is built completely before anybody goes by it, so that whatever fails leaves nothing
//! behind.

use core::ops::Range;

use kapi::Errno;
use loader::program::{Auxiliary, Placement, Program as ProgramFile, Rights, Segment, StartStack};
use mm::{PAGE_SIZE, VirtAddr};
use vfs::Credentials;

use super::arguments::StringList;
use super::executable::Executable;
use super::limits::{Limits, Resource};
use super::record::Program;
use crate::arch::cpu;
use crate::arch::layout::USER_END;
use crate::arch::trap_frame::TrapFrame;
use crate::mm::space::{
    FaultError, Growth, MapRequest, Mapped, Place, Protection, Role, SpaceError, UserSpace, new_space,
};
use crate::{random, time};

/// Where programs go that can lie anywhere: as on Linux, without what is random there.
const PROGRAM_BASE: u64 = 0x5555_5555_4000;
/// Bytes of the stack that are there from the start, beside what the program finds on it.
const STACK_ROOM: usize = 32 * PAGE_SIZE;

/// A program that is ready to run.
pub struct Image {
    /// Its memory.
    pub space: UserSpace,
    /// The registers that it begins with.
    pub frame: TrapFrame,
    /// What it is.
    pub program: Program,
}

/// How a program is called, and by whom.
pub struct Called<'a> {
    /// Its arguments.
    pub arguments: &'a StringList,
    /// Its environment.
    pub environment: &'a StringList,
    /// Whose it is.
    pub credentials: Credentials,
}

impl Image {
    /// The program of `executable`, `called` like this. May sleep.
    ///
    /// # Errors
    /// `ENOMEM`, `E2BIG`, `ENODEV` for a file that cannot be mapped, `EIO`.
    pub fn load(executable: &Executable, called: &Called<'_>, limits: &Limits) -> Result<Self, Errno> {
        let program = executable.program()?;
        let at = program.placement(PROGRAM_BASE).ok_or(Errno::ENOMEM)?;
        let mut space = new_space()?;
        space.set_limits(space_limits(limits));
        let source = Mapped(executable.file.page_source()?);
        program.segments().try_for_each(|segment| map_segment(&mut space, &source, &segment, at))?;
        space.init_break(address(at.place(program.end())));
        let stack_limit = limits.soft(Resource::Stack);
        let top = USER_END.as_usize() as u64;
        let stack = StartStack::new(
            top,
            stack_limit,
            called.arguments.strings(),
            called.environment.strings(),
            executable.path.as_bytes(),
            auxiliary(&program, at, &called.credentials),
        );
        let stack = stack.map_err(|_| Errno::E2BIG)?;
        map_stack(&mut space, &stack, executes(&program))?;
        let (first, end) = stack.arguments_at();
        let frame = TrapFrame::user(address(at.place(program.entry())), address(stack.pointer()));
        let program = Program { file: executable.file.clone(), arguments: range(first, end) };
        Ok(Self { space, frame, program })
    }
}

const fn address(number: u64) -> VirtAddr {
    VirtAddr::new(number as usize)
}

const fn range(start: u64, end: u64) -> Range<VirtAddr> {
    address(start)..address(end)
}

/// The limits that a space knows.
pub fn space_limits(limits: &Limits) -> crate::mm::space::Limits {
    let bytes = |resource| usize::try_from(limits.soft(resource)).unwrap_or(usize::MAX);
    crate::mm::space::Limits {
        address_space: bytes(Resource::AddressSpace),
        data: bytes(Resource::Data),
        stack: bytes(Resource::Stack),
    }
}

fn protection(rights: Rights) -> Protection {
    let mut protection = Protection::empty();
    protection.set(Protection::READ, rights.read);
    protection.set(Protection::WRITE, rights.write);
    protection.set(Protection::EXEC, rights.execute);
    protection
}

fn executes(program: &ProgramFile<'_>) -> Protection {
    if program.wants_executable_stack() { Protection::EXEC } else { Protection::empty() }
}

/// Maps the pages of the file, the zeros behind them, and clears what of the last page is not the segment's.
fn map_segment(space: &mut UserSpace, source: &Mapped, segment: &Segment, at: Placement) -> Result<(), Errno> {
    let placed = |own: &Range<u64>| Place::FixedNoReplace(address(at.place(own.start)));
    let bytes = |own: &Range<u64>| (own.end - own.start) as usize;
    let protection = protection(segment.rights);
    let file = segment.file_pages();
    if !file.is_empty() {
        let object = MapRequest::object(source.clone(), segment.first_file_page(), bytes(&file));
        map(space, MapRequest { at: placed(&file), protection, ..object })?;
    }
    let zeros = segment.zero_pages();
    if !zeros.is_empty() {
        map(space, MapRequest { at: placed(&zeros), protection, ..MapRequest::anonymous(bytes(&zeros)) })?;
    }
    let tail = segment.zero_tail();
    // What cannot be written has the file's bytes there, as on Linux.
    if !tail.is_empty() && segment.rights.write {
        space.zero(address(at.place(tail.start)), bytes(&tail)).map_err(fault_errno)?;
    }
    Ok(())
}

fn map(space: &mut UserSpace, request: MapRequest<Mapped>) -> Result<(), Errno> {
    space.map(request).map(drop).map_err(|error| match error {
        // Two segments in one place, or a place that is no program's.
        SpaceError::Exists | SpaceError::OutOfRange => Errno::ENOEXEC,
        _ => Errno::ENOMEM,
    })
}

const fn fault_errno(error: FaultError) -> Errno {
    match error {
        FaultError::NoMemory => Errno::ENOMEM,
        FaultError::Io | FaultError::Beyond => Errno::EIO,
        FaultError::NoArea | FaultError::NotAllowed => Errno::EFAULT,
    }
}

/// Maps the stack, as far as it is used from the start and some more, and writes what the program finds there.
fn map_stack(space: &mut UserSpace, stack: &StartStack<'_>, executable: Protection) -> Result<(), Errno> {
    let pointer = stack.pointer() as usize;
    let start = VirtAddr::new(pointer.saturating_sub(STACK_ROOM)).page_down();
    let bytes = USER_END.as_usize() - start.as_usize();
    map(
        space,
        MapRequest {
            at: Place::FixedNoReplace(start),
            protection: Protection::READ | Protection::WRITE | executable,
            growth: Growth::Down,
            role: Role::Stack,
            ..MapRequest::anonymous(bytes)
        },
    )?;
    let mut at = pointer;
    stack.write(|bytes| {
        let written = space.copy_in(VirtAddr::new(at), bytes).map_err(fault_errno);
        at += bytes.len();
        written
    })
}

fn auxiliary(program: &ProgramFile<'_>, at: Placement, who: &Credentials) -> Auxiliary {
    let mut random = [0; 16];
    random::fill(&mut random);
    Auxiliary {
        table_address: program.table_address().map_or(0, |own| at.place(own)),
        table_entry_bytes: program.table_entry_bytes(),
        table_count: program.table_count(),
        entry: at.place(program.entry()),
        capabilities: cpu::capabilities(),
        ticks_per_second: time::HZ,
        users: [who.user.real, who.user.effective],
        groups: [who.group.real, who.group.effective],
        random,
    }
}
