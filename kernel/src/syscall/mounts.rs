//! File systems: what is told of them, how they come into the tree and go.

use abi::stat::Room;
use kapi::Errno;
use linux_raw_sys::general::{MNT_DETACH, MNT_FORCE, PROC_SUPER_MAGIC, TMPFS_MAGIC, UMOUNT_NOFOLLOW};
use mm::PAGE_SIZE;

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use super::path::Path;
use crate::fs::{self, Stat};
use crate::user;

pub(super) const CALLS: &[Entry] =
    calls![statfs(Path, Address), fstatfs(Fd, Address), mount(Path, Path, Path, Flags, Address), umount2(Path, Flags),];

/// Bytes of the longest name.
const NAME_MAX: u32 = 255;

fn statfs(call: &mut Call<'_>) -> Outcome {
    let stat = fs::stat(&call.place()?, call.path(0)?.as_str())?;
    tell(call, &stat)
}

fn fstatfs(call: &mut Call<'_>) -> Outcome {
    let stat = call.file(0)?.stat()?;
    tell(call, &stat)
}

/// Tells of the file system that the file is on.
fn tell(call: &Call<'_>, stat: &Stat) -> Outcome {
    user::copy_to(call.address(1), &room(fs::kind_of(stat.id)?).statfs())?;
    Ok(0)
}

/// What is known of file systems of this kind: those in memory share what they may hold.
fn room(kind: &str) -> Room {
    let empty = Room { magic: TMPFS_MAGIC.into(), name: NAME_MAX, ..Room::default() };
    match kind {
        "proc" => Room { magic: PROC_SUPER_MAGIC.into(), ..empty },
        "tmpfs" | "rootfs" => {
            let (used, limit) = fs::tmpfs::usage();
            let page = PAGE_SIZE as u64;
            let (pages, used) = (limit / page, used.div_ceil(page));
            let free_pages = pages.saturating_sub(used);
            Room { pages, free_pages, files: pages, free_files: free_pages, ..empty }
        }
        _ => empty,
    }
}

/// The type decides; the flags, and what else a type may be told, change nothing.
fn mount(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    let source = call.optional(0).map(Path::read).transpose()?;
    let path = call.path(1)?;
    let kind = call.optional(2).ok_or(Errno::EINVAL).and_then(Path::read)?;
    let source = source.as_ref().map_or("none", Path::as_str);
    fs::mount(&call.place()?, source, path.as_str(), kind.as_str())?;
    Ok(0)
}

fn umount2(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    if call.word(1) & !(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    fs::unmount(&call.place()?, call.path(0)?.as_str())?;
    Ok(0)
}
