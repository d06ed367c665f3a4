//! Bytes in single pages: a file in /tmp, the text of an open file in /proc.
//!
//! A radix tree leads to the pages. They exist where something was written; what lies between them reads as zeros. They
//! may be of high memory: each is shown for the moment of a copy. Pages and the tree's nodes go to an account.

use kapi::{Errno, IoBuf};
use mm::{GfpFlags, PAGE_SIZE, Pfn};
use services::budget::Charge;
use services::radix::RadixTree;

use super::account::Account;
use crate::mm::space::ObjectError;
use crate::mm::{Kernel, UserPage, memory};

/// Bytes of the largest file.
const MAX_SIZE: u64 = 20 << 30;

/// A sparse array of bytes.
pub(super) struct Pages {
    gfp: GfpFlags,
    account: &'static Account,
    charge: Charge<'static>,
    pages: RadixTree<UserPage, Kernel>,
    size: u64,
}

impl Pages {
    /// No bytes, no memory. Pages will be allocated with `gfp`, and charged to `account`.
    pub(super) const fn new(gfp: GfpFlags, account: &'static Account) -> Self {
        Self { gfp, account, charge: account.nothing(), pages: RadixTree::new(), size: 0 }
    }

    /// Bytes up to the end of what was written.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Pages that there are.
    pub(super) const fn count(&self) -> usize {
        self.pages.len()
    }

    /// Makes it `size` bytes long: what lies behind goes, and what is new reads as zeros. `EFBIG`, `ENOMEM`.
    pub(super) fn truncate(&mut self, size: u64) -> Result<(), Errno> {
        if size > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let (index, offset) = split(size);
        if let Some(page) = self.pages.get_mut(index).filter(|_| offset > 0) {
            page.show_mut(|bytes| bytes[offset..].fill(0))?;
        }
        let before = self.pages.len();
        self.pages.remove_from(index + u64::from(offset > 0));
        self.account.remove_pages(before - self.pages.len());
        self.size = size;
        self.charge.lower_to((self.pages.len() * PAGE_SIZE + self.pages.nodes() * node_bytes()) as u64);
        Ok(())
    }

    /// Reads at `position`; 0 at the end.
    pub(super) fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let mut at = position;
        while at < self.size && buf.remaining() > 0 {
            let (index, offset) = split(at);
            let len = (PAGE_SIZE - offset).min(usize::try_from(self.size - at).unwrap_or(PAGE_SIZE));
            let copied = match self.pages.get(index) {
                Some(page) => page.show(|bytes| buf.put(&bytes[offset..offset + len]))??,
                None => buf.put_zeros(len)?,
            };
            at += copied as u64;
        }
        Ok((at - position) as usize)
    }

    /// Writes at `position`, at most to the end of a page, making that page if there is none. On failure nothing has
    /// changed that could be seen. `EFBIG` beyond the largest size, `ENOSPC` beyond the account's limit, `ENOMEM`.
    pub(super) fn write_page(&mut self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        if position >= MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let (index, offset) = split(position);
        let page = match self.pages.get_mut(index) {
            Some(page) => page,
            None => {
                self.add_page(index)?;
                self.pages.get_mut(index).ok_or(Errno::EIO)?
            }
        };
        let n = page.show_mut(|bytes| buf.get(&mut bytes[offset..]))??;
        self.size = self.size.max(position + n as u64);
        Ok(n)
    }

    /// The frame of the page at `index`, which is made if it is missing, with a reference for the caller who maps it.
    pub(super) fn frame(&mut self, index: u64) -> Result<Pfn, ObjectError> {
        if index >= self.size.div_ceil(PAGE_SIZE as u64) {
            return Err(ObjectError::Beyond);
        }
        if self.pages.get(index).is_none() {
            self.add_page(index).map_err(|error| match error {
                // As if there were no such page: nobody can wait for room.
                Errno::ENOSPC => ObjectError::Beyond,
                _ => ObjectError::NoMemory,
            })?;
        }
        let frame = self.pages.get(index).map(UserPage::frame).ok_or(ObjectError::NoMemory)?;
        if memory().get_page(frame) { Ok(frame) } else { Err(ObjectError::NoMemory) }
    }

    /// Makes the page at `index`, which is missing.
    fn add_page(&mut self, index: u64) -> Result<(), Errno> {
        let charge = self.account.charge(PAGE_SIZE + self.pages.missing_nodes(index) * node_bytes())?;
        self.pages.insert(index, UserPage::zeroed(self.gfp)?, GfpFlags::KERNEL)?;
        self.charge.absorb(charge);
        self.account.add_page();
        Ok(())
    }

    /// Appends `bytes`; on failure a part of them may have been appended.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let mut buf = IoBuf::take(bytes);
        while buf.remaining() > 0 {
            self.write_page(self.size, &mut buf)?;
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.account.remove_pages(self.pages.len());
    }
}

/// What a node of the tree costs.
fn node_bytes() -> usize {
    memory().objects().kmalloc_footprint(RadixTree::<UserPage, Kernel>::NODE_BYTES)
}

/// The index of the page that holds the byte at `position`, and its offset there.
const fn split(position: u64) -> (u64, usize) {
    (position / PAGE_SIZE as u64, (position % PAGE_SIZE as u64) as usize)
}
