//! Files that can be run: programs, and scripts that name a program.

use kapi::{Errno, IoBuf};
use loader::program::{HEADER_BYTES, Header, Program, ProgramRefusal, SCRIPT_BYTES, Script};
use mm::GfpFlags;

use super::arguments::{Room, StringList};
use crate::arch::layout::USER_END;
use crate::fs::{self, OpenFile, Place};
use crate::klog;
use crate::mm::{KString, KVec};

/// Scripts that run scripts, at most.
const MAX_SCRIPTS: usize = 4;

/// A program that was found and read, and whose file nothing else is known of yet than where its segments go.
pub struct Executable {
    /// The program's file.
    pub file: OpenFile,
    /// The path that it was found by: of a script the program that runs it.
    pub path: KString,
    header: Header,
    /// The file's table of segments.
    table: KVec<u8>,
    file_bytes: u64,
}

impl Executable {
    /// Finds the program that runs the file at `path`: itself, or what the first line of a script names. Then
    /// `arguments` become those of that program.
    ///
    /// # Errors
    /// Those of the path; `EACCES` for what may not be run, `ENOEXEC` for what cannot, `ENOENT` for a program that
    /// wants a dynamic linker, `ELOOP` for scripts of scripts, `E2BIG`, `ENOMEM`.
    pub fn find(place: &Place, path: &str, arguments: &mut StringList, room: &mut Room) -> Result<Self, Errno> {
        let mut path = KString::from_str(path, GfpFlags::KERNEL)?;
        for _ in 0..=MAX_SCRIPTS {
            let file = fs::open_program(place, &path)?;
            let mut start = [0; SCRIPT_BYTES];
            let len = read_at(&file, 0, &mut start)?;
            let start = &start[..len];
            if !Script::is_one(start) {
                return Self::read(file, path, start);
            }
            let script = Script::parse(start).ok_or(Errno::ENOEXEC)?;
            let interpreter = core::str::from_utf8(script.interpreter).map_err(|_| Errno::ENOENT)?;
            *arguments = called_by(&script, &path, arguments, room)?;
            path = KString::from_str(interpreter, GfpFlags::KERNEL)?;
        }
        Err(Errno::ELOOP)
    }

    fn read(file: OpenFile, path: KString, start: &[u8]) -> Result<Self, Errno> {
        let file_bytes = file.stat()?.size;
        let header = Header::parse(&start[..start.len().min(HEADER_BYTES)], file_bytes).map_err(|_| Errno::ENOEXEC)?;
        let range = header.table();
        let mut table = KVec::new();
        table.resize((range.end - range.start) as usize, 0, GfpFlags::KERNEL)?;
        let len = read_at(&file, range.start, &mut table)?;
        table.truncate(len);
        let executable = Self { file, path, header, table, file_bytes };
        executable.program()?;
        Ok(executable)
    }

    /// What of the program goes where.
    pub fn program(&self) -> Result<Program<'_>, Errno> {
        let limit = USER_END.as_usize() as u64;
        Program::parse(self.header, &self.table, self.file_bytes, limit).map_err(|refusal| {
            klog!("exec: {}: {refusal}", self.path.as_str());
            // What Linux says whose dynamic linker is missing; a shell would take ENOEXEC for a script.
            if refusal == ProgramRefusal::Dynamic { Errno::ENOENT } else { Errno::ENOEXEC }
        })
    }
}

/// The arguments of the program that runs a script: its own path, what the script's first line adds, the script, and
/// what the script was called with.
fn called_by(script: &Script<'_>, path: &str, given: &StringList, room: &mut Room) -> Result<StringList, Errno> {
    let mut arguments = StringList::new()?;
    arguments.push(script.interpreter, room)?;
    if let Some(argument) = script.argument {
        arguments.push(argument, room)?;
    }
    arguments.push(path.as_bytes(), room)?;
    arguments.push_rest(given, room)?;
    Ok(arguments)
}

/// Reads as many bytes as `bytes` takes, or as the file has.
fn read_at(file: &OpenFile, position: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
    let mut buf = IoBuf::fill(bytes);
    loop {
        let at = position + buf.done() as u64;
        if buf.remaining() == 0 || file.read_at(at, &mut buf)? == 0 {
            return Ok(buf.done());
        }
    }
}
