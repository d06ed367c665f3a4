//! The initial files: a tar archive that travels with the kernel. Its names go into the root.
//!
//! A name that is longer than a header's field stands in a pax record ahead of its file.

use alloc::sync::Arc;
use core::fmt;

use kapi::{Errno, IoBuf};
use mm::{GfpFlags, PAGE_SIZE, Pfn};
use services::pax;
use tar_no_std::{PosixHeader, TarArchiveRef, TypeFlag};
use vfs::Timestamp;

use super::content::Content;
use super::file::share;
use super::rootfs::{self, Member, What};
use crate::mm::space::{FaultAccess, ObjectError, PageSource};
use crate::mm::{UserPage, memory};
use crate::startup;

/// Bytes of a header, and what contents are padded to.
const BLOCK: usize = 512;

/// What a member is.
#[derive(Clone, Copy)]
enum Is<'a> {
    File(&'static [u8]),
    Directory,
    Link(&'a str),
    OtherName(&'a str),
}

/// Enters the files of `archive` into the root; `EINVAL` when it is no tar archive. An empty one has no files. A member
/// that there is no name or no memory for is left out.
pub fn init(archive: &'static [u8]) -> Result<(), Errno> {
    for_each(archive, &mut |name, header, is| {
        let entered = enter(name, header, is);
        startup::check(format_args!("the initial file {}", name.unwrap_or("whose name is not UTF-8")), entered);
    })
}

fn enter(name: Option<&str>, header: &PosixHeader, is: Is<'_>) -> Result<(), Errno> {
    let what = match is {
        Is::File(data) => What::File(share(InArchive(data))?),
        Is::Directory => What::Directory,
        Is::Link(text) => What::Link(text),
        Is::OtherName(of) => What::OtherName(of),
    };
    let mode = header.mode.to_flags().map_or(0o644, |flags| flags.bits() as u16);
    let seconds = header.mtime.as_number::<i64>().unwrap_or(0);
    rootfs::enter(name.ok_or(Errno::EINVAL)?, Member { mode, modified: Timestamp { seconds, nanos: 0 }, what })
}

/// A file of `archive`, by its name; for callers that need one before there is memory for a list.
pub fn member(archive: &'static [u8], name: &str) -> Option<&'static [u8]> {
    let mut found = None;
    let look = &mut |other: Option<&str>, _: &PosixHeader, is: Is<'_>| {
        if let Is::File(data) = is {
            found = found.or((other == Some(name)).then_some(data));
        }
    };
    for_each(archive, look).ok().and(found)
}

/// What is done with a member: its name, unless it is not UTF-8, its header, and what it is.
type Visit<'a> = &'a mut dyn FnMut(Option<&str>, &PosixHeader, Is<'_>);

fn for_each(archive: &'static [u8], visit: Visit<'_>) -> Result<(), Errno> {
    if archive.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    let reader = TarArchiveRef::new(archive).map_err(|_| Errno::EINVAL)?;
    // The regular files once more, with their names put together.
    let mut files = reader.entries();
    let mut long_name = None;
    for (block, header) in reader.headers() {
        let (name, link) = (&header.name, header.linkname.as_str().unwrap_or_default());
        let mut visit = |is| visit(long_name.or(name.as_str().ok()).map(plain), header, is);
        match header.typeflag.try_to_type_flag() {
            Ok(TypeFlag::XHDTYPE) => {
                long_name = pax::path(content(archive, block, header));
                continue;
            }
            Ok(TypeFlag::REGTYPE | TypeFlag::AREGTYPE) => {
                let Some(file) = files.next() else { break };
                visit(Is::File(file.data()));
            }
            Ok(TypeFlag::DIRTYPE) => visit(Is::Directory),
            Ok(TypeFlag::SYMTYPE) => visit(Is::Link(link)),
            Ok(TypeFlag::LINK) => visit(Is::OtherName(link)),
            _ => {}
        }
        long_name = None;
    }
    Ok(())
}

/// A name as paths are written here.
fn plain(name: &str) -> &str {
    name.trim_start_matches("./")
}

/// What lies behind the header at `block`.
fn content(archive: &'static [u8], block: usize, header: &PosixHeader) -> &'static [u8] {
    let size = header.size.as_number().unwrap_or(0);
    archive.get((block + 1) * BLOCK..).and_then(|rest| rest.get(..size)).unwrap_or(&[])
}

/// Pages into which bytes of the archive are copied.
struct Copied(&'static [u8]);

impl PageSource for Copied {
    fn page(&self, index: u64, _: FaultAccess) -> Result<Pfn, ObjectError> {
        let rest = usize::try_from(index).ok().and_then(|index| self.0.get(index.checked_mul(PAGE_SIZE)?..));
        let bytes = rest.filter(|rest| !rest.is_empty()).ok_or(ObjectError::Beyond)?;
        let bytes = &bytes[..bytes.len().min(PAGE_SIZE)];
        let mut page = UserPage::zeroed(GfpFlags::HIGHUSER).map_err(|_| ObjectError::NoMemory)?;
        page.show_mut(|page| page[..bytes.len()].copy_from_slice(bytes)).map_err(|_| ObjectError::NoMemory)?;
        let frame = page.frame();
        if memory().get_page(frame) { Ok(frame) } else { Err(ObjectError::NoMemory) }
    }

    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("(an initial file)")
    }
}

/// Bytes in the archive.
struct InArchive(&'static [u8]);

impl Content for InArchive {
    fn page_source(&self) -> Result<Arc<dyn PageSource>, Errno> {
        Ok(share(Copied(self.0))?)
    }

    fn size(&self) -> Result<u64, Errno> {
        Ok(self.0.len() as u64)
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(self.0.len());
        buf.put(&self.0[start..])
    }
}
