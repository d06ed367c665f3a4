//! The buffer of a transfer, whose memory is the kernel's or a process's.

use crate::errno::Errno;

/// Memory of a user process, as a transfer sees it: any page of it may be missing.
///
/// A copy ends at the first byte that is not at hand, and says how many went through. It waits for nothing, so it may
/// be made under any lock.
pub trait UserMemory {
    /// Bytes of it.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies `bytes` to byte `offset` and returns how many went through.
    fn write(&self, offset: usize, bytes: &[u8]) -> usize;

    /// Fills `count` bytes from byte `offset` on with zeros and returns how many were.
    fn clear(&self, offset: usize, count: usize) -> usize;

    /// Copies to `bytes` from byte `offset` on and returns how many went through.
    fn read(&self, offset: usize, bytes: &mut [u8]) -> usize;

    /// The address that its process has for byte `offset`; `None` for memory that nobody knows by addresses.
    fn address(&self, _offset: usize) -> Option<usize> {
        None
    }
}

/// Where the bytes of a transfer are, for files that copy by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The kernel's memory.
    Kernel(usize),
    /// That of the process which runs.
    User(usize),
}

/// The caller's end of a read or write: the bytes to fill, or the bytes to take, and how far that has come.
///
/// They are the kernel's or a user process's. Of a process's, pages may be missing: then a copy comes less far than it
/// should ([`has_faulted`](Self::has_faulted)), and nothing [remains](Self::remaining) for the file to do. Whoever made
/// the buffer brings the page, with no lock held, and calls the file again for the rest.
pub struct IoBuf<'a> {
    memory: Memory<'a>,
    len: usize,
    done: usize,
    /// What `done` was when the file's call began.
    begun_at: usize,
    faulted: bool,
}

