//! Which file system is where, and the way along a path through all of them.
//!
//! A directory on which a file system is mounted is known by its number; the way goes on in the other's root, and `..`
//! there leads out again. Key types: [`Files`], the tree as `vfs` walks it.

use alloc::sync::Arc;
use core::fmt::{self, Write};

use kapi::{Errno, FileId};
use mm::GfpFlags;
use vfs::{Credentials, Found, Link, Names, Rights};

use super::file::share;
use super::node::{Follow, Kind, Node};
use crate::mm::{KString, KVec, Kernel};
use crate::sched::Mutex;

/// A file system in the tree.
struct Mount {
    /// The directory that it hides; `None` for the root.
    covers: Option<Arc<dyn Node>>,
    root: Arc<dyn Node>,
    /// What was mounted, as /proc/mounts shows it.
    source: KString,
    /// The file system's name.
    kind: &'static str,
}

/// All file systems in the tree, in the order in which they came.
static MOUNTS: Mutex<KVec<Arc<Mount>>> = Mutex::new(KVec::new());

/// Puts a file system, whose root is `root`, in the place of the directory `covers`; as the root of all where there is
/// none. `EBUSY` when one is there already, `ENOTDIR`, `ENOMEM`.
pub fn attach(
    covers: Option<Arc<dyn Node>>,
    root: Arc<dyn Node>,
    source: &str,
    kind: &'static str,
) -> Result<(), Errno> {
    if covers.as_ref().is_some_and(|covers| covers.kind() != Kind::Directory) {
        return Err(Errno::ENOTDIR);
    }
    let source = KString::from_str(source, GfpFlags::KERNEL)?;
    let mount = share(Mount { covers, root, source, kind })?;
    let mut mounts = MOUNTS.lock_uninterruptible()?;
    // The way to a directory that is covered already ends in the root of what covers it.
    let covered = mount.covered();
    if mounts.iter().any(|other| other.covered() == covered || Some(other.root.id()) == covered) {
        return Err(Errno::EBUSY);
    }
    Ok(mounts.push(mount, GfpFlags::KERNEL)?)
}

/// Takes the file system away whose root is `root`, which nobody has beside the caller. `EINVAL` when that is no
/// mounted one's root, `EBUSY` for the root of all, where another is mounted in it, and while files of it are in use.
pub fn detach(root: Arc<dyn Node>) -> Result<(), Errno> {
    let mut mounts = MOUNTS.lock_uninterruptible()?;
    let at = mounts.iter().position(|mount| mount.root.id() == root.id()).ok_or(Errno::EINVAL)?;
    let device = root.id().device;
    let holds_another = mounts.iter().any(|mount| mount.covered().is_some_and(|id| id.device == device));
    // One is the mount's own, the other the caller's.
    let is_used = Arc::strong_count(&root) > 2 || root.is_shared();
    if mounts[at].covers.is_none() || holds_another || is_used {
        return Err(Errno::EBUSY);
    }
    let gone = mounts.remove(at);
    drop(mounts);
    drop(gone);
    Ok(())
}

/// Of what type the file system is that has the file `id`; "none" where it is not in the tree.
pub fn kind_of(id: FileId) -> Result<&'static str, Errno> {
    Ok(find(|mount| mount.root.id().device == id.device)?.map_or("none", |mount| mount.kind))
}

/// Writes /proc/mounts: source, directory, type and options of each file system.
pub fn write_mounts(out: &mut dyn Write) -> fmt::Result {
    let mut index = 0;
    while let Some(mount) = nth(index).map_err(|_| fmt::Error)? {
        write!(out, "{} ", mount.source.as_str())?;
        write_path(&mount.root, out)?;
        writeln!(out, " {} rw,noatime 0 0", mount.kind)?;
        index += 1;
    }
    Ok(())
}

fn nth(index: usize) -> Result<Option<Arc<Mount>>, Errno> {
    Ok(MOUNTS.lock_uninterruptible()?.get(index).cloned())
}

impl Mount {
    fn covered(&self) -> Option<FileId> {
        self.covers.as_ref().map(|covers| covers.id())
    }
}

fn find(is_it: impl Fn(&Mount) -> bool) -> Result<Option<Arc<Mount>>, Errno> {
    Ok(MOUNTS.lock_uninterruptible()?.iter().find(|mount| is_it(mount)).cloned())
}

