//! /proc: texts about the kernel, files that change it, what others compute.
//!
//! Fixed names are in a tree: [`register`]. Directories whose names come and go, as those of processes, are computed
//! when they are looked at: [`add_root`] puts what a [`Directory`] holds beside the fixed names of the root.
//! Key types: [`Source`], what is behind a fixed name; [`Directory`] and [`Entry`], what is computed.

mod computed;
mod pages;
mod text;

use alloc::sync::Arc;

use kapi::{Errno, OpenFlags};
use mm::GfpFlags;
use spin::Once;

use super::file::{File, share};
use super::node::{Kind, Listed, Node};
use super::tree::{Leaf, More, New, Policy, TreeFs, split};
use crate::chrdev::Users;
use crate::mm::{KString, KVec};
use crate::sched::Mutex;

pub use computed::{Child, Directory, Entry, LinkTo};
use text::{ACCOUNT, ModuleText};
pub use text::{Source, Text};

/// The file system.
static PROC: Once<Arc<TreeFs>> = Once::new();

/// What computes names in the root.
static ROOTS: Mutex<KVec<Arc<dyn Directory>>> = Mutex::new(KVec::new());

/// The texts of modules: to be emptied when they go.
static MODULES: Mutex<KVec<Arc<ModuleText>>> = Mutex::new(KVec::new());

/// Numbers of computed files are larger than this, and those of fixed ones smaller.
pub const FIRST_COMPUTED: u64 = 1 << 32;

/// Makes the file system, empty; only the first call counts.
pub(super) fn init() -> Result<Arc<TreeFs>, Errno> {
    if let Some(proc) = PROC.get() {
        return Ok(proc.clone());
    }
    let made = TreeFs::new(Policy::Fixed(&ComputedNames), 0o555, ACCOUNT.costs())?;
    Ok(PROC.call_once(|| made).clone())
}

fn tree() -> Result<&'static Arc<TreeFs>, Errno> {
    PROC.get().ok_or(Errno::ENODEV)
}

/// Adds the file `path`, for example `sys/vm/drop_caches`. `EEXIST`, `ENOMEM`.
pub fn register(path: &str, source: Source) -> Result<(), Errno> {
    match source {
        Source::Text(_) => enter(path, 0o444, share(source)?),
        Source::Control { .. } => enter(path, 0o644, share(source)?),
        Source::Module(_, ref users) => register_for(path, 0o444, users.clone(), source),
        Source::Owned(_, ref users) => register_for(path, 0o644, users.clone(), source),
    }
}

fn register_for(path: &str, mode: u16, users: Arc<Users>, source: Source) -> Result<(), Errno> {
    let text = share(ModuleText::new(path, source, users)?)?;
    let mut modules = MODULES.lock_uninterruptible()?;
    modules.reserve(1, GfpFlags::KERNEL)?;
    enter(path, mode, text.clone())?;
    Ok(modules.push(text, GfpFlags::KERNEL)?)
}

fn enter(path: &str, mode: u16, leaf: Arc<dyn Leaf>) -> Result<(), Errno> {
    tree()?.enter(path, New::other(Kind::File, mode, leaf)).map(drop)
}

/// Adds the link `path`, which `link` computes. `EEXIST`, `ENOMEM`.
pub fn register_link(path: &str, link: Arc<dyn LinkTo>) -> Result<(), Errno> {
    let leaf = share(ComputedLink(link))?;
    tree()?.enter(path, New::other(Kind::Link, 0o777, leaf)).map(drop)
}

/// Adds what `directory` holds to the root, for good. `ENOMEM`.
pub fn add_root(directory: Arc<dyn Directory>) -> Result<(), Errno> {
    Ok(ROOTS.lock_uninterruptible()?.push(directory, GfpFlags::KERNEL)?)
}

/// Removes the file of the module with these users. A thread that has it open keeps its text. Needs no memory.
///
/// # Errors
/// `EAGAIN` where the caller may not sleep.
pub fn unregister_module(users: &Arc<Users>) -> Result<(), Errno> {
    take_out(&|text| text.is_of(users))
}

/// Removes one file of the module with these users, as [`unregister_module`] does all.
///
/// # Errors
/// As there.
pub fn unregister(path: &str, users: &Arc<Users>) -> Result<(), Errno> {
    take_out(&|text| text.path() == path && text.is_of(users))
}

fn take_out(is_meant: &dyn Fn(&ModuleText) -> bool) -> Result<(), Errno> {
    loop {
        let mut modules = MODULES.lock_uninterruptible()?;
        let Some(at) = modules.iter().position(|text| is_meant(text)) else { return Ok(()) };
        let text = modules.swap_remove(at);
        drop(modules);
        let Some(text) = text else { return Ok(()) };
        text.empty()?;
        let (directory, name) = split(text.path());
        let gone = tree()?.with(|tree| {
            let directory = directory.split('/').filter(|name| !name.is_empty());
            let at = directory.clone().try_fold(tree.root(), |at, name| tree.child(at, name))?;
            tree.unlink(at, name, super::node::now())
        });
        // Only a file that could not be entered is missing.
        drop(gone);
    }
}

/// The computed names of the root.
struct ComputedNames;

impl More for ComputedNames {
    fn child(&self, root: &Arc<dyn Node>, name: &str) -> Result<Arc<dyn Node>, Errno> {
        for index in 0.. {
            let Some(directory) = nth_root(index)? else { break };
            if let Some(child) = directory.child(name)? {
                return computed::node(root.clone(), child);
            }
        }
        Err(Errno::ENOENT)
    }

    /// The upper part of a place says which directory.
    fn next(&self, place: u64) -> Result<Option<Listed>, Errno> {
        let (mut index, mut inner) = ((place >> 48) as usize, place & ((1 << 48) - 1));
        while let Some(directory) = nth_root(index)? {
            if let Some(listed) = directory.next(inner)? {
                return Ok(Some(Listed { next: (index as u64) << 48 | listed.next, ..listed }));
            }
            (index, inner) = (index + 1, 0);
        }
        Ok(None)
    }
}

fn nth_root(index: usize) -> Result<Option<Arc<dyn Directory>>, Errno> {
    Ok(ROOTS.lock_uninterruptible()?.get(index).cloned())
}

/// A link among the fixed names.
struct ComputedLink(Arc<dyn LinkTo>);

impl Leaf for ComputedLink {
    fn open(self: Arc<Self>, _node: Arc<dyn Node>, _flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        Err(Errno::ELOOP)
    }

    fn text(&self) -> Result<KString, Errno> {
        self.0.text()
    }

    fn target(&self) -> Result<Option<Arc<dyn Node>>, Errno> {
        self.0.target()
    }
}
