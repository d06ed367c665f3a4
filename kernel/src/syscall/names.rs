//! Names: made, removed, changed, listed.

use abi::device;
use abi::dirent::{Dirent, Dirents};
use kapi::{Errno, Whence};
use linux_raw_sys::general::{
    AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG, RENAME_NOREPLACE,
    S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK,
};
use mm::GfpFlags;

use super::call::{Call, Outcome, result};
use super::entry::{Entry, calls};
use super::path::Path;
use crate::fs::{self, Follow, Kind, Make, Place, Replace};
use crate::mm::KVec;
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    mkdir(Path, Mode),
    mkdirat(Fd, Path, Mode),
    rmdir(Path),
    unlink(Path),
    unlinkat(Fd, Path, Flags),
    rename(Path, Path),
    renameat(Fd, Path, Fd, Path),
    renameat2(Fd, Path, Fd, Path, Flags),
    link(Path, Path),
    linkat(Fd, Path, Fd, Path, Flags),
    symlink(Path, Path),
    symlinkat(Path, Fd, Path),
    readlink(Path, Address, Count),
    readlinkat(Fd, Path, Address, Count),
    mknod(Path, Mode, Flags),
    mknodat(Fd, Path, Mode, Flags),
    getdents64(Fd, Address, Count),
];

fn mkdir(call: &mut Call<'_>) -> Outcome {
    fs::mkdir(&call.place()?, call.path(0)?.as_str(), call.word(1) as u16)?;
    Ok(0)
}

fn mkdirat(call: &mut Call<'_>) -> Outcome {
    let path = call.path(1)?;
    fs::mkdir(&call.place_at(0, &path)?, path.as_str(), call.word(2) as u16)?;
    Ok(0)
}

fn rmdir(call: &mut Call<'_>) -> Outcome {
    fs::rmdir(&call.place()?, call.path(0)?.as_str())?;
    Ok(0)
}

fn unlink(call: &mut Call<'_>) -> Outcome {
    fs::unlink(&call.place()?, call.path(0)?.as_str())?;
    Ok(0)
}