enum Memory<'a> {
    Fill(&'a mut [u8]),
    Take(&'a [u8]),
    FillUser(&'a dyn UserMemory),
    TakeUser(&'a dyn UserMemory),
}

impl<'a> IoBuf<'a> {
    /// A buffer that a read fills.
    #[inline]
    pub fn fill(memory: &'a mut [u8]) -> Self {
        Self::new(memory.len(), Memory::Fill(memory))
    }

    /// A buffer that a write takes its bytes from.
    #[inline]
    pub fn take(memory: &'a [u8]) -> Self {
        Self::new(memory.len(), Memory::Take(memory))
    }

    /// A process's buffer that a read fills.
    #[inline]
    pub fn fill_user(memory: &'a dyn UserMemory) -> Self {
        Self::new(memory.len(), Memory::FillUser(memory))
    }

    /// A process's buffer that a write takes its bytes from.
    #[inline]
    pub fn take_user(memory: &'a dyn UserMemory) -> Self {
        Self::new(memory.len(), Memory::TakeUser(memory))
    }

    #[inline]
    const fn new(len: usize, memory: Memory<'a>) -> Self {
        Self { memory, len, done: 0, begun_at: 0, faulted: false }
    }

    /// Has a file fill or take bytes. What a call before it met is forgotten, and one that fails has filled and taken
    /// nothing, whatever it looked at before it failed.
    #[inline]
    pub fn call<T>(&mut self, file: impl FnOnce(&mut Self) -> Result<T, Errno>) -> Result<T, Errno> {
        self.begun_at = self.done;
        self.faulted = false;
        let outcome = file(self);
        if outcome.is_err() {
            self.done = self.begun_at;
        }
        outcome
    }

    /// Whether a page of the caller's was missing in this call of a file: what remained was left undone.
    pub const fn has_faulted(&self) -> bool {
        self.faulted
    }

    /// Bytes that are still to be filled or taken by this call of a file: none once it has met a missing page.
    #[inline]
    pub const fn remaining(&self) -> usize {
        if self.faulted { 0 } else { self.len - self.done }
    }

    /// Bytes that have been filled or taken.
    pub const fn done(&self) -> usize {
        self.done
    }

    /// Copies as much of `bytes` as fits to the caller and returns how much that was. `EFAULT` on a write's buffer, and
    /// where the caller's first page is missing.
    pub fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let wanted = self.remaining().min(bytes.len());
        let (bytes, at) = (&bytes[..wanted], self.done);
        let copied = match &mut self.memory {
            Memory::Fill(memory) => {
                memory[at..at + wanted].copy_from_slice(bytes);
                wanted
            }
            Memory::FillUser(memory) => memory.write(at, bytes),
            Memory::Take(_) | Memory::TakeUser(_) => return Err(Errno::EFAULT),
        };
        self.advance(copied, wanted)
    }

    /// Copies as many of the caller's bytes as `bytes` holds and returns how many. `EFAULT` on a read's buffer, and
    /// where the caller's first page is missing.
    pub fn get(&mut self, bytes: &mut [u8]) -> Result<usize, Errno> {
        let wanted = self.remaining().min(bytes.len());
        let (bytes, at) = (&mut bytes[..wanted], self.done);
        let copied = match &self.memory {
            Memory::Take(memory) => {
                bytes.copy_from_slice(&memory[at..at + wanted]);
                wanted
            }
            Memory::TakeUser(memory) => memory.read(at, bytes),
            Memory::Fill(_) | Memory::FillUser(_) => return Err(Errno::EFAULT),
        };
        self.advance(copied, wanted)
    }

    /// Leaves out up to `count` of the caller's bytes, without a look at them, and returns how many. `EFAULT` on a
    /// read's buffer.
    pub fn skip(&mut self, count: usize) -> Result<usize, Errno> {
        let wanted = self.remaining().min(count);
        match &self.memory {
            Memory::Take(_) | Memory::TakeUser(_) => self.advance(wanted, wanted),
            Memory::Fill(_) | Memory::FillUser(_) => Err(Errno::EFAULT),
        }
    }

    /// Takes back that the last `count` bytes were taken: the file could not use them.
    pub const fn untake(&mut self, count: usize) {
        self.done = self.done.saturating_sub(count);
    }

    /// Fills up to `count` bytes with zeros for the caller and returns how many. `EFAULT` on a write's buffer, and
    /// where the caller's first page is missing.
    pub fn put_zeros(&mut self, count: usize) -> Result<usize, Errno> {
        let (wanted, at) = (self.remaining().min(count), self.done);
        let copied = match &mut self.memory {
            Memory::Fill(memory) => {
                memory[at..at + wanted].fill(0);
                wanted
            }
            Memory::FillUser(memory) => memory.clear(at, wanted),
            Memory::Take(_) | Memory::TakeUser(_) => return Err(Errno::EFAULT),
        };
        self.advance(copied, wanted)
    }

    /// Where the remaining bytes are, for a file that copies by itself: it reads or writes
    /// [`remaining`](Self::remaining) of them at most, and says by [`copied`](Self::copied) how many. `EFAULT` for
    /// memory without addresses.
    pub fn place(&mut self) -> Result<Place, Errno> {
        let at = self.done;
        match &mut self.memory {
            Memory::Fill(memory) => Ok(Place::Kernel(memory[at..].as_mut_ptr().expose_provenance())),
            Memory::Take(memory) => Ok(Place::Kernel(memory[at..].as_ptr().expose_provenance())),
            Memory::FillUser(memory) | Memory::TakeUser(memory) => {
                memory.address(at).map(Place::User).ok_or(Errno::EFAULT)
            }
        }
    }

    /// The file has copied `count` bytes by itself; returns how many of them there were.
    pub fn copied(&mut self, count: usize) -> usize {
        let count = count.min(self.remaining());
        self.done += count;
        count
    }

    /// Takes note that of `wanted` bytes `copied` went through. An error only if none has in this call of a file: what
    /// did go through must not be lost.
    const fn advance(&mut self, copied: usize, wanted: usize) -> Result<usize, Errno> {
        self.done += copied;
        self.faulted |= copied < wanted;
        if self.faulted && self.done == self.begun_at { Err(Errno::EFAULT) } else { Ok(copied) }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::RefCell;

    use super::{IoBuf, UserMemory};
    use crate::errno::Errno;

    #[test]
    fn buffers_count_what_went_through() {
        let mut bytes = [0; 4];
        let mut buf = IoBuf::fill(&mut bytes);
        assert_eq!(buf.put(b"ab"), Ok(2));
        assert_eq!(buf.put(b"cde"), Ok(2));
        assert_eq!(buf.remaining(), 0);
        assert_eq!(buf.get(&mut [0]), Err(Errno::EFAULT));
        assert_eq!(&bytes, b"abcd");
    }

    /// Eight bytes, of which the first `there` are at hand.
    struct Holey {
        bytes: RefCell<[u8; 8]>,
        there: usize,
    }

    impl Holey {
        fn there(&self, offset: usize, count: usize) -> usize {
            self.there.saturating_sub(offset).min(count)
        }
    }

    impl UserMemory for Holey {
        fn len(&self) -> usize {
            8
        }

        fn write(&self, offset: usize, bytes: &[u8]) -> usize {
            let n = self.there(offset, bytes.len());
            self.bytes.borrow_mut()[offset..offset + n].copy_from_slice(&bytes[..n]);
            n
        }

        fn clear(&self, offset: usize, count: usize) -> usize {
            let n = self.there(offset, count);
            self.bytes.borrow_mut()[offset..offset + n].fill(0);
            n
        }

        fn read(&self, offset: usize, bytes: &mut [u8]) -> usize {
            let n = self.there(offset, bytes.len());
            bytes[..n].copy_from_slice(&self.bytes.borrow()[offset..offset + n]);
            n
        }
    }

    #[test]
    fn a_missing_page_ends_the_call_and_loses_nothing() {
        let memory = Holey { bytes: RefCell::new(*b"........"), there: 5 };
        let mut buf = IoBuf::fill_user(&memory);
        assert_eq!(buf.put(b"abcd"), Ok(4));
        assert_eq!(buf.put(b"efgh"), Ok(1));
        assert!(buf.has_faulted());
        assert_eq!((buf.remaining(), buf.done()), (0, 5));
        // No error after bytes that went through, and no more bytes.
        assert_eq!(buf.put(b"x"), Ok(0));
        assert_eq!(&*memory.bytes.borrow(), b"abcde...");
        // The next call of a file meets it at once.
        let outcome = buf.call(|buf| {
            assert_eq!((buf.remaining(), buf.has_faulted()), (3, false));
            buf.put_zeros(3)
        });
        assert_eq!((outcome, buf.has_faulted()), (Err(Errno::EFAULT), true));
    }

    #[test]
    fn a_call_that_fails_has_taken_nothing() {
        let mut bytes = [0; 4];
        let mut buf = IoBuf::take(b"abcdef");
        assert_eq!(buf.call(|buf| buf.get(&mut bytes)), Ok(4));
        let refused = buf.call(|buf| {
            buf.get(&mut bytes)?;
            Err::<(), _>(Errno::EINVAL)
        });
        assert_eq!((refused, buf.done(), buf.remaining()), (Err(Errno::EINVAL), 4, 2));
    }

    #[test]
    fn what_was_missing_comes_with_the_next_call() {
        let mut memory = Holey { bytes: RefCell::new(*b"abcdefgh"), there: 2 };
        let mut bytes = [0; 8];
        let mut buf = IoBuf::take_user(&memory);
        assert_eq!(buf.get(&mut bytes), Ok(2));
        assert_eq!(buf.put(b"x"), Err(Errno::EFAULT));
        let done = buf.done();
        memory.there = 8;
        let mut buf = IoBuf::take_user(&memory);
        assert_eq!(buf.skip(done), Ok(2));
        assert_eq!(buf.get(&mut bytes[done..]), Ok(6));
        assert_eq!(&bytes, b"abcdefgh");
        assert_eq!(buf.remaining(), 0);
        buf.untake(3);
        assert_eq!((buf.remaining(), buf.done()), (3, 5));
    }
}
