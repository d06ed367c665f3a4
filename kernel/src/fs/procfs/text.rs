//! Texts as files.
//!
//! A text is written when its file is opened, into pages: a reader sees one state of things however slowly it reads,
//! and nothing is cut off. A write is taken as a whole, as one command.

use alloc::sync::Arc;
use core::fmt;

use kapi::{Errno, IoBuf, OpenFlags};
use mm::GfpFlags;

use super::super::account::Account;
use super::super::file::{File, share};
use super::super::node::{Node, Stat};
use super::super::tree::Leaf;
use super::pages::Pages;
use crate::chrdev::{Driver, User, Users};
use crate::mm::KString;
use crate::sched::Mutex;

/// Names are as many as there is memory for them.
pub(super) static ACCOUNT: Account = Account::new(|| u64::MAX);

/// Bytes of the longest command.
const MAX_COMMAND: usize = 256;

/// A text that a file shows. All may sleep.
pub trait Text: Send + Sync {
    /// Writes it.
    ///
    /// # Errors
    /// Those of `out`; any other is `EIO` for who opens the file.
    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Whether lines can be written to it.
    fn is_control(&self) -> bool {
        false
    }

    /// Obeys a line that was written (without its line end).
    ///
    /// # Errors
    /// `EINVAL` when it makes no sense.
    fn store(&self, _line: &str) -> Result<(), Errno> {
        Err(Errno::EACCES)
    }
}

/// What is behind a fixed name.
#[derive(Clone)]
pub enum Source {
    /// A text.
    Text(fn(&mut dyn fmt::Write) -> fmt::Result),
    /// A text, and what to do with a line that is written (without its line end).
    Control {
        /// Writes the text.
        show: fn(&mut dyn fmt::Write) -> fmt::Result,
        /// Obeys the line; `EINVAL` when it makes no sense.
        store: fn(&str) -> Result<(), Errno>,
    },
    /// What a module says about its devices, and who uses it.
    Module(Arc<dyn Driver>, Arc<Users>),
    /// A text of a module's, and who uses that.
    Owned(Arc<dyn Text>, Arc<Users>),
}

impl Text for Source {
    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Self::Text(show) | Self::Control { show, .. } => show(out),
            Self::Module(module, _) => module.proc_text(out),
            Self::Owned(text, _) => text.show(out),
        }
    }

    fn is_control(&self) -> bool {
        match self {
            Self::Control { .. } => true,
            Self::Owned(text, _) => text.is_control(),
            Self::Text(_) | Self::Module(..) => false,
        }
    }

    fn store(&self, line: &str) -> Result<(), Errno> {
        match self {
            Self::Control { store, .. } => store(line),
            Self::Owned(text, _) => text.store(line),
            Self::Text(_) | Self::Module(..) => Err(Errno::EACCES),
        }
    }
}

impl Leaf for Source {
    fn open(self: Arc<Self>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        open(self, node, flags)
    }

    /// What is written is obeyed: nothing is cut.
    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        if self.is_control() { Ok(()) } else { Err(Errno::EACCES) }
    }
}

/// A text of a module, as long as there is the module.
pub(super) struct ModuleText {
    path: KString,
    source: Mutex<Option<Source>>,
    users: Arc<Users>,
}

impl ModuleText {
    pub(super) fn new(path: &str, source: Source, users: Arc<Users>) -> Result<Self, Errno> {
        let path = KString::from_str(path, GfpFlags::KERNEL)?;
        Ok(Self { path, source: Mutex::new(Some(source)), users })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_of(&self, users: &Arc<Users>) -> bool {
        Arc::ptr_eq(&self.users, users)
    }

    /// The module goes: nobody gets to it from here any more.
    pub(super) fn empty(&self) -> Result<(), Errno> {
        let source = self.source.lock_uninterruptible()?.take();
        drop(source);
        Ok(())
    }
}

impl Leaf for ModuleText {
    /// `ENODEV` while the module comes or goes.
    fn open(self: Arc<Self>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        let place = self.source.lock_uninterruptible()?;
        // Counted under the lock under which the module was found. It goes last.
        let user = self.users.enter()?;
        let source = place.clone().ok_or(Errno::ENOENT)?;
        drop(place);
        let text = check(&source, flags).and_then(|()| first_text(&source, flags))?;
        let control: Option<Arc<dyn Text>> = match source {
            Source::Owned(text, _) if flags.contains(OpenFlags::WRITE) => Some(text),
            _ => None,
        };
        let user = control.is_some().then_some(user);
        Ok(share(TextFile { text, control, node, _user: user })?)
    }

    /// What is written is obeyed: nothing is cut.
    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        let source = self.source.lock_uninterruptible()?;
        if source.as_ref().is_some_and(Text::is_control) { Ok(()) } else { Err(Errno::EACCES) }
    }
}

/// Whether a text may be opened so.
fn check(text: &dyn Text, flags: OpenFlags) -> Result<(), Errno> {
    if flags.contains(OpenFlags::WRITE) && !text.is_control() { Err(Errno::EACCES) } else { Ok(()) }
}

fn first_text(text: &dyn Text, flags: OpenFlags) -> Result<Pages, Errno> {
    if flags.contains(OpenFlags::READ) { written(text) } else { Ok(Pages::default()) }
}

/// Opens a text by the name that `node` stands for.
pub(super) fn open(text: Arc<dyn Text>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    check(&*text, flags)?;
    let pages = first_text(&*text, flags)?;
    let control = flags.contains(OpenFlags::WRITE).then_some(text);
    Ok(share(TextFile { text: pages, control, node, _user: None })?)
}

/// The text as it is now.
fn written(source: &dyn Text) -> Result<Pages, Errno> {
    let mut writer = Writer { text: Pages::default(), error: Errno::EIO };
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
struct TextFile {
    text: Pages,
    /// Who obeys what is written.
    control: Option<Arc<dyn Text>>,
    node: Arc<dyn Node>,
    /// Of the module that obeys, if it is one's. It goes last.
    _user: Option<User>,
}

impl File for TextFile {
    fn stat(&self) -> Result<Stat, Errno> {
        Ok(Stat { size: self.text.size(), ..self.node.stat()? })
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.text.read(position, buf)
    }

    fn write(&self, _position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let control = self.control.as_ref().ok_or(Errno::EACCES)?;
        let mut command = [0; MAX_COMMAND];
        if buf.remaining() > MAX_COMMAND {
            return Err(Errno::EINVAL);
        }
        let n = buf.get(&mut command)?;
        let line = core::str::from_utf8(&command[..n]).map_err(|_| Errno::EINVAL)?;
        control.store(line.trim_end_matches('\n'))?;
        Ok(n)
    }
}
