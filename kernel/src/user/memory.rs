//! A program's buffer, as the bytes of a file's transfer.

use kapi::{Errno, UserMemory};
use mm::VirtAddr;

use super::copy;
use crate::arch::layout::USER_END;
use crate::sched::user::faults_off;

/// A range of ring 3's memory. Its copies bring no pages, so that they can be made under any lock.
#[derive(Clone, Copy, Debug)]
pub struct UserBytes {
    at: VirtAddr,
    len: usize,
}

impl UserBytes {
    /// The range of `len` bytes from `at` on.
    ///
    /// # Errors
    /// `EFAULT` when a part of it is not in the user half.
    pub fn new(at: VirtAddr, len: usize) -> Result<Self, Errno> {
        let end = at.as_usize().checked_add(len).ok_or(Errno::EFAULT)?;
        if end <= USER_END.as_usize() { Ok(Self { at, len }) } else { Err(Errno::EFAULT) }
    }

    /// Where the byte at `offset` is; `offset` is at most the length.
    pub const fn byte(&self, offset: usize) -> VirtAddr {
        self.at.add(offset)
    }
}

impl UserMemory for UserBytes {
    fn len(&self) -> usize {
        self.len
    }

    fn write(&self, offset: usize, bytes: &[u8]) -> usize {
        let _off = faults_off();
        copy::copy_to_some(self.byte(offset), bytes)
    }

    fn clear(&self, offset: usize, count: usize) -> usize {
        let _off = faults_off();
        copy::clear_some(self.byte(offset), count)
    }

    fn address(&self, offset: usize) -> Option<usize> {
        Some(self.byte(offset).as_usize())
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let _off = faults_off();
        copy::copy_from_some(self.byte(offset), bytes)
    }
}