fn unlinkat(call: &mut Call<'_>) -> Outcome {
    let path = call.path(1)?;
    let place = call.place_at(0, &path)?;
    match call.word(2) {
        0 => fs::unlink(&place, path.as_str())?,
        AT_REMOVEDIR => fs::rmdir(&place, path.as_str())?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn rename(call: &mut Call<'_>) -> Outcome {
    let (from, to, place) = (call.path(0)?, call.path(1)?, call.place()?);
    fs::rename(&place, from.as_str(), &place, to.as_str(), Replace::Yes)?;
    Ok(0)
}

fn renameat(call: &mut Call<'_>) -> Outcome {
    rename_between(call, Replace::Yes)
}

fn renameat2(call: &mut Call<'_>) -> Outcome {
    match call.word(4) {
        0 => rename_between(call, Replace::Yes),
        RENAME_NOREPLACE => rename_between(call, Replace::No),
        _ => Err(Errno::EINVAL),
    }
}

fn rename_between(call: &Call<'_>, replace: Replace) -> Outcome {
    let (from, to) = (call.path(1)?, call.path(3)?);
    let (old, new) = (call.place_at(0, &from)?, call.place_at(2, &to)?);
    fs::rename(&old, from.as_str(), &new, to.as_str(), replace)?;
    Ok(0)
}

fn link(call: &mut Call<'_>) -> Outcome {
    let (from, to, place) = (call.path(0)?, call.path(1)?, call.place()?);
    fs::link(&place, from.as_str(), Follow::No, &place, to.as_str())?;
    Ok(0)
}

fn linkat(call: &mut Call<'_>) -> Outcome {
    let (from, to, flags) = (call.path_or_empty(1)?, call.path(3)?, call.word(4));
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let new = call.place_at(2, &to)?;
    if from.is_empty() {
        if flags & AT_EMPTY_PATH == 0 {
            return Err(Errno::ENOENT);
        }
        let file = call.file(0)?;
        fs::link_node(file.node().ok_or(Errno::EXDEV)?, &new, to.as_str())?;
        return Ok(0);
    }
    let follow = if flags & AT_SYMLINK_FOLLOW != 0 { Follow::Yes } else { Follow::No };
    fs::link(&call.place_at(0, &from)?, from.as_str(), follow, &new, to.as_str())?;
    Ok(0)
}

fn symlink(call: &mut Call<'_>) -> Outcome {
    let (text, path) = (call.path(0)?, call.path(1)?);
    fs::symlink(&call.place()?, text.as_str(), path.as_str())?;
    Ok(0)
}

fn symlinkat(call: &mut Call<'_>) -> Outcome {
    let (text, path) = (call.path(0)?, call.path(2)?);
    fs::symlink(&call.place_at(1, &path)?, text.as_str(), path.as_str())?;
    Ok(0)
}

fn readlink(call: &mut Call<'_>) -> Outcome {
    let path = call.path(0)?;
    let place = call.place()?;
    tell_link(call, &place, &path, 1)
}

fn readlinkat(call: &mut Call<'_>) -> Outcome {
    let path = call.path(1)?;
    let place = call.place_at(0, &path)?;
    tell_link(call, &place, &path, 2)
}

/// Tells what the link says, as much as fits, in the buffer that arguments `at` and the next one describe.
fn tell_link(call: &Call<'_>, place: &Place, path: &Path, at: usize) -> Outcome {
    if call.int(at + 1) <= 0 {
        return Err(Errno::EINVAL);
    }
    let text = fs::read_link(place, path.as_str())?;
    let bytes = text.as_str().as_bytes();
    let told = bytes.len().min(call.arg(at + 1));
    user::copy_to(call.address(at), &bytes[..told])?;
    result(told)
}

fn mknod(call: &mut Call<'_>) -> Outcome {
    let (path, what) = (call.path(0)?, made(call.word(1), call.arg(2))?);
    fs::mknod(&call.place()?, path.as_str(), call.word(1) as u16, what)?;
    Ok(0)
}

fn mknodat(call: &mut Call<'_>) -> Outcome {
    let (path, what) = (call.path(1)?, made(call.word(2), call.arg(3))?);
    fs::mknod(&call.place_at(0, &path)?, path.as_str(), call.word(2) as u16, what)?;
    Ok(0)
}

/// What `mode` and the number of a device say is to be made. `EPERM` for what cannot be made so, `EINVAL` for nonsense.
fn made(mode: u32, number: usize) -> Result<Make<'static>, Errno> {
    match mode & S_IFMT {
        0 | S_IFREG => Ok(Make::File),
        S_IFIFO => Ok(Make::Pipe),
        S_IFCHR => numbers(number).map(|(major, minor)| Make::Device { major, minor }),
        S_IFBLK => numbers(number).map(|(major, minor)| Make::Block { major, minor }),
        S_IFDIR | S_IFSOCK => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// Major and minor number of a device; `EINVAL` for those that no device has.
fn numbers(number: usize) -> Result<(u16, u16), Errno> {
    let (major, minor) = device::decode(number as u64);
    match (major.try_into(), minor.try_into()) {
        (Ok(major), Ok(minor)) => Ok((major, minor)),
        _ => Err(Errno::EINVAL),
    }
}

/// Bytes of entries that are gathered at a time.
const PIECE: usize = 8192;

fn getdents64(call: &mut Call<'_>) -> Outcome {
    let file = call.file(0)?;
    let mut bytes = KVec::new();
    bytes.resize(call.word(2).min(PIECE as u32) as usize, 0, GfpFlags::KERNEL)?;
    let mut entries = Dirents::new(&mut bytes);
    let start = file.llseek(0, Whence::Current).unwrap_or_default();
    let mut is_full = false;
    let listed = file.read_dir(&mut |listed| {
        let name = listed.name.as_bytes();
        let entry = Dirent { inode: listed.inode, next: listed.next, kind: letter(listed.kind), name };
        entries.push(&entry).map_err(|_| {
            is_full = true;
            Errno::EINVAL
        })
    });
    let used = entries.used();
    if !(is_full && used > 0) {
        listed?;
    }
    user::copy_to(call.address(1), &bytes[..used]).inspect_err(|_| {
        // What nobody was told is told the next time.
        let _: Result<u64, Errno> = file.llseek(start as i64, Whence::Start);
    })?;
    result(used)
}

/// A file's kind, as entries tell it.
const fn letter(kind: Kind) -> u8 {
    let kind = match kind {
        Kind::File => DT_REG,
        Kind::Directory => DT_DIR,
        Kind::Link => DT_LNK,
        Kind::Device { .. } => DT_CHR,
        Kind::Block { .. } => DT_BLK,
        Kind::Pipe => DT_FIFO,
    };
    kind as u8
}
