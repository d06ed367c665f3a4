//! The root: the initial files, and what is made beside them.
//!
//! Their names and attributes are in memory like those of `/tmp`, so directories can be made and files removed; their
//! bytes stay where they are until somebody writes to them. Also here: which file systems there are, and the usual
//! ones in their places.

use alloc::sync::Arc;
use core::fmt::{self, Write};

use kapi::Errno;
use spin::Once;
use vfs::{Change, Number, Timestamp};

use super::content::{Content, Regular};
use super::file::share;
use super::mount::{attach, detach, write_mounts};
use super::node::{Follow, Kind, Node, now};
use super::place::Place;
use super::tree::{Gone, Names, New, TreeFs, make_directories, root, split};
use super::{devfs, procfs, tmpfs};

/// Who may do what with a directory that no member tells of.
const DIRECTORY_MODE: u16 = 0o755;

static ROOT: Once<Arc<TreeFs>> = Once::new();

/// Something to be entered into the root.
pub struct Member<'a> {
    /// Who may do what with it.
    pub mode: u16,
    /// When it was changed.
    pub modified: Timestamp,
    /// What it is.
    pub what: What<'a>,
}

/// What a member is.
pub enum What<'a> {
    /// A file with this content.
    File(Arc<dyn Content>),
    /// A directory.
    Directory,
    /// A symbolic link that says this.
    Link(&'a str),
    /// Another name of the file with this path.
    OtherName(&'a str),
}

/// What can be mounted: a name, and what makes a root of that kind.
type Type = (&'static str, fn() -> Result<Arc<dyn Node>, Errno>);

const TYPES: [Type; 3] =
    [("tmpfs", || tmpfs::new_root(0o1777)), ("devtmpfs", devfs::new_root), ("proc", || root(&procfs::init()?))];

/// The file systems that are there from the start: what they are called, where, and their type.
const MOUNTS: [(&str, &str, &str); 3] =
    [("tmpfs", "/tmp", "tmpfs"), ("devtmpfs", "/dev", "devtmpfs"), ("proc", "/proc", "proc")];

/// Makes the root and the file systems in it. `ENOMEM`, `ENOSPC`.
pub fn init() -> Result<(), Errno> {
    let made = tmpfs::new(0o755)?;
    attach(None, root(&made)?, "rootfs", "rootfs")?;
    let root = ROOT.call_once(|| made);
    for (source, path, kind) in MOUNTS {
        root.make_directories(path, 0o755)?;
        mount(&Place::root(), source, path, kind)?;
    }
    procfs::register("mounts", procfs::Source::Text(write_mounts))?;
    procfs::register("filesystems", procfs::Source::Text(write_types))
}

/// Mounts a file system of the type `kind` at the directory `path`; `source` is what /proc/mounts says of it. `ENODEV`
/// for a type that there is not, `ENOTDIR`, `EBUSY`.
pub fn mount(place: &Place, source: &str, path: &str, kind: &str) -> Result<(), Errno> {
    let (kind, make) = TYPES.iter().find(|(name, _)| *name == kind).ok_or(Errno::ENODEV)?;
    let covers = place.node(path, Follow::Yes)?;
    attach(Some(covers), make()?, source, kind)
}

/// Takes the file system away that is mounted at `path`. `EINVAL` when none is, `EBUSY` while it is in use.
pub fn unmount(place: &Place, path: &str) -> Result<(), Errno> {
    detach(place.node(path, Follow::Yes)?)
}

/// Writes /proc/filesystems. None of them needs a block device.
fn write_types(out: &mut dyn Write) -> fmt::Result {
    TYPES.iter().try_for_each(|(name, _)| writeln!(out, "nodev\t{name}"))
}

/// Enters an initial file at `path`, below the root. What has the name already goes, but for a directory's names.
/// `EINVAL` for a path with `..`, `ENOENT` where another name's file is missing, `ENOMEM`, `ENOSPC`.
pub fn enter(path: &str, member: Member<'_>) -> Result<(), Errno> {
    let root = ROOT.get().ok_or(Errno::ENODEV)?;
    let path = path.trim_matches('/');
    // What goes is dropped without the tree's lock.
    let mut gone = None;
    let new = match &member.what {
        What::Directory => return enter_directory(root, path, &member),
        What::OtherName(of) => return root.with(|tree| link(tree, path, of, &mut gone)),
        What::File(content) => {
            let regular = share(Regular::of(content.clone(), tmpfs::empty))?;
            New::other(Kind::File, member.mode, regular)
        }
        What::Link(text) => New::link(text)?,
    };
    root.with(|tree| {
        let (directory, name) = find_place(tree, path, &mut gone)?;
        let number = tree.create(directory, name, new, now())?;
        settle(tree, number, &member)
    })
}

fn enter_directory(root: &TreeFs, path: &str, member: &Member<'_>) -> Result<(), Errno> {
    root.with(|tree| {
        let number = make_directories(tree, path, DIRECTORY_MODE)?;
        settle(tree, number, member)
    })
}

/// The directory of `path`, and the last name, which leads to nothing any more.
fn find_place<'a>(tree: &mut Names, path: &'a str, gone: &mut Option<Gone>) -> Result<(Number, &'a str), Errno> {
    let (directory, name) = split(path);
    let directory = make_directories(tree, directory, DIRECTORY_MODE)?;
    match tree.unlink(directory, name, now()) {
        Ok(old) => *gone = Some(old),
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    Ok((directory, name))
}

fn link(tree: &mut Names, path: &str, of: &str, gone: &mut Option<Gone>) -> Result<(), Errno> {
    let mut parts = of.split('/').filter(|part| !matches!(*part, "" | "."));
    let file = parts.try_fold(tree.root(), |at, part| tree.child(at, part))?;
    let (directory, name) = find_place(tree, path, gone)?;
    tree.link(directory, name, file, now())
}

/// Gives a member its mode and time.
fn settle(tree: &mut Names, number: Number, member: &Member<'_>) -> Result<(), Errno> {
    let (times, now) = (Change::Times { accessed: Some(member.modified), modified: Some(member.modified) }, now());
    tree.change(number, Change::Mode(member.mode), now)?;
    tree.change(number, times, now)
}
