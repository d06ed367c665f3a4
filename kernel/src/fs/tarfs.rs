//! The initial files: a tar archive that travels with the kernel. Read-only.

use alloc::sync::Arc;

use kapi::{Errno, IoBuf, OpenFlags};
use mm::GfpFlags;
use spin::Once;
use tar_no_std::TarArchiveRef;

use super::filesystem::{File, FileSystem, share};
use super::names::{self, Found};
use super::node::{Entries, Stat};
use crate::mm::{KString, KVec};

/// The file system at the root.
pub struct TarFs;

/// An initial file.
struct Member {
    name: KString,
    data: &'static [u8],
}

static MEMBERS: Once<KVec<Member>> = Once::new();

/// Reads the names in `archive`; `EINVAL` when it is no tar archive. An empty one has no files.
pub fn init(archive: &'static [u8]) -> Result<(), Errno> {
    let mut members = KVec::new();
    if !archive.is_empty() {
        let archive = TarArchiveRef::new(archive).map_err(|_| Errno::EINVAL)?;
        for entry in archive.entries() {
            let name = entry.filename();
            let name = name.as_str().map_err(|_| Errno::EINVAL)?.trim_start_matches("./");
            let name = KString::from_str(name, GfpFlags::KERNEL)?;
            members.push(Member { name, data: entry.data() }, GfpFlags::KERNEL)?;
        }
    }
    MEMBERS.call_once(|| members);
    Ok(())
}

/// A file of `archive`, by its name; for callers that need one before there is memory for a list.
pub fn member(archive: &'static [u8], name: &str) -> Option<&'static [u8]> {
    let archive = TarArchiveRef::new(archive).ok()?;
    let is_it = |found: &str| found.trim_start_matches("./") == name;
    archive.entries().find(|entry| entry.filename().as_str().is_ok_and(is_it)).map(|entry| entry.data())
}

fn files() -> impl Iterator<Item = (&'static str, &'static [u8])> + Clone {
    MEMBERS.get().into_iter().flat_map(|members| members.iter()).map(|member| (member.name.as_str(), member.data))
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
