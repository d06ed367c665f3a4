//! The initial files: a tar archive that travels with the kernel. Read-only.
//!
//! A name that is longer than a header's field stands in a pax record ahead of its file. A directory is a member of its
//! own only if no file's name goes through it; its name then ends in a slash.

use alloc::sync::Arc;

use kapi::{Errno, IoBuf, OpenFlags};
use mm::GfpFlags;
use services::pax;
use spin::Once;
use tar_no_std::{PosixHeader, TarArchiveRef, TypeFlag};

use super::filesystem::{File, FileSystem, share};
use super::names::{self, Found};
use super::node::{Entries, Stat};
use crate::mm::{KString, KVec};
use crate::startup;

/// Bytes of a header, and what contents are padded to.
const BLOCK: usize = 512;

/// The file system at the root.
pub struct TarFs;

/// An initial file, or a directory that holds none.
struct Member {
    name: KString,
    data: &'static [u8],
}

/// Members in a run of them: a run is one piece of memory.
const RUN: usize = 1024;

/// All members, in runs.
static MEMBERS: Once<KVec<KVec<Member>>> = Once::new();

/// Reads the names in `archive`; `EINVAL` when it is no tar archive. An empty one has no files. A member that there is
/// no name or no memory for is left out.
pub fn init(archive: &'static [u8]) -> Result<(), Errno> {
    let mut members = KVec::new();
    for_each(archive, &mut |name, data| {
        let entered = enter(&mut members, name, data);
        startup::check(format_args!("the initial file {}", name.unwrap_or("whose name is not UTF-8")), entered);
    })?;
    MEMBERS.call_once(|| members);
    Ok(())
}

fn enter(runs: &mut KVec<KVec<Member>>, name: Option<&str>, data: &'static [u8]) -> Result<(), Errno> {
    let name = KString::from_str(name.ok_or(Errno::EINVAL)?, GfpFlags::KERNEL)?;
    if runs.last().is_none_or(|run| run.len() == RUN) {
        runs.push(KVec::new(), GfpFlags::KERNEL)?;
    }
    let run = runs.last_mut().ok_or(Errno::ENOMEM)?;
    Ok(run.push(Member { name, data }, GfpFlags::KERNEL)?)
}

/// A file of `archive`, by its name; for callers that need one before there is memory for a list.
pub fn member(archive: &'static [u8], name: &str) -> Option<&'static [u8]> {
    let mut found = None;
    let look = &mut |other: Option<&str>, data| found = found.or((other == Some(name)).then_some(data));
    for_each(archive, look).ok().and(found)
}

/// Calls `visit` with the name and the content of each member; without a name where it is not UTF-8.
fn for_each(archive: &'static [u8], visit: &mut dyn FnMut(Option<&str>, &'static [u8])) -> Result<(), Errno> {
    if archive.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    let reader = TarArchiveRef::new(archive).map_err(|_| Errno::EINVAL)?;
    // The regular files once more, with their names put together.
    let mut files = reader.entries();
    let mut long_name = None;
    for (block, header) in reader.headers() {
        match header.typeflag.try_to_type_flag() {
            Ok(TypeFlag::XHDTYPE) => long_name = pax::path(content(archive, block, header)),
            Ok(TypeFlag::REGTYPE | TypeFlag::AREGTYPE) => {
                let Some(file) = files.next() else { break };
                let name = file.filename();
                visit(long_name.take().or(name.as_str().ok()).map(plain), file.data());
            }
            Ok(TypeFlag::DIRTYPE) => {
                let name = header.name;
                visit(long_name.take().or(name.as_str().ok()).map(plain), &[]);
            }
            _ => long_name = None,
        }
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

fn files() -> impl Iterator<Item = (&'static str, &'static [u8])> + Clone {
    let members = MEMBERS.get().into_iter().flat_map(|runs| runs.iter()).flat_map(|run| run.iter());
    members.map(|member| (member.name.as_str(), member.data))
}

impl FileSystem for TarFs {
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        match names::find(path, files()) {
            Ok(found) => {
                let data = found.file()?;
                if flags.contains(OpenFlags::WRITE) { Err(Errno::EROFS) } else { Ok(share(TarFile(data))?) }
            }
            Err(Errno::ENOENT) if flags.contains(OpenFlags::CREATE) => Err(Errno::EROFS),
            Err(error) => Err(error),
        }
    }

    fn stat(&self, path: &str) -> Result<Stat, Errno> {
        Ok(match names::find(path, files())? {
            Found::File(data) => Stat::file(data.len() as u64),
            Found::Directory => Stat::DIRECTORY,
        })
    }

    fn readdir(&self, path: &str) -> Result<Entries, Errno> {
        names::list(path, files().map(|(name, data)| (name, Stat::file(data.len() as u64))))
    }

    fn unlink(&self, _path: &str) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }
}

/// An open initial file.
struct TarFile(&'static [u8]);

impl File for TarFile {
    fn stat(&self) -> Result<Stat, Errno> {
        Ok(Stat::file(self.0.len() as u64))
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(self.0.len());
        buf.put(&self.0[start..])
    }

    fn write(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Err(Errno::EROFS)
    }
}
