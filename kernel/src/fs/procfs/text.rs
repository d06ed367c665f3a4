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
use super::super::pages::Pages;
use super::super::tree::Leaf;
use crate::chrdev::{Driver, Users};
use crate::mm::KString;
use crate::sched::Mutex;

/// Names, and the texts of open files, are as long and as many as there is memory for them.
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
}

impl Text for Source {
    fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Self::Text(show) | Self::Control { show, .. } => show(out),
            Self::Module(module, _) => module.proc_text(out),
        }
    }

    fn is_control(&self) -> bool {
        matches!(self, Self::Control { .. })
    }

    fn store(&self, line: &str) -> Result<(), Errno> {
        match self {
            Self::Control { store, .. } => store(line),
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

/// The text of a module, as long as there is the module.
pub(super) struct ModuleText {
    path: KString,
    driver: Mutex<Option<Arc<dyn Driver>>>,
    users: Arc<Users>,
}

impl ModuleText {
    pub(super) fn new(path: &str, driver: Arc<dyn Driver>, users: Arc<Users>) -> Result<Self, Errno> {
        let path = KString::from_str(path, GfpFlags::KERNEL)?;
        Ok(Self { path, driver: Mutex::new(Some(driver)), users })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_of(&self, users: &Arc<Users>) -> bool {
        Arc::ptr_eq(&self.users, users)
    }

    /// The module goes: nobody gets to it from here any more.
    pub(super) fn empty(&self) -> Result<(), Errno> {
        let driver = self.driver.lock_uninterruptible()?.take();
        drop(driver);
        Ok(())
    }
}

impl Leaf for ModuleText {
    /// `ENODEV` while the module comes or goes.
    fn open(self: Arc<Self>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        let driver = self.driver.lock_uninterruptible()?;
        // Counted under the lock under which the driver was found. It goes last.
        let _user = self.users.enter()?;
        let source = driver.clone().ok_or(Errno::ENOENT).map(|driver| Source::Module(driver, self.users.clone()))?;
        drop(driver);
        let text = check(&source, flags).and_then(|()| first_text(&source, flags));
        drop(source);
        Ok(share(TextFile { text: text?, control: None, node })?)
    }
}

/// Whether a text may be opened so.
fn check(text: &dyn Text, flags: OpenFlags) -> Result<(), Errno> {
    if flags.contains(OpenFlags::WRITE) && !text.is_control() { Err(Errno::EACCES) } else { Ok(()) }
}

fn first_text(text: &dyn Text, flags: OpenFlags) -> Result<Pages, Errno> {
    if flags.contains(OpenFlags::READ) { written(text) } else { Ok(Pages::new(GfpFlags::KERNEL, &ACCOUNT)) }
}

/// Opens a text by the name that `node` stands for.
pub(super) fn open(text: Arc<dyn Text>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    check(&*text, flags)?;
    let pages = first_text(&*text, flags)?;
    let control = flags.contains(OpenFlags::WRITE).then_some(text);
    Ok(share(TextFile { text: pages, control, node })?)
}

/// The text as it is now.
fn written(source: &dyn Text) -> Result<Pages, Errno> {
    let mut writer = Writer { text: Pages::new(GfpFlags::KERNEL, &ACCOUNT), error: Errno::EIO };
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
