//! Processes in /proc: a directory for each, and the link `self` to one's own.

use alloc::sync::Arc;

use kapi::Errno;
use vfs::Name;

use super::pid::Pid;
use super::record::Process;
use super::table::{self, with_current};
use crate::fs::procfs::{self, Child, Directory, Entry, FIRST_COMPUTED, LinkTo};
use crate::fs::{self, Kind, Listed, Node, OpenFile};
use crate::mm::KString;

/// Numbers of files that a process may have in /proc.
const FILES_EACH: u64 = 64;

/// Adds them. `ENOMEM`.
pub fn init() -> Result<(), Errno> {
    procfs::add_root(share(Processes)?)?;
    procfs::register_link("self", share(SelfLink)?)
}

fn share<T>(value: T) -> Result<Arc<T>, Errno> {
    Arc::try_new(value).map_err(|_| Errno::ENOMEM)
}

/// The directories of processes, by number.
struct Processes;

impl Directory for Processes {
    fn child(&self, name: &str) -> Result<Option<Child>, Errno> {
        let Some(process) = number(name).and_then(table::find) else { return Ok(None) };
        let inode = FIRST_COMPUTED + u64::from(process.pid().as_u32()) * FILES_EACH;
        let entry = Entry::Directory(share(OfProcess { process, inode })?);
        Ok(Some(Child { inode, mode: 0o555, entry }))
    }

    fn next(&self, place: u64) -> Result<Option<Listed>, Errno> {
        let from = Pid::of_thread(u32::try_from(place).unwrap_or(u32::MAX));
        let next = table::with(|table| table.iter().map(|process| process.pid()).find(|pid| *pid >= from));
        let Some(pid) = next else { return Ok(None) };
        let inode = FIRST_COMPUTED + u64::from(pid.as_u32()) * FILES_EACH;
        let text = KString::try_format(format_args!("{pid}"))?;
        Ok(Some(Listed { name: Name::new(&text)?, kind: Kind::Directory, inode, next: u64::from(pid.as_u32()) + 1 }))
    }
}

/// The number that a directory's name is.
fn number(name: &str) -> Option<Pid> {
    // No sign, no zeros in front: one name for each.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_digit()) && !name.starts_with('0');
    let number = name.parse().ok().filter(|_| is_plain)?;
    Pid::from_user(number)
}

/// A file of every process: its name, and what makes it.
type File = (&'static str, fn(Arc<Process>) -> Result<Entry, Errno>);

/// What each process has.
const FILES: &[File] = &[("exe", exe)];

/// The directory of a process.
struct OfProcess {
    process: Arc<Process>,
    inode: u64,
}

impl Directory for OfProcess {
    fn child(&self, name: &str) -> Result<Option<Child>, Errno> {
        let Some(index) = FILES.iter().position(|(file, _)| *file == name) else { return Ok(None) };
        let entry = FILES[index].1(self.process.clone())?;
        let mode = if matches!(entry, Entry::Link(_)) { 0o777 } else { 0o444 };
        Ok(Some(Child { inode: self.inode + 1 + index as u64, mode, entry }))
    }

    fn next(&self, place: u64) -> Result<Option<Listed>, Errno> {
        let Some((name, make)) = usize::try_from(place).ok().and_then(|place| FILES.get(place)) else {
            return Ok(None);
        };
        let kind = match make(self.process.clone())? {
            Entry::Text(_) => Kind::File,
            Entry::Directory(_) => Kind::Directory,
            Entry::Link(_) => Kind::Link,
        };
        Ok(Some(Listed { name: Name::new(name)?, kind, inode: self.inode + 1 + place, next: place + 1 }))
    }
}

fn exe(process: Arc<Process>) -> Result<Entry, Errno> {
    Ok(Entry::Link(share(Exe(process))?))
}

/// The link to a process's program: it leads to the file itself, whatever became of its name.
struct Exe(Arc<Process>);

impl Exe {
    fn file(&self) -> Result<OpenFile, Errno> {
        self.0.program().map(|program| program.file).map_err(|_| Errno::ENOENT)
    }
}

impl LinkTo for Exe {
    fn text(&self) -> Result<KString, Errno> {
        let file = self.file()?;
        fs::path_of(file.node().ok_or(Errno::ENOENT)?)
    }

    fn target(&self) -> Result<Option<Arc<dyn Node>>, Errno> {
        Ok(self.file()?.node().cloned())
    }
}

/// The link to the directory of the process that asks.
struct SelfLink;

impl LinkTo for SelfLink {
    fn text(&self) -> Result<KString, Errno> {
        let pid = with_current(Process::pid).ok_or(Errno::ENOENT)?;
        Ok(KString::try_format(format_args!("{pid}"))?)
    }
}
