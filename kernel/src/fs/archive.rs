//! What a tar archive has, read from wherever it is.

use core::ops::ControlFlow;

use kapi::Errno;
use mm::own::Buffer;
use mm::{GfpFlags, Order};
use services::tar::{self, BadArchive, Member};

use super::source::Source;
use crate::mm::PageBlock;

/// Pages of the archive that are read at once: links and small files come many in a row.
const WINDOW: Order = Order::new(2).unwrap();

/// A part of a source that was read ahead.
struct Window<'a> {
    source: &'a dyn Source,
    block: PageBlock,
    start: u64,
    len: usize,
}

/// Calls `visit` with each member of the archive in `source`, in order. `EINVAL` for what is no archive, and for one
/// that is damaged, after what stands before the damage; `EIO`, `ENOMEM`.
pub fn for_each(source: &dyn Source, visit: &mut dyn FnMut(&Member<'_>)) -> Result<(), Errno> {
    let mut window = Window { source, block: PageBlock::new(WINDOW, GfpFlags::KERNEL)?, start: 0, len: 0 };
    let mut visit = |member: &Member<'_>| {
        visit(member);
        ControlFlow::Continue(())
    };
    tar::for_each(source.len(), &mut |at, into| Ok(window.read(at, into)?), &mut visit).map_err(Failure::errno)
}

/// The content of the file called `name` in an archive in memory; for callers that need it before there is memory for a
/// list. `None` if there is no such file.
pub fn find<'a>(archive: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    let read = &mut |at: u64, into: &mut [u8]| {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        into.copy_from_slice(archive.get(start..).and_then(|rest| rest.get(..into.len())).ok_or(BadArchive)?);
        Ok(())
    };
    let walked: Result<(), BadArchive> = tar::for_each(archive.len() as u64, read, &mut |member| {
        if member.name != Some(name) {
            return ControlFlow::Continue(());
        }
        found = archive.get(member.start as usize..).and_then(|rest| rest.get(..member.size as usize));
        ControlFlow::Break(())
    });
    walked.ok().and(found)
}

impl Window<'_> {
    /// Fills `into`, which is smaller than the window, from `at` on.
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Errno> {
        if at < self.start || at + into.len() as u64 > self.start + self.len as u64 {
            let left = usize::try_from(self.source.len().saturating_sub(at)).unwrap_or(usize::MAX);
            self.len = 0;
            let bytes = self.block.bytes_mut();
            let len = left.min(bytes.len());
            self.source.read(at, &mut bytes[..len])?;
            (self.start, self.len) = (at, len);
        }
        let offset = (at - self.start) as usize;
        let bytes = self.block.bytes().get(offset..).and_then(|rest| rest.get(..into.len())).ok_or(Errno::EIO)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

/// Why an archive could not be walked through.
enum Failure {
    Bad,
    Read(Errno),
}

impl Failure {
    const fn errno(self) -> Errno {
        match self {
            Self::Bad => Errno::EINVAL,
            Self::Read(error) => error,
        }
    }
}

impl From<BadArchive> for Failure {
    fn from(BadArchive: BadArchive) -> Self {
        Self::Bad
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::Read(error)
    }
}
