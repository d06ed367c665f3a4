//! The calls by path. Relative paths start at the caller's place.

use alloc::sync::Arc;

use kapi::{Errno, OpenFlags};
use vfs::{Found, Last, PERMISSIONS, Rights};

use super::node::{Change, Follow, Kind, Make, Node, Remove, Replace, Stat};
use super::open_file::OpenFile;
use super::place::Place;
use super::{directory, mount};
use crate::mm::KString;

/// Opens the file at `path`; one that is made gets `mode`, less the umask.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EISDIR`, `ELOOP`, `EEXIST` as the flags demand; `EACCES` for who may not; those of the file
/// system and of the driver.
pub fn open(place: &Place, path: &str, flags: OpenFlags, mode: u16) -> Result<OpenFile, Errno> {
    let exclusive = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    let stays = flags.contains(OpenFlags::NOFOLLOW) || flags.contains(exclusive);
    let follow = if stays { Follow::No } else { Follow::Yes };
    loop {
        let found = place.walk(path, follow)?;
        let node = match &found.node {
            Some(_) if flags.contains(exclusive) => return Err(Errno::EEXIST),
            Some(node) => node.clone(),
            None if !flags.contains(OpenFlags::CREATE) => return Err(Errno::ENOENT),
            None if found.slash => return Err(Errno::EISDIR),
            None => match make_in(place, &found, mode & !place.umask(), Make::File) {
                // Another thread has made it meanwhile.
                Err(Errno::EEXIST) if !flags.contains(OpenFlags::EXCLUSIVE) => continue,
                // Who makes a file has it open, whatever its mode.
                made => {
                    let node = made?;
                    check_kind(&node, found.slash, flags)?;
                    return open_node(&node, flags);
                }
            },
        };
        check_kind(&node, found.slash, flags)?;
        place.may(&node, rights(flags))?;
        return open_node(&node, flags);
    }
}

/// Opens the program at `path`, to be read by the kernel alone. `EACCES` for what is no file, or may not be run.
pub fn open_program(place: &Place, path: &str) -> Result<OpenFile, Errno> {
    let node = place.node(path, Follow::Yes)?;
    if node.kind() != Kind::File {
        return Err(Errno::EACCES);
    }
    place.may(&node, Rights::RUN)?;
    open_node(&node, OpenFlags::READ)
}

/// What an open for `flags` does with the file.
fn rights(flags: OpenFlags) -> Rights {
    let mut rights = Rights::empty();
    if !flags.contains(OpenFlags::PATH) {
        rights.set(Rights::READ, flags.contains(OpenFlags::READ));
        rights.set(Rights::WRITE, flags.intersects(OpenFlags::WRITE | OpenFlags::TRUNCATE));
    }
    rights
}

/// Opens what a path has led to.
fn open_node(node: &Arc<dyn Node>, flags: OpenFlags) -> Result<OpenFile, Errno> {
    let file = match directory::open(node, flags)? {
        Some(file) => file,
        None => node.clone().open(flags)?,
    };
    OpenFile::named(file, node.clone(), flags)
}

/// Whether a path with or without a slash behind it may lead to such a node.
fn check_kind(node: &Arc<dyn Node>, slash: bool, flags: OpenFlags) -> Result<(), Errno> {
    match node.kind() {
        Kind::Directory if flags.contains(OpenFlags::CREATE) => Err(Errno::EISDIR),
        Kind::Directory => Ok(()),
        _ if slash || flags.contains(OpenFlags::DIRECTORY) => Err(Errno::ENOTDIR),
        Kind::Link if !flags.contains(OpenFlags::PATH) => Err(Errno::ELOOP),
        _ => Ok(()),
    }
}

/// Makes something at the end of a way on which there is nothing yet. It belongs to who makes it; devices are root's to
/// make (`EPERM`).
fn make_in(place: &Place, found: &Found<Arc<dyn Node>>, mode: u16, what: Make<'_>) -> Result<Arc<dyn Node>, Errno> {
    match &found.last {
        Last::Name(name) => {
            place.may(&found.directory, Rights::CHANGE_NAMES)?;
            if matches!(what, Make::Device { .. } | Make::Block { .. }) && !place.who().is_root() {
                return Err(Errno::EPERM);
            }
            found.directory.make(name, place.ownership(mode & PERMISSIONS), what)
        }
        Last::Dot | Last::DotDot | Last::Nothing => Err(Errno::EEXIST),
    }
}

/// What `path` is; a link at its end is followed.
pub fn stat(place: &Place, path: &str) -> Result<Stat, Errno> {
    place.stat(path, Follow::Yes)
}

/// What `path` is; a link at its end is not followed.
pub fn lstat(place: &Place, path: &str) -> Result<Stat, Errno> {
    place.stat(path, Follow::No)
}

/// What the link at `path` says; `EINVAL` when it is none.
pub fn read_link(place: &Place, path: &str) -> Result<KString, Errno> {
    place.node(path, Follow::No)?.read_link()
}

/// Makes what is no file at `path`; only a directory's path may end in a slash. `EEXIST`, `ENOENT`.
fn make(place: &Place, path: &str, mode: u16, what: Make<'_>) -> Result<(), Errno> {
    let found = place.walk(path, Follow::No)?;
    if found.node.is_some() {
        return Err(Errno::EEXIST);
    }
    if found.slash && !matches!(what, Make::Directory) {
        return Err(Errno::ENOENT);
    }
    make_in(place, &found, mode, what).map(drop)
}

