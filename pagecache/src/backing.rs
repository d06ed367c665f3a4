//! Where the pages of a mapping come from, and where they go.
//!
//! Key types: [`Backing`], a file or a disk as the cache sees it; [`PageIo`], one page on its way.

use kapi::Errno;
use mm::{AllocError, Pfn};

/// Whose pages they are: how they are counted, and whether they are ever written back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file's: `Cached`.
    File,
    /// A block device's own: `Buffers`. It keeps its size.
    Device,
    /// A file's that lies in memory alone (/tmp): `Cached`, never written back, never given back while the file has it.
    Memory,
    /// An area of swap: written by reclaim only. It keeps its size.
    Swap,
}

impl Kind {
    /// Whether dirty pages are written when they are old or many, and by `sync`.
    pub(crate) const fn is_written_back(self) -> bool {
        matches!(self, Self::File | Self::Device)
    }

    /// Whether a write beyond the end makes it longer.
    pub(crate) const fn grows(self) -> bool {
        matches!(self, Self::File | Self::Memory)
    }
}

/// Why a page could not be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoError {
    /// The device says so.
    Failed,
    /// The device did not answer.
    TimedOut,
    /// It cannot be written to.
    ReadOnly,
    /// It has no room for the page.
    NoSpace,
    /// There was no memory to read it.
    NoMemory,
}

impl From<IoError> for Errno {
    fn from(error: IoError) -> Self {
        match error {
            IoError::Failed | IoError::TimedOut => Self::EIO,
            IoError::ReadOnly => Self::EROFS,
            IoError::NoSpace => Self::ENOSPC,
            IoError::NoMemory => Self::ENOMEM,
        }
    }
}

/// Where the pages of a mapping come from, and where they go.
///
/// A request ends by [`PageIo::finish`], at once or later, in any context. Until then the page stays where it is, and
/// nobody else changes it: what is written is what it held when the request began.
pub trait Backing: Send + Sync {
    /// Whose pages they are. Always the same.
    fn kind(&self) -> Kind;

    /// Begins to read a page: its first [`PageIo::bytes`] bytes. What is behind them the cache has zeroed. Allocates
    /// nothing that waits for write-back; may sleep until a request can begin. Process context.
    fn read(&self, io: PageIo);

    /// Begins to write the first [`PageIo::bytes`] bytes of a page. Allocates nothing; may sleep until a request can
    /// begin, which must not need memory. Process context, that of reclaim too.
    fn write(&self, io: PageIo);

    /// Has the device keep what was written, through a loss of power too. May sleep.
    ///
    /// # Errors
    /// What was written before may be lost.
    fn flush(&self) -> Result<(), IoError> {
        Ok(())
    }

    /// Several requests follow, of neighbours: they may wait for each other until [`end`](Self::end). Nobody sleeps
    /// in between but in [`read`](Self::read) and [`write`](Self::write) themselves.
    fn begin(&self) {}

    /// Ends a [`begin`](Self::begin).
    fn end(&self) {}

    /// A page is about to be kept for `index`; where it says no, none is. Called under the cache's lock: any context.
    fn entering(&self, _index: u64) -> bool {
        true
    }

    /// The page for `index` is kept no more. Called under the cache's lock: any context.
    fn left(&self, _index: u64) {}

    /// Whether anybody wants a dirty page written; if not it may go as it is. Called under the cache's lock.
    fn is_wanted(&self, _index: u64) -> bool {
        true
    }

    /// The page in `frame` could not be read, or not be written. Any context.
    fn failed(&self, _index: u64, _frame: Pfn, _direction: Direction) {}

    /// Whether nothing can be written to it. Always the same.
    fn is_read_only(&self) -> bool {
        false
    }
}

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// To fill a page.
    Read,
    /// To write a page back.
    Write,
}

/// The cache, as its pages on their way know it.
pub(crate) trait Ended: Sync {
    /// The page in `frame` was read or written, or not. Any context.
    fn ended(&self, frame: Pfn, direction: Direction, result: Result<(), IoError>);

    /// Shows the page in `frame` to `f`. Process context.
    fn show(&self, frame: Pfn, f: &mut dyn FnMut(&mut [u8])) -> Result<(), AllocError>;
}

/// One page on its way from or to a [`Backing`]. Dropped unfinished, it has failed.
pub struct PageIo {
    /// `None` once it is finished.
    cache: Option<&'static dyn Ended>,
    place: Place,
    direction: Direction,
}

/// Which page it is.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) frame: Pfn,
    pub(crate) index: u64,
    pub(crate) bytes: usize,
}

impl PageIo {
    pub(crate) const fn new(cache: &'static dyn Ended, place: Place, direction: Direction) -> Self {
        Self { cache: Some(cache), place, direction }
    }

    /// The page's frame.
    pub const fn frame(&self) -> Pfn {
        self.place.frame
    }

    /// Which page of the backing it is, counted from 0.
    pub const fn index(&self) -> u64 {
        self.place.index
    }

    /// Bytes of the page that there are: [`PAGE_SIZE`](mm::PAGE_SIZE), or fewer in the last one.
    pub const fn bytes(&self) -> usize {
        self.place.bytes
    }

    /// Which way it goes.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// Shows the page to `f`: all of it, of which the first [`bytes`](Self::bytes) are the backing's. May sleep until a
    /// window is free: process context only.
    ///
    /// # Errors
    /// The caller may not sleep.
    pub fn show(&self, f: &mut dyn FnMut(&mut [u8])) -> Result<(), AllocError> {
        self.cache.ok_or(AllocError)?.show(self.place.frame, f)
    }

    /// The request as a number, for who has no room for more; [`PageCache::io`](crate::PageCache::io) makes it a
    /// request again. Until then it is not finished.
    pub const fn into_token(self) -> usize {
        let token = self.place.frame.index() << 1 | matches!(self.direction, Direction::Write) as usize;
        core::mem::forget(self);
        token
    }

    /// Frame and direction of a token.
    pub(crate) fn of_token(token: usize) -> (Pfn, Direction) {
        let direction = if token & 1 == 0 { Direction::Read } else { Direction::Write };
        (Pfn::new((token >> 1) as u32), direction)
    }

    /// Ends the request. Any context.
    pub fn finish(mut self, result: Result<(), IoError>) {
        self.end(result);
    }

    fn end(&mut self, result: Result<(), IoError>) {
        if let Some(cache) = self.cache.take() {
            cache.ended(self.place.frame, self.direction, result);
        }
    }
}

impl Drop for PageIo {
    fn drop(&mut self) {
        self.end(Err(IoError::Failed));
    }
}
