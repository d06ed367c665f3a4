//! Modules of the kernel's, from files and from memory of programs.

use kapi::{Errno, IoBuf, Param};
use mm::{GfpFlags, VirtAddr};
use services::module_line;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::fs::OpenFile;
use crate::mm::KVVec;
use crate::modules;
use crate::user;

pub(super) const CALLS: &[Entry] =
    calls![init_module(Address, Count, Address), finit_module(Fd, Address, Flags), delete_module(Address, Flags),];

/// Bytes of the longest line of parameters.
const MAX_LINE: usize = 1024;
/// Most parameters of a module.
const MAX_PARAMS: usize = 16;
/// Bytes of the longest name.
const MAX_NAME: usize = 56;
/// How much of a file is read at once.
const CHUNK: usize = 64 << 10;

fn init_module(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    let mut bytes = KVVec::new();
    make_room(&mut bytes, call.arg(1))?;
    user::copy_from(call.address(0), &mut bytes)?;
    attach(&bytes, call.address(2))
}

fn finit_module(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    if call.word(2) != 0 {
        return Err(Errno::EINVAL);
    }
    let bytes = content(&call.file(0)?)?;
    attach(&bytes, call.address(1))
}

/// All of a file, from its start on.
fn content(file: &OpenFile) -> Result<KVVec<u8>, Errno> {
    let mut bytes = KVVec::new();
    loop {
        let done = bytes.len();
        make_room(&mut bytes, done + CHUNK)?;
        let read = file.read_at(done as u64, &mut IoBuf::fill(&mut bytes[done..]))?;
        bytes.truncate(done + read);
        if read == 0 {
            return Ok(bytes);
        }
    }
}

/// `EFBIG` beyond what a module may have.
fn make_room(bytes: &mut KVVec<u8>, len: usize) -> Result<(), Errno> {
    if len > modules::MAX_BYTES + CHUNK {
        return Err(Errno::EFBIG);
    }
    Ok(bytes.resize(len, 0, GfpFlags::KERNEL)?)
}

fn attach(bytes: &[u8], line: VirtAddr) -> Outcome {
    let mut text = [0; MAX_LINE];
    let line = user::read_string(line, &mut text).map_err(|error| match error {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        other => other,
    })?;
    let line = core::str::from_utf8(line).map_err(|_| Errno::EINVAL)?;
    let mut params = [Param { name: "", value: "" }; MAX_PARAMS];
    let mut count = 0;
    for (name, value) in module_line::parameters(line) {
        *params.get_mut(count).ok_or(Errno::E2BIG)? = Param { name, value };
        count += 1;
    }
    modules::init_module(bytes, &params[..count])?;
    Ok(0)
}

fn delete_module(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    let mut bytes = [0; MAX_NAME];
    let name = user::read_string(call.address(0), &mut bytes)?;
    let name = core::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
    match modules::rmmod(name) {
        Ok(()) => Ok(0),
        // As programs know it: not now.
        Err(Errno::EBUSY) => Err(Errno::EAGAIN),
        Err(error) => Err(error),
    }
}