/// Makes an empty directory with `mode`, less the umask.
pub fn mkdir(place: &Place, path: &str, mode: u16) -> Result<(), Errno> {
    make(place, path, mode & !place.umask(), Make::Directory)
}

/// Makes a file, a device or a pipe with `mode`, less the umask.
pub fn mknod(place: &Place, path: &str, mode: u16, what: Make<'_>) -> Result<(), Errno> {
    make(place, path, mode & !place.umask(), what)
}

/// Makes a link at `path` that says `text`. `ENOENT` for an empty text, `ENAMETOOLONG`.
pub fn symlink(place: &Place, text: &str, path: &str) -> Result<(), Errno> {
    match text.len() {
        0 => Err(Errno::ENOENT),
        1..=vfs::PATH_MAX => make(place, path, 0o777, Make::Link(text)),
        _ => Err(Errno::ENAMETOOLONG),
    }
}

/// Gives the file at `path` of `place` the name `new` of `new_place` as well. `EXDEV`, `EPERM` for a directory.
pub fn link(place: &Place, path: &str, follow: Follow, new_place: &Place, new: &str) -> Result<(), Errno> {
    link_node(&place.node(path, follow)?, new_place, new)
}

/// Gives `node` the name `new` as well; see [`link`].
pub fn link_node(node: &Arc<dyn Node>, new_place: &Place, new: &str) -> Result<(), Errno> {
    let found = new_place.walk(new, Follow::No)?;
    let name = match (&found.last, &found.node) {
        (Last::Name(name), None) if !found.slash => name,
        (Last::Name(_), None) => return Err(Errno::ENOENT),
        _ => return Err(Errno::EEXIST),
    };
    if found.directory.id().device != node.id().device {
        return Err(Errno::EXDEV);
    }
    if node.kind() == Kind::Directory {
        return Err(Errno::EPERM);
    }
    new_place.may(&found.directory, Rights::CHANGE_NAMES)?;
    found.directory.link(name, &**node)
}

/// Removes the name `path`, which is not a directory's. The file goes when it has no other and is not open any more.
pub fn unlink(place: &Place, path: &str) -> Result<(), Errno> {
    let found = place.walk(path, Follow::No)?;
    let node = found.node.as_ref().ok_or(Errno::ENOENT)?;
    match &found.last {
        Last::Name(_) if node.kind() == Kind::Directory => Err(Errno::EISDIR),
        Last::Name(_) if found.slash => Err(Errno::ENOTDIR),
        Last::Name(name) => {
            place.may_remove(&found.directory, node)?;
            found.directory.remove(name, Remove::Other)
        }
        Last::Dot | Last::DotDot | Last::Nothing => Err(Errno::EISDIR),
    }
}

/// Removes the empty directory at `path`. `EBUSY` when a file system is mounted on it.
pub fn rmdir(place: &Place, path: &str) -> Result<(), Errno> {
    let found = place.walk(path, Follow::No)?;
    let node = found.node.as_ref().ok_or(Errno::ENOENT)?;
    if mount::is_in_use(&**node)? {
        return Err(Errno::EBUSY);
    }
    match &found.last {
        Last::Name(name) => {
            place.may_remove(&found.directory, node)?;
            found.directory.remove(name, Remove::Directory)
        }
        Last::Dot => Err(Errno::EINVAL),
        Last::DotDot | Last::Nothing => Err(Errno::ENOTEMPTY),
    }
}

/// Gives what is called `from` the name `to`. `EXDEV`, `EBUSY` for the root of a file system, `EINVAL` for a directory
/// that would get into itself; else as `vfs::Tree::rename`.
pub fn rename(place: &Place, from: &str, new_place: &Place, to: &str, replace: Replace) -> Result<(), Errno> {
    let (old, new) = (place.walk(from, Follow::No)?, new_place.walk(to, Follow::No)?);
    let (Last::Name(old_name), Last::Name(new_name)) = (&old.last, &new.last) else { return Err(Errno::EBUSY) };
    if old.directory.id().device != new.directory.id().device {
        return Err(Errno::EXDEV);
    }
    let moved = old.node.as_ref().ok_or(Errno::ENOENT)?;
    if (old.slash || new.slash) && moved.kind() != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    for node in [Some(moved), new.node.as_ref()].into_iter().flatten() {
        if mount::is_in_use(&**node)? {
            return Err(Errno::EBUSY);
        }
    }
    place.may_remove(&old.directory, moved)?;
    match &new.node {
        Some(node) => new_place.may_remove(&new.directory, node)?,
        None => new_place.may(&new.directory, Rights::CHANGE_NAMES)?,
    }
    if moved.kind() == Kind::Directory && old.directory.id() != new.directory.id() {
        // Its `..` changes.
        place.may(moved, Rights::WRITE)?;
    }
    old.directory.rename(old_name, &*new.directory, new_name, replace)
}

/// Changes what is known of the file at `path`.
pub fn change(place: &Place, path: &str, follow: Follow, change: Change) -> Result<(), Errno> {
    place.change(&place.node(path, follow)?, change)
}

/// Makes the file at `path` so many bytes long. `EISDIR`.
pub fn truncate(place: &Place, path: &str, size: u64) -> Result<(), Errno> {
    let node = place.node(path, Follow::Yes)?;
    if node.kind() == Kind::Directory {
        return Err(Errno::EISDIR);
    }
    place.may(&node, Rights::WRITE)?;
    node.truncate(size)
}
