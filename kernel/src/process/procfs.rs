//! Processes in /proc: a directory for each, and the link `self` to one's own.

use alloc::sync::Arc;
use core::fmt;

use kapi::Errno;
use vfs::Name;

use super::facts::Subject;
use super::pid::Pid;
use super::record::Process;
use super::table::with_current;
use crate::fs::procfs::{self, Child, Directory, Entry, FIRST_COMPUTED, LinkTo, Text};
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

/// The directories of processes and of the kernel's threads, by number.
struct Processes;

impl Directory for Processes {
    fn child(&self, name: &str) -> Result<Option<Child>, Errno> {
        let Some(subject) = number(name).and_then(Subject::find) else { return Ok(None) };
        let (inode, owner) = (inode_of(subject.pid()), subject.owner());
        let entry = Entry::Directory(share(OfSubject { subject, inode })?);
        Ok(Some(Child { inode, mode: 0o555, owner, entry }))
    }

    fn next(&self, place: u64) -> Result<Option<Listed>, Errno> {
        let from = Pid::of_thread(u32::try_from(place).unwrap_or(u32::MAX));
        let Some(pid) = Subject::next_number(from) else { return Ok(None) };
        let text = KString::try_format(format_args!("{pid}"))?;
        let (inode, next) = (inode_of(pid), u64::from(pid.as_u32()) + 1);
        Ok(Some(Listed { name: Name::new(&text)?, kind: Kind::Directory, inode, next }))
    }
}

fn inode_of(pid: Pid) -> u64 {
    FIRST_COMPUTED + u64::from(pid.as_u32()) * FILES_EACH
}

/// The number that a directory's name is.
fn number(name: &str) -> Option<Pid> {
    // No sign, no zeros in front: one name for each.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_digit()) && !name.starts_with('0');
    let number = name.parse().ok().filter(|_| is_plain)?;
    Pid::from_user(number)
}

/// What writes a text about somebody.
type Write = fn(&Subject, &mut dyn fmt::Write) -> fmt::Result;

/// What is behind a name in the directory of a process.
enum Behind {
    /// A text, which threads of the kernel have too.
    Text(Write),
    /// A text about memory.
    OfMemory(Write),
    /// The link to the program.
    Exe,
    /// A directory with nothing in it: there is no network.
    Nothing,
}

/// What each process has.
const FILES: &[(&str, Behind)] = &[
    ("exe", Behind::Exe),
    ("stat", Behind::Text(Subject::write_stat)),
    ("statm", Behind::Text(Subject::write_statm)),
    ("status", Behind::Text(Subject::write_status)),
    ("cmdline", Behind::Text(Subject::write_arguments)),
    ("comm", Behind::Text(Subject::write_name)),
    ("maps", Behind::OfMemory(Subject::write_areas)),
    ("net", Behind::Nothing),
];

impl Behind {
    /// What `subject` has of it, if anything.
    fn entry(&self, subject: &Subject) -> Result<Option<Entry>, Errno> {
        Ok(Some(match (self, subject) {
            (Self::Text(write), _) | (Self::OfMemory(write), Subject::Process(_)) => {
                Entry::Text(share(About { subject: subject.clone(), write: *write })?)
            }
            (Self::Exe, Subject::Process(process)) => Entry::Link(share(Exe(process.clone()))?),
            (Self::Nothing, Subject::Process(_)) => Entry::Directory(share(Empty)?),
            (Self::OfMemory(_) | Self::Exe | Self::Nothing, Subject::Thread(_)) => return Ok(None),
        }))
    }
}

/// The directory of a process or a thread.
struct OfSubject {
    subject: Subject,
    inode: u64,
}

impl Directory for OfSubject {
    fn child(&self, name: &str) -> Result<Option<Child>, Errno> {
        let Some(index) = FILES.iter().position(|(file, _)| *file == name) else { return Ok(None) };
        let Some(entry) = FILES[index].1.entry(&self.subject)? else { return Ok(None) };
        let mode = match entry {
            Entry::Link(_) => 0o777,
            Entry::Directory(_) => 0o555,
            Entry::Text(_) => 0o444,
        };
        let (inode, owner) = (self.inode + 1 + index as u64, self.subject.owner());
        Ok(Some(Child { inode, mode, owner, entry }))
    }

    fn next(&self, place: u64) -> Result<Option<Listed>, Errno> {
        let rest = usize::try_from(place).ok().and_then(|place| FILES.get(place..)).unwrap_or_default();
        for ((name, behind), place) in rest.iter().zip(place..) {
            let kind = match behind.entry(&self.subject)? {
                Some(Entry::Text(_)) => Kind::File,
                Some(Entry::Directory(_)) => Kind::Directory,
                Some(Entry::Link(_)) => Kind::Link,
                None => continue,
            };
            let listed = Listed { name: Name::new(name)?, kind, inode: self.inode + 1 + place, next: place + 1 };
            return Ok(Some(listed));
        }
        Ok(None)
    }
}

/// A text about somebody.
struct About {
    subject: Subject,
    write: Write,
}

impl Text for About {
    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        (self.write)(&self.subject, out)
    }
}

/// A directory with nothing in it.
struct Empty;

impl Directory for Empty {
    fn child(&self, _name: &str) -> Result<Option<Child>, Errno> {
        Ok(None)
    }

    fn next(&self, _place: u64) -> Result<Option<Listed>, Errno> {
        Ok(None)
    }
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
