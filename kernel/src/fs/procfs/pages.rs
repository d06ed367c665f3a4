//! Bytes in single pages: the text of an open file in /proc.

use kapi::{Errno, IoBuf};
use mm::{GfpFlags, PAGE_SIZE};

use crate::mm::{KVVec, UserPage};

/// A text that grows at its end. As long as there is memory for it.
#[derive(Default)]
pub(super) struct Pages {
    pages: KVVec<UserPage>,
    size: usize,
}

impl Pages {
    /// Bytes of it.
    pub(super) const fn size(&self) -> u64 {
        self.size as u64
    }

    /// Appends `bytes`; on failure a part of them may have been appended. `ENOMEM`.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let (index, offset) = (self.size / PAGE_SIZE, self.size % PAGE_SIZE);
            if index == self.pages.len() {
                self.pages.push(UserPage::zeroed(GfpFlags::KERNEL)?, GfpFlags::KERNEL)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PAGE_SIZE - offset));
            self.pages[index].show_mut(|page| page[offset..offset + now.len()].copy_from_slice(now))?;
            self.size += now.len();
            bytes = later;
        }
        Ok(())
    }

    /// Reads at `position`; 0 at the end.
    pub(super) fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(self.size);
        let mut at = start;
        while at < self.size && buf.remaining() > 0 {
            let (index, offset) = (at / PAGE_SIZE, at % PAGE_SIZE);
            let len = (PAGE_SIZE - offset).min(self.size - at);
            at += self.pages[index].show(|page| buf.put(&page[offset..offset + len]))??;
        }
        Ok(at - start)
    }
}