/// The root of all.
pub fn root() -> Result<Arc<dyn Node>, Errno> {
    let mount = find(|mount| mount.covers.is_none())?;
    mount.map(|mount| mount.root.clone()).ok_or(Errno::ENOENT)
}

/// Whether a file system is mounted on `node`, or it is the root of one.
pub(super) fn is_in_use(node: &dyn Node) -> Result<bool, Errno> {
    let id = node.id();
    Ok(find(|mount| mount.root.id() == id || mount.covered() == Some(id))?.is_some())
}

/// Whether `who` may do what is `wanted` with a node; `EACCES`.
pub(super) fn may(who: &Credentials, node: &dyn Node, wanted: Rights) -> Result<(), Errno> {
    if who.is_root() && (node.kind() == Kind::Directory || !wanted.contains(Rights::RUN)) {
        return Ok(());
    }
    vfs::may(who, &node.stat()?.attributes, wanted)
}

/// The files of this kernel, for who goes there.
pub(super) struct Files<'a>(&'a Credentials);

impl Names for Files<'_> {
    type Node = Arc<dyn Node>;
    type Kernel = Kernel;

    fn root(&self) -> Result<Arc<dyn Node>, Errno> {
        root()
    }

    fn child(&self, directory: &Arc<dyn Node>, name: &str) -> Result<Arc<dyn Node>, Errno> {
        let child = directory.child(name)?;
        if child.kind() != Kind::Directory {
            return Ok(child);
        }
        let id = child.id();
        let mount = find(|mount| mount.covered() == Some(id))?;
        Ok(mount.map_or(child, |mount| mount.root.clone()))
    }

    fn parent(&self, directory: &Arc<dyn Node>) -> Result<Arc<dyn Node>, Errno> {
        let id = directory.id();
        match find(|mount| mount.root.id() == id)? {
            None => directory.parent(),
            Some(mount) => mount.covers.as_ref().map_or_else(|| Ok(directory.clone()), |covers| covers.parent()),
        }
    }

    fn is_directory(&self, node: &Arc<dyn Node>) -> bool {
        node.kind() == Kind::Directory
    }

    fn search(&self, directory: &Arc<dyn Node>) -> Result<(), Errno> {
        may(self.0, &**directory, Rights::RUN)
    }

    fn link(&self, node: &Arc<dyn Node>) -> Result<Option<Link<Arc<dyn Node>, Kernel>>, Errno> {
        if node.kind() != Kind::Link {
            return Ok(None);
        }
        Ok(Some(match node.target()? {
            Some(target) => Link::Node(target),
            None => Link::Text(node.read_link()?),
        }))
    }
}

/// Goes along `path` with the rights of `who`, from `start` on where it is relative.
pub(super) fn walk(
    who: &Credentials,
    start: &Arc<dyn Node>,
    path: &str,
    follow: Follow,
) -> Result<Found<Arc<dyn Node>>, Errno> {
    vfs::walk(&Files(who), start, path, follow)
}

/// Where `node` is: a path from the root. `ENOENT` when no name leads there any more.
pub fn path_of(node: &Arc<dyn Node>) -> Result<KString, Errno> {
    let mut path = KString::new();
    let mut at = node.clone();
    loop {
        let id = at.id();
        let seen = match find(|mount| mount.root.id() == id)? {
            None => at,
            Some(mount) => match &mount.covers {
                Some(covers) => covers.clone(),
                None => break,
            },
        };
        at = seen.parent()?;
        let name = name_in(&at, seen.id().inode)?;
        path.insert_str(0, &name, GfpFlags::KERNEL)?;
        path.insert_str(0, "/", GfpFlags::KERNEL)?;
    }
    if path.is_empty() {
        path.push('/', GfpFlags::KERNEL)?;
    }
    Ok(path)
}

/// Writes it for /proc: `(deleted)` where no name leads to the file any more.
pub(super) fn write_path(node: &Arc<dyn Node>, out: &mut dyn fmt::Write) -> fmt::Result {
    match path_of(node) {
        Ok(path) => out.write_str(&path),
        Err(_) => out.write_str("(deleted)"),
    }
}

/// The name of the file with the number `inode` in `directory`.
fn name_in(directory: &Arc<dyn Node>, inode: u64) -> Result<vfs::Name, Errno> {
    let mut place = 0;
    while let Some(listed) = directory.next_name(place)? {
        if listed.inode == inode {
            return Ok(listed.name);
        }
        place = listed.next;
    }
    Err(Errno::ENOENT)
}
