//! /proc: texts about the kernel, and some files that are written to change it.
//!
//! A text is written when its file is opened, into pages: a reader sees one state of things however slowly it reads,
//! and nothing is cut off. A write is taken as a whole, as one command.

use alloc::sync::Arc;
use core::fmt;

use kapi::{Errno, IoBuf, OpenFlags};
use mm::GfpFlags;

use super::account::Account;
use super::filesystem::{File, FileSystem, share};
use super::names::{self, Found};
use super::node::{Entries, Stat};
use super::pages::Pages;
use crate::chrdev::{Driver, User, Users};
use crate::mm::{KString, KVec};
use crate::sched::Mutex;

/// The file system at /proc.
pub struct ProcFs;

/// Bytes of the longest command.
const MAX_COMMAND: usize = 256;

/// Obeys a line that was written (without its line end).
type Store = fn(&str) -> Result<(), Errno>;

/// What is behind a file.
#[derive(Clone)]
pub enum Source {
    /// A text.
    Text(fn(&mut dyn fmt::Write) -> fmt::Result),
    /// A text, and what to do with a line that is written (without its line end).
    Control {
        /// Writes the text.
        show: fn(&mut dyn fmt::Write) -> fmt::Result,
        /// Obeys the line; `EINVAL` when it makes no sense.
        store: Store,
    },
    /// What a module says about its devices, and who uses it.
    Module(Arc<dyn Driver>, Arc<Users>),
}

impl Source {
    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Self::Text(show) | Self::Control { show, .. } => show(out),
            Self::Module(module, _) => module.proc_text(out),
        }
    }
}

/// The texts of open files. They are as long as there is memory for them.
static TEXTS: Account = Account::new(|| u64::MAX);

static FILES: Mutex<KVec<(KString, Source)>> = Mutex::new(KVec::new());

/// Adds the file `path`, for example `sys/vm/drop_caches`. `EEXIST`, `ENOMEM`.
pub fn register(path: &str, source: Source) -> Result<(), Errno> {
    let name = KString::from_str(path, GfpFlags::KERNEL)?;
    let mut files = FILES.lock_uninterruptible()?;
    if files.iter().any(|(name, _)| name.as_str() == path) {
        return Err(Errno::EEXIST);
    }
    files.push((name, source), GfpFlags::KERNEL)?;
    Ok(())
}

/// Removes the file of the module with these users. A thread that has it open keeps its text. Needs no memory.
///
/// # Errors
/// `EAGAIN` where the caller may not sleep.
pub fn unregister_module(users: &Arc<Users>) -> Result<(), Errno> {
    let is_its = |source: &Source| matches!(source, Source::Module(_, its) if Arc::ptr_eq(its, users));
    FILES.lock_uninterruptible()?.retain(|(_, source)| !is_its(source));
    Ok(())
}

fn find(path: &str) -> Result<Found<()>, Errno> {
    names::find(path, FILES.lock()?.iter().map(|(name, _)| (name.as_str(), ())))
}

/// What is behind a file, and the user that keeps its module there, if it is one's.
struct Entered {
    source: Source,
    // Last: the source may have the module's value.
    _user: Option<User>,
}

/// What is behind the file `path`.
fn enter(path: &str) -> Result<Entered, Errno> {
    let files = FILES.lock()?;
    let source = names::find(path, files.iter().map(|(name, source)| (name.as_str(), source)))?.file()?;
    let user = match source {
        Source::Module(_, users) => Some(users.enter()?),
        Source::Text(_) | Source::Control { .. } => None,
    };
    Ok(Entered { source: source.clone(), _user: user })
}

impl FileSystem for ProcFs {
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        let entered = enter(path)?;
        let source = &entered.source;
        if flags.contains(OpenFlags::WRITE) && !matches!(source, Source::Control { .. }) {
            return Err(Errno::EACCES);
        }
        let text =
            if flags.contains(OpenFlags::READ) { written(source)? } else { Pages::new(GfpFlags::KERNEL, &TEXTS) };
        let store = match source {
            Source::Control { store, .. } => Some(*store),
            Source::Text(_) | Source::Module(..) => None,
        };
        Ok(share(ProcFile { store, text })?)
    }

    fn stat(&self, path: &str) -> Result<Stat, Errno> {
        Ok(match find(path)? {
            Found::File(_) => Stat::file(0),
            Found::Directory => Stat::DIRECTORY,
        })
    }

    fn readdir(&self, path: &str) -> Result<Entries, Errno> {
        names::list(path, FILES.lock()?.iter().map(|(name, _)| (name.as_str(), Stat::file(0))))
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        find(path).and(Err(Errno::EACCES))
    }
}

/// The text as it is now.
fn written(source: &Source) -> Result<Pages, Errno> {
    let mut writer = Writer { text: Pages::new(GfpFlags::KERNEL, &TEXTS), error: Errno::EIO };
    match source.show(&mut writer) {
        Ok(()) => Ok(writer.text),
        Err(fmt::Error) => Err(writer.error),
    }
}

/// Writes into pages, and remembers why that failed.
struct Writer {
    text: Pages,
    error: Errno,
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push(text.as_bytes()).map_err(|error| {
            self.error = error;
            fmt::Error
        })
    }
}

/// An open file.
struct ProcFile {
    store: Option<Store>,
    text: Pages,
}

impl File for ProcFile {
    fn stat(&self) -> Result<Stat, Errno> {
        Ok(Stat::file(self.text.size()))
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.text.read(position, buf)
    }

    fn write(&self, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut command = [0; MAX_COMMAND];
        if buf.remaining() > MAX_COMMAND {
            return Err(Errno::EINVAL);
        }
        let n = buf.get(&mut command)?;
        let line = core::str::from_utf8(&command[..n]).map_err(|_| Errno::EINVAL)?;
        self.store.ok_or(Errno::EACCES)?(line.trim_end_matches('\n'))?;
        Ok(n)
    }
}
