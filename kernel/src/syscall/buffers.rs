//! Buffers of programs, and how bytes get from files into them and back.
//!
//! A file copies with faults off, so that no page is brought under its lock ([`user`]): where a page is
//! missing it stops. [`transfer`] brings the page, with no lock held, and has the file go on. A row of buffers
//! ([`Row`]) is one transfer like a single one: what a program writes by one call stays together.

use kapi::{Errno, IoBuf, UserMemory};
use linux_raw_sys::general::iovec;
use mm::{GfpFlags, PAGE_SIZE, VirtAddr};

use super::call::Outcome;
use crate::mm::KVec;
use crate::user::{self, FaultAccess, UserBytes};

/// Most bytes of a transfer: what is beyond is left for the next one, as on Linux.
const MAX_BYTES: usize = 0x7fff_f000;
/// Most buffers of a row.
const MAX_ROW: usize = 1024;
/// How far pages are brought ahead when one was missing.
const AHEAD: usize = 16 * PAGE_SIZE;

/// Memory of a program that says where it is.
pub(super) trait Located: UserMemory {
    /// Where the byte at `offset` is, and how many follow it there, with it; `None` behind the last one.
    fn locate(&self, offset: usize) -> Option<(VirtAddr, usize)>;
}

impl Located for UserBytes {
    fn locate(&self, offset: usize) -> Option<(VirtAddr, usize)> {
        (offset < self.len()).then(|| (self.byte(offset), self.len() - offset))
    }
}

/// One buffer; `EFAULT` when it is not in the program's half.
pub(super) fn buffer(at: VirtAddr, bytes: usize) -> Result<UserBytes, Errno> {
    UserBytes::new(at, bytes.min(MAX_BYTES))
}

/// A row of buffers.
pub(super) struct Row {
    buffers: KVec<UserBytes>,
    len: usize,
}

impl Row {
    /// The row of `count` buffers that the program describes at `at`. `EINVAL` for too many of them, or too many bytes;
    /// `EFAULT`, `ENOMEM`.
    pub(super) fn read(at: VirtAddr, count: usize) -> Result<Self, Errno> {
        if count > MAX_ROW {
            return Err(Errno::EINVAL);
        }
        let mut row = Self { buffers: KVec::with_capacity(count, GfpFlags::KERNEL)?, len: 0 };
        let mut described = 0usize;
        for index in 0..count {
            let mut bytes = [0; size_of::<iovec>()];
            let at = at.checked_add(index * bytes.len()).ok_or(Errno::EFAULT)?;
            user::copy_from(at, &mut bytes)?;
            let (base, len) = abi::record::pair(&bytes);
            described =
                described.checked_add(len as usize).filter(|sum| *sum <= isize::MAX as usize).ok_or(Errno::EINVAL)?;
            let buffer = UserBytes::new(VirtAddr::new(base as usize), (len as usize).min(MAX_BYTES - row.len))?;
            row.len += buffer.len();
            row.buffers.push(buffer, GfpFlags::KERNEL)?;
        }
        Ok(row)
    }

    /// Calls `step` for the parts of `count` bytes from `offset` on: a buffer, the offset in it, how much of `count`
    /// came before, and how much lies there. Ends where `step` does less than that; says how much was done.
    fn each(
        &self,
        offset: usize,
        count: usize,
        step: &mut dyn FnMut(&UserBytes, usize, usize, usize) -> usize,
    ) -> usize {
        let (mut before, mut done) = (offset, 0);
        for buffer in &self.buffers {
            let part = buffer.len().saturating_sub(before).min(count - done);
            if part > 0 {
                let stepped = step(buffer, before, done, part);
                done += stepped;
                if stepped < part || done == count {
                    break;
                }
            }
            before = before.saturating_sub(buffer.len());
        }
        done
    }
}

impl UserMemory for Row {
    fn len(&self) -> usize {
        self.len
    }

    fn write(&self, offset: usize, bytes: &[u8]) -> usize {
        self.each(offset, bytes.len(), &mut |buffer, at, from, count| buffer.write(at, &bytes[from..from + count]))
    }

    fn clear(&self, offset: usize, count: usize) -> usize {
        self.each(offset, count, &mut |buffer, at, _, count| buffer.clear(at, count))
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let count = bytes.len();
        self.each(offset, count, &mut |buffer, at, from, count| buffer.read(at, &mut bytes[from..from + count]))
    }
}

impl Located for Row {
    fn locate(&self, offset: usize) -> Option<(VirtAddr, usize)> {
        let mut before = offset;
        for buffer in &self.buffers {
            if before < buffer.len() {
                return buffer.locate(before);
            }
            before -= buffer.len();
        }
        None
    }
}

/// Fills `memory` from a file: `read` is a call of it. Returns the bytes that went through; the file's error, or
/// `EFAULT`, only if none did.
pub(super) fn fill(memory: &impl Located, read: impl FnMut(&mut IoBuf<'_>) -> Outcome) -> Outcome {
    transfer(IoBuf::fill_user(memory), memory, FaultAccess::Write, read)
}

/// Has a file take its bytes from `memory`; as [`fill`]. What lies in two pages is brought before, so that a file gets
/// what is one command as a whole.
pub(super) fn take(memory: &impl Located, write: impl FnMut(&mut IoBuf<'_>) -> Outcome) -> Outcome {
    if let Some((at, len)) = memory.locate(0)
        && at.page_down() != at.add(len - 1).page_down()
    {
        touch(at, len.min(AHEAD));
    }
    transfer(IoBuf::take_user(memory), memory, FaultAccess::Read, write)
}

/// Brings the pages of a range that can be read.
fn touch(at: VirtAddr, len: usize) {
    let last = at.add(len - 1).page_down().as_usize();
    let pages =
        (at.page_down().as_usize()..=last).step_by(PAGE_SIZE).map(|page| VirtAddr::new(page.max(at.as_usize())));
    for page in pages {
        if user::copy_from_some(page, &mut [0]) == 0 {
            return;
        }
    }
}

fn transfer(
    mut buf: IoBuf<'_>,
    memory: &impl Located,
    access: FaultAccess,
    mut call: impl FnMut(&mut IoBuf<'_>) -> Outcome,
) -> Outcome {
    loop {
        let outcome = buf.call(&mut call);
        if !buf.has_faulted() || !bring(memory, buf.done(), access) {
            return match outcome {
                Err(error) if buf.done() == 0 => Err(error),
                _ => Ok(buf.done()),
            };
        }
    }
}

/// Brings the page of the byte at `offset`, and those behind it; whether it is there now.
fn bring(memory: &impl Located, offset: usize, access: FaultAccess) -> bool {
    memory.locate(offset).is_some_and(|(at, len)| user::fault_in(at, len.min(AHEAD), access).is_ok())
}
